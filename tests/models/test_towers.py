"""The pieces of the network: missing values, weights of purchases, and scoring some products or all."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest
import torch

from embedrec.data.cuts import training_cuts
from embedrec.features import DAY, FeatureEncoder, Snapshot
from embedrec.features.history import Ragged
from embedrec.features.patterns import PatternSettings, Vectors, patterns
from embedrec.models import TwoTower, TwoTowerConfig, TwoTowerScorer
from embedrec.models.inputs import CustomerInputs, ProductInputs, customer_inputs, product_inputs
from embedrec.models.towers import Identity, Numeric
from embedrec.models.two_tower import positions
from shops import at_day, history_of, small_shop

NOW = at_day(250)


@pytest.fixture(scope="module")
def snapshot() -> Snapshot:
    return FeatureEncoder.fit(*history_of(small_shop(5, views=200)), NOW).at(NOW)


@pytest.fixture
def network(snapshot: Snapshot) -> TwoTower:
    """A network in which every part has something to say, as after training."""
    torch.manual_seed(0)
    network = TwoTowerConfig(dim=8, half_life=10.0, patterns=3).build(snapshot.encoder.schema).eval()
    found = patterns(snapshot.history, NOW, PatternSettings(3, 48.0))
    network.keep_patterns(torch.from_numpy(found), torch.from_numpy(snapshot.products.row))
    for started in (network.weight, network.interest, network.habits, network.looks):
        torch.nn.init.normal_(started[-1].weight)
    return network


@pytest.fixture(scope="module")
def products(snapshot: Snapshot) -> ProductInputs:
    return product_inputs(snapshot.products)


@pytest.fixture(scope="module")
def customers(snapshot: Snapshot) -> CustomerInputs:
    return customer_inputs(snapshot.customers(np.arange(snapshot.history.n_users)))


def test_missing_has_a_state_of_its_own() -> None:
    torch.manual_seed(0)
    numeric = Numeric(3, 4)
    missing, mean = torch.tensor([[0.5, torch.nan, 1.0]]), torch.tensor([[0.5, 0.0, 1.0]])
    assert torch.equal(numeric(missing), numeric(mean)), "never missing in training: no noise later"
    out = numeric(missing)
    out.sum().backward()
    by_column = numeric.linear.weight.grad.abs().sum(0)  # three values, then three marks of absence
    assert (by_column > 0).tolist() == [True, False, True, False, True, False]


def test_what_is_missing_is_learned() -> None:
    """Only whether the value is known decides the answer; the mean of the known ones is no help."""
    torch.manual_seed(0)
    numeric = Numeric(1, 1)
    optimizer = torch.optim.Adam(numeric.parameters(), lr=0.1)
    values, wanted = torch.tensor([[torch.nan], [-1.0], [0.0], [1.0]]), torch.tensor([[2.0], [0.0], [0.0], [0.0]])
    for _ in range(200):
        optimizer.zero_grad()
        (numeric(values) - wanted).square().mean().backward()
        optimizer.step()
    torch.testing.assert_close(numeric(values), wanted, atol=0.05, rtol=0)


def lines_of(*ages: list[float]) -> CustomerInputs:
    blank = torch.zeros(len(ages), dtype=torch.int64)
    offsets = torch.tensor([0, *np.cumsum([len(row) for row in ages])])
    flat = torch.tensor([age for row in ages for age in row])
    none, nothing = torch.empty(0, dtype=torch.int64), torch.empty(0)
    lines = offsets, torch.zeros(len(flat)).long(), flat
    bought, habits, seen = (none, none, nothing, nothing), (none, none, nothing), (none, none, nothing)
    return CustomerInputs(blank, blank, blank, torch.empty(0, 0), *lines, *bought, *habits, *seen)


def test_a_purchase_counts_half_after_its_half_life(network: TwoTower) -> None:
    weights = network.customers.line_weights(lines_of([30.0, 20.0, 10.0], [], [5.0]))
    torch.testing.assert_close(weights, torch.tensor([1 / 7, 2 / 7, 4 / 7, 1.0]))


def test_purchases_of_long_ago_still_share_their_customers_weight(network: TwoTower) -> None:
    weights = network.customers.line_weights(lines_of([40_010.0, 40_000.0]))
    torch.testing.assert_close(weights, torch.tensor([1 / 3, 2 / 3]))


def test_a_history_that_was_dropped_whole_is_empty(snapshot: Snapshot) -> None:
    config = TwoTowerConfig(dim=8, history_dropout=0.999)
    tower = config.build(snapshot.encoder.schema).customers.train()
    torch.manual_seed(0)
    weights = tower.line_weights(lines_of([3.0, 2.0]))
    assert weights.tolist() == [0, 0]


def test_an_id_is_shown_as_often_as_its_purchases_say() -> None:
    table = Identity([10, 90, 0], 1, 1.0, prior=10.0)
    with torch.no_grad():
        table.weight.copy_(torch.tensor([[0.0], [1.0], [1.0], [1.0]]))
    torch.manual_seed(0)
    shown = table(torch.arange(4).repeat(5000, 1))
    assert set(shown.unique().tolist()) == {0.0, 1.0}
    assert shown.mean(0).flatten().tolist() == pytest.approx([0, 1 / 2, 9 / 10, 0], abs=0.02)


def test_answers_take_the_mean_of_what_training_showed() -> None:
    table = Identity([10, 90, 0], 4, 1.0, prior=10.0).eval()
    unknown, rare, usual, unseen = table(torch.arange(4))
    own = table.weight.detach()
    torch.testing.assert_close(unknown, own[0])
    torch.testing.assert_close(rare, (own[0] + own[1]) / 2)
    torch.testing.assert_close(usual, 0.1 * own[0] + 0.9 * own[2])
    torch.testing.assert_close(unseen, own[0])


def test_customers_in_no_batch_are_nobody_in_particular(snapshot: Snapshot) -> None:
    identity = TwoTowerConfig(dim=8).build(snapshot.encoder.schema).customers.eval().id(torch.arange(3))
    torch.testing.assert_close(identity, identity[:1].expand(3, -1))


def test_without_a_prior_an_id_is_itself() -> None:
    table = Identity([1, 5], 3, 1.0, prior=0.0)
    for training in (True, False):
        assert torch.equal(table.train(training)(torch.tensor([0, 1, 2])), table.weight)


def test_places_of_products() -> None:
    assert positions(torch.tensor([1, 4]), 6).tolist() == [-1, 0, -1, -1, 1, -1]


def test_some_products_are_scored_as_among_all(
    network: TwoTower, customers: CustomerInputs, products: ProductInputs
) -> None:
    items = torch.tensor([0, 3, 4, 11, 29])
    whole, some = network(customers, products), network(customers, products, items)
    torch.testing.assert_close(some, whole[:, items])


def test_the_repeat_head_answers_for_the_towers_where_something_was_bought(
    network: TwoTower, customers: CustomerInputs, products: ProductInputs
) -> None:
    scores = network(customers, products)
    with torch.no_grad():
        network.customers.history.weight.mul_(5)
        network.products.id.weight.mul_(5)
    moved = network(customers, products) != scores
    bought = torch.zeros_like(moved)
    bought[customers.bought_rows, customers.bought_items] = True
    assert not moved[bought].any()
    assert moved[~bought].float().mean() > 0.99


def test_what_sells_attracts_to_bought_products_as_to_others(
    network: TwoTower, customers: CustomerInputs, products: ProductInputs
) -> None:
    before = network(customers, products)
    with torch.no_grad():
        network.sales[-1].bias.add_(1.0)
    lift = network.interests(customers).sum(1, keepdim=True)
    torch.testing.assert_close(network(customers, products) - before, lift.expand_as(before), atol=1e-4, rtol=1e-4)


def test_patterns_of_a_date_stand_in_for_those_kept(
    network: TwoTower, customers: CustomerInputs, products: ProductInputs, snapshot: Snapshot
) -> None:
    """Training hands in those of its date; the same scores come from the same patterns, others from others."""

    def dated(found: Vectors) -> ProductInputs:
        return product_inputs(snapshot.products, patterns=found)

    found = patterns(snapshot.history, NOW, PatternSettings(3, 48.0))
    kept, given = (network(customers, one) for one in (products, dated(found)))
    torch.testing.assert_close(given, kept)
    earlier = patterns(snapshot.history, at_day(120), PatternSettings(3, 48.0))
    assert not torch.allclose(network(customers, dated(earlier)), kept)


def test_training_and_serving_agree(
    network: TwoTower, customers: CustomerInputs, products: ProductInputs, snapshot: Snapshot
) -> None:
    served = TwoTowerScorer(network).observe(snapshot).score(np.arange(len(customers.row)))
    torch.testing.assert_close(served, network(customers, products), rtol=1e-4, atol=1e-5)


def test_serving_keeps_weights_of_its_own(network: TwoTower, snapshot: Snapshot) -> None:
    scorer = TwoTowerScorer(network).observe(snapshot)
    scores = scorer.score(np.arange(3))
    with torch.no_grad():
        network.norm.bias.add_(1)
    assert torch.equal(scorer.observe(snapshot).score(np.arange(3)), scores)


def test_every_weight_gets_a_gradient(network: TwoTower, customers: CustomerInputs, products: ProductInputs) -> None:
    network(customers, products).square().sum().backward()
    assert {
        name for name, weight in network.named_parameters() if weight.grad is None or not weight.grad.any()
    } == set()


def test_a_customer_without_purchases_has_no_history(network: TwoTower, snapshot: Snapshot) -> None:
    nobody = snapshot.encoder.newcomer(np.empty(0, np.int64), snapshot.products)
    inputs = customer_inputs(nobody)
    parts = network.customers(inputs, torch.ones(snapshot.history.n_items, 8), inputs.line_items)
    assert not parts.history.any()
    assert parts.identity.equal(network.customers.id.weight[:1])


def test_history_reads_what_was_bought_and_when(network: TwoTower, snapshot: Snapshot) -> None:
    """Moving the purchases back by the same time for all leaves the taste; naming other products does not."""
    (cut,) = training_cuts(snapshot.history, NOW, 30 * DAY, 1)
    customers = snapshot.customers(cut.users)
    scorer = TwoTowerScorer(network).observe(snapshot)
    history = scorer.score_parts(customers)["history"]
    older = dataclasses.replace(customers, line_ages=customers.line_ages + 90)
    torch.testing.assert_close(scorer.score_parts(older)["history"], history)
    other = dataclasses.replace(customers, line_items=(customers.line_items + 1) % snapshot.history.n_items)
    assert not torch.allclose(scorer.score_parts(other)["history"], history)


def test_heads_speak_of_their_own_products_alone(
    network: TwoTower, customers: CustomerInputs, products: ProductInputs, snapshot: Snapshot
) -> None:
    every = torch.arange(snapshot.history.n_items)
    cold = products.dynamic.isnan().any(1)
    assert 0 < cold.sum() < len(every) / 2
    blank = torch.zeros(len(customers.row), len(every))
    heads = network.heads(customers, products)
    habits = network.habits_part(heads, customers, products, every)
    looks = network.looks_part(heads, blank, customers, every)
    known = torch.zeros(len(blank), network.products.category.num_embeddings, dtype=torch.bool)
    known[customers.habit_rows, customers.habit_categories] = True
    assert habits.ne(0).equal(known[:, products.category] & cold)
    seen = blank.bool()
    seen[customers.seen_rows, customers.seen_items] = True
    assert seen.any()
    assert looks.ne(0).equal(seen)
    lift = network.newness_part(products, every)
    assert lift[cold].unique().tolist() == [network.config.new_product_lift]
    assert not lift[~cold].any()
    assert not network.train().newness_part(products, every).any(), "what is learned is how likely they were"


def test_without_history_only_the_other_heads_know_what_was_bought(snapshot: Snapshot) -> None:
    torch.manual_seed(0)
    network = TwoTowerConfig(dim=8, history=False, repeat=False).build(snapshot.encoder.schema)
    customers = snapshot.customers(np.arange(snapshot.history.n_users))
    none = dataclasses.replace(
        customers,
        line_items=(customers.line_items + 1) % snapshot.history.n_items,
        categories=Ragged(customers.categories.offsets, customers.categories.values[::-1].copy()),
    )
    scorer = TwoTowerScorer(network).observe(snapshot)
    assert torch.equal(scorer.score(none), scorer.score(customers))
    assert not scorer.score_parts(customers)["history"].any()

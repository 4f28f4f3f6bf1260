"""Which products stand in the denominator, and with what weight."""

from __future__ import annotations

import itertools
from math import log

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from embedrec.data.sampling import Candidates, Draw, Negatives, chance_of, sample_candidates
from embedrec.features.history import Ragged
from embedrec.losses import softmax_loss

N = 8
AVAILABLE = np.array([True] * 6 + [False] * 2)  # 6 and 7 were launched later


def ragged(*rows: list[int]) -> Ragged:
    offsets = np.concatenate([[0], np.cumsum([len(row) for row in rows])])
    return Ragged(offsets.astype(np.int64), np.array([value for row in rows for value in row], np.int64))


TARGETS, BOUGHT = ragged([0, 3, 6], [1], []), ragged([3], [], [2, 5])


class Draws:
    """A stream that draws what the test wants."""

    def __init__(self, *items: int) -> None:
        self.items = items

    def choice(self, pool: np.ndarray, count: int, replace: bool) -> np.ndarray:
        assert set(self.items) <= set(pool)
        assert len(self.items) == count
        assert not replace
        return np.array(self.items)


def sampled(*drawn: int) -> Candidates:
    return sample_candidates(AVAILABLE, TARGETS, BOUGHT, len(drawn), Draws(*drawn))


def weights(candidates: Candidates, customer: int) -> dict[int, float]:
    """Product → weight, of the products that count for the customer."""
    row = candidates.log_weight[customer].tolist()
    items = range(len(row)) if candidates.items is None else candidates.items.tolist()
    return {item: value for item, value in zip(items, row, strict=True) if value > -np.inf}


def test_own_products_weigh_0_and_drawn_ones_stand_for_all_others() -> None:
    candidates = sampled(2, 3, 4)
    assert candidates.items.tolist() == [0, 1, 2, 3, 4, 5]
    other = pytest.approx(log(6 / 3))
    assert weights(candidates, 0) == {0: 0, 2: other, 3: 0, 4: other}  # 0 and 3 are targets, 1 and 5 of others
    assert weights(candidates, 1) == {1: 0, 2: other, 3: other, 4: other}
    assert weights(candidates, 2) == {2: 0, 3: other, 4: other, 5: 0}  # 2 was drawn and is still their own


def test_the_whole_catalogue_weighs_0_but_for_what_was_not_there() -> None:
    for negatives in ("all", 6, 100):
        candidates = sample_candidates(AVAILABLE, TARGETS, BOUGHT, negatives, Draws())
        assert candidates.items is None
        assert candidates.log_weight.shape == (3, N)
        for customer in range(3):
            assert weights(candidates, customer) == dict.fromkeys(range(6), 0.0)


@pytest.mark.parametrize("candidates", [sampled(1, 4), sample_candidates(AVAILABLE, TARGETS, BOUGHT, "all", Draws())])
def test_targets_and_bought_products_are_found_again(candidates: Candidates) -> None:
    items = np.arange(N) if candidates.items is None else candidates.items
    pairs = list(zip(candidates.rows.tolist(), items[candidates.columns].tolist(), strict=True))
    assert pairs == [(0, 0), (0, 3), (1, 1)]  # 6 was launched after the cut: nobody could have predicted it
    assert candidates.first_time.tolist() == [True, False, True]
    bought = list(zip(candidates.bought_rows.tolist(), items[candidates.bought_columns].tolist(), strict=True))
    assert bought == [(0, 3), (2, 2), (2, 5)]


def test_the_sampled_denominator_is_unbiased() -> None:
    """Over all draws that are possible, exp(loss) of the one target averages to that of the whole catalogue."""
    scores = torch.tensor([[0.3, -1.0, 2.0, 0.5, 1.5, -0.2, 9.0, 9.0]], dtype=torch.float64)
    targets, bought = ragged([4]), ragged([1])

    def loss(negatives: Negatives, *drawn: int) -> float:
        found = sample_candidates(AVAILABLE, targets, bought, negatives, Draws(*drawn))
        shown = scores if found.items is None else scores[:, torch.from_numpy(found.items)]
        rows, columns = torch.from_numpy(found.rows), torch.from_numpy(found.columns)
        return float(softmax_loss(shown, torch.from_numpy(found.log_weight).double(), rows, columns, 0.7))

    full = loss("all")
    for negatives in (2, 4):
        each = [loss(negatives, *drawn) for drawn in itertools.combinations(range(6), negatives)]
        assert np.mean(np.exp(each)) == pytest.approx(np.exp(full), rel=1e-6)
        assert np.mean(each) < full  # the log of an unbiased sum is a little too low


def test_many_draws_approach_the_full_loss() -> None:
    rng = np.random.default_rng(0)
    size, n_items = 6, 400
    scores = torch.from_numpy(rng.normal(size=(size, n_items)))
    targets, bought = ragged(*([row] for row in range(size))), ragged(*([row + 20, 50] for row in range(size)))
    available = np.ones(n_items, bool)

    def loss(negatives: Negatives) -> float:
        found = sample_candidates(available, targets, bought, negatives, rng)
        shown = scores if found.items is None else scores[:, torch.from_numpy(found.items)]
        rows, columns = torch.from_numpy(found.rows), torch.from_numpy(found.columns)
        return float(softmax_loss(shown, torch.from_numpy(found.log_weight).double(), rows, columns, 1.0))

    errors = [abs(np.mean([loss(negatives) for _ in range(200)]) - loss("all")) for negatives in (10, 40, 160)]
    assert errors[0] > errors[1] > errors[2]
    assert errors[2] < 0.01


@settings(max_examples=50)
@given(st.data(), st.integers(0, 99))
def test_any_batch(data: st.DataObject, seed: int) -> None:
    n_items = data.draw(st.integers(1, 12))
    available = np.array(data.draw(st.lists(st.booleans(), min_size=n_items, max_size=n_items)))
    pool = np.flatnonzero(available).tolist()
    some = st.lists(st.integers(0, n_items - 1), max_size=4, unique=True).map(sorted)
    past = st.lists(st.sampled_from(pool), max_size=4, unique=True).map(sorted) if pool else st.just([])
    size = data.draw(st.integers(1, 4))
    wanted = data.draw(st.lists(some, min_size=size, max_size=size))
    owned = data.draw(st.lists(past, min_size=size, max_size=size))
    negatives = data.draw(st.one_of(st.just("all"), st.integers(1, 12)))
    found = sample_candidates(available, ragged(*wanted), ragged(*owned), negatives, np.random.default_rng(seed))
    again = sample_candidates(available, ragged(*wanted), ragged(*owned), negatives, np.random.default_rng(seed))
    for one, other in zip(found, again, strict=True):
        np.testing.assert_array_equal(one, other)

    whole = negatives == "all" or negatives >= len(pool)
    assert (found.items is None) == whole
    for customer in range(size):
        shown = weights(found, customer)
        own = set(owned[customer]) | (set(wanted[customer]) & set(pool))
        assert set(shown) <= set(pool)
        assert own <= set(shown)
        if whole:
            assert shown == dict.fromkeys(pool, 0.0)
            continue
        others = {item: weight for item, weight in shown.items() if item not in own}
        assert all(shown[item] == 0 for item in own)
        assert all(weight == pytest.approx(log(len(pool) / negatives)) for weight in others.values())
        assert negatives - len(own) <= len(others) <= negatives


def test_in_batch_products_stand_for_all_by_how_often_they_turn_up() -> None:
    """Over many batches the weighted sum over the batch's own products is the sum over the catalogue."""
    rng = np.random.default_rng(0)
    n_items, n_users, size = 12, 40, 8
    rate = np.linspace(0.05, 0.6, n_items)
    wants = rng.random((n_users, n_items)) < rate
    wants[:, -1] = True  # nobody is left without a target
    share = wants.mean(0)
    turns_up = 1 - (1 - share) ** size
    value = rng.random(n_items)
    sums = []
    for _ in range(3000):
        users = rng.choice(n_users, size, replace=True)
        targets = ragged(*(np.flatnonzero(wants[user]).tolist() for user in users))
        found = sample_candidates(
            np.ones(n_items, bool), targets, ragged(*[[] for _ in users]), "in_batch", rng, turns_up
        )
        assert found.items is not None
        own = np.zeros(len(found.items), bool)
        own[found.columns[found.rows == 0]] = True
        weight = np.exp(np.where(own, -np.log(turns_up[found.items]), found.log_weight[0]))
        sums.append((weight * value[found.items]).sum())
        assert (found.log_weight[0, own] == 0).all()
    assert np.mean(sums) == pytest.approx(value[share > 0].sum(), rel=0.02)


BUYERS = np.array([90.0, 5.0, 3.0, 0.0, 0.0, 0.0, 50.0, 0.0])


@pytest.mark.parametrize("draw", ["popularity", "mixed"])
@pytest.mark.parametrize("negatives", [1, 2, 5])
def test_chances_add_up_and_follow_the_buyers(draw: Draw, negatives: int) -> None:
    chance = chance_of(draw, AVAILABLE, BUYERS, negatives)
    assert chance.sum() == pytest.approx(negatives)
    assert chance.max() <= 1
    assert not chance[~AVAILABLE].any()
    assert (np.diff(chance[AVAILABLE]) <= 0).all()
    assert (chance[AVAILABLE] > 0).all()  # or its weight could not make up for it
    if draw == "mixed":
        assert (chance[AVAILABLE] >= 0.5 * negatives / 6).all()


def test_by_popularity_what_is_bought_more_is_drawn_more() -> None:
    chance = chance_of("popularity", AVAILABLE, BUYERS, 1)
    assert chance[:3] == pytest.approx(np.array([91, 6, 4]) / 104)


@pytest.mark.parametrize("negatives", ["all", 6, "in_batch"])
def test_where_nothing_is_drawn_there_is_no_chance(negatives: Negatives) -> None:
    assert chance_of("popularity", AVAILABLE, BUYERS, negatives) is None


@pytest.mark.parametrize("draw", ["popularity", "mixed"])
def test_weights_make_up_for_the_chance(draw: Draw) -> None:
    """On average over draws every product counts once: the sum of weights is the catalogue's."""
    chance, rng = chance_of(draw, AVAILABLE, BUYERS, 3), np.random.default_rng(0)
    nobody = ragged([])
    total, draws = np.zeros(N), 4000
    for _ in range(draws):
        candidates = sample_candidates(AVAILABLE, nobody, nobody, 3, rng, chance)
        total[candidates.items] += np.exp(candidates.log_weight[0])
    deviation = np.sqrt((1 / np.where(AVAILABLE, chance, 1) - 1) / draws)
    assert (np.abs(total / draws - AVAILABLE) <= 4 * deviation).all()

"""The ranked views against a brute force in plain Python, and what must not change them."""

from __future__ import annotations

import dataclasses
import itertools
import math
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import torch
from torch import Tensor

from embedrec.columns import CATEGORY, CUSTOMER, PRODUCT, TIME
from embedrec.evaluation import ranking
from embedrec.evaluation.intervals import bootstrap_means
from embedrec.evaluation.ranking import KS, VIEWS, RankedView, Truth, rank
from embedrec.evaluation.summary import headline, summarise
from embedrec.features import Customers, FeatureEncoder, Snapshot
from embedrec.metrics import METRICS
from embedrec.models import Scorer
from embedrec.models.classic.random import RandomConfig
from embedrec.tables import Tables
from shops import at_day, history_of, lines, small_shop, tables_of, with_events

CUTOFF = 240  # days after the start of the shop
END = 301
PLACES = {view: 50 if view == "cold_item" else max(KS) for view in VIEWS}
NEVER_SOLD = ("P041", "P042", "P043", "P044")  # of a small shop of 45 products


def random_shop(seed: int) -> Tables:
    """Some customers try a listed product that nobody had bought, and some buy for the first time, in the window."""
    shop = small_shop(seed, customers=60, products=45, purchases=900)
    assert not shop.purchases[PRODUCT].isin(NEVER_SOLD).any()
    tried = [(f"C{i:04d}", NEVER_SOLD[i % 3], CUTOFF + 1 + i) for i in range(0, 50, 2)]
    first = [(f"N{i:04d}", f"P{i % 40:03d}", CUTOFF + 1 + i) for i in range(12)]
    return with_events(shop, lines(*tried, *first))


class Hashed(Scorer):
    """Scores with many ties, a function of the two ids alone."""

    def score_parts(self, customers: Customers) -> dict[str, Tensor]:
        history = self.snapshot_.history
        table = [
            [score_of(str(history.customer_ids[user]), str(product)) for product in history.product_ids]
            for user in customers.users
        ]
        return {"hash": torch.tensor(table, dtype=torch.float64).reshape(customers.size, history.n_items)}


def score_of(customer: str, product: str) -> float:
    return float(sum(map(ord, customer)) * 7 + sum(map(ord, product)) * 13 + len(customer + product)) % 11


def moment(tables: Tables, cutoff: float = CUTOFF) -> Snapshot:
    history, catalogue = history_of(tables)
    return FeatureEncoder.fit(history, catalogue, at_day(cutoff)).at(at_day(cutoff))


def views_of(tables: Tables) -> tuple[Snapshot, dict[str, RankedView]]:
    snapshot = moment(tables)
    scorer = Hashed().observe(snapshot)
    return snapshot, rank(scorer, snapshot, Truth.of_window(snapshot, at_day(END)))


def by_hand(tables: Tables, view: str) -> dict[str, tuple[list[str], set[str]]]:
    """For each customer of a view: the list of 20, and the targets."""
    past: dict[str, set[str]] = {}
    future: dict[str, set[str]] = {}
    cutoff, end = (pd.Timestamp(at_day(day), unit="s") for day in (CUTOFF, END))
    for time, customer, product in tables.purchases[[TIME, CUSTOMER, PRODUCT]].itertuples(index=False):
        if time < cutoff:
            past.setdefault(customer, set()).add(product)
        elif time < end:
            future.setdefault(customer, set()).add(product)
    candidates = sorted(set().union(*past.values()) | set(tables.products[PRODUCT]))
    found = {}
    customers = set(future) - set(past) if view == "newcomers" else set(past) & set(future)
    for customer in sorted(customers):
        own, targets = past.get(customer, set()), future[customer]
        pool = candidates
        if view == "new":
            pool, targets = [one for one in candidates if one not in own], targets - own
        elif view == "repeat":
            pool, targets = [one for one in candidates if one in own], targets & own
        elif view == "cold_item":
            targets = (targets & set(candidates)) - set().union(*past.values())
        if targets:
            ranked = sorted(pool, key=lambda one: (-score_of(customer, one), one))
            found[customer] = (ranked, targets)
    return found


def auc_by_hand(customer: str, pool: list[str], targets: set[str]) -> float:
    """Every pair of a target and another candidate of the pool."""
    scores = {one: score_of(customer, one) for one in pool}
    others = [score for one, score in scores.items() if one not in targets]
    wins = [
        (scores[one] > other) + 0.5 * (scores[one] == other) if one in scores else 0.0
        for one in targets
        for other in others
    ]
    return sum(wins) / len(wins) if wins else math.nan


def lists(snapshot: Snapshot, view: RankedView) -> dict[str, list[str]]:
    ids = snapshot.history
    return {
        str(ids.customer_ids[user]): [str(ids.product_ids[item]) for item in row if item >= 0]
        for user, row in zip(view.users, view.top, strict=True)
    }


@pytest.fixture(scope="module", params=[0, 1, 2])
def shop(request: pytest.FixtureRequest) -> Tables:
    return random_shop(request.param)


@pytest.mark.parametrize("view", VIEWS)
def test_lists_and_targets(shop: Tables, view: str) -> None:
    snapshot, views = views_of(shop)
    expected = by_hand(shop, view)
    assert views[view].top.shape[1] == PLACES[view]
    assert len(expected) > (10 if view == "cold_item" else 20)
    assert_by_hand(snapshot, views[view], expected)


def assert_by_hand(snapshot: Snapshot, view: RankedView, expected: dict[str, tuple[list[str], set[str]]]) -> None:
    ids, places = snapshot.history.product_ids, view.top.shape[1]
    assert lists(snapshot, view) == {customer: pool[:places] for customer, (pool, _) in expected.items()}
    assert view.targets.tolist() == [len(targets) for _, targets in expected.values()]
    for row, (customer, (pool, targets)) in enumerate(expected.items()):
        ranked = pool[:places]
        empty = places - len(ranked)
        asked = slice(view.wanted.offsets[row], view.wanted.offsets[row + 1])
        assert ids[view.wanted.values[asked]].tolist() == sorted(targets)
        assert view.hits[row].tolist() == [one in targets for one in ranked] + [False] * empty
        assert view.scores[row].tolist() == [score_of(customer, one) for one in ranked] + [-math.inf] * empty
        np.testing.assert_allclose(view.auc[row], auc_by_hand(customer, pool, targets), rtol=1e-12)


def test_customers_without_a_purchase_before_are_ranked_too(shop: Tables) -> None:
    snapshot = moment(shop)
    truth = Truth.of_newcomers(snapshot, at_day(END))
    expected = by_hand(shop, "newcomers")
    assert len(expected) >= 12
    ranked = rank(Hashed().observe(snapshot), snapshot, truth)
    assert_by_hand(snapshot, ranked["all"], expected)
    assert_by_hand(snapshot, ranked["new"], expected)
    assert len(ranked["repeat"].users) == 0
    assert not set(truth.users) & set(Truth.of_window(snapshot, at_day(END)).users)


@pytest.mark.parametrize("view", VIEWS)
def test_what_stands_at_each_place(shop: Tables, view: str) -> None:
    snapshot, views = views_of(shop)
    past = shop.purchases[shop.purchases[TIME] < pd.Timestamp(at_day(CUTOFF), unit="s")]
    buyers = past.groupby(PRODUCT)[CUSTOMER].nunique().to_dict()
    category = shop.products.set_index(PRODUCT)[CATEGORY].dropna().to_dict()
    codes = {name: code for code, name in enumerate(snapshot.encoder.schema.categories, start=1)}
    assert views[view].n_buyers == past[CUSTOMER].nunique()
    for row, shown in enumerate(lists(snapshot, views[view]).values()):
        empty = [-1] * (PLACES[view] - len(shown))
        assert views[view].buyers[row].tolist() == [buyers.get(one, 0) for one in shown] + empty
        assert views[view].categories[row].tolist() == [codes.get(category.get(one), 0) for one in shown] + empty


@pytest.mark.parametrize("view", VIEWS)
def test_arrays_hold_all(shop: Tables, view: str, tmp_path: Path) -> None:
    ranked = views_of(shop)[1][view]
    np.savez(tmp_path / "view.npz", **ranked.arrays())
    with np.load(tmp_path / "view.npz") as stored:
        again = RankedView.from_arrays(stored)
    assert_equal({view: again}, {view: ranked})
    assert (summarise([{view: again}], 45, 0)) == summarise([{view: ranked}], 45, 0)


@pytest.mark.parametrize(("view", "k"), [*itertools.product(VIEWS, KS), ("cold_item", 50)])
def test_metrics(shop: Tables, view: str, k: int) -> None:
    _, views = views_of(shop)
    expected = {name: [] for name in METRICS}
    for pool, targets in by_hand(shop, view).values():
        hits = [one in targets for one in pool[:k]]
        gains = [1 / math.log2(place + 2) for place in range(k)]
        precisions = [sum(hits[: place + 1]) / (place + 1) for place, hit in enumerate(hits) if hit]
        within = min(k, len(targets))
        expected["recall"].append(sum(hits) / len(targets))
        expected["recall_capped"].append(sum(hits) / within)
        expected["hit_rate"].append(float(any(hits)))
        expected["precision"].append(sum(hits) / k)
        expected["ndcg"].append(sum(itertools.compress(gains, hits)) / sum(gains[:within]))
        expected["mrr"].append(1 / (hits.index(True) + 1) if any(hits) else 0.0)
        expected["map"].append(sum(precisions) / within)
    for name, values in expected.items():
        np.testing.assert_allclose(views[view].metric(name, k), values, atol=1e-12)
    figures = summarise([views], 45, seed=0)
    assert headline(figures, f"ndcg@{k}", view) == pytest.approx(np.mean(expected["ndcg"]))


@pytest.mark.parametrize("view", VIEWS)
def test_a_summary_names_every_figure(shop: Tables, view: str) -> None:
    snapshot, views = views_of(shop)
    figures = summarise([views], int(snapshot.products.candidates.sum()), seed=0)[view]
    ks = [*KS, 50] if view == "cold_item" else KS
    by_customer = [*METRICS, "novelty", "diversity", "mean_popularity"]
    names = [f"{name}@{k}" for k in ks for name in by_customer] + ["auc"]
    together = [f"{name}@{k}" for k in ks for name in ("coverage", "gini")]
    assert set(figures) == {*names, *together}
    for name in names:
        rounding = 1e-9  # where all customers have the same
        assert figures[name]["low"] - rounding <= figures[name]["value"] <= figures[name]["high"] + rounding
    for name in together:
        assert figures[name]["low"] is figures[name]["high"] is None
        assert 0 <= figures[name]["value"] <= 1
    assert figures["auc"]["value"] == pytest.approx(np.nanmean(views[view].auc))
    assert figures["auc"]["n"] == (~np.isnan(views[view].auc)).sum()
    assert figures["ndcg@10"]["n"] == len(views[view].users)


def test_seeds_are_averaged_by_customer(shop: Tables) -> None:
    snapshot = moment(shop)
    truth = Truth.of_window(snapshot, at_day(END))
    schema = snapshot.encoder.schema
    runs = [rank(RandomConfig(seed=seed).build(schema).fit(snapshot), snapshot, truth) for seed in range(3)]
    joined = summarise(runs, 45, seed=0)
    apart = [summarise([views], 45, seed=0) for views in runs]
    for view in VIEWS:
        for name in ("ndcg@10", "auc", "mean_popularity@5", "coverage@10", "gini@20"):
            values = [one[view][name]["value"] for one in apart]
            assert joined[view][name]["value"] == pytest.approx(np.mean(values))
        diversity = np.array([views[view].metric("diversity", 5) for views in runs])
        known = diversity[:, ~np.isnan(diversity).all(axis=0)]
        assert joined[view]["diversity@5"]["value"] == pytest.approx(np.nanmean(known, axis=0).mean())
        assert joined[view]["diversity@5"]["n"] == known.shape[1]
    by_customer = np.mean([views["all"].metric("ndcg", 10) for views in runs], axis=0)
    wanted = bootstrap_means(by_customer[:, None], seed=0)
    assert joined["all"]["ndcg@10"]["low"] == pytest.approx(wanted.low[0])
    assert summarise(runs[:1], 45, seed=0) == apart[0]


@pytest.mark.parametrize("block", [1, 7, 10_000])
def test_the_block_size_changes_nothing(shop: Tables, monkeypatch: pytest.MonkeyPatch, block: int) -> None:
    _, before = views_of(shop)
    monkeypatch.setattr(ranking, "BLOCK", block)
    assert_equal(views_of(shop)[1], before)


def test_the_order_of_rows_changes_nothing(shop: Tables) -> None:
    frames = (
        table.sample(frac=1, random_state=place).reset_index(drop=True)
        for place, table in enumerate((shop.customers, shop.products, shop.events))
    )
    shuffled = Tables(*frames, accounts=(), fingerprint="")
    assert not shuffled.events.equals(shop.events)
    assert_equal(views_of(shuffled)[1], views_of(shop)[1])


def test_repeated_lines_change_nothing(shop: Tables) -> None:
    assert_equal(views_of(with_events(shop, shop.events.iloc[::3]))[1], views_of(shop)[1])


def assert_equal(one: dict[str, RankedView], other: dict[str, RankedView]) -> None:
    assert one.keys() == other.keys()
    for name, view in one.items():
        for field in dataclasses.fields(RankedView):
            values, wanted = getattr(view, field.name), getattr(other[name], field.name)
            pairs = zip(values, wanted, strict=True) if field.name == "wanted" else [(values, wanted)]
            for value, expected in pairs:
                np.testing.assert_array_equal(value, expected, err_msg=f"{name} {field.name}", strict=True)


# Chance


class Constant(Scorer):
    def score_parts(self, customers: Customers) -> dict[str, Tensor]:
        return {"none": torch.zeros(customers.size, self.snapshot_.history.n_items, dtype=torch.float64)}


def expected_of_chance(view: RankedView, snapshot: Snapshot) -> float:
    """Mean NDCG@10 of a random order: each place holds a target with the same probability."""
    candidates = snapshot.products.candidates
    found = np.bincount(view.wanted.rows, candidates[view.wanted.values], minlength=len(view.users))
    gains = 1 / np.log2(np.arange(2, 12))
    ideal = np.cumsum(gains)[np.minimum(view.targets, 10) - 1]
    return float((found / candidates.sum() * gains.sum() / ideal).mean())


def permuted(tables: Tables, seed: int) -> Tables:
    """The same shop with its product ids dealt out anew."""
    ids = sorted(set(tables.products[PRODUCT]) | set(tables.purchases[PRODUCT]))
    other = dict(zip(ids, np.random.default_rng(seed).permutation(ids), strict=True))
    products, events = tables.products.copy(), tables.events.copy()
    for frame in (products, events):
        frame[PRODUCT] = frame[PRODUCT].map(other).astype("str")
    return tables_of(tables.customers, products, events)


@pytest.mark.parametrize("kind", ["constant", "random"])
def test_a_constant_scores_like_chance(kind: str) -> None:
    shop = random_shop(0)
    snapshot = moment(shop)
    truth = Truth.of_window(snapshot, at_day(END))
    reached = []
    for seed in range(80):
        if kind == "constant":
            snapshot = moment(permuted(shop, seed))
            truth = Truth.of_window(snapshot, at_day(END))
            scorer: Scorer = Constant().observe(snapshot)
        else:
            scorer = RandomConfig(seed=seed).build(snapshot.encoder.schema).fit(snapshot)
        view = rank(scorer, snapshot, truth, ("all",))["all"]
        reached.append(view.metric("ndcg", 10).mean())
    expected = expected_of_chance(view, snapshot)
    assert np.mean(reached) == pytest.approx(expected, abs=4 * np.std(reached) / math.sqrt(len(reached)))
    assert np.std(reached) / math.sqrt(len(reached)) < 0.1 * expected, "too few draws to see a difference"


def test_lists_are_the_same_without_auc(shop: Tables) -> None:
    snapshot = moment(shop)
    scorer, truth = Hashed().observe(snapshot), Truth.of_window(snapshot, at_day(END))
    whole, quick = rank(scorer, snapshot, truth), rank(scorer, snapshot, truth, auc=False)
    for view in VIEWS:
        ours, theirs = (one[view].arrays() for one in (whole, quick))
        assert np.isnan(theirs.pop("auc")).all()
        assert not np.isnan(ours.pop("auc")).all()
        for name, values in ours.items():
            np.testing.assert_array_equal(theirs[name], values)


@pytest.mark.parametrize("view", VIEWS)
def test_the_auc_of_a_constant_is_exactly_a_half(shop: Tables, view: str) -> None:
    snapshot = moment(shop)
    ranked = rank(Constant().observe(snapshot), snapshot, Truth.of_window(snapshot, at_day(END)))[view]
    reachable = np.bincount(ranked.wanted.rows, snapshot.products.candidates[ranked.wanted.values])
    known = ~np.isnan(ranked.auc)
    assert known.sum() > 10
    assert ranked.auc[known].tolist() == (0.5 * reachable / ranked.targets)[known].tolist()


# Who counts, and what counts as a miss

BASE = small_shop(0).products.head(0)
PEOPLE = small_shop(0).customers.head(0)


def hand_made(*rows: tuple[str, str, float]) -> tuple[Snapshot, dict[str, RankedView]]:
    return views_of(tables_of(PEOPLE, BASE, lines(*rows)))


def test_a_target_that_training_never_saw_is_a_miss() -> None:
    """It is no candidate, but stands in every denominator."""
    snapshot, views = hand_made(("a", "x", 0), ("b", "y", 1), ("a", "y", CUTOFF + 1), ("a", "unseen", CUTOFF + 2))
    view = views["all"]
    assert lists(snapshot, view) == {"a": ["x", "y"]} or lists(snapshot, view) == {"a": ["y", "x"]}
    assert view.targets.tolist() == [2]
    assert view.metric("recall", 10).tolist() == [0.5]
    assert views["new"].metric("recall", 10).tolist() == [0.5]
    assert len(views["repeat"].users) == 0


def test_only_a_miss() -> None:
    _, views = hand_made(("a", "x", 0), ("a", "unseen", CUTOFF + 1))
    assert views["all"].targets.tolist() == [1]
    for name in METRICS:
        assert views["all"].metric(name, 10).tolist() == [0.0]


def test_customers_without_a_past_or_without_a_target_do_not_count() -> None:
    snapshot, views = hand_made(
        ("new", "x", CUTOFF + 1), ("gone", "x", 0), ("both", "x", 0), ("both", "x", CUTOFF), ("late", "y", 5)
    )
    assert list(lists(snapshot, views["all"])) == ["both"]
    assert views["repeat"].hits[0].tolist() == [True] + [False] * (max(KS) - 1)
    assert len(views["new"].users) == 0


def test_the_border_belongs_to_the_test() -> None:
    """A purchase in the very second of the cutoff is a target and not yet known."""
    _, views = hand_made(("a", "x", 0), ("b", "y", 0), ("a", "y", CUTOFF))
    assert views["new"].targets.tolist() == [1]
    assert views["new"].hits[0, 0]


def test_buying_twice_is_one_target() -> None:
    _, views = hand_made(("a", "x", 0), ("b", "y", 0), ("a", "y", CUTOFF + 1), ("a", "y", CUTOFF + 2))
    assert views["all"].targets.tolist() == [1]


def test_nobody_to_measure() -> None:
    _, views = hand_made(("a", "x", 0), ("b", "x", CUTOFF + 1))
    figures = summarise([views], 1, seed=0)
    for view in VIEWS:
        assert views[view].top.shape == (0, PLACES[view])
        assert headline(figures, view=view) is None
        assert figures[view]["coverage@10"] == {"value": None, "low": None, "high": None, "n": 0}
        assert figures[view]["auc"] == {"value": None, "low": None, "high": None, "n": 0}
        assert_equal({view: RankedView.from_arrays(views[view].arrays())}, {view: views[view]})


def test_a_target_that_is_no_candidate_loses_every_pair() -> None:
    _, views = hand_made(("a", "x", 0), ("b", "y", 1), ("a", "x", CUTOFF + 1), ("a", "unseen", CUTOFF + 2))
    reached = 1.0 if score_of("a", "x") > score_of("a", "y") else 0.5 * (score_of("a", "x") == score_of("a", "y"))
    assert views["all"].auc.tolist() == [reached / 2]
    assert views["new"].auc.tolist() == [0.0]
    assert np.isnan(views["repeat"].auc).all(), "nothing but the target was bought before"
    figures = summarise([views], 2, seed=0)["repeat"]
    assert (figures["auc"]["n"], figures["ndcg@10"]["n"]) == (0, 1), "n counts whom the metric applies to"


def test_a_product_that_nobody_had_bought_must_be_listed_to_count_as_cold() -> None:
    listed = small_shop(0).products.head(1).assign(**{PRODUCT: "fresh"})
    rows = (("a", "x", 0.0), ("a", "fresh", CUTOFF + 1.0), ("a", "unseen", CUTOFF + 2.0), ("a", "x", CUTOFF + 3.0))
    snapshot, views = views_of(tables_of(PEOPLE, listed, lines(*rows)))
    view = views["cold_item"]
    assert view.targets.tolist() == [1]
    assert snapshot.history.product_ids[view.wanted.values].tolist() == ["fresh"]
    assert sorted(*lists(snapshot, view).values()) == ["fresh", "x"]
    assert view.buyers[0, :2].tolist() == [0 if one == "fresh" else 1 for one in lists(snapshot, view)["a"]]

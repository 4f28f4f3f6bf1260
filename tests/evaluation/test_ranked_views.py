"""The ranked views against a brute force in plain Python, and what must not change them."""

from __future__ import annotations

import itertools
import math

import numpy as np
import pandas as pd
import pytest
import torch
from torch import Tensor

from embedrec.columns import CUSTOMER, PRODUCT, TIME
from embedrec.evaluation import ranking
from embedrec.evaluation.ranking import KS, VIEWS, RankedView, Truth, rank
from embedrec.evaluation.summary import headline, summarise
from embedrec.features import Customers, FeatureEncoder, Snapshot
from embedrec.metrics import METRICS
from embedrec.models import Scorer
from embedrec.tables import Tables
from shops import at_day, history_of, lines, small_shop, tables_of

CUTOFF = 240  # days after the start of the shop
END = 301
PLACES = max(KS)


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
    for customer in sorted(set(past) & set(future)):
        own, targets = past[customer], future[customer]
        pool = candidates
        if view == "new":
            pool, targets = [one for one in candidates if one not in own], targets - own
        elif view == "repeat":
            pool, targets = [one for one in candidates if one in own], targets & own
        if targets:
            ranked = sorted(pool, key=lambda one: (-score_of(customer, one), one))
            found[customer] = (ranked[:PLACES], targets)
    return found


def lists(snapshot: Snapshot, view: RankedView) -> dict[str, list[str]]:
    ids = snapshot.history
    return {
        str(ids.customer_ids[user]): [str(ids.product_ids[item]) for item in row if item >= 0]
        for user, row in zip(view.users, view.top, strict=True)
    }


@pytest.fixture(scope="module", params=[0, 1, 2])
def shop(request: pytest.FixtureRequest) -> Tables:
    return small_shop(request.param, customers=60, products=45, purchases=900)


@pytest.mark.parametrize("view", VIEWS)
def test_lists_and_targets(shop: Tables, view: str) -> None:
    snapshot, views = views_of(shop)
    expected = by_hand(shop, view)
    assert len(expected) > 20
    assert lists(snapshot, views[view]) == {customer: ranked for customer, (ranked, _) in expected.items()}
    assert views[view].targets.tolist() == [len(targets) for _, targets in expected.values()]
    for hits, (ranked, targets) in zip(views[view].hits, expected.values(), strict=True):
        assert hits.tolist() == [one in targets for one in ranked] + [False] * (PLACES - len(ranked))


@pytest.mark.parametrize("view", VIEWS)
@pytest.mark.parametrize("k", KS)
def test_metrics(shop: Tables, view: str, k: int) -> None:
    _, views = views_of(shop)
    expected = {name: [] for name in METRICS}
    for ranked, targets in by_hand(shop, view).values():
        hits = [one in targets for one in ranked[:k]]
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
    figures = summarise(views, 45, seed=0)
    assert headline(figures, f"ndcg@{k}", view) == pytest.approx(np.mean(expected["ndcg"]))


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


def assert_equal(one: dict[str, RankedView], other: dict[str, RankedView]) -> None:
    assert one.keys() == other.keys()
    for name, view in one.items():
        for field in ("users", "top", "hits", "targets"):
            np.testing.assert_array_equal(getattr(view, field), getattr(other[name], field), err_msg=f"{name} {field}")


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
    assert views["repeat"].hits[0].tolist() == [True] + [False] * (PLACES - 1)
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
    figures = summarise(views, 1, seed=0)
    for view in VIEWS:
        assert views[view].top.shape == (0, PLACES)
        assert headline(figures, view=view) is None
        assert figures[view]["coverage@10"] == {"value": None, "low": None, "high": None, "n": 0}

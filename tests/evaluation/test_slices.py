"""The slices against a count by hand on random shops, and where one has nobody."""

from __future__ import annotations

import math

import numpy as np
import pandas as pd
import pytest

from embedrec.columns import CATEGORY, CUSTOMER, PRODUCT, TIME
from embedrec.evaluation.ranking import RankedView, Truth, rank
from embedrec.evaluation.slices import CATEGORIES, Slices, popularity_parts, slices
from embedrec.features import FeatureEncoder, Snapshot
from embedrec.models.classic.personal_frequency import PersonalFrequencyConfig
from embedrec.tables import Tables
from shops import at_day, history_of, lines, small_shop, tables_of, with_events

CUTOFF, END = 240, 301


def shop_of(seed: int) -> Tables:
    """A shop in which some try a product that nobody had bought, an unlisted one, or buy for the first time."""
    shop = small_shop(seed, customers=80, products=45, purchases=900)
    tried = [(f"C{i:04d}", ["P042", "P043", "unlisted"][i % 3], CUTOFF + 1 + i / 2) for i in range(0, 70, 2)]
    first = [(f"N{i:04d}", f"P{i % 9:03d}", CUTOFF + 1 + i) for i in range(12)]
    return with_events(shop, lines(*tried, *first))


def measured(shop: Tables) -> tuple[Snapshot, RankedView, Slices]:
    history, catalogue = history_of(shop)
    snapshot = FeatureEncoder.fit(history, catalogue, at_day(CUTOFF)).at(at_day(CUTOFF))
    scorer = PersonalFrequencyConfig().build(snapshot.encoder.schema).fit(snapshot)
    view, newcomers = (
        rank(scorer, snapshot, truth, ("all",))["all"]
        for truth in (Truth.of_window(snapshot, at_day(END)), Truth.of_newcomers(snapshot, at_day(END)))
    )
    return snapshot, view, slices(view, snapshot, seed=0, newcomers=newcomers)


def figures_by_hand(cases: list[tuple[list[str], set[str]]]) -> dict[str, float]:
    """Mean figures of (list of 10, targets), those without targets left out."""
    rows = []
    for shown, targets in cases:
        hits = [one in targets for one in shown]
        ideal = sum(1 / math.log2(place + 2) for place in range(min(10, len(targets))))
        gain = sum(1 / math.log2(place + 2) for place, hit in enumerate(hits) if hit)
        rows.append([gain / ideal, sum(hits) / len(targets), float(any(hits))] if targets else None)
    known = [row for row in rows if row is not None]
    values = np.mean(known, axis=0) if known else [None] * 3
    return {"n": len(known), **dict(zip(("ndcg@10", "recall@10", "hit_rate@10"), values, strict=True))}


def assert_slice(found: dict, cases: list[tuple[list[str], set[str]]]) -> None:
    expected = figures_by_hand(cases)
    assert found.keys() == {"ndcg@10", "recall@10", "hit_rate@10"}
    for name, entry in found.items():
        assert entry["n"] == expected["n"]
        assert entry["value"] == (None if expected[name] is None else pytest.approx(expected[name]))
        assert entry["value"] is None or entry["low"] <= entry["value"] <= entry["high"]


@pytest.fixture(scope="module", params=[0, 1])
def shop(request: pytest.FixtureRequest) -> Tables:
    return shop_of(request.param)


def cases_of(snapshot: Snapshot, view: RankedView) -> dict[str, tuple[list[str], set[str]]]:
    ids = snapshot.history.product_ids
    return {
        str(snapshot.history.customer_ids[user]): (
            [str(ids[item]) for item in view.top[row, :10] if item >= 0],
            {str(ids[item]) for item in view.wanted.values[view.wanted.rows == row]},
        )
        for row, user in enumerate(view.users)
    }


def past_of(shop: Tables) -> pd.DataFrame:
    return shop.purchases[shop.purchases[TIME] < pd.Timestamp(at_day(CUTOFF), unit="s")]


def test_by_history_length(shop: Tables) -> None:
    snapshot, view, found = measured(shop)
    cases = cases_of(snapshot, view)
    length = past_of(shop).groupby(CUSTOMER)[PRODUCT].nunique()
    borders = {"1": (1, 1), "2-5": (2, 5), "6-20": (6, 20), "21+": (21, 999)}
    assert list(found["history_length"]) == list(borders)
    for name, (low, high) in borders.items():
        assert_slice(found["history_length"][name], [cases[one] for one in cases if low <= length[one] <= high])
    assert sum(part["ndcg@10"]["n"] for part in found["history_length"].values()) == len(view.users)


def test_by_popularity_of_the_target(shop: Tables) -> None:
    snapshot, view, found = measured(shop)
    buyers = past_of(shop).groupby(PRODUCT)[CUSTOMER].nunique()
    candidates = sorted(set(buyers.index) | set(shop.products[PRODUCT]))
    ranked = sorted(buyers.index, key=lambda one: (-buyers[one], one))
    edge = math.ceil(0.2 * len(candidates))
    parts = {"head": set(ranked[:edge]), "tail": set(ranked[edge:]), "cold": set(candidates) - set(ranked)}
    assert found["item_popularity"].keys() == parts.keys()
    for name, part in parts.items():
        cases = [(shown, targets & part) for shown, targets in cases_of(snapshot, view).values()]
        assert figures_by_hand(cases)["n"] > 3
        assert_slice(found["item_popularity"][name], cases)
    whole = sum(popularity_parts(snapshot).values())
    np.testing.assert_array_equal(whole, snapshot.products.candidates, "each candidate belongs to one part")


def test_by_category(shop: Tables) -> None:
    snapshot, view, found = measured(shop)
    category = shop.products.set_index(PRODUCT)[CATEGORY].dropna().to_dict()
    counts = pd.Series([category.get(one) for _, targets in cases_of(snapshot, view).values() for one in targets])
    assert list(found["category"]) == sorted(counts.dropna().unique(), key=lambda one: (-(counts == one).sum(), one))
    for name in found["category"]:
        cases = cases_of(snapshot, view).values()
        assert_slice(
            found["category"][name],
            [(shown, {one for one in targets if category.get(one) == name}) for shown, targets in cases],
        )


def test_known_and_unknown_customers(shop: Tables) -> None:
    snapshot, view, found = measured(shop)
    assert_slice(found["customer"]["warm"], list(cases_of(snapshot, view).values()))
    assert found["customer"]["cold"]["ndcg@10"]["n"] >= 12
    assert found["customer"]["cold"]["ndcg@10"]["value"] > 0
    assert slices(view, snapshot, 0)["customer"].keys() == {"warm"}


def test_no_more_than_the_largest_categories() -> None:
    shop = shop_of(0)
    names = [f"kind {place % 20:02d}" for place in range(len(shop.products))]
    found = measured(tables_of(shop.customers, shop.products.assign(**{CATEGORY: names}), shop.events))[2]
    assert len(found["category"]) == CATEGORIES


def test_no_group_without_categories() -> None:
    shop = shop_of(0)
    products = shop.products.assign(**{CATEGORY: pd.Series(np.nan, index=shop.products.index, dtype="str")})
    found = measured(tables_of(shop.customers, products, shop.events))[2]
    assert found.keys() == {"customer", "history_length", "item_popularity"}


def test_a_slice_without_anybody_is_null() -> None:
    empty = small_shop(0)
    found = measured(tables_of(empty.customers.head(0), empty.products.head(0), lines(("a", "x", 0), ("a", "x", 250))))
    nobody = {"value": None, "low": None, "high": None, "n": 0}
    assert found[2]["history_length"]["21+"]["ndcg@10"] == nobody
    assert found[2]["item_popularity"]["cold"]["recall@10"] == nobody
    assert found[2]["customer"]["cold"]["hit_rate@10"] == nobody
    assert found[2]["history_length"]["1"]["ndcg@10"]["value"] == 1.0
    assert found[2]["item_popularity"]["head"]["recall@10"]["n"] == 1


def test_what_was_never_sold_is_cold_even_where_little_was_sold() -> None:
    """Ten candidates of which one was sold: the top fifth has two places, and one of them stays empty."""
    listed = small_shop(0).products.head(9)
    snapshot, _, found = measured(
        tables_of(
            small_shop(0).customers.head(0),
            listed,
            lines(("a", "x", 0), ("a", "x", 250), ("a", listed[PRODUCT].iloc[0], 251)),
        )
    )
    parts = popularity_parts(snapshot)
    assert {name: int(part.sum()) for name, part in parts.items()} == {"head": 1, "tail": 0, "cold": 9}
    assert found["item_popularity"]["cold"]["ndcg@10"]["n"] == 1

"""No later row changes a value: features, scores and what was fitted, in any shop, at any date.

Undated totals and the catalogue are the named exceptions; they carry no date and stay as they are here.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from embedrec.features import DAY, Customers, FeatureEncoder, Products, Snapshot
from embedrec.models import PopularityRecentConfig, Scorer, TwoTowerConfig, TwoTowerScorer
from embedrec.models.classic.personal_frequency import PersonalFrequencyConfig
from embedrec.models.classic.popularity import PopularityConfig
from embedrec.tables import Tables
from later_rows import later_rows, unshrunk
from shops import START, at_day, before, history_of, small_shop, with_events

Shops = tuple[Tables, Tables, int]
quick = settings(unshrunk, max_examples=40)


@st.composite
def shops(draw: st.DrawFn) -> Shops:
    """Draw a shop as it stood at a cut, the same shop with later rows, and the cut (seconds)."""
    views = draw(st.sampled_from([0, 30]))
    whole = small_shop(draw(st.integers(0, 20)), customers=9, products=8, purchases=60, days=60, views=views)
    cut = START + draw(st.integers(15 * 24, 60 * 24)) * 3600  # on the hour, as are the purchases
    past = before(whole, cut)
    more = draw(later_rows(whole, cut))
    return past, with_events(draw(st.sampled_from([past, whole])), more), cut


def fitted(tables: Tables, until: int) -> FeatureEncoder:
    return FeatureEncoder.fit(*history_of(tables), until)


def products_by_id(encoder: FeatureEncoder, products: Products, ids: Any) -> dict[str, Any]:
    places = encoder.history.product_ids.get_indexer(ids)
    names = ("row", "category", "price_bucket", "numeric", "dynamic", "repeat_share", "gap", "candidates")
    return {name: getattr(products, name)[places] for name in names}


def customers_by_id(encoder: FeatureEncoder, customers: Customers) -> dict[str, Any]:
    """Everything a `Customers` holds, with ids and times where it has numbers and positions."""
    ids, times = encoder.history.product_ids, encoder.history.times
    return {
        **{name: getattr(customers, name) for name in ("row", "numeric", "category", "price_bucket")},
        "lines": customers.lines.offsets,
        "line_times": times[customers.lines.values],
        "line_products": ids[customers.line_items].tolist(),
        "line_ages": customers.line_ages,
        "bought": customers.bought.offsets,
        "bought_products": ids[customers.bought.values].tolist(),
        "repeat": customers.repeat,
        "looks_at_bought": customers.looks_at_bought,
        "seen": customers.seen.offsets,
        "seen_products": ids[customers.seen.values].tolist(),
        "looks": customers.looks,
        "habit_offsets": customers.categories.offsets,
        "habit_categories": customers.categories.values,
        "habits": customers.habits,
    }


def assert_same(one: dict[str, Any], other: dict[str, Any]) -> None:
    for name, value in one.items():
        np.testing.assert_array_equal(value, other[name], err_msg=name)


@quick
@given(shops(), st.integers(0, 10))
def test_features_at_a_date(shops: Shops, days_of_training_left: int) -> None:
    past, later, cut = shops
    until = cut - days_of_training_left * DAY
    one, other = fitted(past, until), fitted(later, until)
    ids, people = one.history.product_ids, one.history.customer_ids
    at_one, at_other = one.products(cut), other.products(cut)
    assert_same(products_by_id(one, at_one, ids), products_by_id(other, at_other, ids))
    users = np.arange(len(people))
    same_users = other.history.customer_ids.get_indexer(people)
    assert_same(
        customers_by_id(one, one.customers(users, at_one)),
        customers_by_id(other, other.customers(same_users, at_other)),
    )


@quick
@given(shops())
def test_what_was_fitted(shops: Shops) -> None:
    past, later, cut = shops
    assert fitted(past, cut).schema.hash() == fitted(later, cut).schema.hash()


@quick
@given(shops())
def test_products_that_came_later_are_no_candidates(shops: Shops) -> None:
    past, later, cut = shops
    known = set(fitted(past, cut).history.product_ids)
    other = fitted(later, cut)
    candidates = other.history.product_ids[other.products(cut).candidates]
    assert set(candidates) == known


def two_tower(encoder: FeatureEncoder) -> Scorer:
    torch.manual_seed(0)
    return TwoTowerScorer(TwoTowerConfig(dim=6).build(encoder.schema))


SCORERS: dict[str, Callable[[FeatureEncoder], Scorer]] = {
    "popularity": lambda encoder: PopularityConfig().build(encoder.schema),
    "popularity_recent": lambda encoder: PopularityRecentConfig(days=7).build(encoder.schema),
    "personal_frequency": lambda encoder: PersonalFrequencyConfig().build(encoder.schema),
    "two_tower": two_tower,
}


@pytest.mark.parametrize("name", SCORERS)
@settings(unshrunk, max_examples=20)
@given(shops())
def test_scores(name: str, shops: Shops) -> None:
    past, later, cut = shops

    def answers(snapshot: Snapshot, people: Any, ids: Any) -> tuple[np.ndarray, np.ndarray]:
        history = snapshot.history
        users, items = history.customer_ids.get_indexer(people), history.product_ids.get_indexer(ids)
        scorer = SCORERS[name](snapshot.encoder).fit(snapshot)
        closeness = np.stack([scorer.similar(item)[items] for item in items])
        return scorer.score(users, items).numpy(), closeness

    one, other = fitted(past, cut).at(cut), fitted(later, cut).at(cut)
    people, ids = one.history.customer_ids, one.history.product_ids
    # a catalogue of another length may be multiplied in another order, to the last place of float64
    for value, same in zip(answers(one, people, ids), answers(other, people, ids), strict=True):
        np.testing.assert_allclose(value, same, rtol=1e-6, atol=1e-9)


def test_the_named_exception_undated_totals_do_change_the_past() -> None:
    tables = small_shop(0)
    cut = at_day(100)
    counted_later = tables.customers.assign(page_views=tables.customers["page_views"] + 50)
    encoder = fitted(tables, cut)
    moved = FeatureEncoder(encoder.schema, *history_of(Tables(counted_later, tables.products, tables.events, (), "")))
    users = np.arange(encoder.history.n_users)
    values = [one.customers(users, one.products(cut)).numeric for one in (encoder, moved)]
    changed = ~np.isclose(*values, equal_nan=True).all(axis=0)
    assert np.flatnonzero(changed).tolist() == [0]  # page_views, and nothing else

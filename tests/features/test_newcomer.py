"""A basket asked about on the page is described as the same basket in the purchase table would be."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from embedrec.columns import CUSTOMER
from embedrec.features import DAY, Customers, FeatureEncoder, Products
from embedrec.features.history import NEVER, Ragged
from embedrec.features.schema import CUSTOMER_NUMERIC
from embedrec.tables import DataConfig, read_tables
from embedrec.tables.model import CUSTOMER_COLUMNS
from shops import at_day, frame, history_of, lines, small_shop, tables_of

TABLES = small_shop(0)
NOW = at_day(200)
ENCODER = FeatureEncoder.fit(*history_of(TABLES), NOW)
PRODUCTS: Products = ENCODER.products(NOW)
NEW = "A newcomer"  # sorts first


def as_a_real_customer(items: list[int], page_views: float, time_spent: float) -> Customers:
    """Write the basket into the tables, one piece each at the product's usual price, and describe its buyer."""
    ids = ENCODER.history.product_ids
    basket = lines(*((NEW, str(ids[item]), 199) for item in items), price=ENCODER.price[items] if items else [])
    totals = frame(CUSTOMER_COLUMNS, {CUSTOMER: [NEW], "page_views": [page_views], "time_spent": [time_spent]})
    tables = tables_of(pd.concat([TABLES.customers, totals]), TABLES.products, pd.concat([TABLES.events, basket]))
    encoder = FeatureEncoder(ENCODER.schema, *history_of(tables))
    assert encoder.history.customer_ids[0] == NEW
    return encoder.customers(np.zeros(1, np.int64), PRODUCTS)


@settings(max_examples=25)
@given(
    st.lists(st.integers(0, ENCODER.history.n_items - 1), max_size=6, unique=True),
    st.sampled_from([np.nan, 0.0, 17.0]),
    st.sampled_from([np.nan, 0.0, 120.5]),
)
def test_no_skew_between_the_page_and_the_tables(items: list[int], page_views: float, time_spent: float) -> None:
    asked = ENCODER.newcomer(np.array(items, np.int64), PRODUCTS, page_views, time_spent)
    real = as_a_real_customer(items, page_views, time_spent)
    described = [field for field in dataclasses.fields(Customers) if field.name != "history"]  # the log as it is
    for field in described:
        one, other = getattr(asked, field.name), getattr(real, field.name)
        if isinstance(one, Ragged):
            # positions of lines are those of another log; what was bought is compared in full
            one, other = (one.offsets, other.offsets) if field.name == "lines" else (tuple(one), tuple(other))
        np.testing.assert_equal(one, other, err_msg=field.name)


def test_a_basket_tells_what_it_cost() -> None:
    priced = np.flatnonzero(~np.isnan(ENCODER.price))[:2]
    asked = ENCODER.newcomer(priced, PRODUCTS).numeric[0, CUSTOMER_NUMERIC.index("spend")]
    scale = ENCODER.schema.scales["customer.spend"]
    assert asked * scale.std + scale.mean == pytest.approx(np.log1p(ENCODER.price[priced].sum()))


def test_an_empty_basket_is_a_customer_without_purchases() -> None:
    asked = ENCODER.newcomer(np.empty(0, np.int64), PRODUCTS)
    assert asked.row.tolist() == asked.category.tolist() == asked.price_bucket.tolist() == [0]
    assert asked.lines.offsets.tolist() == asked.bought.offsets.tolist() == [0, 0]
    assert np.isnan(asked.numeric[0, CUSTOMER_NUMERIC.index("recency")])


def test_the_order_of_the_basket_does_not_matter() -> None:
    items = np.array([7, 2, 11])
    one, other = ENCODER.newcomer(items, PRODUCTS), ENCODER.newcomer(items[::-1], PRODUCTS)
    np.testing.assert_array_equal(one.line_items, other.line_items)
    np.testing.assert_array_equal(one.numeric, other.numeric)


def test_a_real_customer_asked_about_as_a_newcomer(demo_tables: Path) -> None:
    """The same purchases through both doors: of the customer by id, and as a basket on the day after.

    Of the demo shop, each on the day after their first purchases; only the row of the id differs.
    """
    tables = read_tables(DataConfig(name="demo", path=str(demo_tables)))
    history, catalogue = history_of(tables)
    encoder = FeatureEncoder.fit(history, catalogue, history.end)
    compared = 0
    for user in range(0, history.n_users, 12):
        lines_of = history.lines(np.array([user]), NEVER, history.end).values
        first = lines_of[history.times[lines_of] == history.times[lines_of].min()] if len(lines_of) else lines_of
        if not len(first):
            continue
        snapshot = encoder.at(int(history.times[first[0]]) + DAY)
        real = snapshot.customers(np.array([user]))
        basket, views, seconds = history.items[first], history.total_views[user], history.total_time[user]
        asked = encoder.newcomer(basket, snapshot.products, float(views), float(seconds))
        assert real.row[0] > 0 == asked.row[0]
        for field in dataclasses.fields(Customers):
            if field.name not in ("history", "users", "row", "lines"):
                one, other = getattr(asked, field.name), getattr(real, field.name)
                np.testing.assert_equal(one, other, err_msg=f"{field.name} of {history.customer_ids[user]}")
        compared += 1
    assert compared > 15

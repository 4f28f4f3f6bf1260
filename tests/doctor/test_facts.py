"""Facts of a shop small enough to count by hand."""

from __future__ import annotations

import json
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from embedrec.doctor.facts import Concentration, Joins, facts_of
from embedrec.doctor.held_out import held_out_of
from embedrec.doctor.histograms import Histogram, of_amounts, of_stars, over_time
from embedrec.splits import Split
from embedrec.tables.model import CUSTOMER_COLUMNS, PRODUCT_COLUMNS, Tables
from shops import at_day, frame, history_of, lines, tables_of

BOUGHT = lines(
    ("A", "P1", 0),
    ("A", "P1", 0),  # two lines of one basket are no repeat
    ("A", "P1", 5),
    ("A", "P2", 5),
    ("B", "P1", 10),
    ("C", "P9", 20),
)
LISTED = frame(
    PRODUCT_COLUMNS, {"product_id": ["P1", "P2", "P3"], "price": [1.5, 7.0, 20.0], "category": ["x", None, None]}
)
SEEN = frame(CUSTOMER_COLUMNS, {"customer_id": ["A", "B", "D"], "page_views": [0, 3, 30]})


@pytest.fixture
def shop() -> Tables:
    return tables_of(SEEN, LISTED, BOUGHT)


def test_what_is_counted(shop: Tables) -> None:
    facts = facts_of(shop, dated=True)
    assert (facts.purchases, facts.customers, facts.products, facts.looks) == (6, 3, 3, 0)
    assert facts.joins == Joins(
        purchases_unlisted=1, products_unsold=1, customers_without_behaviour=1, customers_without_purchase=1
    )
    assert facts.repeat_share == 1 / 5
    assert facts.concentration == Concentration(
        product_gini=pytest.approx((2 * 4 - 1 * 0 - 2 * 1) / 6 / 2),  # (2j − n − 1) p: −2, 0, 2 times 1, 1, 4
        top_1_percent=4 / 6,
        top_10_percent=4 / 6,
        largest_customer=4 / 6,
        customers_once=2 / 3,
    )
    assert facts.filled == {
        "category": 1 / 3, "price": 1.0, "rating": 0.0, "page_views": 1.0, "time_spent": 0.0,
    }  # fmt: skip
    assert facts.histograms["price"] == Histogram((1.0, 2.0, 5.0, 10.0, 20.0, 50.0), (1, 0, 1, 0, 1))
    assert "rating" not in facts.histograms
    json.dumps(facts.plain(), allow_nan=False)


def test_prices_on_the_purchases_alone_are_prices_too(shop: Tables) -> None:
    paid = np.where(shop.events["product_id"] == "P9", np.nan, 3.0)
    bare = replace(shop, products=shop.products.assign(price=np.nan), events=shop.events.assign(price=paid))
    assert facts_of(bare, dated=True).filled["price"] == 2 / 3  # P1 and P2 of the three sold


def test_the_span_of_dates(shop: Tables) -> None:
    span = facts_of(shop, dated=True).time
    assert span is not None
    assert (span.first, span.last, span.days) == ("2024-01-01T00:00:00", "2024-01-21T00:00:00", 20.0)
    assert (span.longest_gap_days, span.gap_from[:10]) == (10.0, "2024-01-11")
    assert (span.moments, span.same_moment, span.same_day, span.whole_days) == (4, 2 / 6, 2 / 6, True)


def test_made_up_dates_are_not_described(shop: Tables) -> None:
    facts = facts_of(shop, dated=False)
    assert facts.time is None
    assert facts.repeat_share is None
    assert "purchases_over_time" not in facts.histograms


def test_lonely_first_orders_are_no_gap() -> None:
    early = lines(("A", "P1", -3000))
    steady = lines(*((f"C{i % 9}", "P1", i * 0.1) for i in range(500)))
    span = facts_of(tables_of(SEEN, LISTED, pd.concat([early, steady])), dated=True).time
    assert span is not None
    assert span.longest_gap_days == 0.1


def test_what_is_held_out(shop: Tables) -> None:
    """After day 5: A buys P1 again and P2 for the first time, which nobody had; B and C are new."""
    history, _ = history_of(shop)
    found = held_out_of(history, Split(at_day(0), at_day(4), at_day(5), history.end))
    assert (found.pairs, found.customers, found.validation_customers) == (4, 1, 0)
    assert (found.repeat_share, found.cold_share) == (1 / 2, 2 / 4)
    assert found.newcomer_share == pytest.approx(2 / 3)


def test_histograms() -> None:
    assert of_amounts([0, 0, 1, 9.9, 10]) == Histogram((0.0, 1.0, 2.0, 5.0, 10.0, 20.0), (2, 1, 0, 1, 1))
    assert of_amounts([0, 0]) == Histogram((0.0, 1.0), (2,))
    assert of_amounts([float("nan"), -1]) is None
    stars = of_stars([5.0, 4.4, float("nan")])
    assert stars is not None
    assert stars.counts == (0, 0, 0, 0, 0, 0, 0, 0, 1, 1)
    months = over_time(pd.Series(pd.to_datetime(["2024-01-15", "2024-01-31", "2024-03-02", "2025-06-01"])))
    assert months is not None
    assert (months.edges[:3], months.edges[-1]) == (("2024-01-15", "2024-02-01", "2024-03-01"), "2025-06-01")
    assert (months.counts[:3], sum(months.counts)) == ((2, 0, 1), 4)
    one = over_time(pd.Series(pd.to_datetime(["2024-01-15 08:00"])))
    assert one is not None
    assert one.counts == (1,)

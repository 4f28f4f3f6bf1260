"""What sells this month and what is due again, on purchases counted by hand."""

from __future__ import annotations

import pandas as pd
import pytest

from embedrec.features.calendar import ALL_GAPS, Calendar
from embedrec.tables.model import CUSTOMER_COLUMNS, PRODUCT_COLUMNS
from shops import at_day, frame, history_of, lines, tables_of


def calendar(bought: pd.DataFrame, day: float) -> Calendar:
    history, _ = history_of(tables_of(frame(CUSTOMER_COLUMNS, {}), frame(PRODUCT_COLUMNS, {}), bought))
    return Calendar(history, at_day(day))


def test_a_product_of_many_customers_is_popular_this_month() -> None:
    sold = [(f"C{i}", "P0", 80 + i) for i in range(5)] + [("C0", f"P{i}", 85) for i in range(1, 10)]
    assert calendar(lines(*sold), 100).popular.tolist() == [True] + [False] * 9
    assert not calendar(lines(*sold), 200).popular.any(), "months later it is popular no more"
    assert not calendar(lines(*sold[:2], ("C0", "P1", 85)), 100).popular.any(), "two customers are no crowd"


def test_later_purchases_are_not_read() -> None:
    late = [(f"C{i}", "P0", 150) for i in range(5)]
    assert not calendar(lines(("C9", "P0", 95), *late), 100).popular.any()


@pytest.mark.parametrize(
    ("now", "due"), [(75.0, None), (84.0, (30, True)), (90.0, (30, True)), (105.0, (30, True)), (106.0, None)]
)
def test_a_customers_own_rhythm(now: float, due: tuple[int, bool] | None) -> None:
    bought = lines(("C", "P", 0), ("C", "P", 30), ("C", "P", 60))
    history, _ = history_of(tables_of(frame(CUSTOMER_COLUMNS, {}), frame(PRODUCT_COLUMNS, {}), bought))
    assert Calendar(history, at_day(now)).due(0, history.times) == due


def test_without_a_rhythm_of_their_own_that_of_all_customers_counts() -> None:
    others = [(f"C{i}", "P", day) for i in range(ALL_GAPS) for day in (0, 20)]
    own = lines(("X", "P", 100))["purchase_date"].to_numpy("datetime64[s]").astype("int64")
    assert calendar(lines(*others), 120).due(0, own) == (20, False)
    assert calendar(lines(*others), 110).due(0, own) is None
    assert calendar(lines(*others[2:]), 120).due(0, own) is None, "nine gaps are too few"


def test_two_purchases_of_one_day_are_one() -> None:
    bought = lines(("C", "P", 0), ("C", "P", 0.2), ("C", "P", 30), ("C", "P", 30.1), ("C", "P", 60))
    history, _ = history_of(tables_of(frame(CUSTOMER_COLUMNS, {}), frame(PRODUCT_COLUMNS, {}), bought))
    assert Calendar(history, at_day(90)).due(0, history.times) == (30, True)

"""Fifths of customers by recency, frequency and value, counted by hand; and the months of a portrait."""

from __future__ import annotations

from datetime import date

import numpy as np
import pytest

from embedrec.features import FeatureEncoder, Snapshot
from embedrec.serving.profile import MONTHS, Month, describe
from embedrec.serving.segments import Segments
from embedrec.tables.model import CUSTOMER_COLUMNS, PRODUCT_COLUMNS
from shops import at_day, frame, history_of, lines, tables_of

AS_OF = 100


def shop_of(*rows: tuple[str, str, float], prices: list[float] | None = None, day: float = AS_OF) -> Snapshot:
    bought = lines(*rows, price=[np.nan] * len(rows) if prices is None else prices)
    listed = frame(PRODUCT_COLUMNS, {"product_id": ["P"]})
    tables = tables_of(frame(CUSTOMER_COLUMNS, {"customer_id": ["Z"]}), listed, bought)
    return FeatureEncoder.fit(*history_of(tables), at_day(day)).at(at_day(day))


# Ten customers: Ci shopped on i + 1 days, the last of them 10 · (9 − i) days before the date.
TEN = [(f"C{i}", "P", AS_OF - 10 * (9 - i) - 1 - day) for i in range(10) for day in range(i + 1)]


def test_fifths() -> None:
    segments = Segments(shop_of(*TEN, prices=[1.0] * len(TEN)))
    found = [segments.of(user) for user in range(10)]
    assert [one.recency for one in found if one] == [1, 1, 2, 2, 3, 3, 4, 4, 5, 5]
    assert [one.frequency for one in found if one] == [1, 1, 2, 2, 3, 3, 4, 4, 5, 5]
    assert [one.value for one in found if one] == [1, 1, 2, 2, 3, 3, 4, 4, 5, 5]
    assert [one.visits for one in found if one] == list(range(1, 11))
    assert [one.days_since for one in found if one] == [91, 81, 71, 61, 51, 41, 31, 21, 11, 1]
    assert [one.words for one in found if one] == [
        "bought once", "gone quiet", "gone quiet", "gone quiet", "buys now and then", "buys now and then",
        "loyal, buys often", "loyal, buys often", "loyal, buys often and spends much",
        "loyal, buys often and spends much",
    ]  # fmt: skip


def test_who_never_bought_has_no_segment_and_without_prices_there_is_no_value() -> None:
    snapshot = shop_of(*TEN)
    segments = Segments(snapshot)
    assert segments.of(int(snapshot.history.customer_ids.get_loc("Z"))) is None
    first = segments.of(0)
    assert first is not None
    assert first.value is None


def test_slipping_away_and_new() -> None:
    often_then_gone = [("A", "P", day) for day in range(5, 15)]
    others = [(f"B{i}", "P", 60 + 4 * i + step) for i in range(8) for step in (0, 1)]
    snapshot = shop_of(*often_then_gone, *others, ("N", "P", 99))
    words = [Segments(snapshot).of(user) for user in range(10)]
    assert words[0] is not None
    assert words[0].words == "slipping away"
    assert words[-1] is not None
    assert words[-1].words == "new"


def test_later_purchases_change_no_segment() -> None:
    late = [("C0", "P", AS_OF + 5), ("C0", "P", AS_OF + 6)]
    before, after = Segments(shop_of(*TEN)), Segments(shop_of(*TEN, *late))
    assert before.of(0) == after.of(0)


@pytest.mark.parametrize(("price", "spend"), [(2.5, 5.0), (np.nan, None)])
def test_months_are_added_up(price: float, spend: float | None) -> None:
    snapshot = shop_of(("C", "P", 0), ("C", "P", 1), ("D", "P", 70), prices=[price, price, 1.0])
    profile = describe(snapshot, 0, segments=Segments(snapshot))
    assert profile.months == (
        Month(date(2024, 1, 1), 2, spend),
        Month(date(2024, 2, 1), 0, 0.0),
        Month(date(2024, 3, 1), 0, 0.0),
        Month(date(2024, 4, 1), 0, 0.0),
    )
    assert profile.segment is not None
    undated = describe(snapshot, 0, dated=False, segments=Segments(snapshot))
    assert (undated.months, undated.segment) == ((), None)


def test_only_the_last_months_are_told() -> None:
    snapshot = shop_of(("C", "P", 0), ("C", "P", 1500), day=1501)
    months = describe(snapshot, 0).months
    assert len(months) == MONTHS
    assert [month.purchases for month in months] == [0] * (MONTHS - 1) + [1]

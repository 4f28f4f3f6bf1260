"""Training dates: where they lie, who is in them, and that nothing at or after `until` is."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from embedrec.columns import CATEGORY, CUSTOMER, PRODUCT
from embedrec.data.cuts import training_cuts
from embedrec.features import DAY, History
from embedrec.tables.model import CUSTOMER_COLUMNS, PRODUCT_COLUMNS
from shops import START, at_day, frame, history_of, lines, small_shop, tables_of

SHOP, _ = history_of(small_shop(0))


def of(*rows: tuple[str, str, float]) -> History:
    blank = frame(CUSTOMER_COLUMNS, {CUSTOMER: []}), frame(PRODUCT_COLUMNS, {PRODUCT: [], CATEGORY: []})
    return history_of(tables_of(*blank, lines(*rows)))[0]


def test_dates_by_hand() -> None:
    daily = of(*(("Ann", "P", day) for day in range(101)))
    cuts = training_cuts(daily, at_day(100), 10 * DAY, 4)
    # the newest cut leaves a whole horizon before day 100; the others lie two fifths of it, 4 days, apart
    assert [(cut.as_of, cut.until) for cut in cuts] == [(at_day(d), at_day(d + 10)) for d in (78, 82, 86, 90)]


def test_users_bought_before_and_buy_again() -> None:
    shop = of(
        ("Ann", "P", 0), ("Ann", "P", 50), ("Bob", "P", 50), ("Cid", "P", 0), ("Dan", "P", 39.9), ("Dan", "P", 60)
    )
    (cut,) = training_cuts(shop, at_day(60), 20 * DAY, 1)
    assert cut.as_of == at_day(40)
    # Bob is new, Cid does not come back, Dan does on the very date that is no longer training
    assert shop.customer_ids[cut.users].tolist() == ["Ann"]


def test_a_purchase_at_the_cut_is_a_target_and_not_the_past() -> None:
    shop = of(("Ann", "P", 0), ("Ann", "Q", 40), ("Bob", "P", 40), ("Bob", "Q", 45))
    (cut,) = training_cuts(shop, at_day(60), 20 * DAY, 1)
    assert shop.customer_ids[cut.users].tolist() == ["Ann"]
    targets = shop.targets(cut.users, cut.as_of, cut.until)
    assert shop.product_ids[targets.values].tolist() == ["Q"]


def test_a_short_training_window_shrinks_the_horizon() -> None:
    cuts = training_cuts(SHOP, at_day(20), 50 * DAY, 5)
    start = int(SHOP.times.min())
    assert {cut.until - cut.as_of for cut in cuts} == {(at_day(20) - start) // 2}


def test_dates_are_at_least_a_day_apart() -> None:
    cuts = training_cuts(SHOP, at_day(100), DAY, 10)
    assert np.diff([cut.as_of for cut in cuts]).min() >= DAY


@pytest.mark.parametrize("days", [(0,), (0, 0), (0, 50)], ids=["one purchase", "one moment", "nobody in the horizon"])
def test_nothing_to_learn_from(days: tuple[int, ...]) -> None:
    assert training_cuts(of(*(("Ann", "P", day) for day in days)), at_day(30), 5 * DAY, 10) == []


@settings(max_examples=60)
@given(st.integers(2, 310), st.integers(1, 120 * DAY), st.integers(1, 40))
def test_every_cut_lies_within_training(day: int, horizon: int, count: int) -> None:
    until = at_day(day)
    cuts = training_cuts(SHOP, until, horizon, count)
    assert len(cuts) <= count
    assert [cut.as_of for cut in cuts] == sorted({cut.as_of for cut in cuts})
    for cut in cuts:
        assert START < cut.as_of < cut.until <= until
        past = SHOP.users[SHOP.times < cut.as_of]
        following = SHOP.users[(SHOP.times >= cut.as_of) & (SHOP.times < cut.until)]
        assert cut.users.tolist() == sorted(set(past) & set(following)) != []

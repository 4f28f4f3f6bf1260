"""Windows in time: the published quantile rule, dates that win over it, and borders that cannot be."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from hypothesis import assume, given, reject
from hypothesis import strategies as st

from embedrec.errors import ConfigError
from embedrec.features import DAY
from embedrec.splits import Split, SplitConfig, day, parse_date, rolling, split_by_time
from shops import START, at_day

TEN_DAYS = np.array([at_day(d) for d in range(10)])
TIMES = st.lists(st.integers(START, START + 50 * DAY), min_size=2, max_size=60).map(np.array)


def test_quantiles_are_linear_and_rounded_down() -> None:
    # ranks 0..4 of [0, 1, 2, 3, 10]: the 0.8 quantile lies 0.2 above rank 3, at 4.4; the 0.9 quantile at 7.2
    split = split_by_time(np.array([10, 0, 3, 1, 2]), SplitConfig())
    assert split == Split(start=0, valid_from=4, test_from=7, end=11)


def test_quantiles_before_1970_are_rounded_down_too() -> None:
    split = split_by_time(np.array([10, 0, 3, 1, 2]) - 100, SplitConfig())
    assert split == Split(start=-100, valid_from=-96, test_from=-93, end=-89)


def test_dates_win_over_quantiles() -> None:
    config = SplitConfig(valid_from="2024-01-03", test_from="2024-01-06T12:00")
    assert split_by_time(TEN_DAYS, config) == Split(at_day(0), at_day(2), at_day(5.5), at_day(9) + 1)


def test_a_test_date_alone_keeps_validation_its_share_of_what_lies_before() -> None:
    # before the test lie days 0..4; 0.8 / 0.9 of their way is day 4 * 8 / 9
    split = split_by_time(TEN_DAYS, SplitConfig(test_from="2024-01-06"))
    assert split.valid_from == at_day(0) + 4 * DAY * 8 // 9
    assert split.test_from == at_day(5)


def test_a_validation_date_alone_leaves_the_test_its_quantile() -> None:
    split = split_by_time(TEN_DAYS, SplitConfig(valid_from="2024-01-02"))
    assert (split.valid_from, split.test_from) == (at_day(1), at_day(0) + int(0.9 * 9 * DAY))


@pytest.mark.parametrize(
    "config",
    [
        SplitConfig(valid_from="2024-01-08", test_from="2024-01-05"),
        SplitConfig(valid_from="2023-12-31", test_from="2024-01-05"),
        SplitConfig(test_from="2024-01-11"),
        SplitConfig(test_from="2023-01-01"),
        SplitConfig(valid_from="2024-01-01", test_from="2024-01-01"),
    ],
    ids=["reversed", "validation before the data", "test after the data", "test before the data", "no training"],
)
def test_borders_out_of_order_name_the_data_and_what_came(config: SplitConfig) -> None:
    with pytest.raises(ConfigError) as caught:
        split_by_time(TEN_DAYS, config)
    message = str(caught.value)
    assert "\n" not in message
    assert "2024-01-01T00:00:00 to 2024-01-10T00:00:00" in message
    assert f"test_from={config.test_from}" in message


@pytest.mark.parametrize("count", [1, 5])
def test_one_date_for_all_leaves_everything_for_training(count: int) -> None:
    split = split_by_time(np.full(count, START), SplitConfig())
    assert (split.start, split.valid_from, split.test_from, split.end) == (START, START + 1, START + 1, START + 1)
    assert not split.tested
    assert "same purchase_date" in split.warning
    with pytest.raises(ConfigError, match="must be in order"):
        split_by_time(np.full(count, START), SplitConfig(test_from="2024-01-01"))
    with pytest.raises(ConfigError, match="same purchase_date"):
        rolling(np.full(count, START), SplitConfig(), 2)


def test_the_test_begins_with_the_second_date_where_most_carry_the_first() -> None:
    times = np.array([START] * 30 + [START + DAY, START + 2 * DAY])
    assert split_by_time(times, SplitConfig()) == Split(START, START, START + DAY, START + 2 * DAY + 1)


def test_two_seconds_are_enough() -> None:
    split = split_by_time(np.array([START, START + 1]), SplitConfig(valid_quantile=0.1, test_from=day(START + 1)))
    assert split == Split(START, START, START + 1, START + 2)


def test_quantiles_in_the_wrong_order() -> None:
    with pytest.raises(ConfigError, match=r"valid_quantile=0\.9 must be below split\.test_quantile=0\.9"):
        SplitConfig(valid_quantile=0.9)


@pytest.mark.parametrize("value", ["soon", "", "2024-13-01", "NaT", "99999-01-01", "now", " Today"])
def test_not_a_date(value: str) -> None:
    with pytest.raises(ConfigError, match=r"split\.test_from=.* is not a date; write it as 2024-12-31"):
        SplitConfig(test_from=value)


def test_a_time_zone_is_turned_into_utc() -> None:
    assert parse_date("as_of", "2024-01-01T02:00+02:00") == START


@given(st.datetimes(pd.Timestamp("1900-01-01"), pd.Timestamp("2200-01-01")))
def test_a_date_shown_is_the_date_read(moment: pd.Timestamp) -> None:
    shown = moment.replace(microsecond=0).isoformat()
    assert day(parse_date("date", shown)) == shown


@given(TIMES, st.tuples(st.floats(0.05, 0.95), st.floats(0.05, 0.95)).map(sorted))
def test_windows_are_in_order_and_the_data_says_nothing_beyond_its_times(
    times: np.ndarray, quantiles: list[float]
) -> None:
    assume(quantiles[0] < quantiles[1] and len(set(times)) > 1)
    config = SplitConfig(valid_quantile=quantiles[0], test_quantile=quantiles[1])
    split = split_by_time(times, config)
    assert split.start <= split.valid_from <= split.test_from < split.end
    assert split.start < split.test_from
    assert (split.start, split.end) == (times.min(), times.max() + 1)
    # more only where so many purchases carry the first date
    assert np.mean(times < split.test_from) <= max(quantiles[1] + 1 / len(times), np.mean(times == times.min()))
    assert split == split_by_time(times[::-1], config)


# Rolling windows


@given(TIMES, st.integers(1, 6))
def test_rolling_windows_stand_side_by_side(times: np.ndarray, count: int) -> None:
    try:
        windows = rolling(times, SplitConfig(), count)
        latest = split_by_time(times, SplitConfig())
    except ConfigError:
        reject()
    length, held = latest.end - latest.test_from, latest.test_from - latest.valid_from
    assert windows[0] == latest
    assert len(windows) == count
    for step, window in enumerate(windows):
        assert window.test_from == latest.test_from - step * length
        assert (window.end - window.test_from, window.test_from - window.valid_from) == (length, held)
        assert (times < window.valid_from).any()
        assert ((times >= window.test_from) & (times < window.end)).any()


def test_rolling_windows_need_something_before_them() -> None:
    # ten days: the test is the last day and a little more than a tenth, so eight windows leave one day to train on
    assert len(rolling(TEN_DAYS, SplitConfig(), 8)) == 8
    with pytest.raises(ConfigError, match=r"12 rolling windows of 0\.9 days do not fit .*: \d+ do"):
        rolling(TEN_DAYS, SplitConfig(), 12)
    with pytest.raises(ConfigError, match="give at least 1"):
        rolling(TEN_DAYS, SplitConfig(), 0)
    with pytest.raises(ConfigError, match=r"rolling windows need dates: split\.protocol=random has none"):
        rolling(TEN_DAYS, SplitConfig(protocol="random"), 2)

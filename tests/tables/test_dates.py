from __future__ import annotations

from datetime import UTC, datetime, timedelta

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from embedrec.errors import DataError
from embedrec.tables.dates import parse_dates

NOW = np.datetime64("2024-06-01T12:00:00")
MOMENTS = st.datetimes(datetime(1995, 1, 1), datetime(2024, 6, 1)).map(lambda time: time.replace(microsecond=0))


def dates(*cells: object) -> list[str | None]:
    values = parse_dates(pd.Series(cells), "f.csv, column date", now=NOW).values
    assert values.dtype == "datetime64[s]"
    return [None if pd.isna(value) else value.isoformat().replace("T00:00:00", "") for value in values]


@given(st.lists(MOMENTS, min_size=1, max_size=20), st.sampled_from(["%Y-%m-%d %H:%M:%S", "%d.%m.%Y %H:%M:%S"]))
def test_moments_come_back(times: list[datetime], form: str) -> None:
    texts = [time.strftime(form) for time in times]
    assert parse_dates(pd.Series(texts), "f", now=NOW).values.tolist() == [pd.Timestamp(time) for time in times]


@pytest.mark.parametrize(
    ("cell", "moment"),
    [
        ("2024-03-05", "2024-03-05"),
        ("2024-3-5", "2024-03-05"),
        ("2024/03/05 7:08", "2024-03-05T07:08:00"),
        ("20240305", "2024-03-05"),
        ("2024-03-05T07:08:09.5Z", "2024-03-05T07:08:09"),
        ("2024-03-05T07:08:09+02:00", "2024-03-05T05:08:09"),
        ("2024-03-05 07:08:09+00", "2024-03-05T07:08:09"),
        ("2024-03-05 07:08:09.123-05", "2024-03-05T12:08:09"),
        ("25/03/2024", "2024-03-25"),
        ("03/25/2024 1:05 PM", "2024-03-25T13:05:00"),
        ("03/25/24", "2024-03-25"),
        ("05.03.2024", "2024-03-05"),
        ("05.03.98", "1998-03-05"),
        ("12/31/95", "1995-12-31"),
        ("5 Mar 2024", "2024-03-05"),
        ("March 5, 2024", "2024-03-05"),
        ("1709622489", "2024-03-05T07:08:09"),
        ("1709622489000", "2024-03-05T07:08:09"),
        (1709622489.0, "2024-03-05T07:08:09"),
    ],
)
def test_forms(cell: object, moment: str) -> None:
    assert dates(cell) == [moment]


@pytest.mark.parametrize(
    "cell",
    [
        "2024-02-30",
        "0000-00-00",
        "30 Feb 2024",
        "soon",
        "2024",
        "202403",
        "25:00",
        "13/13/2024",
        "2024-03-05 25:00",
    ],
)
def test_what_is_no_date(cell: str) -> None:
    parsed = parse_dates(pd.Series([cell]), "f")
    assert parsed.values.isna().all()
    assert parsed.reasons.tolist() == ["is not a date"]


def test_missing_and_outlying_dates_say_so() -> None:
    cells = ["", "1970-01-01", "1994-12-31", "2999-01-01", "2024-06-03", "2024-06-02 11:00", "2024-01-01"]
    parsed = parse_dates(pd.Series(cells), "f", now=NOW)
    early, late = "lies before 1995", "lies in the future (today is 2024-06-01)"
    assert parsed.reasons.tolist() == ["is missing", early, early, late, late, "", ""]
    assert parsed.values.notna().tolist() == [False] * 5 + [True] * 2


def test_a_file_read_years_later_still_works() -> None:
    later = parse_dates(pd.Series(["2098-05-01"]), "f", now=np.datetime64("2150-01-01T00:00:00"))
    assert later.reasons.tolist() == [""]


def test_the_clock_says_what_lies_ahead() -> None:
    now = datetime.now(UTC)
    cells = [(now + timedelta(days=days)).strftime("%Y-%m-%d %H:%M") for days in (-1, 2)]
    assert [reason[:18] for reason in parse_dates(pd.Series(cells), "f").reasons] == ["", "lies in the future"]


def test_typed_dates_ahead_are_none_either() -> None:
    assert dates(pd.Timestamp("2024-01-01"), pd.Timestamp("2098-01-01")) == ["2024-01-01", None]


def test_the_column_votes_on_day_and_month() -> None:
    assert dates("05/03/2024", "25/03/2024") == ["2024-03-05", "2024-03-25"]
    assert dates("05/03/2024", "03/25/2024") == ["2024-05-03", "2024-03-25"]
    assert dates("05/05/2024") == ["2024-05-05"]
    # One line of the other order is outvoted and is then no date.
    assert dates("25/03/2024", "26/03/2024", "03/27/2024")[2] is None


def test_day_and_month_undecided_stop() -> None:
    with pytest.raises(DataError, match=r"column date: '05/03/2024' may be day/month or month/day"):
        dates("05/03/2024", "06/07/2024")


def test_each_separator_votes_for_itself() -> None:
    cells = ("05-03-2024", "25-03-2024", "05/03/2024", "03/25/2024", "05.03.2024")
    assert dates(*cells) == ["2024-03-05", "2024-03-25", "2024-05-03", "2024-03-25", "2024-03-05"]
    notes = parse_dates(pd.Series(cells), "f", now=NOW).notes
    assert notes == ("dates read as day-month-year", "dates read as day.month.year", "dates read as month/day/year")
    with pytest.raises(
        DataError, match="'05-03-2024' may be day/month or month/day and no other date written with '-'"
    ):
        dates("05-03-2024", "25/03/2024")


def test_dates_without_a_zone_among_zoned_ones_are_counted() -> None:
    cells = ["2024-03-05 07:08:09+02", "2024-03-05 07:08:09", "2024-03-05 07:08:09", "05.03.2024", "1709622489", "soon"]
    parsed = parse_dates(pd.Series(cells), "f", now=NOW)
    assert parsed.values[:2].dt.hour.tolist() == [5, 7]
    assert "times with a zone converted to UTC" in parsed.notes
    assert "3 dates without a zone among 1 with one: taken as UTC" in parsed.notes
    assert not any("zone" in note for note in parse_dates(pd.Series(cells[1:]), "f", now=NOW).notes)


def test_utc_may_be_written_out() -> None:
    cells = ("2024-03-05 07:08:09 UTC", "2024-03-05 07:08UTC", "2024-03-05T07:08:09.5 UTC")
    assert dates(*cells) == ["2024-03-05T07:08:09", "2024-03-05T07:08:00", "2024-03-05T07:08:09"]


def test_a_named_month_may_stand_before_two_digits_of_the_year() -> None:
    assert dates("05-JAN-24", "5 Jan 1999", "31-DEC-99") == ["2024-01-05", "1999-01-05", "1999-12-31"]


def test_typed_columns_go_to_utc_seconds() -> None:
    column = pd.Series(pd.to_datetime(["2024-03-05 07:08:09.9", None]))
    assert dates(*column) == ["2024-03-05T07:08:09", None]

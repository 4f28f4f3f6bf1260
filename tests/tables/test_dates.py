from __future__ import annotations

from datetime import datetime

import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from embedrec.errors import DataError
from embedrec.tables.dates import parse_dates

MOMENTS = st.datetimes(datetime(1995, 1, 1), datetime(2099, 12, 31)).map(lambda time: time.replace(microsecond=0))


def dates(*cells: object) -> list[str | None]:
    values = parse_dates(pd.Series(cells), "f.csv, column date").values
    assert values.dtype == "datetime64[s]"
    return [None if pd.isna(value) else value.isoformat().replace("T00:00:00", "") for value in values]


@given(st.lists(MOMENTS, min_size=1, max_size=20), st.sampled_from(["%Y-%m-%d %H:%M:%S", "%d.%m.%Y %H:%M:%S"]))
def test_moments_come_back(times: list[datetime], form: str) -> None:
    texts = [time.strftime(form) for time in times]
    assert parse_dates(pd.Series(texts), "f").values.tolist() == [pd.Timestamp(time) for time in times]


@pytest.mark.parametrize(
    ("cell", "moment"),
    [
        ("2024-03-05", "2024-03-05"),
        ("2024-3-5", "2024-03-05"),
        ("2024/03/05 7:08", "2024-03-05T07:08:00"),
        ("20240305", "2024-03-05"),
        ("2024-03-05T07:08:09.5Z", "2024-03-05T07:08:09"),
        ("2024-03-05T07:08:09+02:00", "2024-03-05T05:08:09"),
        ("25/03/2024", "2024-03-25"),
        ("03/25/2024 1:05 PM", "2024-03-25T13:05:00"),
        ("03/25/24", "2024-03-25"),
        ("05.03.2024", "2024-03-05"),
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
    parsed = parse_dates(pd.Series(["", "1970-01-01", "2999-01-01", "2024-01-01"]), "f")
    assert parsed.reasons.tolist() == ["is missing", *["lies outside 1995–2099"] * 2, ""]


def test_the_column_votes_on_day_and_month() -> None:
    assert dates("05/03/2024", "25/03/2024") == ["2024-03-05", "2024-03-25"]
    assert dates("05/03/2024", "03/25/2024") == ["2024-05-03", "2024-03-25"]
    assert dates("05/05/2024") == ["2024-05-05"]
    # One line of the other order is outvoted and is then no date.
    assert dates("25/03/2024", "26/03/2024", "03/27/2024")[2] is None


def test_day_and_month_undecided_stop() -> None:
    with pytest.raises(DataError, match=r"column date: '05/03/2024' may be day/month or month/day"):
        dates("05/03/2024", "06/07/2024")


def test_typed_columns_go_to_utc_seconds() -> None:
    column = pd.Series(pd.to_datetime(["2024-03-05 07:08:09.9", None]))
    assert dates(*column) == ["2024-03-05T07:08:09", None]

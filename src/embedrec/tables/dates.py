"""Dates as shops write them, by a vote of the column where day and month could be either."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc

from embedrec.errors import DataError, quoted
from embedrec.tables.distinct import by_distinct_if_folded, spread, text_matches
from embedrec.tables.numbers import MISSING

FIRST_YEAR = 1995  # before lie typing errors and defaults such as 1970-01-01
_FIRST = np.datetime64(f"{FIRST_YEAR}-01-01", "s")
AHEAD = np.timedelta64(1, "D")  # a shop's clock may be ahead of UTC by as much; what lies later is a typing error

_ISO = (
    r"[0-9]{4}-[0-9]{2}-[0-9]{2}"
    r"(?:[T ][0-9]{2}:[0-9]{2}(?::[0-9]{2}(?:\.[0-9]+)?)?(?: ?(?:Z|UTC|[+-][0-9]{2}(?::?[0-9]{2})?))?)?"
)
_ZONED = r"(?:Z|UTC|:[0-9.]+ ?[+-][0-9:]+)$"
_CLOCK = (
    r"(?:[T ,]+(?P<hour>\d{1,2}):(?P<minute>\d{2})(?::(?P<second>\d{2})(?:\.\d+)?)?"
    r"(?: ?(?P<half>[AaPp])\.?[Mm]\.?)?)?$"
)
_YEAR_FIRST = r"^(?!\d{5,7}$)(?P<year>\d{4})(?P<sign>[-/.]?)(?P<month>\d{1,2})(?P=sign)(?P<day>\d{1,2})" + _CLOCK
_YEAR_LAST = r"^(?P<one>\d{1,2})(?P<sign>[-/.])(?P<two>\d{1,2})(?P=sign)(?P<year>\d{4}|\d{2})" + _CLOCK
_DAY_NAME = r"^(?P<day>\d{1,2})[ -](?P<name>[A-Za-z]{3,9})\.?[ ,-]+(?P<year>\d{4}|\d{2})" + _CLOCK
_NAME_DAY = r"^(?P<name>[A-Za-z]{3,9})\.? (?P<day>\d{1,2}),? (?P<year>\d{4})" + _CLOCK
_MONTHS = ("jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec")

# What Arrow reads as the slow way does, and quickly; the length tells it from the forms that only Arrow knows.
_QUICK = (((10, 16, 19), pa.timestamp("s")), ((20, 25), pa.timestamp("s", "UTC")))
_QUICK_ROWS, _FEWEST_ROWS = 16_384, 64  # at a time; and how few are given up as a whole

# Seconds since 1970 have 9 or 10 digits in our range, milliseconds 12 or 13, and so on.
_EPOCH_UNITS = ((1e8, 1e11, 1.0), (1e11, 1e14, 1e3), (1e14, 1e17, 1e6), (1e17, 1e20, 1e9))


@dataclass(frozen=True)
class Dates:
    """One moment a row.

    values   datetime64[s], in UTC where a zone was given; NaT where there is none
    reasons  why a row has none, '' where it has one
    notes    forms that were read, for the report
    """

    values: pd.Series
    reasons: pd.Series
    notes: tuple[str, ...]


def parse_dates(cells: pd.Series, where: str, *, now: np.datetime64 | None = None) -> Dates:
    """Read ISO dates, day-month-year in either order, month names, and epochs; `where` names file and column.

    A date more than a day after `now` (in UTC; None = the clock's) is none: a single one would move the end of the
    data, from which ages and windows are counted.

    Raises DataError where no cell tells day and month apart.
    """
    codes, distinct = by_distinct_if_folded(cells)
    notes: list[str] = []
    missing = distinct.isna().to_numpy()
    if distinct.dtype.kind == "M":
        values = distinct.dt.floor("s")
    elif distinct.dtype.kind == "f":
        values = _from_epoch(distinct.to_numpy(), notes)
    else:
        values, missing = _from_text(distinct, np.bincount(codes, minlength=len(distinct)), where, notes)
    values = values.astype("datetime64[s]").reset_index(drop=True)
    now = np.datetime64("now", "s") if now is None else now
    early, late = (values < _FIRST).to_numpy(), (values > now + AHEAD).to_numpy()
    reasons = {
        "is not a date": values.isna().to_numpy() & ~missing,
        "is missing": missing,
        f"lies before {FIRST_YEAR}": early,
        f"lies in the future (today is {now.astype('datetime64[D]')})": late,
    }
    reason = np.zeros(len(values), np.int8)
    for number, rows in enumerate(reasons.values(), 1):
        reason[rows] = number
    values = values.mask(early | late)
    why = pd.Categorical.from_codes(reason[codes], categories=pd.Index(["", *reasons], dtype="str"))
    return Dates(spread(values, codes), pd.Series(why), tuple(notes))


def _from_epoch(seconds: np.ndarray, notes: list[str]) -> pd.Series:
    """Read seconds, milli-, micro- or nanoseconds since 1970, told apart by their magnitude."""
    whole = np.full(len(seconds), np.nan)
    for low, high, unit in _EPOCH_UNITS:
        fits = (seconds >= low) & (seconds < high)
        whole[fits] = np.floor(seconds[fits] / unit)
    if np.isfinite(whole).any():
        notes.append("dates read as time since 1970-01-01 UTC")
    filled = np.where(np.isfinite(whole), whole, 0).astype("int64").astype("datetime64[s]")
    return pd.Series(filled).mask(~np.isfinite(whole))


def _from_text(cells: pd.Series, weights: np.ndarray, where: str, notes: list[str]) -> tuple[pd.Series, np.ndarray]:
    """Return the moments, and the mask of the cells that say "no value"."""
    quick, zoned = _quickly(cells)
    values = pd.Series(quick)
    text = cells[np.isnat(quick)].str.strip()
    missing = np.zeros(len(cells), bool)
    missing[text.index] = text.str.lower().isin(MISSING)
    iso = text[text_matches(text, _ISO)]
    if len(iso):
        written = iso.str.replace(r" ?UTC$", "Z", regex=True)  # which pandas does not know by name
        stamps = pd.to_datetime(written, format="ISO8601", utc=True, errors="coerce")
        values[iso.index] = stamps.dt.tz_localize(None).dt.floor("s").astype("datetime64[s]")
        zoned[iso.index] = iso.str.contains(_ZONED).to_numpy(dtype=bool)
    epoch = text[text_matches(text, r"[0-9]{9,20}(?:\.[0-9]+)?")]
    if len(epoch):
        values[epoch.index] = _from_epoch(epoch.astype("float64").to_numpy(), notes).to_numpy()
    rest = text.drop(iso.index).drop(epoch.index)
    for pattern in (_YEAR_FIRST, _DAY_NAME, _NAME_DAY):
        parts = rest.str.extract(pattern)
        parts = parts[parts["year"].notna()]
        if len(parts):
            values[parts.index] = _moment(parts).to_numpy()
    parts = rest.str.extract(_YEAR_LAST)
    for _, form in parts.groupby("sign", sort=True):
        values[form.index] = _moment(_day_and_month(form, weights, text, where, notes)).to_numpy()
    if zoned.any():
        notes.append("times with a zone converted to UTC")
        bare = values.notna().to_numpy() & ~zoned
        bare[epoch.index] = False
        if count := int(weights[bare].sum()):
            notes.append(f"{count:,} dates without a zone among {int(weights[zoned].sum()):,} with one: taken as UTC")
    return values, missing


def _quickly(cells: pd.Series) -> tuple[np.ndarray, np.ndarray]:
    """Read the plain ISO dates of a column; NaT where one is written otherwise, and the mask of those with a zone."""
    text = pa.array(cells, pa.large_string())
    text = text.combine_chunks() if isinstance(text, pa.ChunkedArray) else text
    moments = np.full(len(text), "NaT", dtype="datetime64[s]")
    zoned = np.zeros(len(text), bool)
    spans = [(start, min(start + _QUICK_ROWS, len(text))) for start in range(0, len(text), _QUICK_ROWS)]
    while spans:
        start, end = spans.pop()
        part = text[start:end]
        lengths = pc.min_max(pc.binary_length(part)).as_py()
        kind = next((kind for known, kind in _QUICK if lengths["min"] == lengths["max"] in known), None)
        try:
            found = part.cast(kind).to_numpy() if kind else None
        except pa.ArrowInvalid:
            found = None
        if found is not None and found.min() >= _FIRST:  # the slow way tells what is a date at all
            moments[start:end], zoned[start:end] = found, kind != _QUICK[0][1]
        elif end - start > _FEWEST_ROWS:
            middle = (start + end) // 2
            spans += [(start, middle), (middle, end)]
    return moments, zoned


def _day_and_month(
    parts: pd.DataFrame, weights: np.ndarray, text: pd.Series, where: str, notes: list[str]
) -> pd.DataFrame:
    """Vote, among dates of one separator, whether the first number is the day.

    A first above 12 says yes, a second above 12 says no; with points it always is. Dates of another separator come from
    another hand and have no vote.
    """
    first, second, sign = parts["one"].astype(int), parts["two"].astype(int), parts["sign"].iloc[0]
    weight = weights[parts.index]
    day_first = int(weight[(first > 12).to_numpy()].sum())
    month_first = int(weight[(second > 12).to_numpy()].sum())
    if sign != "." and day_first == month_first and (first != second).any():
        example = text[parts.index[(first != second).to_numpy()][0]]
        raise DataError(
            f"{where}: {quoted(example)} may be day/month or month/day and no other date written with '{sign}' "
            "decides it: write dates as YYYY-MM-DD"
        )
    day, month = ("one", "two") if sign == "." or day_first >= month_first else ("two", "one")
    form = sign.join(("day", "month", "year") if day == "one" else ("month", "day", "year"))
    notes.append(f"dates read as {form}")
    return parts.rename(columns={day: "day", month: "month"})


def _moment(parts: pd.DataFrame) -> pd.Series:
    """Put the parts of a date together; NaT for days and hours that do not exist."""

    def number(name: str) -> np.ndarray:
        return pd.to_numeric(parts[name], errors="coerce").fillna(0).to_numpy(dtype="int64")

    year, day = number("year"), number("day")
    year = np.where(year < 100, year + np.where(year < FIRST_YEAR % 100, 2000, 1900), year)
    if "month" in parts:
        month = number("month")
    else:
        names = parts["name"].str.lower().str[:3]
        month = names.map({name: number + 1 for number, name in enumerate(_MONTHS)}).fillna(0).to_numpy(dtype="int64")
    hour, minute, second = number("hour"), number("minute"), number("second")
    half = parts["half"].str.lower().fillna("").to_numpy(dtype=object)
    valid = (hour < 24) & (minute < 60) & (second < 60)
    valid &= (half == "") | ((hour >= 1) & (hour <= 12))
    hour = np.where(half == "", hour, hour % 12 + 12 * (half == "p"))
    valid &= (month >= 1) & (month <= 12) & (day >= 1)
    start = ((year - 1970) * 12 + np.where(valid, month, 1) - 1).astype("datetime64[M]")
    date = start.astype("datetime64[D]") + (day - 1)
    valid &= date.astype("datetime64[M]") == start
    moment = date.astype("datetime64[s]") + hour * 3600 + minute * 60 + second
    return pd.Series(np.where(valid, moment, np.datetime64("NaT", "s")), index=parts.index)

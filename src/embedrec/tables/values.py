"""Typed columns that all three tables share, each cell that cannot be used counted in the ledger."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import pandas as pd

from embedrec.columns import CATEGORY, PARTS, PRICE, QUANTITY, RATING, RATING_COUNT, TEST, TITLE, TRAIN, VALID
from embedrec.errors import DataError, quoted
from embedrec.tables.dates import parse_dates
from embedrec.tables.distinct import by_distinct, by_distinct_if_folded, spread
from embedrec.tables.headers import key, listing
from embedrec.tables.ids import parse_ids
from embedrec.tables.ledger import Ledger
from embedrec.tables.numbers import is_missing, parse_numbers

BEST_RATING = 5.0  # stars
LONGEST_TEXT = 65_536  # bytes of a category or title in UTF-8
EXTREME = 1_000  # times the median of a price or quantity
NO_NUMBER = "is no finite number"
_CONTROLS = r"[\x01-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f]"  # a terminal would obey some; tabs and line breaks are text
PRODUCT_ATTRIBUTES = (TITLE, CATEGORY, PRICE, RATING, RATING_COUNT)
PART_NAMES = {TRAIN: TRAIN, "training": TRAIN, VALID: VALID, "validation": VALID, "val": VALID, TEST: TEST}


def id_column(ledger: Ledger, header: str) -> pd.Series:
    """Read ids and quarantine the rows of malformed ones; NaN where the cell is empty."""
    ids = parse_ids(ledger.raw.cells[header], ledger.where(header))
    ledger.note(*(f"{header}: {note}" for note in ids.notes))
    ledger.quarantine((ids.reasons != "").to_numpy(), header, ids.reasons)
    return ids.values


def date_column(ledger: Ledger, header: str) -> pd.Series:
    """Read moments and quarantine the rows without one."""
    dates = parse_dates(ledger.raw.cells[header], ledger.where(header))
    ledger.note(*(f"{header}: {note}" for note in dates.notes))
    ledger.quarantine((dates.reasons != "").to_numpy(), header, dates.reasons)
    return dates.values


def number_column(ledger: Ledger, header: str | None, *, at_least: float | None = None) -> pd.Series:
    """Read numbers, NaN where there is none; unreadable ones and those below `at_least` are missing, counted.

    Raises DataError if more than half of the filled cells are no numbers.
    """
    if header is None:
        return pd.Series(np.nan, index=range(len(ledger.raw.cells)))
    values, bad = _numbers(ledger, header)
    count_missing(ledger, bad & ledger.used, header, NO_NUMBER)
    if at_least is not None:
        below = (values < at_least).to_numpy()
        count_missing(ledger, below & ledger.used, header, f"is below {at_least:g}")
        values = values.mask(below)
    return values


def price_column(ledger: Ledger, header: str | None) -> pd.Series:
    """Read prices in the shop's currency; rows with a negative one are quarantined, extreme ones kept and counted."""
    values = number_column(ledger, header)
    if header is not None:
        ledger.quarantine((values < 0).to_numpy(), header, "is negative")
        if count := int(((values == 0).to_numpy() & ledger.used).sum()):
            ledger.note(f"{_values(count)} of {header} equal to 0: kept")
        _note_extremes(ledger, header, values)
    return values


def quantity_column(ledger: Ledger, header: str | None, traded: np.ndarray) -> pd.Series:
    """Read pieces, NaN where none are given, negative where they came back.

    Of purchases and returns (`traded`), rows with 0, no number, or a fraction bought are quarantined; extreme
    quantities are kept and counted.

    Raises DataError if more than half of the filled cells are no numbers.
    """
    if header is None:
        return number_column(ledger, None)
    values, bad = _numbers(ledger, header)
    mend = f"set data.columns.{QUANTITY}=- to count every line as one piece, as where goods are sold by weight"
    ledger.quarantine(traded & bad, header, NO_NUMBER, mend)
    ledger.quarantine(traded & (values == 0).to_numpy(), header, "is 0", mend)
    ledger.quarantine(
        traded & ((values > 0) & (values % 1 > 0)).to_numpy(), header, "is no whole number of pieces", mend
    )
    count_missing(ledger, bad & ledger.used, header, NO_NUMBER)
    _note_extremes(ledger, header, values)
    return values


def order_column(ledger: Ledger, header: str) -> pd.Series:
    """Read a number that grows with each event of a customer, and quarantine the rows without one."""
    values, _ = parse_numbers(ledger.raw.cells[header], ledger.where(header))
    ledger.quarantine(values.isna().to_numpy(), header, "is no number")
    return values


def part_column(ledger: Ledger, header: str) -> pd.Series:
    """Read the part of a published split, and quarantine the rows without one.

    Raises DataError for a name that is no part.
    """
    codes, names = by_distinct(as_text(ledger.raw.cells[header]))
    parts = names.map(key).map(PART_NAMES).astype("str")
    empty = (names.str.strip() == "").to_numpy()
    if (unknown := names[parts.isna().to_numpy() & ~empty]).size:
        raise DataError(
            f"{ledger.where(header)}: unknown part {listing(unknown)}; known are {', '.join(PARTS)}: "
            f"rename it, or drop data.columns.split"
        )
    ledger.quarantine(empty[codes], header, "is missing")
    return spread(parts, codes)


def rating_column(ledger: Ledger, header: str | None, column: str = RATING) -> pd.Series:
    """Read ratings of up to five stars; '4/5' is 4; 0 means "no rating"; unreadable ones are missing, counted.

    Rows with a rating below 0 or above five are quarantined.

    Raises DataError if more than a fifth of the ratings lie above five.
    """
    if header is None:
        return number_column(ledger, None)
    values, bad = _numbers(ledger, header, scale="/5", thousands=False)
    mend = f"bring ratings to a scale up to {BEST_RATING:g}, or set data.columns.{column}=-"
    above = int((values > BEST_RATING).sum())
    rated = int(values.notna().sum())
    if above > rated / 5:
        raise DataError(f"{ledger.where(header)}: {above:,} of {rated:,} ratings lie above {BEST_RATING:g}: {mend}")
    outside = (values < 0) | (values > BEST_RATING)
    ledger.quarantine(outside.to_numpy(), header, f"lies outside 0–{BEST_RATING:g}", mend)
    count_missing(ledger, bad & ledger.used, header, NO_NUMBER)
    count_missing(ledger, (values == 0).to_numpy() & ledger.used, header, "is 0, which means no rating")
    return values.mask(outside | (values == 0))


def text_column(ledger: Ledger, header: str | None) -> pd.Series:
    """Read a category or title: NFC, trimmed, without control characters but line breaks; NaN where missing.

    Rows with a NUL, or with more than 64 kB in the cell, are quarantined.
    """
    if header is None:
        return pd.Series(np.nan, index=range(len(ledger.raw.cells)), dtype="str")
    codes, distinct = by_distinct(as_text(ledger.raw.cells[header]))
    ledger.quarantine(distinct.str.contains("\0", regex=False).to_numpy(dtype=bool)[codes], header, "holds a NUL")
    long = distinct.str.len().to_numpy() > LONGEST_TEXT // 4  # no character has more than 4 bytes
    long[long] = [len(text.encode()) > LONGEST_TEXT for text in distinct[long]]
    ledger.quarantine(long[codes], header, f"is longer than {LONGEST_TEXT:,} bytes")
    text = distinct.str.replace(_CONTROLS, "", regex=True)
    if count := int(((text != distinct).to_numpy()[codes] & ledger.used).sum()):
        ledger.note(f"{_values(count)} of {header} held control characters: removed")
    if not bool(text.str.isascii().all()):
        text = text.str.normalize("NFC")
    return spread(text.str.strip().mask(is_missing(text)), codes)


def as_text(cells: pd.Series) -> pd.Series:
    """Write the floats and dates of a parquet file as text: 12.0 is category or event 12; '' = empty."""
    if cells.dtype.kind not in "fM":
        return cells
    codes, distinct = by_distinct(cells)
    text = ["" if pd.isna(value) else str(value).removesuffix(".0") for value in distinct]
    return spread(pd.Series(text, dtype="str"), codes)


def product_attributes(ledger: Ledger, columns: Mapping[str, str]) -> pd.DataFrame:
    """Read title, category, price, rating and its count of each row, whether it is a product's or a purchase's."""
    return pd.DataFrame(
        {
            TITLE: text_column(ledger, columns.get(TITLE)),
            CATEGORY: text_column(ledger, columns.get(CATEGORY)),
            PRICE: price_column(ledger, columns.get(PRICE)),
            RATING: rating_column(ledger, columns.get(RATING)),
            RATING_COUNT: number_column(ledger, columns.get(RATING_COUNT), at_least=0),
        }
    )


def empty_rows(ledger: Ledger) -> np.ndarray:
    """Mask of the rows without a single value."""
    empty = np.ones(len(ledger.raw.cells), dtype=bool)
    for header in ledger.raw.cells.columns:
        rows = np.flatnonzero(empty)
        if not len(rows):
            break
        codes, distinct = by_distinct_if_folded(ledger.raw.cells[header].iloc[rows])
        missing = distinct.isna() if distinct.dtype.kind in "fM" else distinct.str.strip() == ""
        empty[rows[~missing.to_numpy(dtype=bool)[codes]]] = False
    return empty


def _numbers(ledger: Ledger, header: str, *, scale: str = "", thousands: bool = True) -> tuple[pd.Series, np.ndarray]:
    """Read numbers as `parse_numbers` does; a `scale` such as '/5' may end a cell.

    Raises DataError if more than half of the filled cells are no numbers.
    """
    cells = ledger.raw.cells[header]
    values, bad = parse_numbers(cells, ledger.where(header), scale=scale, thousands=thousands)
    filled = int(bad.sum()) + int(values.notna().sum())
    if bad.sum() > filled / 2:
        row = int(np.flatnonzero(bad)[0])
        raise DataError(
            f"{ledger.raw.file}, line {ledger.line(row)}: {header} {quoted(cells.iloc[row])} is not a "
            "number, nor are most in the column: name the right column, or ignore this one, with data.columns"
        )
    return values, bad


def count_missing(ledger: Ledger, rows: np.ndarray, header: str, reason: str) -> None:
    """Note how many cells of a column are taken as missing."""
    if count := int(rows.sum()):
        ledger.note(f"{_values(count)} of {header} taken as missing: {header} {reason}")


def _note_extremes(ledger: Ledger, header: str, values: pd.Series) -> None:
    """Count what lies far above the median of the column, whatever the currency; the features clip it."""
    positive = values[ledger.used & (values > 0).to_numpy()]
    far = positive > EXTREME * positive.median()
    if count := int(far.sum()):
        ledger.note(
            f"{_values(count)} of {header} above {EXTREME:,} times the median, up to {positive.max():,.10g}: kept"
        )


def _values(count: int) -> str:
    return f"{count:,} value{'' if count == 1 else 's'}"

"""Typed columns that all three tables share, each cell that cannot be used counted in the ledger."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import pandas as pd

from embedrec.columns import CATEGORY, PARTS, PRICE, RATING, RATING_COUNT, TEST, TITLE, TRAIN, VALID
from embedrec.errors import DataError, quoted
from embedrec.tables.dates import parse_dates
from embedrec.tables.distinct import by_distinct, spread
from embedrec.tables.headers import key, listing
from embedrec.tables.ids import parse_ids
from embedrec.tables.ledger import Ledger
from embedrec.tables.numbers import is_missing, parse_numbers

BEST_RATING = 5.0  # stars
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


def number_column(ledger: Ledger, header: str | None, *, at_least: float | None = None, scale: str = "") -> pd.Series:
    """Read numbers, NaN where there is none; unreadable ones and those below `at_least` are missing, counted.

    A `scale` such as '/5' may end a cell.

    Raises DataError if more than half of the filled cells are no numbers.
    """
    if header is None:
        return pd.Series(np.nan, index=range(len(ledger.raw.cells)))
    cells = ledger.raw.cells[header]
    plain = cells.str.removesuffix(scale) if scale and cells.dtype == "str" else cells
    values, bad = parse_numbers(plain, ledger.where(header))
    filled = int(bad.sum()) + int(values.notna().sum())
    if bad.sum() > filled / 2:
        row = int(np.flatnonzero(bad)[0])
        raise DataError(
            f"{ledger.raw.file}, line {ledger.line(row)}: {header} {quoted(cells.iloc[row])} is not a "
            "number, nor are most in the column: name the right column, or ignore this one, with data.columns"
        )
    _count(ledger, bad & ledger.used, header, "is no finite number")
    if at_least is not None:
        below = (values < at_least).to_numpy()
        _count(ledger, below & ledger.used, header, f"is below {at_least:g}")
        values = values.mask(below)
    return values


def price_column(ledger: Ledger, header: str | None) -> pd.Series:
    """Read prices in the shop's currency; rows with a negative one are quarantined."""
    values = number_column(ledger, header)
    if header is not None:
        ledger.quarantine((values < 0).to_numpy(), header, "is negative")
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
    """Read ratings of up to five stars; '4/5' is 4; 0 means "no rating"; others are missing, counted.

    Raises DataError if more than a fifth of the ratings lie above five.
    """
    if header is None:
        return number_column(ledger, None)
    values = number_column(ledger, header, scale="/5")
    above = (values > BEST_RATING).to_numpy()
    rated = int(values.notna().sum())
    if above.sum() > rated / 5:
        raise DataError(
            f"{ledger.where(header)}: {int(above.sum()):,} of {rated:,} ratings lie above {BEST_RATING:g}: "
            f"bring them to a scale up to {BEST_RATING:g}, or set data.columns.{column}=-"
        )
    outside = above | (values < 0).to_numpy()
    _count(ledger, outside & ledger.used, header, f"lies outside 0–{BEST_RATING:g}")
    _count(ledger, (values == 0).to_numpy() & ledger.used, header, "is 0, which means no rating")
    return values.mask(outside | (values == 0).to_numpy())


def text_column(ledger: Ledger, header: str | None) -> pd.Series:
    """Read a category or title: trimmed, NaN where missing."""
    if header is None:
        return pd.Series(np.nan, index=range(len(ledger.raw.cells)), dtype="str")
    codes, distinct = by_distinct(as_text(ledger.raw.cells[header]))
    return spread(distinct.str.strip().mask(is_missing(distinct)), codes)


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
        cells = ledger.raw.cells.loc[empty, header]
        if cells.empty:
            break
        missing = cells.isna() if cells.dtype.kind in "fM" else cells.str.strip() == ""
        empty[np.flatnonzero(empty)[~missing.to_numpy(dtype=bool)]] = False
    return empty


def _count(ledger: Ledger, rows: np.ndarray, header: str, reason: str) -> None:
    if count := int(rows.sum()):
        ledger.note(f"{count:,} value{'' if count == 1 else 's'} of {header} taken as missing: {header} {reason}")

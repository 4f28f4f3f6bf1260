"""Gives the columns of a parsed text their headers; what has no header must be empty or only count the rows."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

import numpy as np
import pandas as pd

from embedrec.columns import PAGE_VIEWS, PRICE, QUANTITY, RATING, RATING_COUNT, TIME, TIME_SPENT
from embedrec.errors import DataError, quoted
from embedrec.tables.distinct import by_distinct
from embedrec.tables.headers import SYNONYMS, key

_NUMBER = r"\W*\d[\d.,' ]*\W*"
_DATE = r"\d{1,4}[-/.]\d{1,2}[-/.]\d{1,4}.*|\d{8,}|.*[A-Za-z]{3,}.*\d{4}.*"
_WRITTEN = {
    key(name): pattern
    for pattern, columns in (
        (_DATE, (TIME,)),
        (_NUMBER, (PRICE, QUANTITY, RATING, RATING_COUNT, PAGE_VIEWS, TIME_SPENT)),
    )
    for column in columns
    for name in (column, *SYNONYMS[column])
}
SAMPLE = 1000
MOST_ODD = 0.05


def whole_header(header: Sequence[str], cells: pd.DataFrame, missing: int, file: str) -> list[str]:
    """Return a name for every column, '' for none, where rows have more fields than the header has names.

    The extra field stands first only if it counts the rows and every date and number under its header can be
    read only so: R's `write.table` leaves out the header of its row names. Ids that count from 1 are not shifted.
    `missing` rows of the file are not among `cells`. Raises DataError if the extra fields hold values otherwise.
    """
    extra = cells.shape[1] - len(header)
    names = [*header, *[""] * extra]
    if not extra or not _any_filled(cells.iloc[:, len(header) :]):
        return names
    if extra == 1 and counts_rows(cells.iloc[:, 0], missing):
        shifted = cells.iloc[:, 1:]
        if _readable(header, shifted) and not _readable(header, cells):
            return ["", *header]
    raise DataError(
        f"{file}: rows have {cells.shape[1]} fields, the header names {len(header)}: which column has no name cannot "
        f"be told: name all of them in the header line; it is {quoted(','.join(header), 120)}"
    )


def named_columns(cells: pd.DataFrame, names: Sequence[str], missing: int, file: str) -> tuple[pd.DataFrame, list[str]]:
    """Name columns and drop unnamed ones that are empty or count the rows; the second value says so.

    Raises DataError if another column has no name, or two have the same.
    """
    notes = []
    keep = []
    empty = 0
    for i, name in enumerate(names):
        if name:
            keep.append(i)
        elif not _any_filled(cells.iloc[:, [i]]):
            empty += 1
        elif i == 0 and counts_rows(cells.iloc[:, 0], missing, in_order=False):
            notes.append("the first column only counts the rows: ignored")
        else:
            raise DataError(f"{file}: column {i + 1} holds values but has no name: name it in the header line")
    if empty:
        notes.append(f"{empty} empty column{'s' if empty > 1 else ''} without a name dropped")
    kept = [names[i] for i in keep]
    twice = [name for name, times in Counter(kept).items() if times > 1]
    if twice:
        raise DataError(f"{file}: two columns are called {quoted(twice[0])}: rename one")
    cells = cells.iloc[:, keep]
    cells.columns = pd.Index(kept)
    return cells, notes


def counts_rows(cells: pd.Series, missing: int, *, in_order: bool = True) -> bool:
    """Say whether a column counts from 0 or 1; `missing` rows may leave gaps.

    It counts in the file's order, unless what numbered the rows may have sorted them anew before writing.
    """
    codes, texts = by_distinct(cells)  # a folded column may know texts of rows that were left out
    if not len(cells) or not texts.str.fullmatch("0|[1-9][0-9]{0,17}").all():
        return False
    numbers = texts.astype("int64").to_numpy()[codes]
    numbers = numbers if in_order else np.sort(numbers)
    gaps = [int(numbers[-1]) - start + 1 - len(numbers) for start in (0, 1) if numbers[0] >= start]
    return bool((np.diff(numbers) > 0).all()) and min(gaps) <= missing


def _readable(header: Sequence[str], cells: pd.DataFrame) -> bool:
    """Say whether there are columns of dates or numbers by their header, and all can be read as such."""
    written = [(at, _WRITTEN[key(name)]) for at, name in enumerate(header) if key(name) in _WRITTEN]
    return bool(written) and all(_share(cells.iloc[:SAMPLE, at], pattern) >= 1 - MOST_ODD for at, pattern in written)


def _share(cells: pd.Series, pattern: str) -> float:
    filled = cells[cells.str.strip() != ""]
    return float(filled.str.strip().str.fullmatch(pattern).mean()) if len(filled) else 1.0


def _any_filled(cells: pd.DataFrame) -> bool:
    return any(bool(cells.iloc[:, i].str.strip().any()) for i in range(cells.shape[1]))

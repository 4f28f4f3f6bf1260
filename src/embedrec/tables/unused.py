"""Numbers and dates beside what is used: no model reads them, the doctor looks whether they know the future."""

from __future__ import annotations

import numpy as np
import pandas as pd

from embedrec.columns import CUSTOMER, DETAILS, PRODUCT
from embedrec.tables.config import ColumnsConfig
from embedrec.tables.distinct import by_distinct
from embedrec.tables.headers import find_columns
from embedrec.tables.ids import parse_ids
from embedrec.tables.model import CUSTOMER_COLUMNS, OPTIONAL_PRODUCT_COLUMNS, PRODUCT_COLUMNS
from embedrec.tables.raw import RawTable

MOST_COLUMNS = 50
READABLE = 0.9
"""A text column is one of numbers, or of dates, where at least this share of its filled cells is."""


def unused_numbers(table: str, raw: RawTable, config: ColumnsConfig) -> pd.DataFrame:
    """Return the unused columns of a table with one row for each id that hold numbers or dates.

    One row an id (the last one of the file, as for the columns in use), float64 with NaN for what is none; dates in
    seconds since 1970. At most the first 50 such columns.
    """
    details = (PRODUCT, (*PRODUCT_COLUMNS, *OPTIONAL_PRODUCT_COLUMNS))
    by, wanted = details if table == DETAILS else (CUSTOMER, CUSTOMER_COLUMNS)
    columns = find_columns(table, raw.file, raw.headers, wanted, (), config)
    if by not in columns:
        return pd.DataFrame()
    found: dict[str, pd.Series] = {}
    for header in raw.headers:
        values = None if header in columns.values() or len(found) == MOST_COLUMNS else _numbers(raw.cells[header])
        if values is not None:
            found[header] = values
    if not found:
        return pd.DataFrame()
    ids = parse_ids(raw.cells[columns[by]], raw.file).values.astype("str")
    numbers = pd.DataFrame(found).set_index(pd.Index(ids, name=by))
    return numbers[numbers.index.notna() & ~numbers.index.duplicated(keep="last")]


def _numbers(cells: pd.Series) -> pd.Series | None:
    """Read a column as numbers or dates; None where it holds neither."""
    if pd.api.types.is_datetime64_any_dtype(cells):
        return _seconds(cells)
    if cells.dtype == np.float64:
        return cells.reset_index(drop=True) if cells.notna().any() else None
    codes, texts = by_distinct(cells)
    rows = np.bincount(codes, minlength=len(texts))
    filled = (texts.str.strip() != "").to_numpy()
    wanted = READABLE * rows[filled].sum()
    if not wanted:
        return None
    numbers = pd.to_numeric(texts, errors="coerce").astype(np.float64)
    if rows[numbers.notna()].sum() >= wanted:
        return numbers.where(np.isfinite(numbers)).take(codes).reset_index(drop=True)
    dates = pd.to_datetime(texts.where(filled), errors="coerce", format="ISO8601", utc=True)
    return _seconds(dates).take(codes).reset_index(drop=True) if rows[dates.notna()].sum() >= wanted else None


def _seconds(dates: pd.Series) -> pd.Series:
    stamps = dates.dt.tz_localize(None) if dates.dt.tz is not None else dates
    numbers = pd.Series(stamps.to_numpy("datetime64[s]").astype(np.float64))
    return numbers.where(stamps.notna().to_numpy())

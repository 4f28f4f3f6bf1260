"""A table in memory → `RawTable`, so that it goes through the checks that a file goes through."""

from __future__ import annotations

import numpy as np
import pandas as pd

from embedrec.errors import DataError, quoted
from embedrec.tables.raw import RawTable


def raw_of(frame: pd.DataFrame, name: str) -> RawTable:
    """Lay a table out as a file would be: floats and dates as they are, all else as text; its index is not read.

    `name` stands for the file in messages, the number of a row for its line.

    Raises DataError if two columns have one name, or a text is no Unicode.
    """
    headers = [str(header) for header in frame.columns]
    if twice := sorted({header for header in headers if headers.count(header) > 1}):
        raise DataError(f"{name}: two columns are called {quoted(twice[0])}: rename one")
    columns = {header: _cells(frame.iloc[:, i], f"{name}, column {header}") for i, header in enumerate(headers)}
    cells = pd.DataFrame(columns, index=pd.RangeIndex(len(frame)))
    return RawTable(name, cells, np.arange(1, len(frame) + 1), line_of=lambda record: record)


def _cells(column: pd.Series, where: str) -> pd.Series:
    if column.dtype.kind == "f":
        return pd.Series(column.to_numpy(np.float64, na_value=np.nan))
    if column.dtype.kind == "M":
        return pd.Series(column.dt.tz_convert(None) if column.dt.tz else column).reset_index(drop=True)
    known = column.notna().to_numpy()
    text = [str(value) if filled else "" for value, filled in zip(column, known, strict=True)]
    if strange := next((one for one in text if not _is_unicode(one)), None):
        raise DataError(f"{where}: {quoted(strange)} holds half a character: write the text again as UTF-8")
    return pd.Series(text, dtype="str")


def _is_unicode(text: str) -> bool:
    """Say whether a text can be written; half of a surrogate pair cannot."""
    return text.isascii() or not any("\ud800" <= sign <= "\udfff" for sign in text)

"""Opens one file: its content, not its name, decides how it is read.

Parquet, gzip and zip are known by their first bytes, everything else is delimited text.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd

from embedrec.errors import DataError
from embedrec.tables.delimited import parse_delimited
from embedrec.tables.guarded import GZIP, ZIP, content_of, held_still
from embedrec.tables.parquet import PARQUET, parse_parquet
from embedrec.tables.progress import Tell, silent
from embedrec.tables.raw import RawTable

OLD_EXCEL = b"\xd0\xcf\x11\xe0"
BYTE_ORDER_MARK = b"\xef\xbb\xbf"


def read_raw(path: Path, tell: Tell = silent) -> RawTable:
    """Read one file; one without any content is a table without headers and rows.

    Raises DataError if it is damaged or no table, changes meanwhile, or needs more memory than there is.
    """
    with held_still(path) as stream:
        start = stream.read(4)
        stream.seek(0)
        if start == PARQUET:
            return parse_parquet(stream, path.name)
        content = content_of(stream, path.name)
    if content.startswith((PARQUET, GZIP, *ZIP)):
        raise DataError(f"{path.name}: holds a file that is itself packed: unpack the outer one first")
    if content.startswith(OLD_EXCEL):
        raise DataError(f"{path.name}: this is an old Excel workbook: save the sheet as CSV")
    text = content.removeprefix(BYTE_ORDER_MARK)
    if not text or text.isspace():
        return RawTable(path.name, pd.DataFrame(), np.arange(0), line_of=lambda record: record)
    return parse_delimited(content, path.name, tell)

"""Opens one file: its content, not its name, decides how it is read.

Parquet and gzip are known by their first bytes, everything else is delimited text. Parquet integers become
text exactly; only its floats and timestamps keep their type.
"""

from __future__ import annotations

import gzip
import zlib
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq

from embedrec.errors import DataError, quoted
from embedrec.tables.delimited import parse_delimited
from embedrec.tables.raw import RawTable


def read_raw(path: Path) -> RawTable:
    """Read one file. Raises DataError if it is empty, damaged, or no table."""
    try:
        with path.open("rb") as stream:
            start = stream.read(4)
        if start == b"PAR1":
            return _read_parquet(path)
        content = path.read_bytes()
    except OSError as error:
        raise DataError(f"{path.name}: cannot be read ({error.strerror or error})") from error
    if start[:2] == b"\x1f\x8b":
        content = _unzipped(content, path.name)
    elif start[:2] == b"PK":
        raise DataError(f"{path.name}: this is a zip archive or an Excel workbook: save the sheet as CSV")
    elif start == b"\xd0\xcf\x11\xe0":
        raise DataError(f"{path.name}: this is an old Excel workbook: save the sheet as CSV")
    return parse_delimited(content, path.name)


def _unzipped(content: bytes, name: str) -> bytes:
    try:
        return gzip.decompress(content)
    except (EOFError, OSError, zlib.error) as error:
        raise DataError(f"{name}: the gzip file is cut off or damaged ({error}): export it again") from error


def _read_parquet(path: Path) -> RawTable:
    try:
        table = pq.read_table(path)
    except (pa.ArrowException, OSError) as error:
        reason = str(error).splitlines()[0]
        raise DataError(f"{path.name}: not a readable parquet file ({quoted(reason, 120)})") from error
    names = [str(name) for name in table.column_names]
    twice = sorted({name for name in names if names.count(name) > 1})
    if twice:
        raise DataError(f"{path.name}: two columns are called {quoted(twice[0])}: rename one")
    columns, left_out = {}, []
    for name in names:
        if name.startswith("__index_level_"):
            continue
        column = _as_pandas(table.column(name))
        if column is None:
            left_out.append(name)
        else:
            columns[name] = column
    notes = (f"columns that hold no plain values, unused: {', '.join(map(quoted, left_out))}",) if left_out else ()
    cells = pd.DataFrame(columns, index=pd.RangeIndex(table.num_rows))
    return RawTable(path.name, cells, np.arange(1, table.num_rows + 1), line_of=lambda record: record, notes=notes)


def _as_pandas(column: pa.ChunkedArray) -> pd.Series | None:
    """Turn an Arrow column into text, float64 or UTC datetime64; None for nested types and bytes."""
    kind = column.type
    if pa.types.is_dictionary(kind):
        column = column.cast(kind.value_type)
        kind = column.type
    if pa.types.is_floating(kind):
        return pd.Series(column.cast(pa.float64()).to_pandas())
    if pa.types.is_timestamp(kind) or pa.types.is_date(kind):
        # Without its zone a timestamp with a zone is its UTC value.
        return pd.Series(
            column.cast(pa.timestamp("us", getattr(kind, "tz", None)), safe=False).cast(pa.timestamp("us")).to_pandas()
        )
    if pa.types.is_nested(kind):
        return None
    try:  # bytes that are UTF-8 become text, others are no plain values
        text = column.cast(pa.large_string())
    except pa.ArrowException:
        return None
    return pd.Series(text.to_pandas(), dtype="str").fillna("")

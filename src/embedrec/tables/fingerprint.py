"""One SHA-256 for what the tables say, whatever files, formats and row orders said it."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Sequence

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc

PIECE = 1 << 20  # rows of text written out at a time


def fingerprint(tables: Sequence[pd.DataFrame]) -> str:
    """Hash canonically sorted tables: names, lengths and values of every column, in hexadecimal."""
    digest = hashlib.sha256()
    for table in tables:
        digest.update(f"table {len(table)}\n".encode())
        for name in table.columns:
            digest.update(f"{name}\n".encode())
            for part in _bytes_of(table[name]):
                digest.update(part)  # of text first all lengths, then all letters
    return digest.hexdigest()


def _bytes_of(column: pd.Series) -> Iterable[bytes]:
    if column.dtype.kind == "f":
        values = column.to_numpy(dtype="<f8").copy()
        values[np.isnan(values)] = np.nan  # one NaN, whatever its bits were
        return [(values + 0.0).tobytes()]  # and one zero
    if column.dtype.kind == "M":
        return [column.to_numpy(dtype="datetime64[s]").astype("<i8").tobytes()]
    starts = range(0, len(column), PIECE)
    return (part(_as_arrow(column.iloc[start : start + PIECE])) for part in (_lengths, _letters) for start in starts)


def _as_arrow(column: pd.Series) -> pa.LargeStringArray:
    text = pa.array(column, from_pandas=True).cast(pa.large_string())
    return text.combine_chunks() if isinstance(text, pa.ChunkedArray) else text


def _lengths(text: pa.LargeStringArray) -> bytes:
    lengths: np.ndarray = pc.fill_null(pc.binary_length(text), -1).to_numpy(zero_copy_only=False)
    return lengths.astype("<i8").tobytes()


def _letters(text: pa.LargeStringArray) -> bytes:
    filled = pc.fill_null(text, "")
    _, offsets, data = filled.buffers()
    ends = np.frombuffer(offsets, dtype="<i8")[filled.offset : filled.offset + len(filled) + 1]
    return bytes(data[int(ends[0]) : int(ends[-1])]) if data is not None and len(ends) else b""

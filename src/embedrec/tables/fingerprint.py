"""One SHA-256 for what the tables say, whatever files, formats and row orders said it."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc


def fingerprint(tables: Sequence[pd.DataFrame]) -> str:
    """Hash canonically sorted tables: names, lengths and values of every column, in hexadecimal."""
    digest = hashlib.sha256()
    for table in tables:
        digest.update(f"table {len(table)}\n".encode())
        for name in table.columns:
            digest.update(f"{name}\n".encode())
            for part in _bytes_of(table[name]):
                digest.update(part)
    return digest.hexdigest()


def _bytes_of(column: pd.Series) -> list[bytes]:
    if column.dtype.kind == "f":
        values = column.to_numpy(dtype="<f8").copy()
        values[np.isnan(values)] = np.nan  # one NaN, whatever its bits were
        return [(values + 0.0).tobytes()]  # and one zero
    if column.dtype.kind == "M":
        return [column.to_numpy(dtype="datetime64[s]").astype("<i8").tobytes()]
    text = pa.array(column, type=pa.large_string(), from_pandas=True)
    if isinstance(text, pa.ChunkedArray):
        text = text.combine_chunks()
    lengths = pc.fill_null(pc.binary_length(text), -1).to_numpy(zero_copy_only=False)
    filled = pc.fill_null(text, "")
    _, offsets, data = filled.buffers()
    ends = np.frombuffer(offsets, dtype="<i8")[filled.offset : filled.offset + len(filled) + 1]
    content = bytes(data[int(ends[0]) : int(ends[-1])]) if data is not None and len(ends) else b""
    return [lengths.astype("<i8").tobytes(), content]

"""Parquet → `RawTable`: integers become text exactly; only floats and timestamps keep their type.

Equal cells are stored once, so a small file may hold a huge table: what it holds is reckoned before it is unfolded.
"""

from __future__ import annotations

import os
from typing import IO

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from embedrec.errors import DataError, quoted
from embedrec.tables.folding import folded
from embedrec.tables.guarded import refuse_bomb, refuse_too_large, size_of
from embedrec.tables.raw import RawTable

PARQUET = b"PAR1"  # begins and ends the file
CELL = 8  # bytes: no cell takes less once it is read
_WIDE = {pa.string(): pa.large_string(), pa.binary(): pa.large_binary()}  # the narrow ones end at 2 GiB


def parse_parquet(stream: IO[bytes], file: str) -> RawTable:
    """Parse an open parquet file. Raises DataError if it is damaged, or more than memory or any table can hold."""
    size = size_of(stream)
    stream.seek(-len(PARQUET), os.SEEK_END)
    if stream.read() != PARQUET:
        raise DataError(
            f"{file}: not a readable parquet file: it ends at byte {size:,} without its closing mark, so it is cut "
            "off: copy or export it again"
        )
    try:
        table = _read(stream, size, file)
    except (pa.ArrowException, OSError, ValueError) as error:  # ValueError: a name that is not UTF-8
        reason = str(error).splitlines()[0]
        raise DataError(f"{file}: not a readable parquet file ({quoted(reason, 120)}): export it again") from error
    columns, left_out = {}, []
    for name in table.column_names:
        if name.startswith("__index_level_"):
            continue
        column = _as_pandas(table.column(name))
        if column is None:
            left_out.append(name)
        else:
            columns[name] = column
    notes = (f"columns that hold no plain values, unused: {', '.join(map(quoted, left_out))}",) if left_out else ()
    cells = pd.DataFrame(columns, index=pd.RangeIndex(table.num_rows))
    return RawTable(file, cells, np.arange(1, table.num_rows + 1), line_of=lambda record: record, notes=notes)


def _read(stream: IO[bytes], size: int, file: str) -> pa.Table:
    """Read a file of `size` bytes, text still folded: each distinct text once, and numbers that point to it."""
    said = pq.ParquetFile(stream)
    names = said.schema_arrow.names
    twice = sorted({name for name in names if names.count(name) > 1})
    if twice:
        raise DataError(f"{file}: two columns are called {quoted(twice[0])}: rename one")
    stored = sum(said.metadata.row_group(i).total_byte_size for i in range(said.metadata.num_row_groups))
    numbers = said.metadata.num_rows * (len(names) + 1) * CELL  # the row's own number is one more cell
    refuse_bomb(max(stored, numbers), size, file)
    refuse_too_large(max(stored, numbers), file)
    columns = [said.schema.column(i) for i in range(len(said.schema))]
    text = [column.path for column in columns if column.physical_type == "BYTE_ARRAY" and column.path == column.name]
    table = pq.ParquetFile(stream, metadata=said.metadata, read_dictionary=text).read()
    unfolded = max(numbers, sum(map(_length, table.columns)))
    refuse_bomb(unfolded, size, file)
    refuse_too_large(unfolded, file)
    table.validate(full=True)  # reading alone lets text pass that is not UTF-8
    return table


def _length(column: pa.ChunkedArray) -> int:
    """Return the bytes of a folded text column once it is unfolded; 0 for others."""
    if not pa.types.is_dictionary(column.type) or column.type.value_type not in {*_WIDE, *_WIDE.values()}:
        return 0
    lengths = (pc.binary_length(chunk.dictionary).cast(pa.int64()).take(chunk.indices) for chunk in column.chunks)
    return sum(pc.sum(values).as_py() or 0 for values in lengths)


def _as_pandas(column: pa.ChunkedArray) -> pd.Series | None:
    """Turn an Arrow column into text, float64 or UTC datetime64; None for nested types and bytes."""
    kind = column.type
    if pa.types.is_dictionary(kind):
        column = column.cast(_WIDE.get(kind.value_type, kind.value_type))
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
    return folded(pc.fill_null(text, ""))

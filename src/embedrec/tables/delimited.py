"""Delimited text → `RawTable`: rejects lines that are no rows, and mends those that only end oddly.

Parsed by `pyarrow.csv` with every column as text: it keeps 'NA' and '007' as they are, hands over the lines
that do not fit, and is fast. `pandas.read_csv` shifts or merges such lines silently.
"""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Iterable, Iterator, Sequence
from typing import NamedTuple

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.csv as pv

from embedrec.errors import DataError, quoted
from embedrec.tables.decoding import decode
from embedrec.tables.distinct import by_distinct_if_folded, stacked
from embedrec.tables.ending import cut_off
from embedrec.tables.folding import Folding
from embedrec.tables.layout import Layout, find_layout
from embedrec.tables.lines import LARGEST_RECORD, Lines, large_cells
from embedrec.tables.naming import named_columns, whole_header
from embedrec.tables.progress import Tell, silent
from embedrec.tables.quotes import reject_each, swallows
from embedrec.tables.raw import RawTable, Rejected
from embedrec.tables.shapes import RowShape

_FILLED = re.compile(rb"[^\r\n]")
SHAPE_ROWS = 1000  # from which is learned what a row looks like


class _Misfit(NamedTuple):
    """A record of the wrong width."""

    record: int
    fields: int
    wanted: int
    text: str

    @property
    def reason(self) -> str:
        return f"{self.fields} fields where {self.wanted} are wanted"


def parse_delimited(content: bytes, file: str, tell: Tell = silent) -> RawTable:
    """Parse the bytes of one delimited text file.

    Raises DataError if it is empty, in an encoding that is not sure, or its header is missing or not usable.
    """
    decoded = decode(content, file)
    content = decoded.content
    if not content or content.isspace():
        raise DataError(f"{file}: the file is empty: it needs a header line and rows")
    layout = find_layout(content, file)
    separator = layout.separator
    cells, misfits = _parse(content, layout, file, tell)
    count = len(cells) + len(misfits)
    lines = Lines(content, layout.start, separator, layout.above, count)
    records = np.delete(np.arange(1, count + 1), [misfit.record - 1 for misfit in misfits])
    rejected, swallowing = _swallowed(cells, records, misfits, lines, separator)
    misfits = [misfit for misfit in misfits if misfit.record not in swallowing]
    if count and count not in swallowing and not content.endswith((b"\n", b"\r")):
        text = lines.texts_of(count)
        if reason := cut_off(text, cells, len(records) > 0 and records[-1] == count, separator):
            rejected.append(Rejected(lines.line_of(count), reason, "\n".join(text)))
            misfits, swallowing = [misfit for misfit in misfits if misfit.record != count], swallowing | {count}
    if swallowing:
        keep = ~np.isin(records, list(swallowing))
        cells, records = cells[keep].reset_index(drop=True), records[keep]
    rejected += decoded.struck
    names = whole_header(layout.header, cells, len(rejected) + len(misfits), file)
    mended, repeated = _mended(misfits, names, separator)
    rejected += [
        Rejected(lines.line_of(one.record), one.reason, one.text)
        for one in misfits
        if one.record not in mended and one.record not in repeated
    ]
    if mended:
        cells = stacked([cells, pd.DataFrame(list(mended.values()), dtype="str")])
        records = np.concatenate((records, np.fromiter(mended, np.int64)))
        order = np.argsort(records)
        cells, records = cells.iloc[order].reset_index(drop=True), records[order]
    headers = _headers_again(cells, names)
    if headers.any():
        cells, records = cells[~headers].reset_index(drop=True), records[~headers]
    cells, more = named_columns(cells, names, len(rejected) + len(repeated) + int(headers.sum()), file)
    if mended:
        more.append(f"{_rows(len(mended))} of another width only by empty fields at the end: mended")
    if again := len(repeated) + int(headers.sum()):
        more.append(f"{_rows(again)} left out: the header repeated")
    rejected.sort(key=lambda one: one.line)
    return RawTable(file, cells, records, lines.numbering(), tuple(rejected), (*decoded.notes, *layout.notes, *more))


def _parse(content: bytes, layout: Layout, file: str, tell: Tell) -> tuple[pd.DataFrame, list[_Misfit]]:
    """Parse the rows below the header, all as text; the second value lists the records of another width."""
    columns = {i: Folding() for i in range(layout.width)}
    names = [str(i) for i in columns]
    misfits: list[_Misfit] = []

    def misfit(row: pv.InvalidRow) -> str:
        misfits.append(_Misfit(row.number, row.actual_columns, row.expected_columns, row.text))
        return "skip"

    reading = (
        pv.ReadOptions(column_names=names, use_threads=False, block_size=LARGEST_RECORD),  # threads lose numbers
        pv.ParseOptions(delimiter=layout.separator, newlines_in_values=True, invalid_row_handler=misfit),
        pv.ConvertOptions(
            column_types=dict.fromkeys(names, pa.large_string()), strings_can_be_null=False, null_values=[]
        ),
    )
    try:
        if _FILLED.search(content, layout.start):
            batches = pv.open_csv(pa.BufferReader(pa.py_buffer(content).slice(layout.start)), *reading)
            for number, batch in enumerate(batches, 1):
                tell(f"reading {quoted(file)}", min(number * LARGEST_RECORD / len(content), 1.0))
                for column, piece in zip(columns.values(), batch.columns, strict=True):
                    column.add(piece)
    except pa.ArrowException as error:
        reason = str(error).splitlines()[0]
        if "straddling" in reason:  # how Arrow says that a record is longer than a block
            raise DataError(
                f"{file}: a row is longer than {LARGEST_RECORD >> 20} MB, as where a quotation mark opens and is never "
                f'closed: look for a single " in the file and remove it'
            ) from error
        raise DataError(f"{file}: not a readable table ({quoted(reason, 120)})") from error
    return pd.DataFrame({i: column.column() for i, column in columns.items()}), misfits


def _swallowed(
    cells: pd.DataFrame, records: np.ndarray, misfits: Sequence[_Misfit], lines: Lines, separator: str
) -> tuple[list[Rejected], set[int]]:
    """Find the records in which a stray quotation mark swallowed lines; return those lines, and the records."""
    with_breaks = np.zeros(len(cells), dtype=bool)
    if lines.may_break:
        for _, column in cells.items():
            with_breaks |= _holding(column, "[\r\n]")
    several = [*records[with_breaks].tolist(), *(one.record for one in misfits if {"\n", "\r"} & set(one.text))]
    if not several:
        return [], set()
    texts = {record: lines.texts_of(record) for record in several}
    rows = cells.iloc[np.flatnonzero(~with_breaks)[:SHAPE_ROWS]].to_numpy().tolist()
    if not rows:  # every row has line breaks: their first lines must do
        rows = [next(_read(texts[record][:1], separator), []) for record in several[:SHAPE_ROWS]]
    width = cells.shape[1]
    shape = RowShape([row for row in rows if len(row) == width], width, separator)
    with large_cells():
        texts = {record: text for record, text in texts.items() if swallows(text, shape, separator)}
    rejected = [one for record, text in texts.items() for one in reject_each(lines.line_of(record), text)]
    return rejected, set(texts)


def _mended(misfits: Iterable[_Misfit], names: Sequence[str], separator: str) -> tuple[dict[int, list[str]], set[int]]:
    """Give rows their width if only fields without a name are empty or missing: record → its cells.

    The second value are records that repeat the header.
    """
    named = max(i for i, name in enumerate([*names, ""]) if name or i == 0) + 1
    mended: dict[int, list[str]] = {}
    repeated: set[int] = set()
    with large_cells():
        for misfit in misfits:
            row = next(_read(io.StringIO(misfit.text, newline=""), separator), [])
            cut = row[: len(names)]
            if [cell.strip() for cell in row] == [name for name in names if name]:
                repeated.add(misfit.record)
            elif len(row) >= named and not any(cell.strip() for cell in row[named:]):
                mended[misfit.record] = cut + [""] * (len(names) - len(cut))
    return mended, repeated


def _headers_again(cells: pd.DataFrame, names: Sequence[str]) -> np.ndarray:
    """Return the mask of rows that repeat the header, as where files were put one below the other."""
    again = np.zeros(len(cells), dtype=bool)
    first = next((i for i, name in enumerate(names) if name), None)
    if first is not None:
        for row in np.flatnonzero(_holding(cells.iloc[:, first], re.escape(names[first]))):
            again[row] = [cell.strip("\ufeff ") for cell in cells.iloc[int(row)]] == list(names)
    return again


def _holding(cells: pd.Series, pattern: str) -> np.ndarray:
    """Return the mask of the cells in which a pattern is found."""
    codes, distinct = by_distinct_if_folded(cells)
    found: np.ndarray = distinct.str.contains(pattern).to_numpy(dtype=bool)[codes]
    return found


def _read(lines: Iterable[str], separator: str) -> Iterator[list[str]]:
    return csv.reader(lines, delimiter=separator)


def _rows(count: int) -> str:
    return f"{count:,} row{'' if count == 1 else 's'}"

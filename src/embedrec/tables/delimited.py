"""Delimited text → `RawTable`: finds separator, encoding and header, and rejects lines of the wrong width.

Parsed by `pyarrow.csv` with every column as text: it keeps 'NA' and '007' as they are, hands over the lines
that do not fit, and is fast. `pandas.read_csv` shifts or merges such lines silently.
"""

from __future__ import annotations

import csv
import io
import itertools
from collections import Counter
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.csv as pv

from embedrec.errors import DataError, quoted
from embedrec.tables.lines import LARGEST_RECORD, Lines
from embedrec.tables.quotes import reject_each, swallows
from embedrec.tables.raw import RawTable, Rejected
from embedrec.tables.shapes import RowShape

SEPARATORS = (",", ";", "\t", "|")
SAMPLE_ROWS = 100
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


def parse_delimited(content: bytes, file: str) -> RawTable:
    """Parse the bytes of one delimited text file.

    Raises DataError if it is empty, not UTF-8 or UTF-16, or its header is not usable.
    """
    content, notes = _as_utf8(content, file)
    if not content.strip():
        raise DataError(f"{file}: the file is empty: it needs a header line and rows")
    sample = _sample_lines(content)
    separator = _sniff(sample)
    header, header_lines, body_start = _split_header(content, sample, separator)
    body = content[body_start:]
    names, lengthened = _full_header(header, _rows(sample[header_lines:], separator))
    if separator != ",":
        notes.append(f"separator {separator!r}")
    table, misfits = _parse(body, len(names), separator, file)
    count = table.num_rows + len(misfits)
    lines = Lines(body, separator, header_lines, count)
    records = np.delete(np.arange(1, count + 1), [misfit.record - 1 for misfit in misfits])
    keep, rejected = _rejected(table, records, misfits, lines, separator)
    if not keep.all():
        table, records = table.filter(pa.array(keep)), records[keep]
    cells = pd.DataFrame({i: table.column(i).to_pandas() for i in range(len(names))}, dtype="str")
    cells, more = _named_columns(cells, names, lengthened, file)
    return RawTable(file, cells, records, lines.line_of, tuple(rejected), (*notes, *more))


def _as_utf8(content: bytes, file: str) -> tuple[bytes, list[str]]:
    if content.startswith((b"\xff\xfe", b"\xfe\xff")):
        try:
            return content.decode("utf-16").encode(), ["encoding UTF-16"]
        except UnicodeError as error:
            raise DataError(f"{file}: begins as UTF-16 but is damaged: save it as UTF-8") from error
    content = content.removeprefix(b"\xef\xbb\xbf")
    try:
        content.decode()
    except UnicodeDecodeError as error:
        line = content.count(b"\n", 0, error.start) + 1
        raise DataError(
            f"{file}, line {line}: byte {error.start} (0x{content[error.start]:02x}) is not UTF-8: "
            "save the file as UTF-8"
        ) from error
    return content, []


def _sample_lines(content: bytes) -> list[str]:
    """Return the first lines, with their ends: enough for `SAMPLE_ROWS` rows."""
    stream = io.TextIOWrapper(io.BytesIO(content), encoding="utf-8", newline="")
    return list(itertools.islice(stream, 4 * SAMPLE_ROWS))


def _rows(lines: Sequence[str], separator: str) -> list[list[str]]:
    """Return the first rows that are not empty, as far as they can be told apart."""
    rows: list[list[str]] = []
    try:
        for row in csv.reader(lines, delimiter=separator):
            if row:
                rows.append(row)
            if len(rows) > SAMPLE_ROWS:
                break
    except csv.Error:  # a cell too large for the csv module
        pass
    return rows


def _sniff(sample: list[str]) -> str:
    """Choose the separator under which most rows are at least as wide as a header of two or more columns."""

    def score(separator: str) -> tuple[int, int]:
        rows = _rows(sample, separator)
        width = len(rows[0]) if rows else 0
        return (sum(len(row) >= width for row in rows) if width > 1 else 0, width)

    return max(SEPARATORS, key=score)


def _split_header(content: bytes, sample: list[str], separator: str) -> tuple[list[str], int, int]:
    """Return the header's names, how many lines it ends after, and the byte where the rows begin."""
    reader = csv.reader(sample, delimiter=separator)
    try:
        header = next(row for row in reader if any(cell.strip() for cell in row))
    except (csv.Error, StopIteration):
        header = [sample[0].strip()]
    lines = max(reader.line_num, 1)
    start = sum(len(line.encode()) for line in sample[:lines])
    return [name.strip() for name in header], lines, min(start, len(content))


def _full_header(header: list[str], rows: list[list[str]]) -> tuple[list[str], bool]:
    """Lengthen a header that most rows outgrow; the second value says that this happened."""
    if not rows:
        return header, False
    width = Counter(len(row) for row in rows).most_common(1)[0][0]
    return (header + [""] * (width - len(header)), True) if width > len(header) else (header, False)


def _parse(body: bytes, width: int, separator: str, file: str) -> tuple[pa.Table, list[_Misfit]]:
    """Parse rows of `width` text columns; the second value lists the records of another width."""
    names = [str(i) for i in range(width)]
    if not body.strip(b"\r\n"):
        return pa.table({name: pa.array([], pa.string()) for name in names}), []
    misfits: list[_Misfit] = []

    def misfit(row: pv.InvalidRow) -> str:
        misfits.append(_Misfit(row.number, row.actual_columns, row.expected_columns, row.text))
        return "skip"

    try:
        table = pv.read_csv(
            pa.BufferReader(body),
            pv.ReadOptions(column_names=names, use_threads=False, block_size=LARGEST_RECORD),  # threads lose numbers
            pv.ParseOptions(delimiter=separator, newlines_in_values=True, invalid_row_handler=misfit),
            pv.ConvertOptions(
                column_types=dict.fromkeys(names, pa.string()), strings_can_be_null=False, null_values=[]
            ),
        )
    except pa.ArrowException as error:
        reason = str(error).splitlines()[0]
        raise DataError(f"{file}: not a readable table ({quoted(reason, 120)})") from error
    return table, misfits


def _rejected(
    table: pa.Table, records: np.ndarray, misfits: Sequence[_Misfit], lines: Lines, separator: str
) -> tuple[np.ndarray, list[Rejected]]:
    """Return the mask of rows to keep, and the rejected lines in the file's order."""
    keep = np.ones(table.num_rows, dtype=bool)
    rejected: list[Rejected] = []
    with_breaks = np.zeros(table.num_rows, dtype=bool)
    if lines.may_break:
        for column in table.columns:
            with_breaks |= pc.match_substring_regex(column, "[\r\n]").to_numpy(zero_copy_only=False)
    several = {int(records[row]): int(row) for row in np.flatnonzero(with_breaks)}
    texts = {record: lines.texts_of(record) for record in several}
    texts |= {one.record: lines.texts_of(one.record) for one in misfits if "\n" in one.text or "\r" in one.text}
    if texts:
        clean = table.filter(pa.array(~with_breaks)).slice(0, SHAPE_ROWS)
        known = [list(row) for row in zip(*(column.to_pylist() for column in clean.columns), strict=True)]
        begun = [next(csv.reader(record[:1], delimiter=separator), []) for record in texts.values()]
        shape = RowShape(known or [row for row in begun if len(row) == table.num_columns], table.num_columns, separator)
    for misfit in misfits:
        several_lines = texts.get(misfit.record, [])
        if several_lines and swallows(several_lines, shape, separator):
            rejected += reject_each(lines.line_of(misfit.record), several_lines)
        else:
            rejected.append(Rejected(lines.line_of(misfit.record), misfit.reason, misfit.text))
    for record, row in several.items():
        if swallows(texts[record], shape, separator):
            keep[row] = False
            rejected += reject_each(lines.line_of(record), texts[record])
    return keep, sorted(rejected, key=lambda one: one.line)


def _named_columns(
    cells: pd.DataFrame, names: list[str], lengthened: bool, file: str
) -> tuple[pd.DataFrame, list[str]]:
    """Give columns their headers; drop unnamed ones that are empty or only count the rows."""
    notes = []
    if lengthened and names[-1] == "" and _is_counter(cells.iloc[:, 0]) and (cells.iloc[:, -1] != "").any():
        names = ["", *names[:-1]]  # R writes row names without a header of their own
    keep = []
    empty = 0
    for i, name in enumerate(names):
        if name:
            keep.append(i)
        elif not cells.iloc[:, i].str.strip().any():
            empty += 1
        elif i == 0 and _is_counter(cells.iloc[:, 0]):
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


def _is_counter(cells: pd.Series) -> bool:
    """Whole numbers, all different: an index that an export left behind."""
    return bool(len(cells)) and bool(cells.str.fullmatch("[0-9]+").all()) and bool(cells.is_unique)

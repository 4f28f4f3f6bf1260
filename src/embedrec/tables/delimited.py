"""Delimited text → `RawTable`: finds separator, encoding and header, and rejects lines of the wrong width.

Parsed by `pyarrow.csv` with every column as text: it keeps 'NA' and '007' as they are, hands over the lines
that do not fit, and is fast. `pandas.read_csv` shifts or merges such lines silently.
"""

from __future__ import annotations

import csv
import io
import itertools
from collections import Counter
from collections.abc import Callable, Sequence

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.csv as pv

from embedrec.errors import DataError, quoted
from embedrec.tables.raw import RawTable, Rejected

SEPARATORS = (",", ";", "\t", "|")
SAMPLE_ROWS = 100
LARGEST_RECORD = 1 << 24  # bytes


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
    table, wrong_width = _parse(body, len(names), separator, file)
    line_of = _line_finder(body, separator, header_lines, table.num_rows + len(wrong_width))
    rejected = [Rejected(line_of(record), reason, text) for record, reason, text in wrong_width]
    records = np.delete(
        np.arange(1, table.num_rows + len(wrong_width) + 1), [record - 1 for record, _, _ in wrong_width]
    )
    swallowed, keep = _swallowing(table, body, separator)
    for row, text in swallowed:
        first = line_of(int(records[row]))
        rejected += [
            Rejected(first + offset, "a quotation mark opens and is not closed properly", line)
            for offset, line in enumerate(text.splitlines())
        ]
    if swallowed:
        table, records = table.filter(pa.array(keep)), records[keep]
    cells = pd.DataFrame({i: table.column(i).to_pandas() for i in range(len(names))}, dtype="str")
    cells, more = _named_columns(cells, names, lengthened, file)
    rejected.sort(key=lambda row: row.line)
    return RawTable(file, cells, records, line_of, tuple(rejected), (*notes, *more))


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


def _parse(body: bytes, width: int, separator: str, file: str) -> tuple[pa.Table, list[tuple[int, str, str]]]:
    """Parse rows of `width` text columns; the second value lists (record, reason, text) of the misfits."""
    names = [str(i) for i in range(width)]
    if not body.strip(b"\r\n"):
        return pa.table({name: pa.array([], pa.string()) for name in names}), []
    misfits: list[tuple[int, str, str]] = []

    def misfit(row: pv.InvalidRow) -> str:
        reason = f"{row.actual_columns} fields where {row.expected_columns} are wanted"
        misfits.append((row.number, reason, row.text))
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


def _line_finder(body: bytes, separator: str, header_lines: int, records: int) -> Callable[[int], int]:
    """Return a function from record number to line number; exact also with line breaks inside quotes."""
    lines = body.count(b"\n") + (not body.endswith(b"\n"))
    if lines == records and body.count(b"\r") in (0, body.count(b"\r\n")):
        return lambda record: header_lines + record
    starts: list[int] = []

    def line_of(record: int) -> int:
        if not starts:
            reader, before = csv.reader(io.StringIO(body.decode(), newline=""), delimiter=separator), 0
            try:
                for row in reader:
                    if row:
                        starts.append(before + 1)
                    before = reader.line_num
            except csv.Error:  # a cell too large for the csv module: record numbers must do from there on
                pass
        return header_lines + (starts[record - 1] if record <= len(starts) else record)

    return line_of


def _swallowing(table: pa.Table, body: bytes, separator: str) -> tuple[list[tuple[int, str]], np.ndarray]:
    """Find rows where a stray quotation mark swallowed line ends: (row, its text), and the mask to keep.

    A cell that rightly holds a line break stands in the file between two quotation marks, the second of which
    is followed by a separator or the end of the line.
    """
    keep = np.ones(table.num_rows, dtype=bool)
    found: list[tuple[int, str]] = []
    ends = {separator.encode(), b"\r", b"\n", b""}
    for column in table.columns:
        has_break = pc.match_substring_regex(column, "[\r\n]").to_numpy(zero_copy_only=False)
        start = 0
        for row in np.flatnonzero(has_break & keep):
            text = column[int(row)].as_py()
            written = b'"' + text.replace('"', '""').encode() + b'"'
            at = body.find(written, start)
            if at >= 0 and body[at + len(written) : at + len(written) + 1] in ends:
                start = at + len(written)
            else:
                keep[row] = False
                found.append((int(row), separator.join(cells[int(row)].as_py() for cells in table.columns)))
    return found, keep


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

"""Where the table begins in a delimited text: separator, lines above the header, and the header itself."""

from __future__ import annotations

import csv
import io
import itertools
import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

from embedrec.columns import CUSTOMER, PRODUCT, TIME
from embedrec.errors import DataError, quoted
from embedrec.tables.headers import CODES, ORDER_NUMBERS, SECOND_CHOICES, SYNONYMS, TITLES_OF_DETAILS, key
from embedrec.tables.shapes import is_literal, shape

SEPARATORS = (",", ";", "\t", "|")
SAMPLE_ROWS = 100
MOST_TITLE_LINES = 20
_SEPARATOR_LINE = re.compile(r'"?sep=([^"\r\n])"?\s*')  # Excel's own hint
_KNOWN = {
    key(name)
    for column, names in SYNONYMS.items()
    for name in (column, *names, *CODES.get(column, ()), *SECOND_CHOICES.get(column, ()))
} | {key(name) for name in (*ORDER_NUMBERS, *TITLES_OF_DETAILS)}


@dataclass(frozen=True)
class Layout:
    """The form of one delimited text.

    header    the names, '' where there is none
    width     fields of most rows; at least as many as names
    above     lines above the first row, the header's included
    start     byte at which the rows begin
    """

    separator: str
    header: list[str]
    width: int
    above: int
    start: int
    notes: tuple[str, ...]


def find_layout(content: bytes, file: str) -> Layout:
    """Find separator and header. Raises DataError if the header line is missing."""
    sample = list(
        itertools.islice(io.TextIOWrapper(io.BytesIO(content), "utf-8", newline=""), 4 * SAMPLE_ROWS + MOST_TITLE_LINES)
    )
    hint, first = _hints(sample)
    separator = hint or _sniff(sample[first:])
    rows = _rows(sample[first:], separator) or [([sample[0].strip()], 1)]
    titles = _titles([row for row, _ in rows])
    header, end = rows[titles]
    above = min(first + end, len(sample))
    below = [row for row, _ in rows[titles + 1 :]]
    header = [name.strip() for name in header]
    if _is_row(header, below):
        raise DataError(
            f"{file}, line {above}: the header line is missing: the first row is "
            f"{quoted(separator.join(header), 120)}: "
            f"write a line of column names above it, such as {separator.join((CUSTOMER, PRODUCT, TIME))}"
        )
    notes = [f"separator {separator!r}"] if separator != "," else []
    begins = above - 1 - sum(len(name.splitlines()) - 1 for name in header if name)
    if left_out := [line.strip() for line in sample[:begins] if line.strip()]:
        lines = f"{len(left_out)} line{'s' * (len(left_out) > 1)}"
        notes.append(f"{lines} above the header left out: {quoted(left_out[0])}")
    common = Counter(map(len, below)).most_common(1)[0][0] if below else 0
    start = sum(len(line.encode()) for line in sample[:above])
    return Layout(separator, header, max(common, len(header)), above, min(start, len(content)), tuple(notes))


def _hints(sample: list[str]) -> tuple[str | None, int]:
    """Return the separator that a first line `sep=;` names, and how many lines hints and comments take."""
    separator = None
    for number, line in enumerate(sample):
        if (hint := _SEPARATOR_LINE.fullmatch(line)) and not separator:
            separator = hint[1]
        elif line.strip() and not line.startswith("#"):
            return separator, number
    return separator, 0


def _rows(lines: Sequence[str], separator: str) -> list[tuple[list[str], int]]:
    """Return the first rows with a filled cell, as far as they can be told apart, each with the line that ends it."""
    rows: list[tuple[list[str], int]] = []
    reader = csv.reader(lines, delimiter=separator)
    try:
        for row in reader:
            if any(cell.strip() for cell in row):
                rows.append((row, reader.line_num))
            if len(rows) > SAMPLE_ROWS + MOST_TITLE_LINES:
                break
    except csv.Error:  # a cell too large for the csv module
        pass
    return rows


def _sniff(sample: list[str]) -> str:
    """Choose the separator that tells most known names apart, else the one under which most rows are wide.

    Wide is at least as wide as the first row of two or more columns.
    """

    def score(separator: str) -> tuple[int, int, int]:
        rows = [row for row, _ in _rows(sample, separator)]
        width = next((len(row) for row in rows[:MOST_TITLE_LINES] if len(row) > 1), 0)
        known = max((_known(row) for row in rows[:MOST_TITLE_LINES]), default=0)
        return (known if known > 1 else 0, sum(len(row) >= width for row in rows) if width else 0, width)

    return max(SEPARATORS, key=score)


def _titles(rows: Sequence[Sequence[str]]) -> int:
    """Count the rows above the header: narrower ones above known names, or single cells above a row of names."""
    known = [_known(row) for row in rows[:MOST_TITLE_LINES]]
    header = next((at for at, count in enumerate(known) if count > 1), 0)
    if header and not any(known[:header]) and all(_filled(row) < _filled(rows[header]) for row in rows[:header]):
        return header
    wide = next((at for at, row in enumerate(rows[:MOST_TITLE_LINES]) if _filled(row) > 1), 0)
    common = Counter(map(len, rows)).most_common(1)[0][0]
    return wide if len(rows[wide]) >= common and not any(map(is_literal, rows[wide])) and not known[0] else 0


def _known(row: Sequence[str]) -> int:
    return sum(key(cell) in _KNOWN for cell in row)


def _filled(row: Sequence[str]) -> int:
    return sum(bool(cell.strip()) for cell in row)


def _is_row(header: Sequence[str], rows: Sequence[Sequence[str]]) -> bool:
    """Say whether a header is itself a row: no known name, a number or date, and built as the rows below."""
    numbered = [str(at) for at in range(len(header) + 1)]
    if any(key(name) in _KNOWN for name in header) or list(header) in (numbered[:-1], numbered[1:]):
        return False
    if not any(map(is_literal, header)):
        return False
    for at, name in enumerate(header):
        seen = {shape(row[at]) for row in rows if len(row) > at} - {""}
        if seen and all("9" in one or "x" in one for one in seen) and shape(name) not in seen | {""}:
            return False
    return True

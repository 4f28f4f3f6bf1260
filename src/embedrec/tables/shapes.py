"""What a cell looks like, its letters and figures aside: tells rows of a table from text that is none."""

from __future__ import annotations

import csv
import re
from collections.abc import Sequence

MOST_SHAPES = 20  # of a column whose cells are all built alike: ids, dates, numbers
_RUN = re.compile(r"[^\W_]+")
_LITERAL = re.compile(r"[+-]?[0-9][0-9.,:/ T+-]*Z?")


def shape(cell: str) -> str:
    """Reduce every run of figures to 9, of letters to a, of both to x.

    >>> shape("C12"), shape("2024-01-05"), shape("Oak chair")
    ('x', '9-9-9', 'a a')
    """
    return _RUN.sub(lambda run: "9" if run[0].isdecimal() else "a" if run[0].isalpha() else "x", cell.strip(' "'))


def is_literal(cell: str) -> bool:
    """Say whether a cell is a number, a date or a time."""
    return _LITERAL.fullmatch(cell.strip()) is not None


class RowShape:
    """What the rows of one table have in common, learned from rows that are surely rows.

    Only columns count in which nearly all cells are built alike and hold a figure: ids, dates, numbers.
    """

    def __init__(self, rows: Sequence[Sequence[str]], width: int, separator: str) -> None:
        self._width = width
        self._separator = separator
        self._shapes: dict[int, set[str]] = {}
        for column in range(width):
            seen = {shape(row[column]) for row in rows} - {""}
            figures = all("9" in one or "x" in one for one in seen)
            if seen and figures and len(seen) <= min(1 + len(rows) // 20, MOST_SHAPES):
                self._shapes[column] = seen

    @property
    def telling(self) -> bool:
        """Whether there is a column to go by; else only the width is known."""
        return bool(self._shapes)

    def wide(self, line: str) -> bool:
        """Say whether a line by itself has separators enough for a row."""
        return line.count(self._separator) >= self._width - 1

    def fits(self, line: str) -> bool:
        """Say whether a line by itself would be a row: as wide, and most telling cells built as in the others.

        Most is more than half: the rows learned from need not show every form of a title.
        """
        if not self.wide(line):
            return False
        row = next(csv.reader([line], delimiter=self._separator), [])
        if len(row) != self._width:
            return False
        alike = [shape(row[column]) in seen for column, seen in self._shapes.items() if row[column].strip()]
        return sum(alike) > len(alike) / 2 if self.telling else True

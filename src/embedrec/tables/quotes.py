"""Stray quotation marks: tells a cell that rightly holds line breaks from one that swallowed the rows below it."""

from __future__ import annotations

import csv
from collections.abc import Iterable, Sequence

from embedrec.tables.raw import Rejected
from embedrec.tables.shapes import RowShape


def swallows(lines: Sequence[str], rows: RowShape, separator: str) -> bool:
    """Say whether a record of several lines is the work of a stray quotation mark.

    It is if the mark is never closed, or closed amid a cell, or if the first line is as wide as a row and one below it
    would be a row by itself. Where nothing but the width of a row is known, all lines below must be as wide.
    """
    if len(lines) < 2:
        return False
    try:
        list(csv.reader((line + "\n" for line in lines), delimiter=separator, strict=True))
    except csv.Error:
        return True
    if not rows.wide(lines[0]):  # a line break in the first column: what follows it is as wide as a row
        return False
    fitting = (rows.fits(line) for line in lines[1:])
    return any(fitting) if rows.telling else all(fitting)


def reject_each(first: int, lines: Iterable[str]) -> list[Rejected]:
    """Reject every line of a record that begins on line `first`: each would have been a row."""
    lines = list(lines)
    reason = f"a quotation mark that swallows line ends (lines {first} to {first + len(lines) - 1})"
    return [Rejected(first + offset, reason, line) for offset, line in enumerate(lines)]

"""Where the records of a delimited text stand: on which line each begins, and the lines that it takes."""

from __future__ import annotations

import csv
import io
import itertools
from array import array
from collections.abc import Iterator
from contextlib import contextmanager

import numpy as np

LARGEST_RECORD = 1 << 24  # bytes


class Lines:
    """The records of a text body, by number from 1; rejected records count, empty lines do not.

    The way from a record to its line is dear where lines are empty or stand in quotation marks, so it is made
    at first use.
    """

    def __init__(self, body: bytes, separator: str, before: int, records: int) -> None:
        """`before` lines stand above the body; `records` were read from it."""
        self._body = body
        self._separator = separator
        self._before = before
        self._records = records
        self.one_each = _count(body) == records
        self.may_break = not self.one_each and b'"' in body  # a record may take several lines
        self._first: np.ndarray | None = None
        self._begins: np.ndarray | None = None

    def line_of(self, record: int) -> int:
        """Return the line of the file on which a record begins; exact also with line breaks in quotation marks."""
        return self._before + self._line(record)

    def texts_of(self, record: int) -> list[str]:
        """Return the text of every line that a record takes, without line ends."""
        if self.one_each and record == self._records:  # the usual question: is the last line whole?
            text = self._body.rstrip(b"\r\n")
            return [text[max(text.rfind(b"\n"), text.rfind(b"\r")) + 1 :].decode()]
        if self._begins is None:
            self._begins = _begins(self._body)
        first = self._line(record) - 1
        last = max(self._line(record + 1) - 1, first + 1)
        cuts = [*self._begins[first : last + 1], len(self._body)][: last - first + 1]
        pieces = [self._body[start:end] for start, end in itertools.pairwise(cuts)]
        texts = [piece.rstrip(b"\r\n").decode() for piece in pieces]
        while texts and not texts[-1]:  # empty lines between two records
            texts.pop()
        return texts

    def _line(self, record: int) -> int:
        if self.one_each:
            return record
        if self._first is None:
            self._first = self._first_lines()
        return int(self._first[record - 1]) if record <= len(self._first) else _count(self._body) + 1

    def _first_lines(self) -> np.ndarray:
        """Return the line on which each record begins, counted from 1 in the body."""
        if b'"' not in self._body:
            begins = _begins(self._body)
            texts = np.frombuffer(self._body, np.uint8)[begins]
            return np.flatnonzero((texts != 10) & (texts != 13)) + 1
        first, before = array("q"), 0
        with large_cells():
            reader = csv.reader(io.StringIO(self._body.decode(), newline=""), delimiter=self._separator)
            for row in reader:
                if row:
                    first.append(before + 1)
                before = reader.line_num
        return np.frombuffer(first, np.int64)


@contextmanager
def large_cells() -> Iterator[None]:
    """Let the csv module read cells of any size; by itself it stops at 128 kB."""
    before = csv.field_size_limit(2**31 - 1)
    try:
        yield
    finally:
        csv.field_size_limit(before)


def _count(body: bytes) -> int:
    if body.count(b"\r") == body.count(b"\r\n"):
        return body.count(b"\n") + (not body.endswith(b"\n"))
    return len(_begins(body))


def _begins(body: bytes) -> np.ndarray:
    """Return the byte at which each line begins, whatever its end: LF, CRLF or CR."""
    letters = np.frombuffer(body, np.uint8)
    ends = letters == 10
    if b"\r" in body:
        ends |= (letters == 13) & np.append(letters[1:] != 10, True)
    begins = np.concatenate(([0], np.flatnonzero(ends) + 1))
    return begins[begins < len(body)]

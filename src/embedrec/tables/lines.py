"""Where the records of a delimited text stand: on which line each begins, and the lines that it takes."""

from __future__ import annotations

import csv
import io
import itertools
from array import array
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import numpy as np

LARGEST_RECORD = 1 << 24  # bytes


class Lines:
    """The records of a text body, by number from 1; rejected records count, empty lines do not.

    The way from a record to its line is dear where lines are empty or stand in quotation marks, so it is made
    at first use.
    """

    def __init__(self, content: bytes, start: int, separator: str, before: int, records: int) -> None:
        """`before` lines stand above the body, which begins at byte `start`; `records` were read from it."""
        self._content = content
        self._start = start
        self._separator = separator
        self._before = before
        self._records = records
        self._count = _count(content, start)
        self.one_each = self._count == records
        self.may_break = not self.one_each and content.find(b'"', start) >= 0  # a record may take several lines
        self._first: np.ndarray | None = None
        self._begins: np.ndarray | None = None

    def line_of(self, record: int) -> int:
        """Return the line of the file on which a record begins; exact also with line breaks in quotation marks."""
        return self._before + self._line(record)

    def numbering(self) -> Callable[[int], int]:
        """Return `line_of`, for keeps: with the text only where it takes the text to answer."""
        before = self._before
        return (lambda record: before + record) if self.one_each else self.line_of

    def texts_of(self, record: int) -> list[str]:
        """Return the text of every line that a record takes, without line ends."""
        content = self._content
        if self.one_each and record == self._records:  # the usual question: is the last line whole?
            begin = max(content.rfind(b"\n", self._start), content.rfind(b"\r", self._start), self._start - 1) + 1
            if begin < len(content):
                return [content[begin:].decode()]
        if self._begins is None:
            self._begins = _begins(content, self._start)
        first = self._line(record) - 1
        last = max(self._line(record + 1) - 1, first + 1)
        cuts = [*self._begins[first : last + 1].tolist(), len(content)][: last - first + 1]
        pieces = [content[start:end] for start, end in itertools.pairwise(cuts)]
        texts = [piece.rstrip(b"\r\n").decode() for piece in pieces]
        while texts and not texts[-1]:  # empty lines between two records
            texts.pop()
        return texts

    def _line(self, record: int) -> int:
        if self.one_each:
            return record
        if self._first is None:
            self._first = self._first_lines()
        return int(self._first[record - 1]) if record <= len(self._first) else self._count + 1

    def _first_lines(self) -> np.ndarray:
        """Return the line on which each record begins, counted from 1 in the body."""
        if self._content.find(b'"', self._start) < 0:
            begins = _begins(self._content, self._start)
            texts = np.frombuffer(self._content, np.uint8)[begins]
            return np.flatnonzero((texts != 10) & (texts != 13)) + 1
        first, before = array("q"), 0
        with large_cells():
            stream = io.BytesIO(self._content)  # which shares the bytes
            stream.seek(self._start)
            reader = csv.reader(io.TextIOWrapper(stream, "utf-8", newline=""), delimiter=self._separator)
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


def _count(content: bytes, start: int) -> int:
    if content.count(b"\r", start) == content.count(b"\r\n", start):
        return content.count(b"\n", start) + (not content.endswith(b"\n"))
    return len(_begins(content, start))


def _begins(content: bytes, start: int) -> np.ndarray:
    """Return the byte at which each line from `start` on begins, whatever its end: LF, CRLF or CR."""
    letters = np.frombuffer(content, np.uint8, offset=start)
    ends = letters == 10
    if content.find(b"\r", start) >= 0:
        ends |= (letters == 13) & np.append(letters[1:] != 10, True)
    begins = np.concatenate(([0], np.flatnonzero(ends) + 1)) + start
    return begins[begins < len(content)]

"""How many questions are let in at once; the others are told at once to come back, so that nobody waits for long.

A question that would wait behind all these is better answered by "not now": a program that asks again in a second is
served sooner than one of an ever longer queue, and the first in line are answered in time.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager

QUICK = frozenset({"/recommend", "/recommend_new", "/similar", "/explain"})
"""Questions of a few milliseconds. All others, such as a thousand customers at once, count as long."""
QUICK_AT_ONCE = 32  # being answered or waiting: some 80 ms of work
LONG_AT_ONCE = 2
COME_BACK = {"retry-after": "1"}  # seconds


class Admission:
    """Counts the questions of each kind that are inside."""

    def __init__(self) -> None:
        self._inside: Counter[bool] = Counter()

    def has_room(self, path: str) -> bool:
        """Whether one more question at `path` may come in."""
        quick = path in QUICK
        return self._inside[quick] < (QUICK_AT_ONCE if quick else LONG_AT_ONCE)

    @contextmanager
    def inside(self, path: str) -> Iterator[None]:
        """Count a question at `path` while it is being answered."""
        quick = path in QUICK
        self._inside[quick] += 1
        try:
            yield
        finally:
            self._inside[quick] -= 1

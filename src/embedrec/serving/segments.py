"""Which kind of customer somebody is, by recency, frequency and value (RFM).

Every customer who bought is put into fifths of the shop's customers: by the days since the last purchase, by the days
on which they bought, and by what they spent. Hughes, "Strategic Database Marketing", 1994, chapter on RFM; the words
for the fifths are ours and stand in `_kind`.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np

from embedrec.features import Snapshot
from embedrec.features.history import DAY, NEVER, Floats, Ints, distinct

FIFTHS = 5


@dataclass(frozen=True)
class Segment:
    """A customer's place among the shop's customers; fifth 5 holds the latest, most frequent, best-paying ones."""

    words: str
    rule: str
    """What the words stand for, beside all customers who bought."""
    days_since: int
    """Whole days from the last purchase to the date."""
    visits: int
    """Days on which they bought."""
    recency: int
    frequency: int
    value: int | None
    """Fifth by money spent; None where the shop knows no prices."""


class Segments:
    """The segments of a snapshot's customers; the fifths are counted once, at the first question."""

    def __init__(self, snapshot: Snapshot) -> None:
        self._history, self._as_of = snapshot.history, snapshot.as_of

    def of(self, user: int) -> Segment | None:
        """Return the segment of a customer, None for one who has not bought."""
        buyers, since, visits, spend = self._measured
        place = int(np.searchsorted(buyers, user))
        if place == len(buyers) or buyers[place] != user:
            return None
        recency, frequency = _fifth(-since, -since[place]), _fifth(visits, visits[place])
        known = ~np.isnan(spend)
        value = _fifth(spend[known], spend[place]) if known[place] else None
        words, rule = _kind(recency, frequency, value, once=bool(visits[place] == 1))
        return Segment(
            words=words,
            rule=rule,
            days_since=int(since[place]),
            visits=int(visits[place]),
            recency=recency,
            frequency=frequency,
            value=value,
        )

    @cached_property
    def _measured(self) -> tuple[Ints, Ints, Ints, Floats]:
        """[B] of the customers who bought: user, days since the last purchase, days with a purchase, money spent."""
        history = self._history
        past = history.times < self._as_of
        users, times, spend = history.users[past], history.times[past], history.spend[past]
        size = history.n_users
        last = np.full(size, NEVER)
        np.maximum.at(last, users, times)
        days = distinct(users * (self._as_of // DAY + 1) + times // DAY) // (self._as_of // DAY + 1)
        visits = np.bincount(days, minlength=size)
        told = ~np.isnan(spend)
        total = np.bincount(users[told], spend[told], minlength=size)
        total = np.where(np.bincount(users[told], minlength=size) > 0, total, np.nan)
        buyers = np.flatnonzero(visits).astype(np.int64)
        since = (self._as_of - last[buyers]) // DAY
        return buyers, since.astype(np.int64), visits[buyers].astype(np.int64), total[buyers].astype(np.float64)


def _fifth(values: Ints | Floats, own: float) -> int:
    """1 to 5 by the share of customers with a lower value; equals share the middle of their places."""
    below, equal = float((values < own).mean()), float((values == own).mean())
    return 1 + min(int(FIFTHS * (below + equal / 2)), FIFTHS - 1)


def _kind(recency: int, frequency: int, value: int | None, once: bool) -> tuple[str, str]:
    """Return the words for a kind of customer, and the rule that they stand for."""
    if once and recency >= 4:
        return "new", "one day of shopping, among the two fifths that bought last"
    if once:
        return "bought once", "one day of shopping, not among the two fifths that bought last"
    if frequency >= 4 and recency >= 3:
        rule = "shopped on more days than three fifths, and bought later than two fifths"
        rich = value == FIFTHS
        return (
            ("loyal, buys often and spends much", f"{rule}; top fifth by money")
            if rich
            else ("loyal, buys often", rule)
        )
    if frequency >= 3 and recency <= 2:
        return "slipping away", "shopped on more days than two fifths, and is among the two fifths longest away"
    if recency <= 2:
        return "gone quiet", "few days of shopping, and among the two fifths longest away"
    return "buys now and then", "bought later than two fifths, and shopped on fewer days than the loyal ones"

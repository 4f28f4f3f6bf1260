"""Training examples: many past dates, each with the state of the shop then and what customers bought next.

A *cut* is a date. The features of an example are those as of its cut; its targets are the distinct products the
customer bought within the horizon after it. Cuts end early enough that no target lies outside the training window.
"""

from __future__ import annotations

from dataclasses import dataclass

from embedrec.features import DAY, History
from embedrec.features.history import Ints


@dataclass(frozen=True)
class Cut:
    """One training date."""

    as_of: int  # seconds
    until: int  # seconds; targets lie in [as_of, until)
    users: Ints  # [M] customers who bought before and within the horizon


def training_cuts(history: History, until: int, horizon: int, count: int) -> list[Cut]:
    """Return up to `count` cuts before `until` (seconds), oldest first, two fifths of a horizon apart.

    `horizon` (seconds) should be as long as the window the model will be asked about. Where training is shorter than
    two horizons, the horizon shrinks to half of it. Cuts without a customer to learn from are left out.
    """
    start = int(history.times.min())
    horizon = max(min(horizon, (until - start) // 2), 1)
    stride = max(horizon * 2 // 5, DAY)
    cuts = []
    for step in range(count):
        as_of = until - horizon - step * stride
        if as_of <= start:
            break
        users = history.returning_buyers(as_of, as_of + horizon)
        if len(users):
            cuts.append(Cut(as_of, as_of + horizon, users))
    return cuts[::-1]

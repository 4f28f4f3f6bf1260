"""Purchases, views and carts of single products in one order."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from embedrec.features.history import DAY, NEVER, Bools, Floats, History, Ints, Ragged

BOUGHT, VIEWED, CARTED = 0, 1, 2
"""Kinds of events, as rows of an embedding."""


class Events(NamedTuple):
    """All events of B customers, L in sum: customer by customer, oldest first."""

    offsets: Ints  # [B + 1]
    items: Ints  # [L]
    kinds: Ints  # [L] BOUGHT, VIEWED or CARTED
    ages: Floats  # [L] days before a date

    @property
    def rows(self) -> Ints:
        """[L]: to which of the customers each event belongs."""
        return Ragged(self.offsets, self.items).rows

    def until_last_purchase(self) -> Events:
        """Leave out what each customer did after the last purchase."""
        position, offsets = np.arange(len(self.items)), self.offsets
        last = np.full(len(offsets) - 1, -1)
        bought = self.kinds == BOUGHT
        last[self.rows[bought]] = position[bought]  # the last write wins
        kept: Bools = position <= last[self.rows]
        lengths = np.bincount(self.rows[kept], minlength=len(last))
        return Events(np.concatenate([[0], np.cumsum(lengths)]), self.items[kept], self.kinds[kept], self.ages[kept])


def events_of(
    history: History,
    users: Ints,
    as_of: int,
    for_sale: Bools,
    rng: np.random.Generator | None = None,
) -> Events:
    """Return what users[B] bought, and which of the products for_sale[N] they looked at or put into a cart.

    Looks of the same moment as a purchase follow it: with dates that name only the day, a look would else tell of a
    purchase that nobody could foresee. Others of one moment are in the order of products, or by chance with `rng`.
    """
    lines, looks = history.lines(users, NEVER, as_of), history.activity(users, as_of)
    counted = history.activity_items[looks.values] >= 0
    counted[counted] = for_sale[history.activity_items[looks.values[counted]]]
    places = looks.values[counted]

    rows = np.concatenate([lines.rows, looks.rows[counted]])
    items = np.concatenate([history.items[lines.values], history.activity_items[places]])
    times = np.concatenate([history.times[lines.values], history.activity_times[places]])
    kinds = np.full(len(items), BOUGHT)
    kinds[len(lines.values) :] = np.where(history.activity_carts[places], CARTED, VIEWED)
    among = np.zeros(len(items)) if rng is None else rng.random(len(items))
    order = np.lexsort((among, kinds > BOUGHT, times, rows))
    offsets = np.concatenate([[0], np.cumsum(np.bincount(rows, minlength=len(users)))])
    return Events(offsets, items[order], kinds[order], (as_of - times[order]) / DAY)

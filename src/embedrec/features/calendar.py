"""What the calendar says of products as of a date: which sell this month, and after how long they are bought again."""

from __future__ import annotations

from functools import cached_property

import numpy as np

from embedrec.features.history import DAY, NEVER, Bools, Floats, History, Ints

MONTH = 28  # days
BEST_SELLERS = 0.1  # share of the products sold in the month
FEWEST_CUSTOMERS = 3  # in the month, below which a product is not popular anywhere
OWN_GAPS = 2  # between purchases of one customer, from which their own rhythm counts
ALL_GAPS = 10  # of all customers, from which that of a product does
DUE = (0.8, 1.5)
"""Share of the usual gap that has passed when a product is due: before it is early, long after it is no rhythm."""


class Calendar:
    """Questions about the N products of a history as of a date (seconds); only earlier purchases are read."""

    def __init__(self, history: History, as_of: int) -> None:
        self._history, self._as_of = history, as_of

    @cached_property
    def popular(self) -> Bools:
        """[N]: bought in the last month by more customers than nine in ten of the products sold then."""
        customers = self._history.distinct_customers(self._as_of - MONTH * DAY, self._as_of)
        sold = customers[customers > 0]
        least = np.quantile(sold, 1 - BEST_SELLERS) if len(sold) else np.inf
        return customers >= max(least, FEWEST_CUSTOMERS)

    def due(self, item: int, times: Ints) -> tuple[int, bool] | None:
        """Return (usual days between two purchases, whether they are the customer's own), None if it is not time.

        times[n] are the customer's purchases of the product, in seconds.
        """
        days = np.unique(times // DAY)
        gaps = np.diff(days)
        own = len(gaps) >= OWN_GAPS
        gap = float(np.exp(np.log(gaps).mean())) if own else float(self._usual_gap[item])
        if np.isnan(gap):
            return None
        usual = max(1, round(gap))
        passed = (self._as_of - int(times.max())) / DAY
        return (usual, own) if DUE[0] * usual <= passed <= DUE[1] * usual else None

    @cached_property
    def _usual_gap(self) -> Floats:
        """[N] geometric mean of the days between two purchases of a product by one customer, NaN where few are known.

        Two purchases of one day are one.
        """
        view, size = self._history.by_time, self._history.n_items
        past = slice(0, int(np.searchsorted(view.times, self._as_of)))
        items, times, previous = view.items[past], view.times[past], view.previous[past]
        again = (previous != NEVER) & (times // DAY > previous // DAY)
        days = times[again] // DAY - previous[again] // DAY
        count = np.bincount(items[again], minlength=size)
        total = np.bincount(items[again], np.log(days), minlength=size)
        gap: Floats = np.exp(np.divide(total, count, out=np.full(size, np.nan), where=count >= ALL_GAPS))
        return gap

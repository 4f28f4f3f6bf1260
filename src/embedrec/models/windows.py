"""The last events of each customer, side by side."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from embedrec.features.history import Bools, Floats, Ints


class Windows(NamedTuple):
    """B customers, at most T events each, oldest first; what stands where `filled` is false means nothing."""

    items: Ints  # [B, T]
    gaps: Floats  # [B, T] days since the event before, 0 for the first
    filled: Bools  # [B, T]

    @property
    def lengths(self) -> Ints:
        """[B]: number of events."""
        lengths: Ints = np.count_nonzero(self.filled, axis=1)
        return lengths


def windows(items: Ints, days: Floats, offsets: Ints, events: int) -> Windows:
    """Take the last `events` lines of B customers.

    Those of customer b are items[offsets[b]:offsets[b + 1]], oldest first; days[L] tells when each line was bought.
    """
    lengths = np.minimum(np.diff(offsets), events)
    place = np.arange(max(int(lengths.max(initial=0)), 1))
    filled = place < lengths[:, None]
    if not len(items):
        return Windows(np.zeros(filled.shape, np.int64), np.zeros(filled.shape), filled)
    line = np.clip((offsets[1:] - lengths)[:, None] + place, 0, np.maximum(offsets[1:] - 1, 0)[:, None])
    gaps = np.zeros(filled.shape)
    gaps[:, 1:] = np.maximum(np.diff(days[line], axis=1), 0.0)
    return Windows(items[line], gaps, filled)

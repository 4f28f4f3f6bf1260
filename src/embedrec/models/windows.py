"""The last events of each customer, side by side."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from embedrec.features.events import Events
from embedrec.features.history import Bools, Floats, Ints


class Windows(NamedTuple):
    """B customers, at most T events each, oldest first; what stands where `filled` is false means nothing."""

    items: Ints  # [B, T]
    kinds: Ints  # [B, T] as in `features.events`
    gaps: Floats  # [B, T] days since the event before, 0 for the first
    filled: Bools  # [B, T]

    @property
    def lengths(self) -> Ints:
        """[B]: number of events."""
        lengths: Ints = np.count_nonzero(self.filled, axis=1)
        return lengths


def windows(events: Events, length: int) -> Windows:
    """Take the last `length` events of B customers."""
    offsets = events.offsets
    lengths = np.minimum(np.diff(offsets), length)
    place = np.arange(max(int(lengths.max(initial=0)), 1))
    filled = place < lengths[:, None]
    if not len(events.items):
        nothing = np.zeros(filled.shape, np.int64)
        return Windows(nothing, nothing, np.zeros(filled.shape), filled)
    line = np.clip((offsets[1:] - lengths)[:, None] + place, 0, np.maximum(offsets[1:] - 1, 0)[:, None])
    gaps = np.zeros(filled.shape)
    gaps[:, 1:] = np.maximum(-np.diff(events.ages[line], axis=1), 0.0)
    return Windows(events.items[line], events.kinds[line], gaps, filled)

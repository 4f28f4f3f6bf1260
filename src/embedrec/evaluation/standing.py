"""How many candidates each target beats: the counts from which `metrics.auc` is computed.

B customers, N products, T targets customer by customer. Scores of -inf mark products that are no candidates.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from embedrec.features.history import Ints, Ragged


class Standing(NamedTuple):
    """Where targets stand in a pool of products."""

    below: Ints  # [T] products of the pool that score lower
    tied: Ints  # [T] products of the pool that score the same, the target included if it belongs to the pool
    pool: Ints  # [B] size of the pool

    def without(self, part: Standing) -> Standing:
        """Take a part of the pool away, the same targets standing in both."""
        return Standing(self.below - part.below, self.tied - part.tied, self.pool - part.pool)


def standing(scores: npt.NDArray[np.floating], targets: Ragged, among: Ragged | None = None) -> Standing:
    """Place each target of B customers in the order of scores[B, N], or among some products of each customer.

    A pool is sorted once, whatever the number of targets, and each target is then found in it by binary search.
    """
    size = len(targets.offsets) - 1
    below, upto = np.empty(len(targets.values), np.int64), np.empty(len(targets.values), np.int64)
    pool = np.empty(size, np.int64)
    for row in range(size):
        own = scores[row]
        asked = slice(targets.offsets[row], targets.offsets[row + 1])
        ordered = np.sort(own if among is None else own[among.values[among.offsets[row] : among.offsets[row + 1]]])
        ordered = ordered[np.searchsorted(ordered, -np.inf, side="right") :]
        wanted = own[targets.values[asked]]
        below[asked] = np.searchsorted(ordered, wanted, side="left")
        upto[asked] = np.searchsorted(ordered, wanted, side="right")
        pool[row] = len(ordered)
    return Standing(below, upto - below, pool)

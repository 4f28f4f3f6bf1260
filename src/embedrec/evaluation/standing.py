"""How many candidates each target beats: the counts from which `metrics.auc` is computed.

B customers, N products, T targets customer by customer. Scores of -inf mark products that are no candidates.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from embedrec.features.history import Ints, Ragged

Scores = npt.NDArray[np.floating]


class Standing(NamedTuple):
    """Where targets stand in a pool of products."""

    below: Ints  # [T] products of the pool that score lower
    tied: Ints  # [T] products of the pool that score the same, the target included if it belongs to the pool
    pool: Ints  # [B] size of the pool

    def without(self, part: Standing) -> Standing:
        """Take a part of the pool away, the same targets standing in both."""
        return Standing(self.below - part.below, self.tied - part.tied, self.pool - part.pool)


def standing(scores: Scores, targets: Ragged, among: Ragged | None = None) -> Standing:
    """Place each target of B customers in the order of scores[B, N], or among some products of each customer."""
    size = len(targets.offsets) - 1
    below, upto = np.empty(len(targets.values), np.int64), np.empty(len(targets.values), np.int64)
    pool = np.empty(size, np.int64)
    for row in range(size):
        own = scores[row]
        asked = slice(targets.offsets[row], targets.offsets[row + 1])
        some = own if among is None else own[among.values[among.offsets[row] : among.offsets[row + 1]]]
        wanted = own[targets.values[asked]]
        below[asked], upto[asked], pool[row] = _count(some, wanted) if len(wanted) < FEW else _search(some, wanted)
    return Standing(below, upto - below, pool)


FEW = 32  # targets, up to which so many passes over the pool take less time than to sort it


def _count(some: Scores, wanted: Scores) -> tuple[Ints, Ints, int]:
    """Count the candidates below each target, and those not above it, by comparing."""
    none = len(some) - int(np.count_nonzero(some > -np.inf))
    below = np.array([np.count_nonzero(some < one) for one in wanted], np.int64)
    upto = np.array([np.count_nonzero(some <= one) for one in wanted], np.int64)
    return np.maximum(below - none, 0), np.maximum(upto - none, 0), len(some) - none


def _search(some: Scores, wanted: Scores) -> tuple[Ints, Ints, int]:
    """Do the same by sorting once and finding each target by bisection."""
    ordered = np.sort(some)
    ordered = ordered[np.searchsorted(ordered, -np.inf, side="right") :]
    below, upto = (np.searchsorted(ordered, wanted, side=side) for side in ("left", "right"))
    return below, upto, len(ordered)

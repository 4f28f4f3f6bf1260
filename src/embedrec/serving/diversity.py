"""Lists that are not all alike: maximal marginal relevance.

    next = argmax over j not yet chosen of (1 − d) · relevance(j) − d · max over chosen i of similarity(i, j)

Carbonell and Goldstein, "The use of MMR, diversity-based reranking for reordering documents and producing summaries",
SIGIR 1998, with their λ = 1 − d. Relevance is the score, brought to 0–1 over the pool.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import torch
from torch import Tensor

from embedrec.features.history import Ints

POOL = 300  # best products among which is chosen; what comes after them keeps its place


def diversified(items: Ints, scores: Tensor, k: int, diversity: float, similar: Callable[[int], Tensor]) -> Ints:
    """Return the places in items[n] (best first) of the k to show, in the order of choice.

    scores[n] belong to the items; `similar(item)` is [N], how like it all products are, -inf where there is nothing in
    common. Below 0 is as unlike as 0. Of equals the better one comes first.
    """
    pool = min(len(items), POOL)
    spread = float(scores[0] - scores[pool - 1]) if pool else 0.0
    relevance = ((scores[:pool] - scores[pool - 1]) / spread) if spread > 0 else torch.ones(pool)
    relevance, asked = relevance.double(), torch.from_numpy(items[:pool])
    nearest, left = torch.zeros(pool, dtype=torch.float64), torch.ones(pool, dtype=torch.bool)
    chosen: list[int] = []
    while len(chosen) < min(k, pool):
        worth = ((1 - diversity) * relevance - diversity * nearest).masked_fill(~left, -torch.inf)
        best = int(worth.argmax())
        chosen.append(best)
        left[best] = False
        nearest = torch.maximum(nearest, similar(int(items[best]))[asked].double().clamp(0, 1))
    return np.array([*chosen, *range(pool, min(k, len(items)))], np.int64)

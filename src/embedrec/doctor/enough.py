"""Whether there is enough to train on."""

from __future__ import annotations

import numpy as np

from embedrec.features import DAY, History
from embedrec.splits import Split

MIN_PURCHASES = 1000
"""With fewer purchases before the test there is too little signal to fit embeddings."""
MIN_RETURNING = 25
"""At least this many customers must have bought on two days, or little shows what follows a purchase."""


def too_little(history: History, split: Split) -> str:
    """Say why a learned model cannot be trusted on a shop; empty where it can."""
    if not split.tested:
        return split.warning
    before = history.times < split.test_from
    past = history.users[before]
    visits = np.unique(np.stack([past, history.times[before] // DAY]), axis=1)[0]
    returning = int((np.bincount(visits) >= 2).sum())
    if len(past) < MIN_PURCHASES:
        return f"{len(past):,} purchases before the test, about {MIN_PURCHASES:,} are needed to train embeddings"
    if returning < MIN_RETURNING:
        repeatedly = "on two days" if split.dated else "twice"
        return f"{returning} customers who bought {repeatedly} before the test, about {MIN_RETURNING} are needed"
    buyers, sold = np.unique(past), np.unique(history.items[before])
    if len(np.unique(past * history.n_items + history.items[before])) == len(buyers) * len(sold):
        return "every customer bought every product before the test, so nothing tells one customer from another"
    return ""

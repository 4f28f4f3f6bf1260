"""Which products stand in the denominator of the softmax: the whole catalogue, or a sample shared by the batch.

Sampled: every customer's own targets and bought products count fully, and `negatives` products drawn uniformly
without replacement stand for all others, each with weight (products / negatives). The sum is then an unbiased
estimate of the catalogue's, up to the own products, which are exact.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from embedrec.features.history import Bools, Ints, Ragged


class Candidates(NamedTuple):
    """B customers, K products, P targets, Q bought products."""

    items: Ints | None  # [K] ascending; None = all N products
    log_weight: npt.NDArray[np.float32]  # [B, K]
    rows: Ints  # [P]
    columns: Ints  # [P]
    first_time: Bools  # [P]
    bought_rows: Ints  # [Q]
    bought_columns: Ints  # [Q]


def sample_candidates(
    available: Bools, targets: Ragged, bought: Ragged, negatives: int | None, rng: np.random.Generator
) -> Candidates:
    """Choose products to score and weigh them.

    Args:
        available: [N] products that were candidates at the cut. Targets launched later cannot be predicted and
            are left out.
        targets: distinct products each customer bought in the horizon.
        bought: distinct products each customer bought before.
        negatives: how many to draw; None scores the whole catalogue.
        rng: the batch's own stream.
    """
    n_items, size = len(available), len(targets.offsets) - 1
    known = available[targets.values]
    rows, wanted = targets.rows[known], targets.values[known]
    first_time = ~np.isin(rows * n_items + wanted, bought.rows * n_items + bought.values)
    pool = np.flatnonzero(available)
    if negatives is None or negatives >= len(pool):
        items, place = None, np.arange(n_items)
        base = np.where(available, 0.0, -np.inf).astype(np.float32)
        log_weight = np.repeat(base[None], size, axis=0)
    else:
        drawn = rng.choice(pool, negatives, replace=False)
        items = np.unique(np.concatenate([drawn, wanted, bought.values]))
        place = np.full(n_items, -1)
        place[items] = np.arange(len(items))
        base = np.full(len(items), -np.inf, np.float32)
        base[place[drawn]] = np.log(len(pool) / negatives)
        log_weight = np.repeat(base[None], size, axis=0)
        log_weight[bought.rows, place[bought.values]] = 0.0
        log_weight[rows, place[wanted]] = 0.0
    return Candidates(items, log_weight, rows, place[wanted], first_time, bought.rows, place[bought.values])

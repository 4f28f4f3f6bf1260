"""Which products stand in the denominator of the softmax: the whole catalogue, or a sample shared by the batch.

Sampled: every customer's own targets and bought products count fully, and `negatives` products drawn uniformly
without replacement stand for all others, each with weight (products / negatives); or products are drawn by their
popularity, each on its own with a chance of its own, and have weight 1 / chance. The sum is then an unbiased estimate
of the catalogue's, up to the own products, which are exact.

In batch: the products that customers of the batch buy stand for all, each with weight 1 / (how likely it is to turn
up in a batch), the "logQ correction" of Yi et al. 2019, "Sampling-Bias-Corrected Neural Modeling for Large Corpus Item
Recommendations", section 3. Without it popular products, which turn up often, would be pushed down for it.
"""

from __future__ import annotations

from typing import Literal, NamedTuple

import numpy as np
import numpy.typing as npt

from embedrec.features.history import Bools, Floats, Ints, Ragged, distinct

Negatives = int | Literal["all", "in_batch"]
Draw = Literal["uniform", "popularity", "mixed"]


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
    available: Bools,
    targets: Ragged,
    bought: Ragged,
    negatives: Negatives,
    rng: np.random.Generator,
    chance: Floats | None = None,
) -> Candidates:
    """Choose products to score and weigh them.

    Args:
        available: [N] products that were candidates at the cut. Targets launched later cannot be predicted and
            are left out.
        targets: distinct products each customer bought in the horizon.
        bought: distinct products each customer bought before.
        negatives: how many to draw; `all` scores the whole catalogue, `in_batch` what the batch itself buys.
        rng: the batch's own stream.
        chance: [N] for `in_batch` how likely a batch holds the product as a target; else how likely each is drawn,
            None where all are alike.
    """
    n_items, size = len(available), len(targets.offsets) - 1
    known = available[targets.values]
    rows, wanted = targets.rows[known], targets.values[known]
    first_time = ~np.isin(rows * n_items + wanted, bought.rows * n_items + bought.values)
    pool = np.flatnonzero(available)
    if negatives == "in_batch":
        assert chance is not None
        items = distinct(wanted)
        place = _places(items, n_items)
        log_weight = np.repeat(-np.log(chance[items]).astype(np.float32)[None], size, axis=0)
        log_weight[rows, place[wanted]] = 0.0
        here = place[bought.values] >= 0
        bought_rows, bought_items = bought.rows[here], bought.values[here]
        return Candidates(items, log_weight, rows, place[wanted], first_time, bought_rows, place[bought_items])
    if negatives == "all" or negatives >= len(pool):
        base = np.where(available, 0.0, -np.inf).astype(np.float32)
        log_weight = np.repeat(base[None], size, axis=0)
        return Candidates(None, log_weight, rows, wanted, first_time, bought.rows, bought.values)
    if chance is None:
        drawn, weight = rng.choice(pool, negatives, replace=False), np.log(len(pool) / negatives)
    else:
        drawn = pool[rng.random(len(pool)) < chance[pool]]
        weight = -np.log(chance[drawn])
    items = distinct(np.concatenate([drawn, wanted, bought.values]))
    place = _places(items, n_items)
    base = np.full(len(items), -np.inf, np.float32)
    base[place[drawn]] = weight
    log_weight = np.repeat(base[None], size, axis=0)
    log_weight[bought.rows, place[bought.values]] = 0.0
    log_weight[rows, place[wanted]] = 0.0
    return Candidates(items, log_weight, rows, place[wanted], first_time, bought.rows, place[bought.values])


def chance_of(draw: Draw, available: Bools, buyers: Floats, negatives: Negatives) -> Floats | None:
    """Return how likely each of N products is drawn, adding up to `negatives`; None where nothing is drawn by chance.

    By popularity a product's chance follows its buyers[N] so far and one more, as nobody may be left out; mixed, half
    of the draws are by popularity and half uniform (Yang et al. 2020, "Mixed Negative Sampling for Learning Two-tower
    Neural Networks in Recommendations").
    """
    size = int(available.sum())
    if draw == "uniform" or not isinstance(negatives, int) or negatives >= size:
        return None
    share = np.where(available, buyers + 1.0, 0.0)
    share /= share.sum()
    if draw == "mixed":
        share = (share + available / size) / 2
    sure = np.zeros(len(share), np.bool_)
    while True:  # what is drawn anyway cannot use a greater chance: the others get it
        chance: Floats = np.where(sure, 1.0, share * (negatives - sure.sum()) / share[~sure].sum())
        if not (chance > 1).any():
            return chance
        sure |= chance > 1


def _places(items: Ints, n_items: int) -> Ints:
    """[N]: where each product stands in `items`, -1 where it is absent."""
    place = np.full(n_items, -1)
    place[items] = np.arange(len(items))
    return place

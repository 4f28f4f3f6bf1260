"""How far a mean over customers may be off: bootstrap intervals and paired differences.

n customers, M metrics. The customers are resampled, since they are what a new test window would change.
A bootstrap depends on the order of its rows: rows come sorted by customer id, so that the same customers
give the same interval.

Efron and Tibshirani, "An Introduction to the Bootstrap" (1993), chapter 13 (percentile interval).
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

Values = NDArray[np.float64]

RESAMPLES = 1000
LEVEL = 0.95
# Draws held at once; 4 million of 8 bytes are 32 MB, whatever the number of customers.
_BLOCK_DRAWS = 4_000_000


class Means(NamedTuple):
    """Means of M metrics with the ends of their 95 % intervals, each float64[M]."""

    mean: Values
    low: Values
    high: Values


class Difference(NamedTuple):
    """A mean paired difference, its 95 % interval, its two-sided p-value, and the number of pairs."""

    mean: float
    low: float
    high: float
    p_value: float
    n: int


def bootstrap_means(values: ArrayLike, seed: int, resamples: int = RESAMPLES) -> Means:
    """Return the mean of each column of values[n, M] with its 95 % percentile interval.

    All columns share the same resamples of the rows. A NaN is a customer the metric does not apply to: it is
    left out of the mean and out of every resample's mean. A column without values is NaN throughout; one
    value is its own interval.
    """
    table = np.asarray(values, dtype=np.float64)
    assert table.ndim == 2, f"values[n, M] expected, got shape {table.shape}"
    known = ~np.isnan(table)
    return bootstrap_ratios(np.where(known, table, 0.0), known, seed, resamples)


def bootstrap_ratios(sums: ArrayLike, weights: ArrayLike, seed: int, resamples: int = RESAMPLES) -> Means:
    """Return Σ sums / Σ weights of each column over the customers, with its 95 % percentile interval.

    sums[n, M] and weights[n, M] hold what belongs to each customer, who is drawn with all of it: for a mean over
    ratings, the sum over the customer's ratings and their number (a cluster bootstrap; Davison and Hinkley 1997,
    section 3.8). A column whose weights are all 0 is NaN throughout, and a resample without weight is left out.
    """
    # column by column in memory: numpy then adds pairwise, the same whatever columns stand beside
    above, below = (np.asarray(part, dtype=np.float64, order="F") for part in (sums, weights))
    assert above.ndim == 2, f"sums[n, M] expected, got shape {above.shape}"
    assert above.shape == below.shape, f"{above.shape} sums and {below.shape} weights"
    replicates = _resampled_ratios(above, below, seed, resamples)
    some = below.sum(axis=0) > 0
    means = Means(*(np.full(above.shape[1], np.nan) for _ in range(3)))
    if some.any():
        tails = [50 * (1 - LEVEL), 50 * (1 + LEVEL)]
        means.mean[some] = above.sum(axis=0)[some] / below.sum(axis=0)[some]
        means.low[some], means.high[some] = np.nanpercentile(replicates[:, some], tails, axis=0)
    return means


def paired_difference(a: ArrayLike, b: ArrayLike, seed: int, resamples: int = RESAMPLES) -> Difference:
    """Compare a[n] with b[n], the same customers in the same order: mean(a − b) by paired bootstrap.

    A customer that either side does not know (NaN) is left out. The p-value is the smallest level at which
    the percentile interval excludes 0, 2 · (1 + min(#{d* ≤ 0}, #{d* ≥ 0})) / (resamples + 1) and at most 1
    (Davison and Hinkley 1997, section 4.4.1); its floor is therefore 2 / (resamples + 1). One pair cannot show
    how far pairs vary: its interval and p-value are NaN. Without pairs the mean is NaN too.
    """
    first, second = np.asarray(a, dtype=np.float64), np.asarray(b, dtype=np.float64)
    assert first.ndim == 1, f"a[n] expected, got shape {first.shape}"
    assert first.shape == second.shape, f"not paired: {first.shape} and {second.shape}"
    gaps = first - second
    gaps = gaps[~np.isnan(gaps)]
    if len(gaps) < 2:
        return Difference(float(gaps[0]) if len(gaps) else np.nan, np.nan, np.nan, np.nan, len(gaps))
    replicates = _resampled_ratios(gaps[:, None], np.ones((len(gaps), 1)), seed, resamples)
    low, high = np.percentile(replicates, [50 * (1 - LEVEL), 50 * (1 + LEVEL)])
    against = min(int((replicates <= 0).sum()), int((replicates >= 0).sum()))
    p_value = min(1.0, 2 * (1 + against) / (resamples + 1))
    return Difference(float(gaps.mean()), float(low), float(high), p_value, len(gaps))


def _resampled_ratios(sums: Values, weights: Values, seed: int, resamples: int) -> Values:
    """Σ sums / Σ weights of each column in each resample: [resamples, M], NaN where no weight was drawn.

    A resample is a row of counts (how often each customer was drawn), so its sums are one matrix product.
    """
    n, n_columns = sums.shape
    ratios = np.full((resamples, n_columns), np.nan)
    if n == 0:
        return ratios
    random = np.random.default_rng(seed)
    block = max(1, _BLOCK_DRAWS // n)
    for start in range(0, resamples, block):
        rows = min(block, resamples - start)
        drawn = random.integers(0, n, size=(rows, n)) + n * np.arange(rows)[:, None]
        counts = np.bincount(drawn.ravel(), minlength=rows * n).reshape(rows, n).astype(np.float64)
        total = counts @ weights
        np.divide(counts @ sums, total, out=ratios[start : start + rows], where=total > 0)
    return ratios

"""Ranking metrics as pure functions: one value a customer, averaged elsewhere.

B customers, K places of the ranked list, k the cut-off, N products. Every metric of `METRICS` takes

    hits[B, K]   bool: the product at place r + 1 of the customer's list is one of the customer's targets
    targets[B]   int: how many distinct targets the customer has, those that no model could know included
    k            the cut-off; a list shorter than k counts as misses from there on

and returns float64[B], each in [0, 1], higher is better. A customer without targets has no truth to find:
NaN, left out of every average. Formulas below write h(r) in {0, 1} for the hit at place r = 1, 2, … k.

`auc` looks at the whole order and has no cut-off. What a list is like, whether it hits or not, is told by customer
(`novelty`, `diversity`, `mean_popularity`) or for all lists together (`coverage`, `gini`, `popularity_shares`).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

Values = NDArray[np.float64]
Metric = Callable[[ArrayLike, ArrayLike, int], Values]

# Upper edges, as shares of the catalogue, of the popularity bands of `popularity_shares`.
POPULARITY_BANDS = (0.01, 0.10, 0.50, 1.0)


def recall(hits: ArrayLike, targets: ArrayLike, k: int) -> Values:
    """Share of the customer's targets that are found: Σ h(r) / targets."""
    found, wanted = _found(hits, targets, k)
    return _ratio(found.sum(axis=1), wanted)


def recall_capped(hits: ArrayLike, targets: ArrayLike, k: int) -> Values:
    """Recall out of what k places can hold: Σ h(r) / min(k, targets)."""
    found, wanted = _found(hits, targets, k)
    return _ratio(found.sum(axis=1), np.minimum(wanted, k))


def hit_rate(hits: ArrayLike, targets: ArrayLike, k: int) -> Values:
    """1 where at least one target is found, else 0."""
    found, wanted = _found(hits, targets, k)
    return _known(np.any(found, axis=1), wanted)


def precision(hits: ArrayLike, targets: ArrayLike, k: int) -> Values:
    """Share of the k places that hold a target: Σ h(r) / k, also where the list is shorter than k."""
    found, wanted = _found(hits, targets, k)
    return _known(found.sum(axis=1) / k, wanted)


def ndcg(hits: ArrayLike, targets: ArrayLike, k: int) -> Values:
    """Normalised discounted cumulative gain with binary gains.

    DCG = Σ h(r) / log2(r + 1), divided by the DCG of the ideal list, whose first min(k, targets) places are
    all hits. Järvelin and Kekäläinen, "Cumulated gain-based evaluation of IR techniques", TOIS 2002, with the
    discount log2(r + 1) that is usual since (the paper leaves the first b places undiscounted).
    """
    found, wanted = _found(hits, targets, k)
    discounts = 1.0 / np.log2(np.arange(2, k + 2))
    ideal = np.concatenate([[0.0], np.cumsum(discounts)])
    return _ratio(found @ discounts[: found.shape[1]], ideal[np.minimum(wanted, k)])


def mrr(hits: ArrayLike, targets: ArrayLike, k: int) -> Values:
    """Reciprocal rank: 1 / (place of the first hit), 0 without a hit within k."""
    found, wanted = _found(hits, targets, k)
    first = found.argmax(axis=1) if found.shape[1] else np.zeros(len(found), dtype=np.int64)
    return _known(found.any(axis=1) / (first + 1), wanted)


def average_precision(hits: ArrayLike, targets: ArrayLike, k: int) -> Values:
    """Average precision, whose mean over customers is MAP: Σ h(r) · precision@r / min(k, targets).

    Other definitions divide by all targets, or by the hits found; dividing by min(k, targets) makes 1 the
    value of a perfect list.
    """
    found, wanted = _found(hits, targets, k)
    precision_at = found.cumsum(axis=1) / np.arange(1, found.shape[1] + 1)
    return _ratio((found * precision_at).sum(axis=1), np.minimum(wanted, k))


METRICS: Mapping[str, Metric] = MappingProxyType(
    {
        "ndcg": ndcg,
        "recall": recall,
        "recall_capped": recall_capped,
        "hit_rate": hit_rate,
        "precision": precision,
        "mrr": mrr,
        "map": average_precision,
    }
)


def metric_name(name: str, k: int) -> str:
    """Return the name of a metric at a cut-off, as files and commands spell it: ("ndcg", 10) → "ndcg@10"."""
    return f"{name}@{k}"


def auc(below: ArrayLike, tied: ArrayLike, rows: ArrayLike, targets: ArrayLike, candidates: ArrayLike) -> Values:
    """Area under the ROC curve: the chance that a random target stands above a random other candidate, float64[B].

        below[T], tied[T]   how many candidates of the customer score lower than the target, and the same, the target
                            itself included; 0 and 0 for a target that is no candidate
        rows[T]             the customer of each target, 0 … B - 1
        targets[B]          how many targets, those that are no candidates included
        candidates[B]       how many candidates, the targets among them included

    Equal scores count half, so the order of ties does not matter; a target that is no candidate counts 0. NaN without
    targets, and where every candidate is a target. Of each pair of targets one beats the other, or both half: they
    take f(f - 1)/2 from the sum of f found targets. The statistic of Mann and Whitney 1947; Hanley and McNeil,
    "The meaning and use of the area under a ROC curve", Radiology 1982.
    """
    lower, same, row = (np.asarray(part, dtype=np.int64) for part in (below, tied, rows))
    wanted, pool = np.asarray(targets, dtype=np.int64), np.asarray(candidates, dtype=np.int64)
    found = np.bincount(row[same > 0], minlength=len(wanted))
    above = np.bincount(row, np.where(same > 0, lower + (same - 1) / 2, 0.0), minlength=len(wanted))
    return _ratio(above - found * (found - 1) / 2, wanted * (pool - found))


def novelty(buyers: ArrayLike, n_customers: int, k: int) -> Values:
    """Mean self-information of the shown products in bits, −log2(buyers / customers): 0 = everybody had bought it.

    buyers[B, K] is how many of `n_customers` customers had bought the product at each place, -1 = the list ended. A
    product nobody had bought counts as bought by one of n_customers + 1. NaN for an empty list. Zhou et al., "Solving
    the apparent diversity-accuracy dilemma of recommender systems", PNAS 2010; among the measures of Vargas and
    Castells, "Rank and relevance in novelty and diversity metrics for recommender systems", RecSys 2011, the one
    without discount.
    """
    counts, filled = _places(buyers, k)
    share = np.where(counts > 0, counts, n_customers / (n_customers + 1)) / max(n_customers, 1)
    bits = -np.log2(np.where(share > 0, share, 1.0))
    return _ratio((bits * filled).sum(axis=1), filled.sum(axis=1))


def mean_popularity(buyers: ArrayLike, k: int) -> Values:
    """Mean number of distinct customers who had bought the shown products: buyers[B, K], -1 = the list ended.

    NaN for an empty list.
    """
    counts, filled = _places(buyers, k)
    return _ratio((counts * filled).sum(axis=1), filled.sum(axis=1))


def diversity(categories: ArrayLike, k: int) -> Values:
    """Share of the pairs of shown products that differ in category: categories[B, K], 0 or less = unknown or no place.

    NaN with fewer than two products of known category. One minus the intra-list similarity of Ziegler et al.,
    "Improving recommendation lists through topic diversification", WWW 2005, with similarity 1 for equal categories
    and 0 otherwise.
    """
    shown = np.asarray(categories, dtype=np.int64)
    assert shown.ndim == 2, f"categories[B, K] expected, got shape {shown.shape}"
    shown = shown[:, :k]
    known = (shown > 0).sum(axis=1)
    pairs = known * (known - 1) / 2
    same = np.zeros(len(shown))
    for place in range(1, shown.shape[1]):
        same += ((shown[:, :place] == shown[:, place : place + 1]) & (shown[:, place : place + 1] > 0)).sum(axis=1)
    return _ratio(pairs - same, pairs)


def coverage(top_items: ArrayLike, n_candidates: int) -> float:
    """Share of the candidates that at least one list of top_items[B, K] shows; -1 marks an empty place.

    NaN without candidates.
    """
    shown = _shown(top_items)
    return len(np.unique(shown)) / n_candidates if n_candidates else float("nan")


def gini(top_items: ArrayLike, n_candidates: int) -> float:
    """Inequality of exposure over the candidates: 0 = all are shown equally often, 1 = one product takes every place.

    Σ (2j − n − 1) · p(j) / (n − 1) over the n candidates in ascending order of p, the share of the filled places of
    top_items[B, K] they take; -1 marks an empty place. NaN where nothing is shown. Shani and Gunawardana, "Evaluating
    recommendation systems", Recommender Systems Handbook 2011, on item space coverage.
    """
    counts = np.sort(np.unique(_shown(top_items), return_counts=True)[1])
    if not len(counts):
        return float("nan")
    assert len(counts) <= n_candidates, f"{len(counts)} products shown of {n_candidates} candidates"
    weight = 2 * np.arange(n_candidates - len(counts) + 1, n_candidates + 1) - n_candidates - 1
    return float((weight * counts).sum() / counts.sum() / max(n_candidates - 1, 1))


def popularity_shares(top_items: ArrayLike, counts: ArrayLike) -> Values:
    """Share of the filled places of top_items[B, K] in each band of `POPULARITY_BANDS`, most popular first.

    Items are ordered by counts[N], ties by the lower index, and cut at those shares of the catalogue (a band
    may be empty in a small one). The shares sum to 1; all NaN where every place is empty.
    """
    shown = _shown(top_items)
    order = np.argsort(-np.asarray(counts, dtype=np.float64), kind="stable")
    edges = np.ceil(np.array(POPULARITY_BANDS) * len(order)).astype(np.int64)
    band = np.empty(len(order), dtype=np.int64)
    band[order] = np.searchsorted(edges, np.arange(len(order)), side="right")
    slots = np.bincount(band[shown], minlength=len(edges)).astype(np.float64)
    return slots / len(shown) if len(shown) else np.full(len(edges), np.nan)


def _found(hits: ArrayLike, targets: ArrayLike, k: int) -> tuple[NDArray[np.bool_], NDArray[np.int64]]:
    found, wanted = np.asarray(hits, dtype=np.bool_), np.asarray(targets, dtype=np.int64)
    assert k >= 1, k
    assert found.ndim == 2, f"hits[B, K] expected, got shape {found.shape}"
    assert wanted.shape == found.shape[:1], f"targets[B] expected, got shape {wanted.shape}"
    assert (found.sum(axis=1) <= wanted).all(), "more hits than targets: a list repeats a product"
    return found[:, :k], wanted


def _ratio(numerator: NDArray[Any], denominator: NDArray[Any]) -> Values:
    """Divide, NaN where the denominator is 0."""
    ratio = np.full(len(numerator), np.nan)
    np.divide(numerator, denominator, out=ratio, where=denominator > 0)
    return ratio


def _known(values: NDArray[Any], wanted: NDArray[np.int64]) -> Values:
    """Set the customers without targets to NaN."""
    return np.where(wanted > 0, values.astype(np.float64), np.nan)


def _places(values: ArrayLike, k: int) -> tuple[NDArray[np.int64], NDArray[np.bool_]]:
    """The first k places and which of them are filled."""
    assert k >= 1, k
    places = np.asarray(values, dtype=np.int64)
    assert places.ndim == 2, f"one value a place expected, [B, K], got shape {places.shape}"
    return places[:, :k], places[:, :k] >= 0


def _shown(top_items: ArrayLike) -> NDArray[np.int64]:
    items = np.asarray(top_items, dtype=np.int64)
    assert items.ndim == 2, f"top_items[B, K] expected, got shape {items.shape}"
    return items[items >= 0]

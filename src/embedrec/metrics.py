"""Ranking metrics as pure functions: one value a customer, averaged elsewhere.

B customers, K places of the ranked list, k the cut-off. Every metric of `METRICS` takes

    hits[B, K]   bool: the product at place r + 1 of the customer's list is one of the customer's targets
    targets[B]   int: how many distinct targets the customer has, those that no model could know included
    k            the cut-off; a list shorter than k counts as misses from there on

and returns float64[B], each in [0, 1], higher is better. A customer without targets has no truth to find:
NaN, left out of every average. Formulas below write h(r) in {0, 1} for the hit at place r = 1, 2, … k.
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


def coverage(top_items: ArrayLike, n_candidates: int) -> float:
    """Share of the candidates that at least one list of top_items[B, K] shows; -1 marks an empty place.

    NaN without candidates.
    """
    shown = _shown(top_items)
    return len(np.unique(shown)) / n_candidates if n_candidates else float("nan")


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


def _shown(top_items: ArrayLike) -> NDArray[np.int64]:
    items = np.asarray(top_items, dtype=np.int64)
    assert items.ndim == 2, f"top_items[B, K] expected, got shape {items.shape}"
    return items[items >= 0]

"""What is known of products as of one date: the catalogue's words, and how they sold before that date."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from embedrec.features.history import DAY, NEVER, Bools, Catalogue, Floats, History, Ints
from embedrec.features.schema import POPULARITY_WINDOWS

REPEAT_PRIOR = 10.0  # lines: how strongly a product's repeat share and gap lean on the shop's


@dataclass(frozen=True)
class Products:
    """N products as of one date."""

    as_of: int  # seconds
    row: Ints  # [N] rows of the embedding table, 0 = never sold in training
    category: Ints  # [N] category row, 0 = missing
    price_bucket: Ints  # [N] 0 = missing
    numeric: Floats  # [N, 3] standardised, NaN = missing; columns as in PRODUCT_NUMERIC
    dynamic: Floats  # [N, D] standardised, NaN = missing; columns as in PRODUCT_DYNAMIC
    repeat_share: Floats  # [N] share of purchase lines that are repeats, shrunk towards the shop's
    gap: Floats  # [N] typical days between two purchases of the product by one customer, shrunk likewise
    candidates: Bools  # [N] may be recommended: sold before as_of, or listed in product_details


def sales(history: History, catalogue: Catalogue, as_of: int) -> tuple[Floats, Floats, Floats, Bools]:
    """Return how products sold before a date: dynamic[N, D], repeat_share[N], gap[N] in days, candidates[N]."""
    size, view = history.n_items, history.by_time
    past = slice(0, int(np.searchsorted(view.times, as_of)))
    items, times, previous = view.items[past], view.times[past], view.previous[past]

    lines = np.bincount(items, minlength=size).astype(np.float64)
    repeats = (previous != NEVER) & (previous < times)
    repeated = np.bincount(items[repeats], minlength=size)
    shop_share = repeats.mean() if len(items) else 0.0
    repeat_share = (repeated + REPEAT_PRIOR * shop_share) / (lines + REPEAT_PRIOR)
    log_gaps = np.log((times[repeats] - previous[repeats]) / DAY)
    shop_gap = log_gaps.mean() if len(log_gaps) else np.log(365.0)
    total = np.bincount(items[repeats], log_gaps, minlength=size)
    gap = np.exp((total + REPEAT_PRIOR * shop_gap) / (repeated + REPEAT_PRIOR))

    sold = lines > 0
    first, last = np.full(size, np.nan), np.full(size, np.nan)
    last[items] = (as_of - times) / DAY  # lines come oldest first: the last write is the latest sale
    first[items[::-1]] = (as_of - times[::-1]) / DAY
    windows = [history.distinct_customers(as_of - days * DAY, as_of) for days in POPULARITY_WINDOWS]
    dynamic = [
        *(relative(count, sold) for count in windows),
        relative(history.distinct_customers(NEVER + 1, as_of), sold),
        np.log1p(first),
        np.log1p(last),
        repeat_share,
    ]
    return np.stack(dynamic, axis=1), repeat_share, gap, sold | catalogue.listed


def relative(count: Floats, sold: Bools) -> Floats:
    """Log count above the mean of the products sold so far, so that a growing shop looks like its smaller self."""
    logs = np.log1p(count)
    return logs - (logs[sold].mean() if sold.any() else 0.0)

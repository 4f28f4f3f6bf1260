"""For whom and for what a model works: the figures of view `all` for parts of the customers and of their targets.

Groups and their slices:

    customer         warm: the tested customers; cold: those who buy for the first time in the window
    history_length   customers by how many distinct products they bought before
    item_popularity  targets by how many customers bought them before: head, the top 20 % of the candidates (ties to
                     the lower item number, only products that were sold); tail, the others that were sold; cold,
                     never sold but listed in product_details
    category         targets by category, the eight with the most targets; only where categories are known

In the groups of targets only those in the slice count, and they are looked for in the first k places of the same list;
a target that is no candidate belongs to no such slice but that of its category.
"""

from __future__ import annotations

import math
from itertools import pairwise

import numpy as np

from embedrec.evaluation.ranking import RankedView
from embedrec.evaluation.summary import Figures, estimates
from embedrec.features import Snapshot
from embedrec.features.history import NEVER, Bools, Floats, Ints, Ragged
from embedrec.metrics import METRICS, metric_name

SLICED = ("ndcg", "recall", "hit_rate")
K = 10
# Distinct products bought before: 1, 2 to 5, 6 to 20, 21 and more.
HISTORY_EDGES = (1, 2, 6, 21)
HEAD = 0.2  # share of the candidates
CATEGORIES = 8

Slices = dict[str, dict[str, Figures]]


def slices(view: RankedView, snapshot: Snapshot, seed: int, newcomers: RankedView | None = None) -> Slices:
    """Return {group: {slice: {metric: {value, low, high, n}}}} for lists ranked at `snapshot`.

    `view` and `newcomers` are lists of view `all`, the second ranked with `Truth.of_newcomers`. n is the number of
    customers in the slice, or with a target in it; the figures of an empty slice are null.
    """
    customers = {"warm": _figures(view.hits, view.targets, seed)}
    if newcomers is not None:
        customers["cold"] = _figures(newcomers.hits, newcomers.targets, seed)
    parts = popularity_parts(snapshot)
    groups: Slices = {
        "customer": customers,
        "history_length": _by_history(view, snapshot, seed),
        "item_popularity": {name: _for_items(view, part, seed) for name, part in parts.items()},
    }
    if categories := _largest_categories(snapshot, view.wanted):
        groups["category"] = {name: _for_items(view, part, seed) for name, part in categories.items()}
    return groups


def popularity_parts(snapshot: Snapshot) -> dict[str, Bools]:
    """Cut the candidates into head, tail and cold: a mask [N] each."""
    buyers = snapshot.history.distinct_customers(NEVER + 1, snapshot.as_of)
    sold, candidates = buyers > 0, snapshot.products.candidates
    head = np.zeros(len(buyers), bool)
    head[np.argsort(-buyers, kind="stable")[: math.ceil(HEAD * candidates.sum())]] = True
    return {"head": head & sold, "tail": sold & ~head, "cold": candidates & ~sold}


def _by_history(view: RankedView, snapshot: Snapshot, seed: int) -> dict[str, Figures]:
    history = snapshot.history
    before = history.targets(view.users, int(history.times.min(initial=0)), snapshot.as_of)
    length = np.diff(before.offsets)
    found = {}
    for low, high in pairwise((*HISTORY_EDGES, np.iinfo(np.int64).max)):
        chosen = (length >= low) & (length < high)
        name = f"{low}+" if low == HISTORY_EDGES[-1] else str(low) if high == low + 1 else f"{low}-{high - 1}"
        found[name] = _figures(view.hits[chosen], view.targets[chosen], seed)
    return found


def _largest_categories(snapshot: Snapshot, wanted: Ragged) -> dict[str, Bools]:
    """{category: mask [N]} of those with the most targets, most first, ties in the order of the vocabulary."""
    names, category = snapshot.encoder.schema.categories, snapshot.products.category
    counts = np.bincount(category[wanted.values], minlength=len(names) + 1)[1:]
    order = np.argsort(-counts, kind="stable")[:CATEGORIES]
    return {names[place]: category == place + 1 for place in order if counts[place]}


def _for_items(view: RankedView, part: Bools, seed: int) -> Figures:
    """Figures of the targets in one part [N] of the products, for the customers who have one."""
    targets = np.bincount(view.wanted.rows[part[view.wanted.values]], minlength=len(view.users))
    hits = view.hits & part[view.top]  # an empty place is no hit whatever it looks up
    return _figures(hits[targets > 0], targets[targets > 0], seed)


def _figures(hits: Bools, targets: Ints, seed: int) -> Figures:
    columns: dict[str, Floats] = {metric_name(name, K): METRICS[name](hits, targets, K) for name in SLICED}
    return estimates(columns, seed)

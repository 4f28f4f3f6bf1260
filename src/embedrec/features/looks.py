"""Which products customers looked at or put into a cart before a date, and how often and how lately.

Legend: B customers, A dated views and carts of theirs, P products they bought, Q products they only looked at.
"""

from __future__ import annotations

import numpy as np

from embedrec.features.history import DAY, Bools, Floats, History, Ints, Ragged
from embedrec.features.schema import LOOK_HALF_LIVES, LOOKS


def looks_at(
    history: History, users: Ints, as_of: int, bought: Ragged, for_sale: Bools
) -> tuple[Floats, Ragged, Floats]:
    """Describe the looks of users[B] at each product for_sale[N], columns as in LOOKS, NaN = never looked.

    Returns:
        looks at the bought products [P, V]; the Q seen products that are not among them; looks at those [Q, V].
    """
    lines = history.activity(users, as_of)
    items = history.activity_items[lines.values]
    counted: Bools = (items >= 0) & for_sale[items]
    rows, places = lines.rows[counted], lines.values[counted]
    pair, position = np.unique(rows * history.n_items + items[counted], return_inverse=True)
    looks = _looks(history, places, position, len(pair), as_of)

    known = np.asarray(bought.rows * history.n_items + bought.values)
    place = np.asarray(np.searchsorted(known, pair))
    again = np.zeros(len(pair), bool)
    inside = place < len(known)
    again[inside] = known[place[inside]] == pair[inside]
    of_bought = np.repeat(_looks(history, places[:0], position[:0], 1, as_of), len(known), axis=0)
    of_bought[place[again]] = looks[again]

    seen = pair[~again]
    offsets = np.searchsorted(seen, np.arange(len(users) + 1) * history.n_items)
    return of_bought, Ragged(offsets.astype(np.int64), seen % history.n_items), looks[~again]


def _looks(history: History, lines: Ints, position: Ints, n_pairs: int, as_of: int) -> Floats:
    """Return the features of each pair: [n_pairs, V]; position[A] tells to which pair each line belongs."""
    ages = (as_of - history.activity_times[lines]) / DAY
    carts = history.activity_carts[lines]
    views = np.where(carts, 0.0, np.maximum(history.activity_views[lines], 1.0))  # a row says there was one
    counts, decayed, since = [], [], []
    for weight in (views, carts.astype(np.float64)):
        counts.append(np.bincount(position, weight, minlength=n_pairs))
        decayed += [
            np.bincount(position, weight * 0.5 ** (ages / half_life), minlength=n_pairs)
            for half_life in LOOK_HALF_LIVES
        ]
        last = np.full(n_pairs, np.inf)
        np.minimum.at(last, position[weight > 0], ages[weight > 0])
        since.append(np.where(np.isinf(last), np.nan, last))
    columns: Floats = np.log1p(np.stack([*counts, *decayed, *since], axis=1))
    assert columns.shape[1] == len(LOOKS)
    return columns

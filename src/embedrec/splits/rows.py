"""Events as numbers: whose, of which product, and where each stands among the customer's own.

Legend: E events. Numbers follow sorted ids and ties the ids themselves, so the order of the rows decides nothing.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pandas as pd

from embedrec.columns import CUSTOMER, EVENT, ORDER, PRODUCT, PURCHASE, TIME
from embedrec.tables import Tables

Ints = npt.NDArray[np.int64]
Floats = npt.NDArray[np.float64]
Bools = npt.NDArray[np.bool_]
Hashes = npt.NDArray[np.uint64]


@dataclass(frozen=True)
class Rows:
    """What protocols need of E events."""

    users: Ints  # [E]
    pairs: Ints  # [E] number of (customer, product), ascending with both
    bought: Bools  # [E] the row is a purchase
    moments: Floats | None  # [E] seconds or an order, whatever tells which came first
    ties: Hashes  # [E] random order within a moment; rows of one pair and moment share theirs

    @classmethod
    def of(cls, tables: Tables, seed: int) -> Rows:
        """Number the customers and the pairs, and draw the ties.

        A tie is a keyed hash of customer, product and moment, so other rows, newer ones say, do not change it. It is
        drawn anew at each moment: what was held out must not show in the order of the customer's earlier baskets.
        """
        events = tables.events
        users = pd.factorize(events[CUSTOMER], sort=True)[0].astype(np.int64)
        items = pd.factorize(events[PRODUCT], sort=True)[0].astype(np.int64)  # -1: a view of no product
        moments = None
        if tables.time == "dates":
            moments = seconds(events[TIME]).astype(np.float64)
        elif tables.time == "order":
            moments = events[ORDER].to_numpy(np.float64)
        pairs = numbered(users * (items.max() + 2) + items + 1)
        facts = events[[CUSTOMER, PRODUCT]].assign(moment=0.0 if moments is None else moments)
        ties: Hashes = np.asarray(pd.util.hash_pandas_object(facts, index=False, hash_key=f"{seed:016}"), np.uint64)
        return cls(users, pairs, (events[EVENT] == PURCHASE).to_numpy(), moments, ties)


def seconds(times: pd.Series) -> Ints:
    """Convert a datetime column to seconds since 1970."""
    return times.to_numpy("datetime64[s]").astype(np.int64)


def numbered(values: Ints) -> Ints:
    """Number the distinct values from 0, ascending."""
    return np.unique(values, return_inverse=True)[1].astype(np.int64)


def steps(groups: Ints, rows: Rows) -> tuple[Ints, Ints]:
    """Count the purchases of each event's group up to the event, itself included, and in all: index[E] and count[E].

    Purchases of one moment come in random order: in that of their products a whole basket's last purchase would be
    its greatest product id, which a model can learn. Views and carts come after the purchases of their moment: what
    may have followed a purchase must not announce it.
    """
    assert rows.moments is not None
    order = np.lexsort((rows.ties, ~rows.bought, rows.moments, groups))
    count = np.bincount(groups, rows.bought).astype(np.int64)
    index = np.empty(len(order), np.int64)
    index[order] = np.cumsum(rows.bought[order]) - (np.cumsum(count) - count)[groups[order]]
    return index, count[groups]


def shuffled(groups: Ints, units: Ints, bought: Bools, rng: np.random.Generator) -> tuple[Floats, Ints]:
    """Spread the units of each group evenly over 0 to 1 in random order; the rows of a unit stand together.

    Units with a purchase and units without are spread apart, so that each stretch gets its share of both.

    Returns the place of each row in [0, 1), and how many units share its spread, both [E].
    """
    units = numbered(units)
    spread = numbered(groups * 2 + (np.bincount(units, bought) > 0)[units])
    of_unit = np.empty(units.max(initial=-1) + 1, np.int64)
    of_unit[units] = spread
    count = np.bincount(of_unit)
    order = np.lexsort((rng.random(len(of_unit)), of_unit))
    rank = np.empty(len(order), np.int64)
    rank[order] = np.arange(len(order)) - (np.cumsum(count) - count)[of_unit[order]]
    place = (rank + rng.random(len(count))[of_unit]) / count[of_unit]
    return place[units], count[spread]

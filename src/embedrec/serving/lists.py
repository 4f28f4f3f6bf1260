"""The same question for many customers: one table of everybody's recommendations."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

import pandas as pd

from embedrec.columns import CUSTOMER

if TYPE_CHECKING:
    from embedrec.serving.recommender import Recommender

Progress = Callable[[int, int], None]
"""Told how many are done, of how many."""


def customer_lists(
    shop: Recommender,
    customers: Sequence[str],
    k: int,
    filters: Mapping[str, Any],
    progress: Progress | None = None,
) -> pd.DataFrame:
    """Return customer_id, cold_start and the columns of `recommend`, k rows or fewer for each customer in turn.

    `filters` are further arguments of `recommend`, the same for everybody.

    Raises:
        RequestError: an id, k or a filter is malformed.
    """
    lists = []
    for done, customer in enumerate(customers, 1):
        table = shop.recommend(customer, k, **filters)
        table.insert(0, CUSTOMER, customer)
        table.insert(1, "cold_start", table.attrs["cold_start"])
        lists.append(table)
        if progress:
            progress(done, len(customers))
    return pd.concat(lists, ignore_index=True)

"""The same question for many customers: one table of everybody's recommendations."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from embedrec.columns import CUSTOMER, RANK, RECOMMENDATION
from embedrec.serving.listed import COLD_START

if TYPE_CHECKING:
    from embedrec.serving.recommender import Recommender

AT_ONCE = 256  # customers
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
    parts = []
    for start in range(0, len(customers), AT_ONCE):
        some = customers[start : start + AT_ONCE]
        answers = shop.recommend_many(some, k, **filters)
        lengths = [len(listed.columns[RANK]) for listed in answers]
        parts.append(
            {
                CUSTOMER: np.repeat(np.array(some, object), lengths),
                COLD_START: np.repeat([listed.cold_start for listed in answers], lengths),
                **{name: np.concatenate([listed.columns[name] for listed in answers]) for name in RECOMMENDATION},
            }
        )
        if progress:
            progress(start + len(some), len(customers))
    return pd.DataFrame({name: np.concatenate([part[name] for part in parts]) for name in parts[0]})

"""The lists of all customers of a shop, for some at a time: what `Recommender.recommend` answers, without reasons.

Whatever explains a list, or only says again what a product is, takes longer to make than the list to find.
"""

from __future__ import annotations

import numpy as np
import pyarrow as pa
import torch
from torch import Tensor

from embedrec.columns import CUSTOMER, PRODUCT, RANK, SCORE
from embedrec.features import Snapshot
from embedrec.features.history import Bools, Ints
from embedrec.models import Scorer
from embedrec.models.choice import AGAIN
from embedrec.models.rankers import ranker_of
from embedrec.ranking import RankedItems
from embedrec.serving.listed import COLD_START
from embedrec.serving.lister import Lister

AT_ONCE = 4096  # customers; bounds the memory
SCHEMA = pa.schema(
    {
        CUSTOMER: pa.string(),
        COLD_START: pa.bool_(),
        RANK: pa.int32(),
        PRODUCT: pa.string(),
        SCORE: pa.float64(),
    }
)


class Everybody:
    """Answers for every customer that the shop knows, by number; also for those who have not bought yet."""

    def __init__(
        self, scorer: Scorer, lister: Lister, snapshot: Snapshot, allowed: Tensor, k: int, only: str | None
    ) -> None:
        self._snapshot = snapshot
        self._best = ranker_of(scorer, k, allowed, only)
        self._popular = lister.most_popular(k, allowed if only != AGAIN else torch.zeros_like(allowed))
        self._product_ids = pa.array(snapshot.history.product_ids, pa.string())

    @property
    def count(self) -> int:
        """Number of customers."""
        return self._snapshot.history.n_users

    def lists(self, start: int, stop: int) -> pa.Table:
        """Return customer_id, cold_start, rank, product_id and score of the customers start … stop - 1, in turn.

        At most `AT_ONCE` at a time; the order is that of their ids.
        """
        assert stop - start <= AT_ONCE, (start, stop)
        customers = self._snapshot.customers(np.arange(start, stop))
        cold = np.diff(customers.lines.offsets) == 0
        best = self._best(customers)
        items, scores = self._with_popular(best, cold)
        rows, places = (items >= 0).nonzero()
        ids = pa.array(self._snapshot.history.customer_ids[start:stop], pa.string())
        columns = [
            ids.take(pa.array(rows)),
            pa.array(cold[rows]),
            pa.array((places + 1).astype(np.int32)),
            self._product_ids.take(pa.array(items[rows, places])),
            pa.array(scores[rows, places]),
        ]
        return pa.table(columns, schema=SCHEMA)

    def _with_popular(self, best: RankedItems, cold: Bools) -> tuple[Ints, np.ndarray]:
        """Items and scores [B, K], those of popular products where nothing is known of a customer."""
        items, scores = best.items.numpy().copy(), best.scores.double().numpy().copy()
        items[cold], scores[cold] = -1, -np.inf
        popular, liked = self._popular
        items[cold, : len(popular)], scores[cold, : len(popular)] = popular, liked.double().numpy()
        return items, scores

"""User-kNN: what the customers with the most similar baskets bought.

    sim(a, b) = |A ∩ B| / (√(|A| |B|) + shrinkage)          score(j) = Σ sim(a, b) over the nearest b who bought j

The cosine of two sets (Sarwar et al., "Analysis of recommendation algorithms for e-commerce", EC 2000); shrinkage as
in Ferrari Dacrema et al., "Are we really making much progress?", RecSys 2019.
"""

from __future__ import annotations

from typing import Literal, NamedTuple, Self

import numpy as np
from pydantic import BaseModel, ConfigDict, Field

from embedrec.features import FeatureSchema, Snapshot
from embedrec.features.history import NEVER, Floats, Ints, Ragged
from embedrec.features.vocabulary import rows_of
from embedrec.models.classic.collaborative import Collaborative, positions


class UserKnnConfig(BaseModel):
    """Nearest customers."""

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True)
    name: Literal["user_knn"] = "user_knn"
    neighbours: int = Field(100, ge=1, le=10_000)
    """Customers whose baskets are asked."""
    shrinkage: float = Field(0.0, ge=0, le=10_000)
    """Added to the denominator of the cosine, so that two small baskets with one product in common are less alike."""

    def build(self, schema: FeatureSchema) -> UserKnn:
        """Make the model."""
        return UserKnn(self.neighbours, self.shrinkage, schema.customers)


class Neighbours(NamedTuple):
    """The customers closest to a basket, closest first; of equally close ones the lower number comes first."""

    members: Ints  # [K] their places in the index
    shared: Ints  # [K] how many products they have in common with the basket
    weight: Floats  # [K] what each of these adds to the similarity


class UserKnn(Collaborative):
    """An index of baskets, which only counts: neighbours are the customers of training with what they bought so far.

    Nobody is a neighbour of themselves.
    """

    def __init__(self, neighbours: int, shrinkage: float, customers: tuple[str, ...]) -> None:
        self.neighbours = neighbours
        self.shrinkage = shrinkage
        self.customers = customers

    def observe(self, snapshot: Snapshot) -> Self:
        """Index the baskets as of the date by customer and by product."""
        history = snapshot.history
        rows = rows_of(history.customer_ids.to_numpy(object), self.customers)
        users = history.buyers(NEVER, snapshot.as_of)
        users = users[rows[users] > 0]
        self.rows_ = rows[users]
        self.baskets_ = history.targets(users, NEVER, snapshot.as_of)
        self.sizes_ = np.diff(self.baskets_.offsets)
        by_item = np.argsort(self.baskets_.values, kind="stable")
        counts = np.bincount(self.baskets_.values, minlength=history.n_items)
        self.buyers_ = Ragged(np.concatenate([[0], np.cumsum(counts)]), self.baskets_.rows[by_item])
        return super().observe(snapshot)

    def affinity(self, basket: Ints, row: int) -> Floats:
        """Return [N]: the summed similarity of the nearest customers who bought each product."""
        near = self._nearest(basket, row)
        bought = self.baskets_.values[positions(self.baskets_.offsets, near.members)]
        votes = np.repeat(near.weight * near.shared, self.sizes_[near.members])
        return np.bincount(bought, votes, minlength=len(self.fallback_)).astype(np.float64, copy=False)

    def pull(self, basket: Ints, row: int, items: Ints) -> Floats:
        """Return [n, P]: a neighbour's similarity is a sum over the products in common, each an equal share."""
        near = self._nearest(basket, row)
        shared, asked = self._bought(near.members, basket), self._bought(near.members, items)
        pull: Floats = asked.T @ (near.weight[:, None] * shared)
        return pull

    def _nearest(self, basket: Ints, row: int) -> Neighbours:
        meetings = self.buyers_.values[positions(self.buyers_.offsets, basket)]
        shared = np.bincount(meetings, minlength=len(self.rows_))
        members = np.flatnonzero((shared > 0) & (self.rows_ != row))
        weight = 1 / (np.sqrt(len(basket) * self.sizes_[members]) + self.shrinkage)
        # float32, so that rounding does not part what is equally close
        distance = -(weight * shared[members]).astype(np.float32)
        if len(members) > self.neighbours:  # only those as close as the last one come into question
            last = np.partition(distance, self.neighbours - 1)[self.neighbours - 1]
            close = np.flatnonzero(distance <= last)
            members, weight, distance = members[close], weight[close], distance[close]
        best = np.argsort(distance, kind="stable")[: self.neighbours]
        return Neighbours(members[best], shared[members[best]], weight[best])

    def _bought(self, members: Ints, items: Ints) -> Floats:
        """[K, n]: 1 where a member bought the item."""
        distinct, copies = np.unique(items, return_inverse=True)
        column = np.full(len(self.fallback_), -1)
        column[distinct] = np.arange(len(distinct))
        columns = column[self.baskets_.values[positions(self.baskets_.offsets, members)]]
        rows = np.repeat(np.arange(len(members)), self.sizes_[members])
        bought = np.zeros((len(members), len(distinct)))
        bought[rows[columns >= 0], columns[columns >= 0]] = 1.0
        return bought[:, copies]

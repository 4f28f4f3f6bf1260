"""What the models that learn from shared purchases have in common: user-kNN, item-kNN, SVD, iALS.

A customer is the set of distinct products bought before the date, the *basket*; counts and dates within it are not
used. Products bought before are scored like all others. Legend: N products of the shop, R products of the schema
(those sold in training), P products of a basket.
"""

from __future__ import annotations

from abc import abstractmethod
from typing import Any, Self

import numpy as np
import torch
from torch import Tensor

from embedrec.features import Customers, Snapshot
from embedrec.features.history import NEVER, Floats, Ints
from embedrec.models.base import Explanation, Scorer
from embedrec.models.classic.personal_frequency import TIE_DAYS
from embedrec.models.classic.popularity import popularity

FAINT = 1e-9  # weight of popularity among products that a model cannot tell apart; below any reason worth naming
UNSOLD = 1e6  # times faint: the order of recent popularity among products that nobody bought in training


class Collaborative(Scorer):
    """Scores baskets each for itself: nothing depends on who else is in the batch.

    Products to which nothing in the basket leads have affinity 0 and come in order of recent popularity; for an empty
    basket these are all products.
    """

    @abstractmethod
    def affinity(self, basket: Ints, row: int) -> Floats:
        """Return [N]: how well each product goes with basket[P]; `row` is the customer's in the schema, 0 = unknown."""

    @abstractmethod
    def pull(self, basket: Ints, row: int, items: Ints) -> Floats:
        """Return [n, P]: what each product of the basket adds to the affinity of items[n]."""

    def observe(self, snapshot: Snapshot) -> Self:
        """Rank products by recent popularity for where the baskets say nothing."""
        self.fallback_ = torch.from_numpy(faint_popularity(snapshot))
        return super().observe(snapshot)

    def score(self, users: Customers | Ints, items: Ints | None = None) -> Tensor:
        """Return scores [B, N] or [B, len(items)], the sum of the parts without holding each of them."""
        scores = self.affinities(users if isinstance(users, Customers) else self.snapshot_.customers(users))
        fallback = self.fallback_.to(scores.dtype).numpy()
        for row in scores.numpy():  # one at a time stays in the processor's cache
            np.copyto(row, fallback, where=row == 0)
        return scores if items is None else scores[:, torch.from_numpy(items)]

    def score_parts(self, customers: Customers) -> dict[str, Tensor]:
        """Return "history" for new products, "repeat" for those of the basket, and "popularity"; each [B, N]."""
        history = self._one_by_one(customers)
        popular = torch.where(history == 0, self.fallback_, torch.zeros_like(self.fallback_))
        own = (torch.from_numpy(customers.bought.rows), torch.from_numpy(customers.bought.values))
        repeat = torch.zeros_like(history)
        repeat[own] = history[own]
        history[own] = 0.0
        return {"history": history, "repeat": repeat, "popularity": popular}

    def explain(self, customer: Customers, items: Ints) -> Explanation:
        """Take the scores of items[n] apart for one customer (B = 1); pulls of new products add up to "history"."""
        assert customer.size == 1
        basket = customer.bought.values
        pull = torch.from_numpy(self.pull(basket, int(customer.row[0]), items))
        pull[torch.from_numpy(np.isin(items, basket))] = 0.0
        return super().explain(customer, items)._replace(bought=basket, pull=pull)

    def affinities(self, customers: Customers) -> Tensor:
        """Return [B, N]: `affinity` of all customers; a model with a quicker way may round to float32."""
        return self._one_by_one(customers)

    def _one_by_one(self, customers: Customers) -> Tensor:
        scores = np.empty((customers.size, len(self.fallback_)))
        for place, (basket, row) in enumerate(zip(baskets_of(customers), customers.row, strict=True)):
            scores[place] = self.affinity(basket, int(row))
        return torch.from_numpy(scores)


def faint_popularity(snapshot: Snapshot) -> Floats:
    """[N]: the order of recent popularity, just below 0, for products that a model cannot tell apart."""
    recent = popularity(snapshot, TIE_DAYS)
    levels, level = np.unique(recent, return_inverse=True)
    # below 0: a kNN score is never negative, so that the faintest link counts more; steps of equal height: float32
    # tells them apart in a shop of millions of products
    faint: Floats = -FAINT * (len(levels) - level) / (len(levels) + 1)
    return faint


def last_of_all(faint: Tensor, known: Tensor, reach: Tensor) -> Tensor:
    """[N]: `faint` for known products, and below any score above -reach for others, in the same order.

    Of a product that nobody bought in training, a model of ids alone can say nothing; all it does know comes first.
    """
    return torch.where(known, faint, UNSOLD * faint - reach - 1)


def baskets_of(customers: Customers) -> list[Ints]:
    """Return the products that each of the B customers bought."""
    return np.split(customers.bought.values, customers.bought.offsets[1:-1]) if customers.size else []


def basket_matrix(train: Snapshot) -> Any:
    """Return who bought what before the date: scipy CSR of ones [customers, R], column r for schema row r + 1."""
    from scipy.sparse import csr_matrix  # serving does without scipy

    history = train.history
    baskets = history.targets(history.buyers(NEVER, train.as_of), NEVER, train.as_of)
    columns = train.products.row[baskets.values] - 1
    known = columns >= 0
    shape = (len(baskets.offsets) - 1, len(train.encoder.schema.products))
    return csr_matrix((np.ones(int(known.sum())), (baskets.rows[known], columns[known])), shape=shape)


def positions(offsets: Ints, rows: Ints) -> Ints:
    """Return where the values of the rows of a ragged array stand, one row after the other."""
    lengths = offsets[rows + 1] - offsets[rows]
    starts = np.cumsum(lengths) - lengths
    found: Ints = np.arange(lengths.sum()) + np.repeat(offsets[rows] - starts, lengths)
    return found

"""Customers with everything they bought before a date, in batches that are a function of (seed, epoch) alone.

One sample of products stands for the rest of the catalogue for the whole batch: a step is a few matrix products.
Legend: B customers, P products they bought, K products drawn. Ids are rows of the embedding tables.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor

from embedrec.data.pairs import Pairs
from embedrec.features.history import Ints, distinct


class BasketBatch(NamedTuple):
    """What one step learns from."""

    users: Tensor  # [B] int64
    items: Tensor  # [n] int64, distinct: bought by a customer of the batch, or drawn
    offsets: Tensor  # [B] where the basket of each customer begins in `bought`
    bought: Tensor  # [P] places in `items`
    drawn: Tensor  # [K] places in `items`
    own_rows: Tensor  # [C] where a drawn product is in a customer's basket, as rows and columns of [B, K]
    own_columns: Tensor  # [C]

    @property
    def size(self) -> int:
        """Number of customers, B."""
        return len(self.users)


class BasketBatches:
    """The batches of one epoch: all customers, shuffled, with products drawn anew for each batch.

    Iterating leaves out the first `start`, which a resumed run has learned from; they count in the length.
    """

    def __init__(self, pairs: Pairs, batch_size: int, negatives: int, seed: int, epoch: int, start: int = 0) -> None:
        self._pairs, self._size = pairs, batch_size
        self._negatives = min(negatives, pairs.n_products)
        self._stream = (seed, epoch)
        self._start = start

    def __len__(self) -> int:
        return math.ceil(len(self._pairs.buyers) / self._size)

    def __iter__(self) -> Iterator[BasketBatch]:
        order = np.random.default_rng(self._stream).permutation(len(self._pairs.buyers))
        for place in range(self._start, len(self)):
            chosen = np.sort(order[place * self._size : (place + 1) * self._size])
            yield self._batch(chosen, np.random.default_rng([*self._stream, place]))

    def _batch(self, chosen: Ints, rng: np.random.Generator) -> BasketBatch:
        pairs = self._pairs
        starts, ends = pairs.starts[chosen], pairs.starts[chosen + 1]
        lengths = ends - starts
        offsets = np.cumsum(lengths) - lengths
        rows = np.repeat(np.arange(len(chosen)), lengths)
        bought = pairs.items[np.arange(len(rows)) + (starts - offsets)[rows]]
        drawn = 1 + rng.choice(pairs.n_products, self._negatives, replace=False, shuffle=False)
        column = np.full(pairs.n_products + 1, -1)
        column[drawn] = np.arange(len(drawn))
        own = column[bought] >= 0
        items = distinct(np.concatenate([drawn, bought]))
        place = np.empty(pairs.n_products + 1, np.int64)
        place[items] = np.arange(len(items))
        arrays = (
            pairs.buyers[chosen],
            items,
            offsets,
            place[bought],
            place[drawn],
            rows[own],
            column[bought[own]],
        )
        return BasketBatch(*(torch.from_numpy(array) for array in arrays))

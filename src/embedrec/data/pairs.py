"""(customer, product) pairs of the whole past, in batches that are a function of (seed, epoch) alone.

P pairs a batch, n negatives of each. Ids are rows of the embedding tables.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor

from embedrec.features import Snapshot
from embedrec.features.history import Bools, Floats, Ints

REDRAWS = 5  # times a negative that the customer bought is drawn again


class PairBatch(NamedTuple):
    """What one step learns from."""

    users: Tensor  # [P] int64
    items: Tensor  # [P] int64
    negatives: Tensor  # [P, n] int64, products drawn uniformly among those sold
    weight: Tensor  # [P, n] float, 0 where a drawn product was bought after all
    values: Tensor  # [P] float, ratings; 1 where a pair is a purchase

    @property
    def size(self) -> int:
        """Number of pairs, P."""
        return len(self.users)


@dataclass(frozen=True)
class Pairs:
    """Distinct pairs before a date, sorted by (user, item)."""

    users: Ints  # [E]
    items: Ints  # [E]
    values: Floats  # [E]
    n_products: int  # rows 1 … n_products can be drawn

    @classmethod
    def bought(cls, snapshot: Snapshot) -> Pairs:
        """Collect who bought what before the snapshot."""
        return cls._of(snapshot, np.ones(len(snapshot.history.times), bool), None)

    @classmethod
    def rated(cls, snapshot: Snapshot) -> Pairs:
        """Collect the last rating of each customer for each product before the snapshot."""
        stars = snapshot.history.stars
        return cls._of(snapshot, ~np.isnan(stars), stars)

    @classmethod
    def _of(cls, snapshot: Snapshot, use: Bools, values: Floats | None) -> Pairs:
        history, schema = snapshot.history, snapshot.encoder.schema
        lines = np.flatnonzero(use & (history.times < snapshot.as_of))
        item_rows = snapshot.products.row[history.items[lines]]
        user_rows = snapshot.encoder.customer_rows[history.users[lines]]
        key = user_rows * (len(schema.products) + 1) + item_rows
        order = np.lexsort((history.times[lines], key))
        last = np.ones(len(key), bool)
        last[:-1] = key[order][1:] != key[order][:-1]
        chosen = order[last]
        value = np.ones(len(chosen)) if values is None else values[lines[chosen]]
        return cls(user_rows[chosen], item_rows[chosen], value, len(schema.products))

    def __len__(self) -> int:
        return len(self.users)

    @cached_property
    def key(self) -> Ints:
        """[E]: one number a pair, ascending."""
        return self.users * (self.n_products + 1) + self.items

    @cached_property
    def buyers(self) -> Ints:
        """[B]: users with a pair, ascending."""
        return self.users[self.starts[:-1]]

    @cached_property
    def starts(self) -> Ints:
        """[B + 1]: where the pairs of each of the buyers begin, and where the last ends."""
        first = np.flatnonzero(np.diff(self.users, prepend=-1))
        return np.append(first, len(self))

    def contain(self, keys: Ints) -> Bools:
        """Tell which of the keys[n] are those of a pair."""
        place = np.minimum(np.searchsorted(self.key, keys), len(self) - 1)
        found: Bools = self.key[place] == keys
        return found


class PairBatches:
    """The batches of one epoch: all pairs, shuffled, with negatives drawn anew.

    Iterating leaves out the first `start`, which a resumed run has learned from; they count in the length.
    """

    def __init__(self, pairs: Pairs, batch_size: int, negatives: int, seed: int, epoch: int, start: int = 0) -> None:
        self._pairs, self._size, self._negatives = pairs, batch_size, negatives
        self._stream = (seed, epoch)
        self._start = start

    def __len__(self) -> int:
        return math.ceil(len(self._pairs) / self._size)

    def __iter__(self) -> Iterator[PairBatch]:
        pairs = self._pairs
        order = np.random.default_rng(self._stream).permutation(len(pairs))
        for place in range(self._start, len(self)):
            chosen = order[place * self._size : (place + 1) * self._size]
            users = pairs.users[chosen]
            rng = np.random.default_rng([*self._stream, place])
            negatives, weight = draw_negatives(pairs, users, self._negatives, rng)
            yield PairBatch(
                torch.from_numpy(users),
                torch.from_numpy(pairs.items[chosen]),
                torch.from_numpy(negatives),
                torch.from_numpy(weight),
                torch.from_numpy(pairs.values[chosen]).float(),
            )


def draw_negatives(
    pairs: Pairs, users: Ints, count: int, rng: np.random.Generator
) -> tuple[Ints, np.ndarray[tuple[int, ...], np.dtype[np.float32]]]:
    """Draw products for users[P] that they are not paired with: negatives[P, count] and weight[P, count].

    A customer who bought almost everything may be left with a product they bought; its weight is 0.
    """
    drawn = rng.integers(1, pairs.n_products + 1, size=(len(users), count))
    owner = np.repeat(users * (pairs.n_products + 1), count)
    flat = drawn.ravel()
    wrong = pairs.contain(owner + flat).nonzero()[0]
    for _ in range(REDRAWS):
        if not len(wrong):
            break
        flat[wrong] = rng.integers(1, pairs.n_products + 1, size=len(wrong))
        wrong = wrong[pairs.contain(owner[wrong] + flat[wrong])]
    weight = np.ones(len(flat), np.float32)
    weight[wrong] = 0.0
    return flat.reshape(drawn.shape), weight.reshape(drawn.shape)

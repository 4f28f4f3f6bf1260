"""Customers' purchases and looks in their order, in batches that are a function of (seed, epoch) alone.

Every purchase with an event before it is to be predicted from all before it. Legend: B customers, T tokens of the
longest history of a batch, P purchases to predict, K products drawn for the whole batch, n distinct products of it.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor

from embedrec.features import Snapshot
from embedrec.features.events import BOUGHT, Events, events_of
from embedrec.features.history import NEVER, Ints
from embedrec.models.windows import Windows, windows

ALIKE = 3.0  # events: histories that differ by less share batches at random


class SequenceBatch(NamedTuple):
    """What one step learns from."""

    items: Tensor  # [n] item numbers, ascending
    tokens: Tensor  # [B, T] places in `items`
    kinds: Tensor  # [B, T] as in `features.events`
    gaps: Tensor  # [B, T] days since the event before
    rows: Tensor  # [P] the token after which a purchase came: row of [B, T] …
    columns: Tensor  # [P] … and column
    wanted: Tensor  # [P] places in `items`
    drawn: Tensor  # [K] places in `items`
    own_rows: Tensor  # [C] where a drawn product is the one to predict, as rows and columns of [P, K]
    own_columns: Tensor  # [C]
    pool: int  # products that could be drawn

    @property
    def size(self) -> int:
        """Number of purchases to predict, P."""
        return len(self.rows)


class Sequences:
    """The past before a snapshot, read once; `looks` tells whether views and carts are read."""

    def __init__(self, snapshot: Snapshot, events: int, looks: bool = True) -> None:
        self.snapshot, self.events = snapshot, events
        self._for_sale = snapshot.products.candidates & looks
        buyers = snapshot.history.buyers(NEVER, snapshot.as_of)
        lengths = np.diff(self._events(buyers).offsets)
        self.users, self.lengths = buyers[lengths > 1], np.minimum(lengths[lengths > 1], events + 1)
        self.sold = np.flatnonzero(snapshot.products.row > 0)

    def __len__(self) -> int:
        return len(self.users)

    def windows(self, users: Ints, rng: np.random.Generator) -> Windows:
        """Return the last events of users[B], the one to predict last included; those of one moment in random order.

        A basket would else be a sequence of ascending product ids, which a model can learn.
        """
        return windows(self._events(users, rng), self.events + 1)

    def _events(self, users: Ints, rng: np.random.Generator | None = None) -> Events:
        """What came before the last purchase, and that; only purchases are predicted."""
        found = events_of(self.snapshot.history, users, self.snapshot.as_of, self._for_sale, rng)
        return found.until_last_purchase()


class SequenceBatches:
    """The batches of one epoch: customers of about equally long histories together, in random order.

    Iterating leaves out the first `start`, which a resumed run has learned from; they count in the length.
    """

    def __init__(
        self, sequences: Sequences, batch_size: int, negatives: int, seed: int, epoch: int, start: int = 0
    ) -> None:
        self._sequences, self._size, self._start = sequences, batch_size, start
        self._negatives = min(negatives, len(sequences.sold))
        self._stream = (seed, epoch)

    def __len__(self) -> int:
        return math.ceil(len(self._sequences.users) / self._size)

    def __iter__(self) -> Iterator[SequenceBatch]:
        rng = np.random.default_rng(self._stream)
        lengths = self._sequences.lengths
        chunks = np.array_split(np.argsort(lengths + ALIKE * rng.random(len(lengths))), max(len(self), 1))
        for place, chunk in enumerate(rng.permutation(len(chunks))[: len(self)]):
            if place >= self._start:
                users = np.sort(self._sequences.users[chunks[chunk]])
                yield self._batch(users, place)

    def _batch(self, users: Ints, place_in_epoch: int) -> SequenceBatch:
        sequences = self._sequences
        rng, of_ties = (np.random.default_rng([*self._stream, place_in_epoch, *more]) for more in ((), (1,)))
        window = sequences.windows(users, of_ties)
        rows, columns = np.nonzero(window.filled[:, 1:] & (window.kinds[:, 1:] == BOUGHT))
        drawn = rng.choice(sequences.sold, self._negatives, replace=False, shuffle=False)
        items, place = np.unique(np.concatenate([drawn, window.items.ravel()]), return_inverse=True)
        of_drawn = np.full(len(items), -1)
        of_drawn[place[: len(drawn)]] = np.arange(len(drawn))
        tokens = place[len(drawn) :].reshape(window.items.shape)
        target = tokens[:, 1:][rows, columns]
        own = of_drawn[target] >= 0
        return SequenceBatch(
            torch.from_numpy(items),
            torch.from_numpy(tokens[:, :-1].copy()),
            torch.from_numpy(window.kinds[:, :-1].copy()),
            torch.from_numpy(window.gaps[:, :-1]).float(),
            torch.from_numpy(rows),
            torch.from_numpy(columns),
            torch.from_numpy(target),
            torch.from_numpy(place[: len(drawn)]),
            torch.from_numpy(np.flatnonzero(own)),
            torch.from_numpy(of_drawn[target[own]]),
            len(sequences.sold),
        )

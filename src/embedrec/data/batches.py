"""Batches of one epoch, a function of (seed, epoch) alone, so that a killed run can be continued exactly."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor

from embedrec.data.cuts import Cut
from embedrec.data.sampling import Candidates, Draw, Negatives, chance_of, sample_candidates
from embedrec.features import FeatureEncoder, Snapshot
from embedrec.features.history import NEVER, Floats
from embedrec.features.patterns import PatternSettings, patterns
from embedrec.models.inputs import CustomerInputs, ProductInputs, customer_inputs, product_inputs


class Batch(NamedTuple):
    """B customers of one cut, K products scored for all of them, P purchases to predict."""

    customers: CustomerInputs
    products: ProductInputs  # all N
    items: Tensor | None  # [K] ascending; None = the whole catalogue
    log_weight: Tensor  # [B, K] for the loss; -inf where a product does not count for a customer
    rows: Tensor  # [P]
    columns: Tensor  # [P] places in `items`
    first_time: Tensor  # [P] bool: the customer had not bought the product before
    bought_rows: Tensor  # [Q] places of products bought before, as rows and columns of the scores
    bought_columns: Tensor  # [Q]

    @property
    def size(self) -> int:
        """Number of customers, B."""
        return len(self.customers.row)


class Snapshots:
    """The shop as of each training date, computed on first use and kept."""

    def __init__(self, encoder: FeatureEncoder, pattern_settings: PatternSettings | None = None) -> None:
        self._encoder = encoder
        self._pattern_settings = pattern_settings
        self._kept: dict[int, tuple[Snapshot, ProductInputs]] = {}

    def at(self, as_of: int) -> tuple[Snapshot, ProductInputs]:
        """Return the snapshot of a date and its products as tensors."""
        if as_of not in self._kept:
            snapshot, wanted = self._encoder.at(as_of), self._pattern_settings
            found = patterns(snapshot.history, as_of, wanted) if wanted else None
            self._kept[as_of] = snapshot, product_inputs(snapshot.products, patterns=found)
        return self._kept[as_of]


LARGEST_EPOCH = 200_000
"""Examples, customers of a cut each. A larger shop learns in each epoch from others of its customers."""


class Batches:
    """The batches of one epoch: customers shuffled within each cut, batches shuffled across cuts.

    Of more than `LARGEST_EPOCH` examples the same share of each cut is drawn, anew in each epoch.
    Iterating leaves out the first `start`, which a resumed run has learned from; they count in the length.
    """

    def __init__(
        self,
        snapshots: Snapshots,
        cuts: Sequence[Cut],
        batch_size: int,
        negatives: Negatives,
        seed: int,
        epoch: int,
        start: int = 0,
        draw: Draw = "uniform",
    ) -> None:
        self._snapshots = snapshots
        self._negatives: Negatives = negatives
        self._draw: Draw = draw
        self._chances: dict[int, Floats | None] = {}
        self._batch_size = batch_size
        self._stream = (seed, epoch)
        self._start = start
        rng = np.random.default_rng(self._stream)
        share = min(1.0, LARGEST_EPOCH / max(sum(len(cut.users) for cut in cuts), 1))
        drawn = [rng.permutation(cut.users)[: math.ceil(share * len(cut.users))] for cut in cuts]
        chunks = [
            (cut, chunk)
            for cut, users in zip(cuts, drawn, strict=True)
            for chunk in np.array_split(users, -(-len(users) // batch_size))
        ]
        self._chunks = [chunks[place] for place in rng.permutation(len(chunks))]

    def __len__(self) -> int:
        return len(self._chunks)

    def __iter__(self) -> Iterator[Batch]:
        for place in range(self._start, len(self)):
            cut, users = self._chunks[place]
            yield self._batch(cut, np.sort(users), np.random.default_rng([*self._stream, place]))

    def _batch(self, cut: Cut, users: np.ndarray, rng: np.random.Generator) -> Batch:
        snapshot, products = self._snapshots.at(cut.as_of)
        customers = snapshot.customers(users)
        targets = snapshot.history.targets(users, cut.as_of, cut.until)
        sampled: Candidates = sample_candidates(
            snapshot.products.candidates,
            targets,
            customers.bought,
            self._negatives,
            rng,
            self._chance(cut, snapshot),
        )
        return Batch(
            customers=customer_inputs(customers),
            products=products,
            items=None if sampled.items is None else torch.from_numpy(sampled.items),
            log_weight=torch.from_numpy(sampled.log_weight),
            rows=torch.from_numpy(sampled.rows),
            columns=torch.from_numpy(sampled.columns),
            first_time=torch.from_numpy(sampled.first_time),
            bought_rows=torch.from_numpy(sampled.bought_rows),
            bought_columns=torch.from_numpy(sampled.bought_columns),
        )

    def _chance(self, cut: Cut, snapshot: Snapshot) -> Floats | None:
        """[N]: how likely a batch of the cut holds each product as a target, or draws it; None where all are alike."""
        if self._negatives != "in_batch" and self._draw == "uniform":
            return None
        if cut.as_of not in self._chances:
            self._chances[cut.as_of] = self._fresh_chance(cut, snapshot)
        return self._chances[cut.as_of]

    def _fresh_chance(self, cut: Cut, snapshot: Snapshot) -> Floats | None:
        history = snapshot.history
        if self._negatives != "in_batch":
            buyers = history.distinct_customers(NEVER + 1, cut.as_of)
            return chance_of(self._draw, snapshot.products.candidates, buyers, self._negatives)
        wanted = history.targets(cut.users, cut.as_of, cut.until).values
        share = np.bincount(wanted, minlength=history.n_items) / len(cut.users)
        chance: Floats = 1 - (1 - share) ** min(self._batch_size, len(cut.users))
        return chance

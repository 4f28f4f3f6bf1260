"""`TrainingData`: hands Lightning the batches of the epoch it is in."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

import pytorch_lightning as pl

from embedrec.data.baskets import BasketBatches
from embedrec.data.batches import Batches, Snapshots
from embedrec.data.cuts import Cut
from embedrec.data.pairs import PairBatches, Pairs
from embedrec.data.sampling import Negatives
from embedrec.data.sequences import SequenceBatches, Sequences
from embedrec.features import FeatureEncoder
from embedrec.features.patterns import PatternSettings


class TrainingData(pl.LightningDataModule):
    """Batches that depend on (seed, epoch) alone; the trainer must reload them every epoch.

    A checkpoint keeps the step reached within the epoch, and a resumed run goes on from there.
    """

    def __init__(self, batch_size: int, seed: int) -> None:
        super().__init__()
        self.batch_size = batch_size
        self.seed = seed
        self._resumed = {"epoch": 0, "step": 0}

    def epoch(self, number: int, start: int = 0) -> Iterable[Any]:
        """Return the batches of an epoch; iterating leaves out the first `start`."""
        raise NotImplementedError

    def train_dataloader(self) -> Iterable[Any]:
        """Return the batches of the current epoch."""
        number = self.trainer.current_epoch if self.trainer else 0
        return self.epoch(number, self._resumed["step"] if number == self._resumed["epoch"] else 0)

    def state_dict(self) -> dict[str, int]:
        """Return where training is."""
        assert self.trainer is not None
        return {
            "epoch": self.trainer.current_epoch,
            "step": self.trainer.fit_loop.epoch_loop.batch_progress.current.ready,
        }

    def load_state_dict(self, state_dict: dict[str, int]) -> None:
        """Go on from where training was."""
        self._resumed = state_dict


class CutData(TrainingData):
    """The shop as of past dates, in batches of customers."""

    def __init__(
        self,
        encoder: FeatureEncoder,
        cuts: Sequence[Cut],
        batch_size: int,
        negatives: Negatives,
        seed: int,
        pattern_settings: PatternSettings | None = None,
    ) -> None:
        super().__init__(batch_size, seed)
        self.cuts = list(cuts)
        self.negatives = negatives
        self._snapshots = Snapshots(encoder, pattern_settings)

    def __len__(self) -> int:
        return len(self.cuts)

    def epoch(self, number: int, start: int = 0) -> Batches:
        """Return the batches of an epoch."""
        return Batches(self._snapshots, self.cuts, self.batch_size, self.negatives, self.seed, number, start)


class PairData(TrainingData):
    """(customer, product) pairs."""

    def __init__(self, pairs: Pairs, batch_size: int, negatives: int, seed: int) -> None:
        super().__init__(batch_size, seed)
        self.pairs = pairs
        self.negatives = negatives

    def __len__(self) -> int:
        return len(self.pairs)

    def epoch(self, number: int, start: int = 0) -> Iterable[Any]:
        """Return the batches of an epoch."""
        return PairBatches(self.pairs, self.batch_size, self.negatives, self.seed, number, start)


class BasketData(PairData):
    """The same pairs, in whole baskets: customers with all they bought."""

    def epoch(self, number: int, start: int = 0) -> Iterable[Any]:
        """Return the batches of an epoch."""
        return BasketBatches(self.pairs, self.batch_size, self.negatives, self.seed, number, start)


class SequenceData(TrainingData):
    """Customers' purchases in their order."""

    def __init__(self, sequences: Sequences, batch_size: int, negatives: int, seed: int) -> None:
        super().__init__(batch_size, seed)
        self.sequences = sequences
        self.negatives = negatives

    def __len__(self) -> int:
        return len(self.sequences.users)

    def epoch(self, number: int, start: int = 0) -> SequenceBatches:
        """Return the batches of an epoch."""
        return SequenceBatches(self.sequences, self.batch_size, self.negatives, self.seed, number, start)

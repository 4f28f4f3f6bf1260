"""`TrainingData`: hands Lightning the batches of the epoch it is in."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sized
from typing import Any

import pytorch_lightning as pl

from embedrec.data.parts import Parts

Epoch = Callable[[int, int, int], Iterable[Any]]
"""(seed, number, start) → the batches of an epoch; iterating leaves out the first `start`."""


class TrainingData(pl.LightningDataModule):
    """Examples and their batches, which depend on (seed, epoch) alone; the trainer must reload them every epoch.

    Where several processes train, each gets its part of every batch.

    A checkpoint keeps the step reached within the epoch, and a resumed run goes on from there.
    """

    def __init__(self, examples: Sized, batches: Epoch, seed: int) -> None:
        super().__init__()
        self.examples = examples
        self.seed = seed
        self._batches = batches
        self._resumed = {"epoch": 0, "step": 0}

    def __len__(self) -> int:
        return len(self.examples)

    def epoch(self, number: int, start: int = 0) -> Iterable[Any]:
        """Return the batches of an epoch; iterating leaves out the first `start`."""
        return self._batches(self.seed, number, start)

    def train_dataloader(self) -> Iterable[Any]:
        """Return the batches of the current epoch."""
        number = self.trainer.current_epoch if self.trainer else 0
        batches = self.epoch(number, self._resumed["step"] if number == self._resumed["epoch"] else 0)
        if self.trainer is None or self.trainer.world_size == 1:
            return batches
        return Parts(batches, self.trainer.global_rank, self.trainer.world_size)

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

"""Callbacks: one random stream per epoch, validation on the full catalogue, and the learning curve."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

import pytorch_lightning as pl
import torch
from pytorch_lightning.callbacks import Callback

from embedrec.models import Network
from embedrec.training.module import TRAIN_LOSS, RecommenderModule

Validate = Callable[[Network], float]
Report = Callable[[int, float], None]
"""Told the epoch, from 1, and its validation figure; raises `Pruned` to end training."""


class Pruned(Exception):  # noqa: N818 - no error: a search has seen enough
    """Training was ended early, because other trials were better by now."""


class Monitor(NamedTuple):
    """The validation figure that chooses the epoch."""

    name: str
    mode: str  # "max" or "min"
    key: str  # in the learning curve


NDCG = Monitor("valid_ndcg_at_10", "max", "valid_ndcg")  # MLflow allows no @ in names
RMSE = Monitor("valid_rmse", "min", "valid_rmse")


class EpochSeed(Callback):
    """Dropout depends on (seed, epoch) alone, so an epoch repeated after a kill is the same epoch."""

    def __init__(self, seed: int) -> None:
        self._seed = seed

    def on_train_epoch_start(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        """Seed torch for this epoch."""
        torch.manual_seed(self._seed * 1_000_003 + trainer.current_epoch)


class LearningCurve(Callback):
    """Validates after every epoch where a validator is given, and remembers the figures across a resume."""

    def __init__(self, validate: Validate | None, monitor: Monitor, report: Report | None = None) -> None:
        self._validate, self._monitor, self._report = validate, monitor, report
        self.epochs: list[dict[str, float | None]] = []

    def on_train_epoch_end(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        """Log the validation metric and add a point to the curve."""
        assert isinstance(pl_module, RecommenderModule)
        value = self._validate(pl_module.network) if self._validate else None
        if value is not None:
            pl_module.log(self._monitor.name, value, prog_bar=True)
        loss = float(trainer.callback_metrics[TRAIN_LOSS])
        self.epochs.append({"epoch": trainer.current_epoch + 1, "train_loss": loss, self._monitor.key: value})
        if self._report and value is not None:
            self._report(len(self.epochs), value)

    def state_dict(self) -> dict[str, Any]:
        """Return the curve as plain data for the checkpoint."""
        return {"epochs": self.epochs}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Continue the curve of the checkpoint."""
        self.epochs = list(state_dict["epochs"])

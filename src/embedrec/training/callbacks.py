"""Callbacks: one random stream per epoch, validation on the full catalogue, the learning curve, and when to end."""

from __future__ import annotations

import math
import signal
from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np
import pytorch_lightning as pl
import torch
from pytorch_lightning.callbacks import Callback, EarlyStopping

from embedrec.errors import TrainingError
from embedrec.models import Network
from embedrec.training import processes
from embedrec.training.module import RecommenderModule

TRAIN_LOSS = "train_loss"
VALIDATIONS = 10
"""Times a training is validated at most, evenly spread; each ranks the full catalogue, which costs like an epoch."""
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
    """Dropout depends on (seed, epoch) and what the epoch drew so far, so a repeated step is the same step."""

    def __init__(self, seed: int) -> None:
        self._seed = seed
        self._resumed: dict[str, Any] = {}

    def on_train_start(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        """Go on where the stream of a checkpoint was; an epoch that starts, starts its own."""
        if self._resumed:
            torch.set_rng_state(self._resumed["cpu"])
            if "cuda" in self._resumed and torch.cuda.is_available():
                torch.cuda.set_rng_state(self._resumed["cuda"])

    def on_train_epoch_start(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        """Seed torch for this epoch."""
        torch.manual_seed(self._seed * 1_000_003 + trainer.current_epoch)

    def on_train_batch_start(
        self, trainer: pl.Trainer, pl_module: pl.LightningModule, batch: Any, batch_idx: int
    ) -> None:
        """Seed torch for this step, but in the first process: the streams of the others are in no checkpoint."""
        if trainer.global_rank:
            torch.manual_seed(
                int(np.random.SeedSequence((self._seed, trainer.global_step, trainer.global_rank)).generate_state(1)[0])
            )

    def state_dict(self) -> dict[str, Any]:
        """Return where the streams are."""
        used = torch.cuda.is_initialized()  # type: ignore[no-untyped-call]
        cuda = {"cuda": torch.cuda.get_rng_state()} if used else {}
        return {"cpu": torch.get_rng_state(), **cuda}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Remember the streams until training starts."""
        self._resumed = state_dict


class Terminable(Callback):
    """SIGTERM ends each of several processes like Ctrl-C; Lightning's own handler has them wait for each other."""

    def on_fit_start(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        """Take the place of Lightning's handler, until it puts back what was there before."""
        if processes.started() > 1:  # Ray ends its workers itself, which train beside their main thread
            signal.signal(signal.SIGTERM, signal.default_int_handler)


class LearningCurve(Callback):
    """Validates after an epoch where a validator is given, and remembers the figures across a resume."""

    def __init__(self, validate: Validate | None, monitor: Monitor, report: Report | None = None) -> None:
        self._validate, self._monitor, self._report = validate, monitor, report
        self.epochs: list[dict[str, float | None]] = []
        self._loss, self._examples = 0.0, 0  # of this epoch so far; Lightning's own mean does not survive a kill

    def on_train_batch_end(
        self, trainer: pl.Trainer, pl_module: pl.LightningModule, outputs: Any, batch: Any, batch_idx: int
    ) -> None:
        """Count the loss of a step towards its epoch's mean."""
        assert isinstance(pl_module, RecommenderModule)
        self._loss += pl_module.step_loss * batch.size
        self._examples += batch.size

    def on_train_epoch_end(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        """Log the epoch's figures and add a point to the curve.

        Raises:
            TrainingError: the validation figure is not a finite number.
        """
        assert isinstance(pl_module, RecommenderModule)
        loss = self._loss / self._examples
        self._loss, self._examples = 0.0, 0
        pl_module.log(TRAIN_LOSS, loss, prog_bar=True)
        value = self._validate(pl_module.network) if self._validate and _due(trainer) else None
        if value is not None:
            if not math.isfinite(value):  # or it would be kept as the best so far
                raise TrainingError(pl_module.diverged(f"{self._monitor.name} became {value}"))
            pl_module.log(self._monitor.name, value, prog_bar=True)
        self.epochs.append({"epoch": trainer.current_epoch + 1, "train_loss": loss, self._monitor.key: value})
        if self._report and value is not None:
            self._report(len(self.epochs), value)

    def validated(self) -> bool:
        """Tell whether the last epoch has a validation figure."""
        return self.epochs[-1][self._monitor.key] is not None

    def best(self) -> int:
        """Return the epoch, from 1, with the best validation figure; of equals the first."""
        sign = 1 if self._monitor.mode == "max" else -1
        found = [
            (sign * value, -place)
            for place, point in enumerate(self.epochs)
            if (value := point[self._monitor.key]) is not None
        ]
        return 1 - max(found)[1]

    def state_dict(self) -> dict[str, Any]:
        """Return the curve as plain data for the checkpoint."""
        return {"epochs": self.epochs, "loss": self._loss, "examples": self._examples}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Continue the curve of the checkpoint.

        Raises:
            TrainingError: it was written before steps were counted, and its best value would not be found either.
        """
        if "loss" not in state_dict:
            raise TrainingError("last.ckpt was written by an older embedrec; start a new run")
        self.epochs = list(state_dict["epochs"])
        self._loss, self._examples = state_dict["loss"], state_dict["examples"]


def _due(trainer: pl.Trainer) -> bool:
    assert trainer.max_epochs is not None
    epoch = trainer.current_epoch + 1
    return epoch % math.ceil(trainer.max_epochs / VALIDATIONS) == 0 or epoch == trainer.max_epochs


class StopAfter(Callback):
    """Ends training after a number of epochs without shortening the learning-rate schedule."""

    def __init__(self, epochs: int | None, curve: LearningCurve) -> None:
        self._epochs, self._curve = epochs, curve

    def on_train_start(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        """Stay stopped where a run that had ended is resumed."""
        if self._epochs is not None and len(self._curve.epochs) >= self._epochs:
            trainer.should_stop = True

    def on_train_epoch_end(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        """Stop after the last epoch asked for."""
        self.on_train_start(trainer, pl_module)


class Patience(EarlyStopping):
    """Early stopping that stays stopped where a run that had ended is resumed; Lightning's trains one epoch more."""

    def __init__(self, curve: LearningCurve, monitor: Monitor, patience: int) -> None:
        super().__init__(monitor.name, mode=monitor.mode, patience=patience, check_on_train_epoch_end=True)
        self._curve = curve

    def on_train_start(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        """Stop before the first epoch."""
        if self.wait_count >= self.patience:
            trainer.should_stop = True

    def on_train_epoch_end(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        """Look at the figure of this epoch, where it has one."""
        if self._curve.validated():
            super().on_train_epoch_end(trainer, pl_module)

"""`fit`: train one network on the past before a date, with or without a later window to choose the epoch by."""

from __future__ import annotations

import signal
import warnings
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytorch_lightning as pl
import torch
from pytorch_lightning.callbacks import Callback, EarlyStopping, ModelCheckpoint, RichProgressBar
from pytorch_lightning.loggers import Logger

from embedrec.data.datamodule import TrainingData
from embedrec.errors import ConfigError, TrainingError
from embedrec.models import Network
from embedrec.training.callbacks import NDCG, EpochSeed, LearningCurve, Monitor, Report, Validate
from embedrec.training.checkpoints import AtomicCheckpointIO
from embedrec.training.config import LossConfig, TrainerConfig
from embedrec.training.module import RecommenderModule

# What Lightning warns of and is meant, or is its own to mend.
NO_NEWS = (
    ".*does not have many workers.*",
    ".*exists and is not empty.*",
    ".*smaller than the logging interval.*",
    ".*LeafSpec.*",
)


@dataclass(frozen=True)
class Fit:
    """What training ended with; the network holds the weights of `epochs`."""

    epochs: int
    curve: list[dict[str, float | None]]


def fit(
    network: Network,
    data: TrainingData,
    loss: LossConfig,
    config: TrainerConfig,
    *,
    folder: Path,
    validate: Validate | None = None,
    monitor: Monitor = NDCG,
    epochs: int | None = None,
    logger: Logger | None = None,
    progress: bool = True,
    report: Report | None = None,
) -> Fit:
    """Train `network` in place; continues from `folder`/last.ckpt where one is.

    With `validate` the epoch with the best value wins and training stops when `patience` epochs bring none better
    (`best.ckpt`). Without it exactly `epochs` epochs are run, on the schedule laid out for `max_epochs`.

    Raises:
        TrainingError: loss not finite, or a checkpoint that cannot be written or read.
        Pruned: `report` ended the training.
    """
    curve = LearningCurve(validate, monitor, report)
    callbacks: list[Callback] = [EpochSeed(data.seed), curve, _StopAfter(epochs, curve)]
    best = None
    if validate is not None:
        best = _Checkpoint(folder, "best", monitor=monitor.name, mode=monitor.mode, enable_version_counter=False)
        callbacks += [
            _Patience(monitor.name, mode=monitor.mode, patience=config.patience, check_on_train_epoch_end=True),
            best,
        ]
    callbacks.append(_Checkpoint(folder, "last", enable_version_counter=False))
    if progress:
        callbacks.append(RichProgressBar(console_kwargs={"stderr": True}))
    if config.accelerator == "gpu" and not torch.cuda.is_available():
        raise ConfigError("trainer.accelerator=gpu: there is no GPU here; use cpu or auto")
    trainer = pl.Trainer(
        max_epochs=config.max_epochs,
        accelerator=config.accelerator,
        devices=1,
        precision="bf16-mixed" if config.precision == "bfloat16" else "32-true",
        gradient_clip_val=config.gradient_clip,
        deterministic=True,
        reload_dataloaders_every_n_epochs=1,
        callbacks=callbacks,
        plugins=[AtomicCheckpointIO()],
        logger=logger or False,
        enable_progress_bar=progress,
        enable_model_summary=False,
    )
    last = folder / "last.ckpt"
    with warnings.catch_warnings():
        for hint in NO_NEWS:
            warnings.filterwarnings("ignore", message=hint)
        module = RecommenderModule(network, loss, config)
        try:
            trainer.fit(module, data, ckpt_path=str(last) if last.exists() else None)
        except SystemExit:  # Lightning makes an exit of Ctrl-C, and ignores every later one
            signal.signal(signal.SIGINT, signal.default_int_handler)
            raise KeyboardInterrupt from None
    if best is None:
        return Fit(len(curve.epochs), curve.epochs)
    load_weights(network, folder / "best.ckpt")
    sign = 1 if monitor.mode == "max" else -1
    values = [sign * (point[monitor.key] or 0.0) for point in curve.epochs]
    return Fit(1 + max(range(len(values)), key=lambda place: (values[place], -place)), curve.epochs)


def load_weights(network: Network, checkpoint: Path) -> None:
    """Put the weights of a checkpoint into a network of the same shape."""
    state = AtomicCheckpointIO().load_checkpoint(checkpoint)["state_dict"]
    prefix = "network."
    try:
        network.load_state_dict({name.removeprefix(prefix): value for name, value in state.items()})
    except RuntimeError as error:
        raise TrainingError(f"checkpoint {checkpoint} belongs to another model or other data") from error


class _StopAfter(Callback):
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


class _Patience(EarlyStopping):
    """Early stopping that stays stopped where a run that had ended is resumed; Lightning's trains one epoch more."""

    def on_train_start(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        """Stop before the first epoch."""
        if self.wait_count >= self.patience:
            trainer.should_stop = True


class _Checkpoint(ModelCheckpoint):
    """Remembers the best value also where the folder was moved; Lightning's would take the next epoch for the best."""

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Continue from the values of the checkpoint, in the folder of this run."""
        super().load_state_dict({**state_dict, "dirpath": self.dirpath})

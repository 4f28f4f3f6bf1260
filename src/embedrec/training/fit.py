"""`fit`: train one network on the past before a date, with or without a later window to choose the epoch by."""

from __future__ import annotations

import signal
import warnings
from collections.abc import Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from types import MappingProxyType
from typing import Any

import pytorch_lightning as pl
import torch
from pytorch_lightning.callbacks import Callback, RichProgressBar
from pytorch_lightning.loggers import Logger

from embedrec.data.datamodule import TrainingData
from embedrec.errors import ConfigError, TrainingError
from embedrec.models import Network
from embedrec.training.callbacks import (
    NDCG,
    TRAIN_LOSS,
    EpochSeed,
    LearningCurve,
    Monitor,
    Patience,
    Report,
    StopAfter,
    Validate,
)
from embedrec.training.checkpoints import BEST, LAST, AtomicCheckpointIO, BestCheckpoint, LastCheckpoint
from embedrec.training.config import LossConfig, TrainerConfig
from embedrec.training.module import RecommenderModule
from embedrec.training.on_ray import on_ray

# What Lightning warns of and is meant, or is its own to mend.
NO_NEWS = (
    ".*does not have many workers.*",
    ".*exists and is not empty.*",
    ".*smaller than the logging interval.*",
    ".*LeafSpec.*",
    ".*dataloader is not resumable.*",  # `TrainingData` is
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

    With `validate` the epoch with the best value wins and training stops when `patience` validations bring none better
    (`best.ckpt`). Without it exactly `epochs` epochs are run, on the schedule laid out for `max_epochs`.

    Raises:
        TrainingError: loss, gradients or validation figure not finite, or a checkpoint that cannot be read.
        StorageError: a checkpoint cannot be written.
        Pruned: `report` ended the training.
    """
    if config.accelerator == "gpu" and not torch.cuda.is_available():
        raise ConfigError("trainer.accelerator=gpu: there is no GPU here; use cpu or auto")
    if config.engine == "here":
        found = _train(
            network,
            data,
            loss,
            config,
            folder,
            validate,
            monitor,
            epochs,
            logger=logger,
            progress=progress,
            report=report,
        )
    else:
        if report is not None:
            raise ConfigError("trainer=ray trains one run; for a sweep leave it out, and let trials run side by side")
        work = partial(_train, network, data, loss, config, folder.resolve(), validate, monitor, epochs)
        found = on_ray(work, config.processes, folder.resolve(), progress)
        load_weights(network, folder / LAST)
        _record(found.curve, monitor, logger)
    if validate is not None:
        load_weights(network, folder / BEST)
    return found


def _train(
    network: Network,
    data: TrainingData,
    loss: LossConfig,
    config: TrainerConfig,
    folder: Path,
    validate: Validate | None,
    monitor: Monitor,
    epochs: int | None,
    distributed: Mapping[str, Any] = MappingProxyType({}),
    logger: Logger | None = None,
    progress: bool = False,
    report: Report | None = None,
) -> Fit:
    """Run the loop in this process, as one of several where `distributed` says so to Lightning's trainer."""
    curve = LearningCurve(validate, monitor, report)
    callbacks: list[Callback] = [EpochSeed(data.seed), curve, StopAfter(epochs, curve)]
    if validate is not None:
        callbacks += [
            Patience(curve, monitor, config.patience),
            BestCheckpoint(folder, monitor.name, monitor.mode, curve.validated),
        ]
    callbacks.append(LastCheckpoint(folder))
    if progress:
        callbacks.append(RichProgressBar(console_kwargs={"stderr": True}))
    # no operation here reads memory that it did not write, which torch would else fill on every allocation
    torch.utils.deterministic.fill_uninitialized_memory = False  # type: ignore[attr-defined]
    trainer = pl.Trainer(
        max_epochs=config.max_epochs,
        accelerator=config.accelerator,
        precision="bf16-mixed" if config.precision == "bfloat16" else "32-true",
        deterministic=True,
        reload_dataloaders_every_n_epochs=1,
        callbacks=callbacks,
        **{"devices": 1, **distributed, "plugins": [AtomicCheckpointIO(), *distributed.get("plugins", ())]},
        logger=logger or False,
        enable_progress_bar=progress,
        enable_model_summary=False,
    )
    last = folder / LAST
    with warnings.catch_warnings():
        for hint in NO_NEWS:
            warnings.filterwarnings("ignore", message=hint)
        module = RecommenderModule(network, loss, config)
        try:
            trainer.fit(module, data, ckpt_path=str(last) if last.exists() else None)
        except SystemExit:  # Lightning makes an exit of Ctrl-C, and ignores every later one
            signal.signal(signal.SIGINT, signal.default_int_handler)
            raise KeyboardInterrupt from None
    return Fit(curve.best() if validate else len(curve.epochs), curve.epochs)


def _record(curve: list[dict[str, float | None]], monitor: Monitor, logger: Logger | None) -> None:
    """Log the epochs that workers have trained: they do not write into the records of this process."""
    for number, point in enumerate(curve):
        figures = {TRAIN_LOSS: point[TRAIN_LOSS], monitor.name: point[monitor.key], "epoch": float(number)}
        if logger:
            logger.log_metrics({name: value for name, value in figures.items() if value is not None})


def load_weights(network: Network, checkpoint: Path) -> None:
    """Put the weights of a checkpoint into a network of the same shape."""
    state = AtomicCheckpointIO().load_checkpoint(checkpoint)["state_dict"]
    prefix = "network."
    try:
        network.load_state_dict({name.removeprefix(prefix): value for name, value in state.items()})
    except RuntimeError as error:
        raise TrainingError(f"checkpoint {checkpoint} belongs to another model or other data") from error

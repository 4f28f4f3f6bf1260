"""`fit`: train one network on the past before a date, with or without a later window to choose the epoch by."""

from __future__ import annotations

import signal
import warnings
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytorch_lightning as pl
import torch
from pytorch_lightning.callbacks import Callback, RichProgressBar
from pytorch_lightning.loggers import Logger
from pytorch_lightning.strategies import DDPStrategy

from embedrec.data.datamodule import TrainingData
from embedrec.errors import ConfigError, TrainingError
from embedrec.models import Network, TwoTowerSequence
from embedrec.ray_session import start_ray
from embedrec.training import processes
from embedrec.training.callbacks import (
    NDCG,
    EpochSeed,
    LearningCurve,
    Monitor,
    Patience,
    Report,
    StopAfter,
    Terminable,
    Validate,
)
from embedrec.training.checkpoints import BEST, LAST, AtomicCheckpointIO, BestCheckpoint, LastCheckpoint
from embedrec.training.config import LossConfig, TrainerConfig
from embedrec.training.module import RecommenderModule

# What Lightning warns of and is meant, or is its own to mend.
NO_NEWS = (
    ".*does not have many workers.*",
    ".*exists and is not empty.*",
    ".*smaller than the logging interval.*",
    ".*LeafSpec.*",
    ".*dataloader is not resumable.*",  # `TrainingData` is
    ".*broadcast_buffers.*",  # its new name is too new
    ".*recommended to use `self.log.*sync_dist.*",  # all processes log the same
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
    strategy: Callable[..., DDPStrategy] = DDPStrategy,
) -> Fit:
    """Train `network` in place; continues from `folder`/last.ckpt where one is. Processes that are together share it.

    With `validate` the epoch with the best value wins and training stops when `patience` validations bring none better
    (`best.ckpt`). Without it exactly `epochs` epochs are run, on the schedule laid out for `max_epochs`. `strategy` is
    how Lightning keeps several processes in step.

    Raises:
        TrainingError: loss, gradients or validation figure not finite, or a checkpoint that cannot be read.
        StorageError: a checkpoint cannot be written.
        Pruned: `report` ended the training.
    """
    curve = LearningCurve(validate, monitor, report)
    callbacks: list[Callback] = [Terminable(), EpochSeed(data.seed), curve, StopAfter(epochs, curve)]
    if validate is not None:
        callbacks += [
            Patience(curve, monitor, config.patience),
            BestCheckpoint(folder, monitor.name, monitor.mode, curve.validated),
        ]
    callbacks.append(LastCheckpoint(folder))
    if progress:
        callbacks.append(RichProgressBar(console_kwargs={"stderr": True}))
    check_machine(config)
    # no operation here reads memory that it did not write, which torch would else fill on every allocation
    torch.utils.deterministic.fill_uninitialized_memory = False  # type: ignore[attr-defined]
    trainer = pl.Trainer(
        max_epochs=config.max_epochs,
        accelerator=config.accelerator,
        **_processes(network, strategy),
        precision="bf16-mixed" if config.precision == "bfloat16" else "32-true",
        deterministic=True,
        reload_dataloaders_every_n_epochs=1,
        callbacks=callbacks,
        plugins=[AtomicCheckpointIO()],
        logger=logger or False,
        enable_progress_bar=progress,
        enable_model_summary=False,
    )
    last = folder / LAST
    begun = processes.from_first(last.exists())
    with warnings.catch_warnings():
        for hint in NO_NEWS:
            warnings.filterwarnings("ignore", message=hint)
        module = RecommenderModule(network, loss, config)
        try:
            trainer.fit(module, data, ckpt_path=str(last) if begun else None)
        except SystemExit:  # Lightning makes an exit of Ctrl-C, and ignores every later one
            signal.signal(signal.SIGINT, signal.default_int_handler)
            raise KeyboardInterrupt from None
    if validate is None:
        return Fit(len(curve.epochs), curve.epochs)
    load_weights(network, folder / BEST)
    return Fit(curve.best(), curve.epochs)


def check_machine(config: TrainerConfig) -> None:
    """Refuse to train where the config wants to and the machine cannot.

    Raises:
        ConfigError: there is no GPU, or no Ray.
    """
    if config.engine == "ray":
        start_ray("trainer=ray", config.processes)
    if config.accelerator == "gpu" and not torch.cuda.is_available():
        raise ConfigError("trainer.accelerator=gpu: there is no GPU here; use cpu or auto")


def _processes(network: Network, strategy: Callable[..., DDPStrategy]) -> dict[str, Any]:
    """Settings of Lightning for the processes that are together."""
    if processes.count() == 1:
        return {"devices": 1}
    here = processes.on_this_machine()
    looks = isinstance(network, TwoTowerSequence)  # has no use for a weight where nobody in a part looked at anything
    # buffers are the same everywhere from the start
    return {
        "strategy": strategy(broadcast_buffers=False, find_unused_parameters=looks),
        "devices": here,
        "num_nodes": processes.count() // here,
        "use_distributed_sampler": False,
    }


def load_weights(network: Network, checkpoint: Path) -> None:
    """Put the weights of a checkpoint into a network of the same shape."""
    state = AtomicCheckpointIO().load_checkpoint(checkpoint)["state_dict"]
    prefix = "network."
    try:
        network.load_state_dict({name.removeprefix(prefix): value for name, value in state.items()})
    except RuntimeError as error:
        raise TrainingError(f"checkpoint {checkpoint} belongs to another model or other data") from error

"""Checkpoints that are whole or absent: written beside the target, flushed, then renamed over it.

Lightning's own atomic save turns into a plain copy where the temporary folder lies on another filesystem, and an
unwritable folder passes in silence; both would lose the older file that a killed run needs.
"""

from __future__ import annotations

import io
import os
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytorch_lightning as pl
import torch
from pytorch_lightning.callbacks import Checkpoint, ModelCheckpoint
from pytorch_lightning.plugins import CheckpointIO

from embedrec.errors import StorageError, TrainingError

LAST, BEST = "last.ckpt", "best.ckpt"
INTERVAL = 60.0
"""Seconds of training that a kill may cost within an epoch, where writing is quick."""
SHARE = 0.02
"""Part of the time that writing `last.ckpt` may take: it waits that long after a write that was slow."""


class AtomicCheckpointIO(CheckpointIO):
    """Plain data only; loading never unpickles code."""

    def save_checkpoint(self, checkpoint: dict[str, Any], path: Any, storage_options: Any = None) -> None:
        """Write the checkpoint, or leave the older file as it is and raise StorageError."""
        target = Path(path)
        partial = target.with_name(f".{target.name}.partial")  # what a kill leaves, the next write takes over
        try:
            target.parent.mkdir(parents=True, exist_ok=True)
            content = io.BytesIO()  # torch's own writing says of a full disk only that a position was unexpected
            torch.save(checkpoint, content)
            with partial.open("wb") as file:
                file.write(content.getbuffer())
                file.flush()
                os.fsync(file.fileno())
            partial.replace(target)
        except OSError as error:
            with suppress(OSError):
                partial.unlink()
            raise StorageError(
                f"checkpoint {target} could not be written ({error.strerror or error}); free the disk and resume"
            ) from error

    def load_checkpoint(self, path: Any, map_location: Any = None, weights_only: bool | None = None) -> dict[str, Any]:
        """Read a checkpoint with torch's safe loader."""
        try:
            content: dict[str, Any] = torch.load(path, map_location=map_location or "cpu", weights_only=True)
        except Exception as error:
            raise TrainingError(
                f"checkpoint {path} cannot be read ({type(error).__name__}); delete it and train again"
            ) from error
        return content

    def remove_checkpoint(self, path: Any) -> None:
        """Delete a checkpoint that is no longer wanted."""
        Path(path).unlink(missing_ok=True)


class LastCheckpoint(Checkpoint):
    """Keeps `last.ckpt`, from which a killed run goes on: after an epoch, and within one that takes long."""

    def __init__(self, folder: Path) -> None:
        self._path = folder / LAST
        self._written, self._took = time.monotonic(), 0.0

    def on_train_batch_end(
        self, trainer: pl.Trainer, pl_module: pl.LightningModule, outputs: Any, batch: Any, batch_idx: int
    ) -> None:
        """Write where the last one is old; at the end of an epoch, its validation comes first."""
        if not trainer.fit_loop.epoch_loop.batch_progress.is_last_batch and self._due(trainer, INTERVAL):
            self._write(trainer)

    def on_train_epoch_end(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        """Write, the curve and the best value so far included; the last epoch always."""
        ends = trainer.should_stop or trainer.current_epoch + 1 == trainer.max_epochs
        if ends or self._due(trainer, 0.0):
            self._write(trainer)

    def _due(self, trainer: pl.Trainer, least: float) -> bool:
        """Tell whether any process finds it time: all have to take part, though one alone writes."""
        due = time.monotonic() >= self._written + max(least, self._took / SHARE)
        return trainer.strategy.reduce_boolean_decision(due, all=False)

    def _write(self, trainer: pl.Trainer) -> None:
        start = time.monotonic()
        trainer.save_checkpoint(self._path)
        self._written = time.monotonic()
        self._took = self._written - start


class BestCheckpoint(ModelCheckpoint):
    """Keeps the weights of the best epoch in `best.ckpt`; training goes on from `last.ckpt`, which needs more."""

    def __init__(self, folder: Path, monitor: str, mode: str, validated: Callable[[], bool]) -> None:
        name = Path(BEST).stem
        super().__init__(folder, name, monitor=monitor, mode=mode, save_weights_only=True, enable_version_counter=False)
        self._validated = validated

    def on_train_epoch_end(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        """Look at the figure of this epoch, where it has one."""
        if self._validated():
            super().on_train_epoch_end(trainer, pl_module)

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Continue from the best value of the checkpoint, in the folder of this run, which may have been moved."""
        super().load_state_dict({**state_dict, "dirpath": self.dirpath})

"""Checkpoints that are whole or absent: written beside the target, flushed, then renamed over it.

Lightning's own atomic save turns into a plain copy where the temporary folder lies on another filesystem, and an
unwritable folder passes in silence; both would lose the older file that a killed run needs.
"""

from __future__ import annotations

import io
import os
from contextlib import suppress
from pathlib import Path
from typing import Any

import torch
from pytorch_lightning.plugins import CheckpointIO

from embedrec.errors import StorageError, TrainingError


class AtomicCheckpointIO(CheckpointIO):
    """Plain data only; loading never unpickles code."""

    def save_checkpoint(self, checkpoint: dict[str, Any], path: Any, storage_options: Any = None) -> None:
        """Write the checkpoint, or leave the older file as it is and raise StorageError."""
        target = Path(path)
        partial = target.with_name(f".{target.name}.{os.getpid()}.partial")
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

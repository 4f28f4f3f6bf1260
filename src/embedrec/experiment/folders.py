"""Run folders: made once, never overwritten, also when many start in the same second."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path
from typing import Any

from filelock import FileLock, Timeout

from embedrec.errors import ConfigError, StorageError

LOCK = ".running.lock"  # held by the process that works in the folder of a run or of a trial
SWEEP_MARK = ".drivers"  # made first in the folder of a sweep


def new_run_folder(outputs: Path, name: str | None, started: datetime) -> Path:
    """Create outputs/runs/<date>/<time>[-name], with -2, -3 … where that exists."""
    stem = f"{started:%H-%M-%S}" + (f"-{name}" if name else "")
    return _new_folder(outputs, outputs / "runs" / f"{started:%Y-%m-%d}", stem)


def doctor_folder(outputs: Path, name: str, started: datetime) -> Path:
    """Create outputs/doctor/<date>_<time>-<name>, with -2, -3 … where that exists."""
    return _new_folder(outputs, outputs / "doctor", f"{started:%Y-%m-%d_%H-%M-%S}-{name}")


def sweep_folder(outputs: Path, name: str | None, started: datetime) -> Path:
    """Create outputs/sweeps/<name>, or a timestamp where no name was given; a sweep of that name is continued."""
    parent = outputs / "sweeps"
    if name is None:
        return _new_folder(outputs, parent, f"{started:%Y-%m-%d_%H-%M-%S}")
    folder = parent / name
    try:
        folder.mkdir(parents=True, exist_ok=True)
        if any(folder.iterdir()) and not (folder / SWEEP_MARK).is_dir():
            raise ConfigError(f"name={name}: {folder} exists and holds no sweep; choose another name")
    except OSError as error:
        raise ConfigError(f"outputs={outputs}: no folder can be made there ({error.strerror})") from error
    return folder


def _new_folder(outputs: Path, parent: Path, stem: str) -> Path:
    try:
        parent.mkdir(parents=True, exist_ok=True)
        for attempt in range(1, 10_000):
            folder = parent / (stem if attempt == 1 else f"{stem}-{attempt}")
            try:
                folder.mkdir()  # exclusive: of two that ask, only one gets it
            except FileExistsError:
                continue
            return folder
    except OSError as error:
        raise ConfigError(f"outputs={outputs}: no folder can be made there ({error.strerror})") from error
    raise ConfigError(f"{parent}: no free name for {stem}; set name=")


@contextmanager
def alone(folder: Path) -> Iterator[None]:
    """Keep the folder of a run from others that would continue it at the same time.

    Raises:
        ConfigError: another process is at work there.
        StorageError: the folder cannot be written.
    """
    lock = FileLock(folder / LOCK, timeout=0)
    try:
        lock.acquire()
    except Timeout:
        raise ConfigError(f"resume={folder}: another process is at work there; wait until it ends") from None
    except OSError as error:
        raise unwritable(folder, error) from error
    try:
        yield
    finally:
        lock.release()


def held(lock: Path) -> bool:
    """Say whether a process holds a lock file; the system lets go of it for one that was killed."""
    if not lock.exists():
        return False
    try:
        with FileLock(lock, timeout=0):
            return False
    except Timeout:
        return True


def unwritable(folder: Path, error: OSError) -> StorageError:
    """Name a folder that takes no files."""
    return StorageError(f"{folder} cannot be written ({error.strerror}); set outputs=DIR to another place")


def write_json(path: Path, content: Any) -> None:
    """Write a JSON file whole or not at all."""
    write_text(path, json.dumps(content, indent=1, allow_nan=False) + "\n")


def write_text(path: Path, content: str) -> None:
    """Write a text file whole or not at all."""
    partial = path.with_name(f".{path.name}.{os.getpid()}.partial")
    partial.write_text(content, encoding="utf-8")
    partial.replace(path)


def point_latest(outputs: Path, folder: Path) -> None:
    """Move outputs/latest to a finished run in one step."""
    outputs.mkdir(parents=True, exist_ok=True)  # a resumed run may lie elsewhere
    partial = outputs / f".latest.{os.getpid()}"
    partial.unlink(missing_ok=True)
    partial.symlink_to(os.path.relpath(folder, outputs))
    partial.replace(outputs / "latest")

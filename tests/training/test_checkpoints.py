"""A checkpoint is whole or absent, and reading one runs no code."""

from __future__ import annotations

import os
import pickle
import resource
from pathlib import Path
from typing import Any

import pytest
import torch

from embedrec.errors import TrainingError
from embedrec.training.checkpoints import AtomicCheckpointIO

FIRST = {"epoch": 1, "state_dict": {"w": torch.arange(3.0)}}
SECOND = {"epoch": 2, "state_dict": {"w": torch.arange(4.0)}}


@pytest.fixture
def saved(tmp_path: Path) -> Path:
    target = tmp_path / "checkpoints" / "last.ckpt"
    AtomicCheckpointIO().save_checkpoint(FIRST, target)
    return target


def names(target: Path) -> list[str]:
    return [path.name for path in target.parent.iterdir()]


def test_round_trip_and_replacement(saved: Path) -> None:
    io = AtomicCheckpointIO()
    assert io.load_checkpoint(saved)["epoch"] == 1
    io.save_checkpoint(SECOND, saved)
    loaded = io.load_checkpoint(saved)
    assert loaded["epoch"] == 2
    assert torch.equal(loaded["state_dict"]["w"], torch.arange(4.0))
    assert names(saved) == ["last.ckpt"]


def test_a_full_disk_leaves_the_older_file(saved: Path) -> None:
    """The system lets no file grow beyond 600 bytes: the first part is written, the rest is not."""
    before = saved.read_bytes()
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (600, hard))
    try:
        with pytest.raises(TrainingError, match="last.ckpt could not be written .File too large.; free the disk"):
            AtomicCheckpointIO().save_checkpoint(SECOND, saved)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    assert saved.read_bytes() == before
    assert names(saved) == ["last.ckpt"]


@pytest.mark.parametrize("step", ["fsync", "replace"])
def test_a_failure_at_the_end_leaves_the_older_file(saved: Path, monkeypatch: pytest.MonkeyPatch, step: str) -> None:
    before = saved.read_bytes()

    def fails(*_: object) -> None:
        raise OSError(5, "Input/output error")

    monkeypatch.setattr(*((os, "fsync") if step == "fsync" else (Path, "replace")), fails)
    with pytest.raises(TrainingError, match="Input/output error"):
        AtomicCheckpointIO().save_checkpoint(SECOND, saved)
    assert saved.read_bytes() == before
    assert names(saved) == ["last.ckpt"]


def test_a_folder_that_cannot_be_made(tmp_path: Path) -> None:
    (tmp_path / "taken").write_text("a file")
    with pytest.raises(TrainingError, match="could not be written"):
        AtomicCheckpointIO().save_checkpoint(FIRST, tmp_path / "taken" / "last.ckpt")


@pytest.mark.parametrize("content", [b"", b"half a checkpoint", b"PK\x03\x04 cut off"])
def test_a_damaged_file(saved: Path, content: bytes) -> None:
    saved.write_bytes(content)
    with pytest.raises(TrainingError, match="last.ckpt cannot be read .*delete it and train again"):
        AtomicCheckpointIO().load_checkpoint(saved)


class Harmful:
    """Unpickling an instance makes a file."""

    def __init__(self, trace: Path) -> None:
        self.trace = trace

    def __reduce__(self) -> tuple[Any, tuple[str, int]]:
        return os.open, (str(self.trace), os.O_CREAT)


def test_loading_runs_no_code(saved: Path, tmp_path: Path) -> None:
    trace = tmp_path / "trace"
    torch.save({"epoch": 1, "harm": Harmful(trace)}, saved)
    with pytest.raises(TrainingError, match="cannot be read"):
        AtomicCheckpointIO().load_checkpoint(saved, weights_only=False)
    saved.write_bytes(pickle.dumps(Harmful(trace)))
    with pytest.raises(TrainingError, match="cannot be read"):
        AtomicCheckpointIO().load_checkpoint(saved)
    assert not trace.exists()
    pickle.loads(saved.read_bytes())  # the harm is real
    assert trace.exists()


def test_removing(saved: Path) -> None:
    io = AtomicCheckpointIO()
    io.remove_checkpoint(saved)
    assert names(saved) == []
    io.remove_checkpoint(saved)

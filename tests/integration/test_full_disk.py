"""A disk that is full or read-only: one line, exit 2, the older checkpoint stays, and the run can be continued."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from runs import QUICK, SCRIPTS, UNTRACKED, Trained, command, train_here, weights_hash
from stops import Killed, stopping

SETTINGS = (*QUICK, "model.dim=32", UNTRACKED)


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A file system of 4 MB."""
    place = tmp_path / "disk"
    place.mkdir()
    try:
        done = subprocess.run(["mount", "-t", "tmpfs", "-o", "size=4m", "tmpfs", place], capture_output=True, text=True)
    except OSError as error:
        pytest.skip(f"no file system can be mounted here: {error}")
    if done.returncode:
        pytest.skip(f"no file system can be mounted here: {done.stderr.strip()}")
    yield place
    subprocess.run(["umount", place], check=True)


def refusal(folder: Path) -> str:
    """What a resume in a process of its own says before it ends."""
    words = [sys.executable, str(SCRIPTS / "train.py"), f"resume={folder}"]
    done = subprocess.run(words, capture_output=True, text=True, check=False)
    assert done.returncode == 2, done
    (line,) = (line for line in done.stderr.splitlines() if line.startswith("error: "))
    assert "Traceback" not in done.stderr
    return line


def test_full_and_read_only(small_disk: Path, demo_tables: Path, tmp_path: Path) -> None:
    undisturbed = train_here(demo_tables, tmp_path / "undisturbed", *SETTINGS)
    with stopping(10), pytest.raises(Killed):
        command(f"data.path={demo_tables}", f"outputs={small_disk}", *SETTINGS)
    (folder,) = small_disk.glob("runs/*/*")
    last, filler = folder / "checkpoints" / "last.ckpt", small_disk / "filler"
    before = last.read_bytes()
    with filler.open("wb", buffering=0) as file:
        file.write(bytes(4 << 20))  # all that is free
        file.truncate(file.tell() - len(before) // 2)  # but half a checkpoint
    assert f"{last} could not be written (No space left on device); free the disk and resume" in refusal(folder)
    assert last.read_bytes() == before
    assert not list(last.parent.glob(".*"))
    filler.unlink()
    subprocess.run(["mount", "-o", "remount,ro", small_disk], check=True)
    assert f"{folder} cannot be written (Read-only file system)" in refusal(folder)
    subprocess.run(["mount", "-o", "remount,rw", small_disk], check=True)
    assert last.read_bytes() == before
    command(f"resume={folder}")
    assert weights_hash(folder) == weights_hash(Trained(tmp_path, undisturbed.folder, ""))

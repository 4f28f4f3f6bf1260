"""kill -9 in the middle of training, then `resume=`: the same bundle as a run that nobody disturbed."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from pathlib import Path

import pytest

from embedrec.errors import ConfigError
from runs import QUICK, SCRIPTS, UNTRACKED, Trained, command, comparable, train_here, weights_hash

LONG = (*QUICK, "trainer.max_epochs=6", "trainer.learning_rate=0.002", UNTRACKED)
PATIENCE = 120  # seconds until a run that makes no progress counts as hung


@pytest.fixture(scope="module")
def undisturbed(demo_tables: Path, tmp_path_factory: pytest.TempPathFactory) -> Trained:
    return train_here(demo_tables, tmp_path_factory.mktemp("undisturbed"), *LONG)


def start(*arguments: str) -> subprocess.Popen[bytes]:
    words = [sys.executable, str(SCRIPTS / "train.py"), *arguments]
    return subprocess.Popen(words, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)


def kill_at(process: subprocess.Popen[bytes], outputs: Path, checkpoint: str, epochs: int) -> Path:
    """Kill a run when a checkpoint was written for that many epochs; return the folder of the run."""
    seen: set[tuple[int, int]] = set()
    deadline = time.monotonic() + PATIENCE
    try:
        while time.monotonic() < deadline and process.poll() is None:
            for path in outputs.glob(f"runs/*/*/checkpoints/{checkpoint}"):
                try:
                    state = path.stat()
                except FileNotFoundError:
                    continue
                seen.add((state.st_ino, state.st_mtime_ns))
            if len(seen) >= epochs:
                break
            time.sleep(0.002)
        assert len(seen) >= epochs, f"{checkpoint} was written {len(seen)} times, exit code {process.poll()}"
    finally:
        process.kill()
        process.wait()
    (folder,) = outputs.glob("runs/*/*")
    assert not (folder / "metrics.json").exists(), "killed too late to test anything"
    assert not os.path.lexists(outputs / "latest")
    return folder


def assert_same(folder: Path, undisturbed: Trained) -> None:
    resumed = Trained(undisturbed.outputs, folder, "")
    assert weights_hash(resumed) == weights_hash(undisturbed)
    assert comparable(resumed.metrics) == comparable(undisturbed.metrics)
    assert resumed.manifest == undisturbed.manifest


def test_killed_twice(undisturbed: Trained, demo_tables: Path, tmp_path: Path) -> None:
    """Once while the epoch is chosen, once more in the refit."""
    outputs = tmp_path / "out"
    run = start(f"data.path={demo_tables}", f"outputs={outputs}", *LONG)
    folder = kill_at(run, outputs, "last.ckpt", epochs=1)
    again = start(f"resume={folder}")
    assert kill_at(again, outputs, "refit/last.ckpt", epochs=1) == folder
    last_line = command(f"resume={folder}").splitlines()[-1]
    assert last_line == str(folder / "bundle")
    assert_same(folder, undisturbed)
    assert (outputs / "latest").resolve() == folder.resolve()


def test_a_finished_run_resumed_again(undisturbed: Trained) -> None:
    """Nothing is trained again and nothing changes."""
    checkpoints = list((undisturbed.folder / "checkpoints").rglob("*.ckpt"))
    before = {path: path.stat().st_mtime_ns for path in checkpoints}
    weights, metrics, manifest = weights_hash(undisturbed), undisturbed.metrics, undisturbed.manifest
    command(f"resume={undisturbed.folder}")
    assert weights_hash(undisturbed) == weights
    assert comparable(undisturbed.metrics) == comparable(metrics)
    assert undisturbed.manifest == manifest
    assert {path: path.stat().st_mtime_ns for path in checkpoints} == before


def test_a_resume_takes_no_other_settings(undisturbed: Trained) -> None:
    with pytest.raises(ConfigError, match=r"takes the settings of that run; drop model\.dim=4"):
        command(f"resume={undisturbed.folder}", "model.dim=4")


def test_there_is_no_run(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="no run lies there"):
        command(f"resume={tmp_path}")

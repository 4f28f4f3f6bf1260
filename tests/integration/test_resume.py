"""kill -9 in the middle of training, then `resume=`: the same bundle as a run that nobody disturbed."""

from __future__ import annotations

import math
import os
import shutil
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

import stops
from embedrec.errors import ConfigError
from embedrec.experiment.folders import alone
from embedrec.experiment.outcome import ModelOutcome
from embedrec.experiment.runner import Runner
from embedrec.experiment.shop import open_shop
from runs import QUICK, SCRIPTS, UNTRACKED, Trained, command, comparable, train_here, weights_hash
from stops import Killed, stopping

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


@pytest.mark.parametrize("share", [0.3, 0.8], ids=["select", "refit"])
def test_ended_within_an_epoch(undisturbed: Trained, demo_tables: Path, tmp_path: Path, share: float) -> None:
    """By os._exit, with a checkpoint after every fourth step; the resumed run learns from no step twice but those."""
    with stopping(every=math.inf) as all_steps:
        train_here(demo_tables, tmp_path / "counted", *LONG)
    stop = round(share * all_steps.taken)
    settings = [f"data.path={demo_tables}", f"outputs={tmp_path / 'out'}", *LONG]
    words = [sys.executable, str(Path(stops.__file__)), str(stop), "4", *settings]
    assert subprocess.run(words, capture_output=True, check=False).returncode == stops.ENDED
    (folder,) = (tmp_path / "out").glob("runs/*/*")
    with stopping(every=math.inf) as left:
        command(f"resume={folder}")
    assert 0 <= stop + left.taken - all_steps.taken <= 4
    assert_same(folder, undisturbed)


@pytest.mark.slow
@pytest.mark.timeout(1800)
def test_sixty_stop_points(undisturbed: Trained, tmp_path: Path) -> None:
    """Spread over choosing the epoch and the refit, first and last step included; a checkpoint every third step."""
    config = undisturbed.config
    runner = Runner(open_shop(config.data, config.split), progress=False)

    def measure(folder: Path) -> ModelOutcome:
        outcome = runner.measure(config, folder, test=True)
        assert outcome is not None
        return outcome

    def left(folder: Path) -> dict[str, Any]:
        names = ("best.ckpt", "last.ckpt", "refit/last.ckpt")
        return {name: torch.load(folder / name, weights_only=True)["state_dict"] for name in names}

    with stopping(every=3) as all_steps:
        wanted = measure(tmp_path / "undisturbed")
    points = sorted({round(point) for point in np.linspace(0, all_steps.taken - 1, 60)})
    for stop in points:
        folder = tmp_path / str(stop)
        with stopping(stop, every=3), pytest.raises(Killed):
            measure(folder)
        with stopping(every=3):
            found = measure(folder)
        for name, state in left(tmp_path / "undisturbed").items():
            other = left(folder)[name]
            assert all(torch.equal(value, other[key]) for key, value in state.items()), (stop, name)
        assert (found.curve, found.score, found.test) == (wanted.curve, wanted.score, wanted.test), stop
        shutil.rmtree(folder)
    print(f"\n{len(points)} stop points over {all_steps.taken} steps")
    assert len(points) == 60


def test_a_run_at_work_is_left_alone(undisturbed: Trained) -> None:
    with (
        alone(undisturbed.folder),
        pytest.raises(ConfigError, match="another process is at work there; wait until it ends"),
    ):
        command(f"resume={undisturbed.folder}")


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

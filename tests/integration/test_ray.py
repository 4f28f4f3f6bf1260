"""trainer=ray: what a run leaves is what any run leaves, also where workers are killed while it trains."""

from __future__ import annotations

import importlib.util
import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import psutil
import pytest
import torch

from runs import QUICK, SCRIPTS, UNTRACKED, Trained, comparable, train_here, weights_hash

pytestmark = [
    pytest.mark.slow,
    pytest.mark.timeout(900),
    pytest.mark.skipif(importlib.util.find_spec("ray") is None, reason="needs the extra [ray]"),
]
EPOCHS = 60  # so many that a kill after the first one comes in the middle
LONG = (*QUICK, f"trainer.max_epochs={EPOCHS}", f"trainer.patience={EPOCHS}", "trainer.learning_rate=0.002", UNTRACKED)
PATIENCE = 240  # seconds until a run that makes no progress counts as hung


def start(outputs: Path, *overrides: str) -> subprocess.Popen[str]:
    words = [sys.executable, str(SCRIPTS / "train.py"), "trainer=ray", f"outputs={outputs}", *overrides]
    return subprocess.Popen(words, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)


def finished(run: subprocess.Popen[str], outputs: Path) -> Trained:
    stdout, stderr = run.communicate(timeout=PATIENCE)
    assert run.returncode == 0, stderr
    assert not stderr
    return Trained(outputs, Path(stdout.splitlines()[-1]).parent, stdout)


def workers(run: subprocess.Popen[str]) -> list[psutil.Process]:
    """The processes that train, the elder first."""
    found = []
    for one in psutil.Process(run.pid).children(recursive=True):
        try:
            if one.cmdline()[:1] == ["ray::RayTrainWorker"] or "RayTrainWorker" in one.name():
                found.append(one)
        except psutil.NoSuchProcess:
            continue
    return sorted(found, key=lambda one: one.create_time())


def kill_when(run: subprocess.Popen[str], outputs: Path, checkpoint: str, place: int) -> int:
    """Kill a worker as soon as there is a checkpoint; return after how many steps."""
    deadline = time.monotonic() + PATIENCE
    while not (written := list(outputs.glob(f"runs/*/*/checkpoints/{checkpoint}"))):
        assert time.monotonic() < deadline
        assert run.poll() is None, run.stderr and run.stderr.read()
        time.sleep(0.01)
    os.kill(workers(run)[place].pid, signal.SIGKILL)
    return steps_in(written[0])


def steps_in(checkpoint: Path) -> int:
    return int(torch.load(checkpoint, weights_only=True)["global_step"])


def steps_of(run: Trained) -> list[int]:
    """How many steps were taken while the epoch was chosen, and in the refit."""
    return [steps_in(run.folder / "checkpoints" / part / "last.ckpt") for part in ("", "refit")]


def names_in(tree: Any) -> Any:
    """The layout of a JSON document."""
    return {key: names_in(value) for key, value in tree.items()} if isinstance(tree, dict) else type(tree).__name__


@pytest.fixture(scope="module")
def undisturbed(demo_tables: Path, tmp_path_factory: pytest.TempPathFactory) -> Trained:
    outputs = tmp_path_factory.mktemp("ray")
    return finished(start(outputs, f"data.path={demo_tables}", *LONG), outputs)


def test_a_run_on_ray_is_like_any_other(undisturbed: Trained, demo_tables: Path, tmp_path: Path) -> None:
    """The same steps, files and figures; dropout alone differs, since each worker draws its own."""
    here = train_here(demo_tables, tmp_path, *LONG)
    assert steps_of(undisturbed) == steps_of(here)
    assert names_in(undisturbed.metrics) == names_in(here.metrics)
    assert {path.name for path in undisturbed.folder.iterdir()} == {path.name for path in here.folder.iterdir()}
    assert undisturbed.stdout.splitlines()[-1] == str(undisturbed.bundle)
    ours, theirs = (run.metrics["models"]["two_tower"]["test"]["all"]["ndcg@10"] for run in (here, undisturbed))
    assert ours["low"] < theirs["value"] < ours["high"]


def test_killed_workers_are_replaced(undisturbed: Trained, demo_tables: Path, tmp_path: Path) -> None:
    """One while the epoch is chosen and the other one in the refit; the run ends as if nothing had been."""
    run = start(tmp_path, f"data.path={demo_tables}", *LONG)
    at = [kill_when(run, tmp_path, "last.ckpt", place=0), kill_when(run, tmp_path, "refit/last.ckpt", place=1)]
    killed = finished(run, tmp_path)
    assert all(step < whole for step, whole in zip(at, steps_of(undisturbed), strict=True)), "killed too late"
    assert steps_of(killed) == steps_of(undisturbed)
    assert weights_hash(killed) == weights_hash(undisturbed)
    assert comparable(killed.metrics) == comparable(undisturbed.metrics)


def test_what_a_worker_complains_of_is_said_in_one_line(demo_tables: Path, tmp_path: Path) -> None:
    """Ray starts the workers anew in vain, and the command says what any command would say."""
    run = train_here(demo_tables, tmp_path, *QUICK, UNTRACKED)
    settings = run.folder / ".hydra" / "config.yaml"
    text = settings.read_text()
    assert text.count("engine: here") == 1
    settings.write_text(text.replace("engine: here", "engine: ray"))
    last = run.folder / "checkpoints" / "last.ckpt"
    last.write_bytes(last.read_bytes()[:1000])
    words = [sys.executable, str(SCRIPTS / "train.py"), f"resume={run.folder}"]
    resumed = subprocess.run(words, capture_output=True, text=True, timeout=PATIENCE)
    assert resumed.returncode == 2
    assert resumed.stderr.startswith(f"error: checkpoint {last} cannot be read (")
    assert resumed.stderr.count("\n") == 1

"""Sweeps in processes of their own, killed with SIGKILL at random moments: the same command ends them all the same."""

from __future__ import annotations

import json
import os
import random
import signal
import subprocess
import sys
import time
from contextlib import suppress
from pathlib import Path
from typing import Any

import optuna
import pytest
from mlflow import MlflowClient
from optuna.trial import TrialState

from embedrec.tracking import PARENT_TAG
from runs import QUICK, SCRIPTS

TRIALS = 6
SETTINGS = [one for one in QUICK if not one.startswith(("model.dim", "trainer.learning_rate"))]


def arguments(data: Path, outputs: Path, *more: str, trials: int = TRIALS) -> list[str]:
    return [
        "-m",
        f"data.path={data}",
        f"outputs={outputs}",
        "name=night",
        *SETTINGS,
        "hparams_search=optuna",
        f"hparams_search.n_trials={trials}",
        "hparams_search.sampler=random",
        "hparams_search.pruner=null",
        "model.dim=4,8",
        *more,
    ]


def start(given: list[str], stdout: int = subprocess.PIPE) -> subprocess.Popen[str]:
    command = [sys.executable, str(SCRIPTS / "train.py"), *given]
    pipes = {"stdout": stdout, "stderr": subprocess.STDOUT, "text": True}
    return subprocess.Popen(command, start_new_session=True, **pipes)  # type: ignore[call-overload,no-any-return]


def finish(given: list[str]) -> str:
    process = start(given)
    said, _ = process.communicate(timeout=280)
    assert process.returncode == 0, said
    return said


def descendants(pid: int) -> list[int]:
    found: list[int] = []
    with suppress(OSError):
        for child in Path(f"/proc/{pid}/task/{pid}/children").read_text().split():
            found += [int(child), *descendants(int(child))]
    return found


def loky_workers(pid: int) -> list[int]:
    found = []
    for child in descendants(pid):
        with suppress(OSError):
            if "loky" in Path(f"/proc/{child}/cmdline").read_text().replace("\0", " "):
                found.append(child)
    return found


def values(outputs: Path) -> list[tuple[int, str, float | None, dict[str, Any]]]:
    study = optuna.load_study(study_name="night", storage=f"sqlite:///{outputs / 'sweeps' / 'night' / 'study.db'}")
    return [(one.number, one.state.name, one.value, one.params) for one in study.get_trials()]


def records(outputs: Path) -> list[Any]:
    client = MlflowClient(f"sqlite:///{outputs / 'mlflow.db'}")
    experiment = client.get_experiment_by_name("embedrec")
    return list(client.search_runs([experiment.experiment_id]))


def check(outputs: Path, undisturbed: Path, trials: int = TRIALS) -> None:
    assert values(outputs) == values(undisturbed)
    assert [state for _, state, _, _ in values(outputs)] == [TrialState.COMPLETE.name] * trials
    found = records(outputs)
    assert {one.info.status for one in found} == {"FINISHED"}
    (parent,) = (one for one in found if PARENT_TAG not in one.data.tags)
    children = [one for one in found if one.data.tags.get(PARENT_TAG) == parent.info.run_id]
    assert len(children) == trials == len(found) - 1
    kept = {
        json.loads((outputs / "sweeps" / "night" / str(n) / "run.json").read_text())["run_id"] for n in range(trials)
    }
    assert kept == {one.info.run_id for one in children}


@pytest.fixture(scope="module")
def undisturbed(demo_tables: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    outputs = tmp_path_factory.mktemp("undisturbed")
    finish(arguments(demo_tables, outputs))
    return outputs


def test_a_killed_driver_and_two_that_go_on(demo_tables: Path, undisturbed: Path, tmp_path: Path) -> None:
    given = arguments(demo_tables, tmp_path)
    first = start(given)
    while not (tmp_path / "sweeps" / "night" / "1" / "checkpoints").exists():
        assert first.poll() is None, first.communicate()
        time.sleep(0.1)
    os.killpg(first.pid, signal.SIGKILL)
    first.communicate()
    both = [start(given), start(given)]
    said = [one.communicate(timeout=280)[0] for one in both]
    assert [one.returncode for one in both] == [0, 0], said
    assert sum(f"[2/{TRIALS}] trial 1: model.dim" in one for one in said) == 1  # taken up by one of them
    check(tmp_path, undisturbed)
    assert "left" not in finish(given)  # once more changes nothing
    check(tmp_path, undisturbed)


MANY, KILLS = 30, 10


@pytest.fixture(scope="module")
def undisturbed_night(demo_tables: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    outputs = tmp_path_factory.mktemp("night")
    finish(arguments(demo_tables, outputs, trials=MANY))
    return outputs


@pytest.mark.slow
@pytest.mark.timeout(1800)
@pytest.mark.parametrize("launcher", ["basic", "joblib"])
def test_kills_of_drivers_and_workers(
    demo_tables: Path, undisturbed_night: Path, tmp_path: Path, launcher: str
) -> None:
    """Up to ten with each launcher, as long as the sweep lasts."""
    rng = random.Random(launcher)
    more = ["hydra/launcher=joblib", "hydra.launcher.n_jobs=2"] if launcher == "joblib" else []
    given = arguments(demo_tables, tmp_path, *more, trials=MANY)
    kills = {"driver": 0, "worker": 0}
    process = start(given, subprocess.DEVNULL)  # orphans would keep a pipe open
    while sum(kills.values()) < KILLS and process.poll() is None:
        time.sleep(rng.uniform(3, 9))
        workers = loky_workers(process.pid)
        if workers and rng.random() < 0.5:
            with suppress(ProcessLookupError):
                os.kill(rng.choice(workers), signal.SIGKILL)
                kills["worker"] += 1
        elif process.poll() is None:
            os.kill(process.pid, signal.SIGKILL)  # the driver alone: its workers are orphans now
            kills["driver"] += 1
            process.wait()
            process = start(given, subprocess.DEVNULL)
    process.wait(timeout=280)
    finish(given)
    print(f"\n{launcher}: {kills}")
    assert sum(kills.values()) > KILLS // 2, kills
    check(tmp_path, undisturbed_night, MANY)

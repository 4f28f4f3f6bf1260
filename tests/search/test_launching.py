"""Launchers: how many trials each gets, and what becomes of the others when a worker is killed."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from concurrent.futures.process import BrokenProcessPool
from pathlib import Path
from typing import Any

import pytest
from hydra.core.utils import JobReturn, JobStatus
from mlflow import MlflowClient
from omegaconf import OmegaConf

from embedrec.errors import ConfigError
from embedrec.experiment.folders import LOCK
from embedrec.hydra_entry import explain
from embedrec.search.launching import launch, trials_at_once
from embedrec.search.study import OUTCOME
from embedrec.tracking import PARENT_TAG
from hydra_plugins.embedrec_ray_launcher import EmbedrecRayLauncher
from runs import SCRIPTS, read_json


class Launching:
    """A launcher whose job does what is asked of it."""

    def __init__(self, job: Callable[[str], str | None]) -> None:
        self.job, self.launched = job, []  # type: ignore[var-annotated]

    def launch(self, job_overrides: Sequence[Sequence[str]], initial_job_idx: int) -> list[JobReturn]:
        self.launched.append((initial_job_idx, len(job_overrides)))
        return [JobReturn(status=JobStatus.COMPLETED, _return_value=self.job(one)) for (one,) in job_overrides]


class OfSubmitit(Launching):
    __module__ = "hydra_plugins.hydra_submitit_launcher.submitit_launcher"


def test_a_worker_of_submitit_that_is_killed_leaves_the_others_to_end() -> None:
    errors = pytest.importorskip("submitit.core.utils", reason="the extra [search] is not whole")
    ended = []

    def job(name: str) -> str | None:
        if name == "killed":
            raise errors.UncompletedJobError("Job has not produced any output")
        time.sleep(0.1)
        ended.append(name)
        return "the disk is full" if name == "stops" else None

    launcher: Any = OfSubmitit(job)
    assert launch(launcher, [["killed"], ["a"], ["b"]], 5) is None
    assert sorted(ended) == ["a", "b"]
    assert sorted(launcher.launched) == [(5, 1), (6, 1), (7, 1)]
    assert launch(launcher, [["killed"], ["stops"]], 0) == "the disk is full"


def test_a_fault_of_ours_in_a_worker_of_submitit_is_raised() -> None:
    errors = pytest.importorskip("submitit.core.utils", reason="the extra [search] is not whole")

    def job(_: str) -> None:
        raise errors.FailedJobError("ZeroDivisionError")

    with pytest.raises(errors.FailedJobError):
        launch(OfSubmitit(job), [["a"]], 0)  # type: ignore[arg-type]


def test_a_killed_worker_of_joblib_takes_its_pool_with_it() -> None:
    def job(_: str) -> None:
        raise BrokenProcessPool

    assert launch(Launching(job), [["a"], ["b"]], 0) is None  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("launcher", "settings", "sweeper", "wanted"),
    [
        ("basic", {}, None, 1),
        ("joblib", {"n_jobs": 3}, None, 3),
        ("joblib", {"n_jobs": -1}, None, os.cpu_count()),
        ("joblib", {"n_jobs": 3}, 5, 5),
        ("submitit_local", {}, None, os.cpu_count()),
        ("submitit_slurm", {"array_parallelism": 256}, 32, 32),
        ("ray", {}, -1, os.cpu_count()),
    ],
)
def test_how_many_trials_run_at_the_same_time(
    launcher: str, settings: dict[str, int], sweeper: int | None, wanted: int
) -> None:
    hydra = {
        "runtime": {"choices": {"hydra/launcher": launcher}},
        "launcher": settings,
        "sweeper": {"n_jobs": sweeper},
    }
    assert trials_at_once(OmegaConf.create({"hydra": hydra})) == wanted


def test_how_many_trials_is_a_number() -> None:
    with pytest.raises(ConfigError, match="hydra.sweeper.n_jobs='many': wanted a whole number"):
        trials_at_once(OmegaConf.create({"hydra": {"sweeper": {"n_jobs": "many"}}}))


def test_a_launcher_that_is_not_installed_is_said_with_its_extra(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    missing = Exception("Could not find 'hydra/launcher/submitit_slurm'\n\nAvailable options:\n\tbasic\n")
    assert explain(missing) == (
        "hydra/launcher=submitit_slurm needs what is not installed: pip install -c constraints.txt 'embedrec[search]', "
        "or make setup"
    )
    unknown = Exception("Could not find 'hydra/launcher/joblibb'\n\nAvailable options:\n\tbasic\n\tjoblib\n")
    assert explain(unknown).endswith("there is no such choice, did you mean 'joblib'?; known: basic, joblib")
    monkeypatch.setattr("hydra_plugins.embedrec_ray_launcher.find_spec", lambda _: None)
    with pytest.raises(ConfigError, match=r"hydra/launcher=ray needs .*'embedrec\[ray\]'"):
        EmbedrecRayLauncher().setup(hydra_context=None, task_function=None, config=None)  # type: ignore[arg-type]


@pytest.mark.slow
@pytest.mark.timeout(600)
@pytest.mark.parametrize("search", [[], ["hparams_search=optuna", "hparams_search.n_trials=4"]], ids=["grid", "search"])
@pytest.mark.parametrize("launcher", ["joblib", "submitit_local", "ray"])
def test_a_sweep_of_which_a_worker_is_killed(
    demo_tables: Path, tmp_path: Path, launcher: str, search: list[str]
) -> None:
    if launcher == "ray":
        pytest.importorskip("ray", reason="the extra [ray] is not installed")
    given = [f"data.path={demo_tables}", f"outputs={tmp_path}", "name=night", "model=two_tower_ids", "model.dim=4,8"]
    given += ["trainer.max_epochs=3", "trainer.batch_size=256,512", f"hydra/launcher={launcher}", *search]
    words = [sys.executable, str(SCRIPTS / "train.py"), "-m", *given, "hydra.sweeper.n_jobs=2"]
    with (tmp_path / "log").open("w") as log:
        driver = subprocess.Popen(words, stdout=log, stderr=log)
    folder = tmp_path / "sweeps" / "night"
    killed = None
    while killed is None and driver.poll() is None:
        time.sleep(0.02)
        for begun in folder.glob("[0-9]/checkpoints"):
            if not (begun.parent / OUTCOME).exists():
                killed = locking(begun.parent / LOCK)
    assert killed not in (None, driver.pid), (tmp_path / "log").read_text()
    os.kill(killed, signal.SIGKILL)
    assert driver.wait(300) == 0, (tmp_path / "log").read_text()
    assert "was killed; it is taken up again" in (tmp_path / "log").read_text()
    assert [read_json(folder / str(number) / OUTCOME)["state"] for number in range(4)] == ["finished"] * 4
    client = MlflowClient(f"sqlite:///{tmp_path / 'mlflow.db'}")
    runs = list(client.search_runs([client.get_experiment_by_name("embedrec").experiment_id]))
    (parent,) = (one.info.run_id for one in runs if PARENT_TAG not in one.data.tags)
    assert sorted(one.data.tags["trial"] for one in runs if one.data.tags.get(PARENT_TAG) == parent) == list("0123")


def locking(lock: Path) -> int | None:
    """Return the process that holds a file locked."""
    inode = f":{lock.stat().st_ino} "
    held = (line.split() for line in Path("/proc/locks").read_text().splitlines() if inode in line)
    return next((int(words[4]) for words in held if int(words[4]) > 0), None)

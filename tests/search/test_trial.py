"""A trial by itself: what its record says when it is pruned, and when its worker ends."""

from __future__ import annotations

import os
import sys
import threading
from pathlib import Path
from typing import Any

import pytest
from filelock import FileLock

from embedrec.experiment.run import run_trial
from embedrec.experiment.runner import Runner
from embedrec.experiment.shop import open_shop
from embedrec.search import worker
from embedrec.training import Pruned
from runs import Trained


class Told:
    """A tracker that remembers."""

    run_id = "r"

    def __init__(self) -> None:
        self.figures: dict[str, tuple[int, float]] = {}
        self.tags: dict[str, str] = {}
        self.status = ""

    def metrics(self, values: dict[str, float], step: int = 0) -> None:
        self.figures |= {key: (step, value) for key, value in values.items()}

    def parameters(self, _: dict[str, Any], tags: dict[str, str]) -> None:
        self.tags |= tags

    def finish(self, status: str) -> None:
        self.status = status

    def lightning_logger(self) -> None:
        pass

    def inputs(self, *_: Any) -> None:
        pass

    artifacts = inputs


def test_the_epoch_at_which_a_trial_is_pruned_is_recorded(
    simple: Trained, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The search ends it before Lightning writes that epoch."""

    def measure(*_: Any, report: Any, **__: Any) -> None:
        report(1, 0.25)
        report(2, 0.125)

    def report(epoch: int, _: float) -> None:
        if epoch == 2:
            raise Pruned

    told, config = Told(), simple.config
    monkeypatch.setattr(sys.modules["embedrec.experiment.run"], "trial_tracker", lambda *_: told)
    monkeypatch.setattr(Runner, "measure", measure)
    with pytest.raises(Pruned):
        run_trial(config, tmp_path, open_shop(config.data, config.split), report)
    assert told.figures == {"valid_ndcg_at_10": (2, 0.125)}
    assert told.tags["trial.state"] == "pruned"
    assert told.status == "FINISHED"


def test_a_worker_ends_with_its_driver_after_the_trial_that_runs(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """A driver of another process number: submitit puts one in between, a cluster has several machines."""
    lock = tmp_path / "driver.lock"
    parent, ended = os.getppid(), threading.Event()
    monkeypatch.setattr(worker, "POLL", 0.01)
    monkeypatch.setattr(os, "_exit", lambda code: ended.set() if code == 0 else None)
    with FileLock(lock), worker.AT_WORK:
        worker.end_with(f"{os.getpid() + 1}-abcd", lock)
        assert not ended.wait(0.1)
        monkeypatch.setattr(os, "getppid", lambda: parent + 1)  # whoever takes in its orphans
        assert not ended.wait(0.1)
    assert ended.wait(5)


def test_a_worker_whose_driver_died_while_it_was_starting_ends(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    ended, dead = threading.Event(), tmp_path / "driver.lock"
    dead.touch()
    monkeypatch.setattr(os, "_exit", lambda code: ended.set() if code == 0 else None)
    worker.end_with(f"{os.getpid() + 1}-abcd", dead)
    assert ended.wait(5)


def test_a_driver_that_runs_its_trials_itself_outlives_its_shell(tmp_path: Path) -> None:
    before = threading.active_count()
    worker.end_with(f"{os.getpid()}-abcd", tmp_path / "driver.lock")
    assert threading.active_count() == before

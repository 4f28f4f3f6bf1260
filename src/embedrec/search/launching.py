"""Trials handed to Hydra's launchers, each of which has its own way when a worker of its is killed."""

from __future__ import annotations

import os
import threading
from collections.abc import Sequence
from concurrent.futures.process import BrokenProcessPool
from queue import SimpleQueue
from typing import Any

from hydra.plugins.launcher import Launcher
from omegaconf import DictConfig, OmegaConf

from embedrec.errors import ConfigError, quoted

Job = Sequence[str]
"""Overrides of one trial."""


def trials_at_once(config: DictConfig) -> int:
    """Return how many trials the launcher gets at the same time: -1 stands for one on each processor here.

    Raises:
        ConfigError: it is no number.
    """
    count = OmegaConf.select(config, "hydra.sweeper.n_jobs")
    if count is None:  # joblib has a number of its own, Hydra's own launcher runs one after the other
        one_by_one = OmegaConf.select(config, "hydra.runtime.choices.hydra/launcher") == "basic"
        count = OmegaConf.select(config, "hydra.launcher.n_jobs", default=1 if one_by_one else -1)
    if not isinstance(count, int) or isinstance(count, bool):
        raise ConfigError(f"hydra.sweeper.n_jobs={quoted(count)}: wanted a whole number, -1 for one on each processor")
    return count if count > 0 else os.cpu_count() or 1


def launch(launcher: Launcher, jobs: Sequence[Job], first: int) -> str | None:
    """Run trials until all have ended; return why the whole sweep has to stop, where one says so.

    A worker that is killed ends nothing here: its trial is the one without an outcome.
    """
    if "submitit" in type(launcher).__module__:
        values = _each_by_itself(launcher, jobs, first)
    else:
        try:
            values = [one.return_value for one in launcher.launch(jobs, initial_job_idx=first)]
        except BrokenProcessPool:  # joblib: all of the pool with it
            return None
    return next((str(value) for value in values if value), None)


def _each_by_itself(launcher: Launcher, jobs: Sequence[Job], first: int) -> list[Any]:
    """Launch each job in a thread of its own: submitit's launcher leaves all the others for one that was killed."""
    from submitit.core.utils import FailedJobError, UncompletedJobError

    ended: SimpleQueue[tuple[Any, BaseException | None]] = SimpleQueue()

    def run(number: int, job: Job) -> None:
        try:
            (returned,) = launcher.launch([job], initial_job_idx=number)
            ended.put((returned.return_value, None))
        except UncompletedJobError as error:
            ended.put((None, error if isinstance(error, FailedJobError) else None))
        except BaseException as error:  # noqa: BLE001 - raised below, by the thread that waits
            ended.put((None, error))

    for number, job in enumerate(jobs, first):
        threading.Thread(target=run, args=(number, job), daemon=True, name=f"trial {number}").start()
    values = []
    for _ in jobs:
        value, error = ended.get()
        if error:
            raise error
        values.append(value)
    return values

"""`hydra/launcher=ray`: each trial is a task of Ray; where Ray runs is told by `RAY_ADDRESS`, else it is started here.

The launcher that Hydra's makers wrote for Ray wants an old cloudpickle and Amazon's client, and this is all of it that
a sweep needs.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from hydra.core.config_store import ConfigStore
from hydra.core.singleton import Singleton
from hydra.core.utils import JobReturn, JobStatus, run_job, setup_globals
from hydra.plugins.launcher import Launcher
from hydra.types import HydraContext, TaskFunction
from omegaconf import DictConfig, open_dict

NAME = "hydra/launcher=ray"


class EmbedrecRayLauncher(Launcher):
    """Runs jobs as tasks of Ray, one processor each."""

    def setup(self, *, hydra_context: HydraContext, task_function: TaskFunction, config: DictConfig) -> None:
        """Take what Hydra hands over.

        Raises:
            ConfigError: Ray is not installed.
        """
        if find_spec("ray") is None:  # before a sweep has a folder
            from embedrec.hydra_entry import needs_extra

            raise needs_extra(NAME, "ray")
        self.config = config
        self.hydra_context = hydra_context
        self.task_function = task_function

    def launch(self, job_overrides: Sequence[Sequence[str]], initial_job_idx: int) -> Sequence[JobReturn]:
        """Run jobs and wait for all; one whose worker died has returned nothing.

        Raises:
            ConfigError: Ray cannot be started or reached.
        """
        from embedrec.ray_session import start_ray
        from embedrec.search.launching import trials_at_once

        ray = start_ray(NAME, trials_at_once(self.config))
        # killed trials are run again by the sweep, which counts how often
        run = ray.remote(num_cpus=1, max_retries=0)(_run)
        handed = ray.put((self.hydra_context, self.task_function, self.config, Singleton.get_state(), Path.cwd()))
        tasks = [run.remote(handed, list(job), number) for number, job in enumerate(job_overrides, initial_job_idx)]
        return [_returned(ray, task) for task in tasks]


def _run(handed: tuple[Any, ...], overrides: list[str], number: int) -> JobReturn:
    """Run one job in a worker of Ray."""
    hydra_context, task_function, config, singletons, folder = handed
    os.chdir(folder)  # settings may name files from there
    setup_globals()
    Singleton.set_state(singletons)
    composed = hydra_context.config_loader.load_sweep_config(config, overrides)
    with open_dict(composed):
        composed.hydra.job.id = composed.hydra.job.num = number
    return run_job(
        hydra_context=hydra_context,
        task_function=task_function,
        config=composed,
        job_dir_key="hydra.sweep.dir",
        job_subdir_key="hydra.sweep.subdir",
    )


def _returned(ray: Any, task: Any) -> JobReturn:
    try:
        returned: JobReturn = ray.get(task)
    except ray.exceptions.RayTaskError:  # the job's own
        raise
    except ray.exceptions.RayError:
        return JobReturn(status=JobStatus.COMPLETED)
    return returned


ConfigStore.instance().store(
    group="hydra/launcher",
    name="ray",
    node={"_target_": f"{__name__}.{EmbedrecRayLauncher.__name__}"},
    provider="embedrec",
)

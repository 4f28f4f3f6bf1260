"""`trainer=ray`: the training loop runs on workers of Ray Train; what comes before and after it stays in this process.

A worker that dies takes its group with it, as gloo wants; Ray starts the group anew, and that goes on from `last.ckpt`
in the folder of the run, like any resumed training. On several machines that folder has to be one that all of them see.
"""

from __future__ import annotations

import shutil
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, TypeVar

from rich.console import Console

from embedrec.errors import EmbedrecError, TrainingError
from embedrec.ray_session import start_ray

Found = TypeVar("Found")
Work = Callable[[dict[str, Any]], Found]
"""Trains with what it adds to the arguments of Lightning's trainer; run by every worker."""
DEATHS = 3
"""Times that the workers of one training are replaced."""


def on_ray(work: Work[Found], processes: int, folder: Path, progress: bool = True) -> Found:
    """Return what `work` returns on the first worker.

    Raises:
        ConfigError: Ray is not installed or does not start.
        EmbedrecError: what `work` raised.
        TrainingError: workers died again and again.
    """
    ray = start_ray("trainer=ray", processes)
    from ray import train
    from ray.train.torch import TorchConfig, TorchTrainer

    trainer = TorchTrainer(
        lambda: work(_lightning()),
        torch_config=TorchConfig(backend="gloo"),
        scaling_config=train.ScalingConfig(num_workers=processes),
        run_config=train.RunConfig(
            name=".ray",
            storage_path=str(folder),
            failure_config=train.FailureConfig(max_failures=DEATHS, controller_failure_limit=DEATHS),
        ),
    )
    # beside the main thread, where Ray would make Ctrl-C its own
    waiting = ThreadPoolExecutor(1).submit(trainer.fit)
    try:
        with Console(stderr=True, quiet=not progress).status(f"Training in {processes} processes of Ray …"):
            found: Found = waiting.result().return_value
    except train.TrainingFailedError as error:
        raise _reason(error) from error
    except BaseException:
        ray.shutdown()  # or the thread would wait for the end of training
        raise
    finally:
        shutil.rmtree(folder / ".ray", ignore_errors=True)  # where Ray tried whether all workers see the folder
    return found


def _lightning() -> dict[str, Any]:
    from ray.train.lightning import RayDDPStrategy, RayLightningEnvironment

    return {"strategy": RayDDPStrategy(), "plugins": [RayLightningEnvironment()]}


def _reason(error: Exception) -> Exception:
    """Return what a worker complained of, rather than that others then lost it."""
    causes = [getattr(cause, "_base_exc", cause) for cause in getattr(error, "worker_failures", {}).values()]
    for cause in causes:
        if isinstance(cause, EmbedrecError):
            return cause
    from ray.exceptions import RayError

    if all(isinstance(cause, RayError) or "Connection" in str(cause) for cause in causes):
        return TrainingError(
            f"trainer=ray: workers died {DEATHS + 1} times; give them more memory and continue with resume=RUN_DIR"
        )
    return error

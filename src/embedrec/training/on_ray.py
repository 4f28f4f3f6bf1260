"""`trainer=ray`: training runs on workers of Ray Train; what comes before and after it stays in this process.

A worker that dies takes the others with it, since they wait for each other at every step. Ray starts them anew, and
they go on from `last.ckpt` in the folder of the run, like any resumed training. On several machines that has to be a
folder that all of them see.
"""

from __future__ import annotations

import shutil
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path
from typing import Any

from pytorch_lightning.loggers import Logger
from rich.console import Console

from embedrec.data.datamodule import TrainingData
from embedrec.errors import ConfigError, EmbedrecError, TrainingError, quoted
from embedrec.models import Network
from embedrec.ray_session import start_ray
from embedrec.training.callbacks import NDCG, TRAIN_LOSS, Monitor, Report, Validate
from embedrec.training.checkpoints import BEST, LAST
from embedrec.training.config import LossConfig, TrainerConfig
from embedrec.training.fit import Fit, fit, load_weights

DEATHS = 3
"""Times that the workers of one training are started anew."""


def fit_on_ray(
    network: Network,
    data: TrainingData,
    loss: LossConfig,
    config: TrainerConfig,
    *,
    folder: Path,
    validate: Validate | None = None,
    monitor: Monitor = NDCG,
    epochs: int | None = None,
    logger: Logger | None = None,
    progress: bool = True,
    report: Report | None = None,
) -> Fit:
    """Do what `fit` does on `config.processes` workers of Ray; epochs are logged when all are done.

    Raises:
        ConfigError: Ray is not there, or it is asked for the trials of a search.
        TrainingError: as `fit`, or workers died again and again.
        StorageError: as `fit`.
    """
    if report is not None:
        raise ConfigError("trainer=ray is for one run; the trials of a search run side by side instead")
    folder = folder.resolve()
    folder.mkdir(parents=True, exist_ok=True)
    work = partial(
        fit,
        network,
        data,
        loss,
        config.model_copy(update={"engine": "here"}),
        folder=folder,
        validate=validate,
        monitor=monitor,
        epochs=epochs,
        progress=False,
    )
    with Console(stderr=True, quiet=not progress).status(f"Training on {config.processes} workers of Ray …"):
        found = _on_workers(work, config.processes, folder)
    load_weights(network, folder / (BEST if validate else LAST))
    if logger:
        for place, point in enumerate(found.curve):
            figures = {TRAIN_LOSS: point[TRAIN_LOSS], monitor.name: point[monitor.key], "epoch": float(place)}
            logger.log_metrics({name: value for name, value in figures.items() if value is not None})
    return found


def _on_workers(work: Callable[..., Fit], count: int, folder: Path) -> Fit:
    """Return what `work` returns on the first worker."""
    ray = start_ray("trainer=ray", count)
    from ray import train
    from ray.train.torch import TorchConfig, TorchTrainer

    trainer = TorchTrainer(
        lambda: work(strategy=_strategy),
        torch_config=TorchConfig(backend="gloo"),
        scaling_config=train.ScalingConfig(num_workers=count),
        run_config=train.RunConfig(
            name=".ray",
            storage_path=str(folder),
            failure_config=train.FailureConfig(max_failures=DEATHS, controller_failure_limit=DEATHS),
        ),
    )
    # beside the main thread, where Ray would make Ctrl-C its own
    waiting = ThreadPoolExecutor(1).submit(trainer.fit)
    try:
        found: Fit = waiting.result().return_value
    except train.TrainingFailedError as error:
        raise _reason(error) from error
    except BaseException:
        ray.shutdown()  # or the thread would wait for the end of training
        raise
    finally:
        shutil.rmtree(folder / ".ray", ignore_errors=True)  # where Ray tried whether all workers see the folder
    return found


def _strategy(**settings: Any) -> Any:
    """Lightning's strategy for several processes, of which Ray knows which is which."""
    from ray.train.lightning import RayDDPStrategy, RayLightningEnvironment

    return RayDDPStrategy(cluster_environment=RayLightningEnvironment(), **settings)


def _reason(error: Exception) -> Exception:
    """Return what a worker complained of, rather than that others then lost it."""
    from ray.exceptions import RayError
    from ray.train import ControllerError

    if isinstance(error, ControllerError):
        return TrainingError(
            f"trainer=ray: the workers could not be started ({quoted(error.controller_failure, 200)}); on several "
            "machines all have to see the folder of outputs; continue with resume=RUN_DIR"
        )
    causes = [getattr(cause, "_base_exc", cause) for cause in getattr(error, "worker_failures", {}).values()]
    for cause in causes:
        if isinstance(cause, EmbedrecError):
            return cause
    if all(isinstance(cause, RayError) or "gloo" in str(cause) for cause in causes):
        return TrainingError(
            f"trainer=ray: workers died {DEATHS + 1} times; give them more memory and continue with resume=RUN_DIR"
        )
    return error

"""`Tracker`: one MLflow run with its parameters, metrics per epoch and artifacts."""

from __future__ import annotations

import fcntl
import logging
import os
import subprocess
import warnings
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ConfigDict
from pytorch_lightning.loggers import Logger, MLFlowLogger

from embedrec.errors import ConfigError, quoted

PARENT_TAG = "mlflow.parentRunId"


class TrackingConfig(BaseModel):
    """Where runs are recorded."""

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True)
    enabled: bool = True
    uri: str | None = None
    """MLflow tracking URI; without it sqlite in the outputs folder."""
    experiment: str = "embedrec"
    parent_run: str | None = None
    """Run id of the sweep this run is a child of."""


class Tracker:
    """One MLflow run, opened on construction or continued where `run_id` is given."""

    def __init__(self, config: TrackingConfig, outputs: Path, name: str, run_id: str | None = None) -> None:
        from mlflow import MlflowClient
        from mlflow.exceptions import MlflowException
        from sqlalchemy.exc import SQLAlchemyError

        quiet()
        uri = config.uri or f"sqlite:///{(outputs / 'mlflow.db').resolve()}"
        try:
            outputs.mkdir(parents=True, exist_ok=True)
            with _lock(outputs / ".mlflow.lock"):  # two first creations of one store would race
                self._client = MlflowClient(uri)
                experiment = _experiment(self._client, config.experiment, outputs)
        except (MlflowException, SQLAlchemyError, ImportError, OSError) as error:
            raise ConfigError(f"tracking.uri={quoted(uri)} cannot be opened: {str(error).splitlines()[0]}") from error
        if run_id is not None:
            try:
                self._client.update_run(run_id, status="RUNNING")
            except MlflowException:  # the store was deleted or replaced since: record anew
                run_id = None
        if run_id is None:
            tags = {PARENT_TAG: config.parent_run} if config.parent_run else {}
            run_id = self._client.create_run(experiment, run_name=name, tags=tags).info.run_id
        self.run_id: str = run_id
        self._uri, self._experiment = uri, config.experiment

    def lightning_logger(self) -> Logger:
        """Return a logger that writes the epochs of Lightning into this run."""
        return _OpenLogger(self._experiment, tracking_uri=self._uri, run_id=self.run_id)

    def parameters(self, values: dict[str, Any], tags: dict[str, str]) -> None:
        """Record settings under dotted names, and tags; the commit of a git checkout is added."""
        from mlflow.entities import Param, RunTag

        tags = {**tags, **_commit()}
        known = self._client.get_run(self.run_id).data.params
        params = [Param(key, str(value)[:6000]) for key, value in flat(values).items() if key not in known]
        self._client.log_batch(self.run_id, params=params, tags=[RunTag(key, value) for key, value in tags.items()])

    def metrics(self, values: dict[str, float]) -> None:
        """Record final figures; names keep to MLflow's alphabet."""
        from mlflow.entities import Metric

        now = 0  # figures of a run carry no clock: the same run twice is the same record
        self._client.log_batch(
            self.run_id,
            metrics=[Metric(key.replace("@", "_at_"), value, now, 0) for key, value in values.items()],
        )

    def artifacts(self, *paths: Path) -> None:
        """Attach files and folders that exist."""
        for path in paths:
            if path.is_dir():
                self._client.log_artifacts(self.run_id, str(path), path.name)
            elif path.exists():
                self._client.log_artifact(self.run_id, str(path))

    def finish(self, status: str = "FINISHED") -> None:
        """Close the run: FINISHED, FAILED or KILLED."""
        self._client.set_terminated(self.run_id, status)


class _OpenLogger(MLFlowLogger):
    """Leaves closing the run to `Tracker`: more follows the first fit."""

    def finalize(self, status: str = "success") -> None:
        """Do nothing."""


def flat(values: dict[str, Any], prefix: str = "") -> dict[str, Any]:
    """Lay a nested dict out under dotted names."""
    rows: dict[str, Any] = {}
    for key, value in values.items():
        if isinstance(value, dict) and value:
            rows.update(flat(value, f"{prefix}{key}."))
        else:
            rows[f"{prefix}{key}"] = value
    return rows


def quiet() -> None:
    """Keep MLflow and its database tools from chatting, and from calling home."""
    os.environ["MLFLOW_DISABLE_TELEMETRY"] = "true"
    for name in ("mlflow", "alembic", "alembic.runtime.migration"):
        logging.getLogger(name).setLevel(logging.WARNING)
    warnings.filterwarnings("ignore", category=FutureWarning, module="mlflow")


def _experiment(client: Any, name: str, outputs: Path) -> str:
    found = client.get_experiment_by_name(name)
    if found is not None:
        return str(found.experiment_id)
    return str(client.create_experiment(name, artifact_location=(outputs / "mlartifacts").resolve().as_uri()))


class _lock:  # noqa: N801 - used as a function
    """Hold an advisory lock on a file."""

    def __init__(self, path: Path) -> None:
        self._path = path

    def __enter__(self) -> None:
        self._file = self._path.open("w")
        fcntl.flock(self._file, fcntl.LOCK_EX)

    def __exit__(self, *_: object) -> None:
        self._file.close()


def _commit() -> dict[str, str]:
    """The commit of the checkout, and whether it was changed; nothing outside a checkout."""
    try:
        commit, changes = (_git(*words) for words in (("rev-parse", "HEAD"), ("status", "--porcelain")))
    except (OSError, subprocess.SubprocessError):
        return {}
    return {"git.commit": commit, "git.dirty": str(bool(changes)).lower()}


def _git(*words: str) -> str:
    command = ["git", "-C", str(Path(__file__).parent), *words]
    done = subprocess.run(command, capture_output=True, text=True, check=True, timeout=10)  # noqa: S603
    return done.stdout.strip()

"""`Store`: one MLflow store, opened so that many processes can write to it and none waits for long.

sqlite lets one process write at a time, and others that try in that moment wait with growing pauses or fail with
"database is locked". So every write here holds a lock file beside the database; the first of all creates it.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager, nullcontext
from pathlib import Path
from typing import Any

from filelock import FileLock

from embedrec.errors import ConfigError, quoted
from embedrec.tracking.bundle_record import log_bundle
from embedrec.tracking.config import local_uri, shown
from embedrec.tracking.creation import created_once
from embedrec.tracking.journal import Record
from embedrec.tracking.reaching import UnreachableError, is_server, probe, quiet, reason, refusal, store_errors

__all__ = ["LOCAL", "Store", "connect", "experiment_of", "local_uri", "name_of", "open_store", "shown", "writing"]

SQLITE = "sqlite:///"
LOCAL = "local"
"""Name of the store in the outputs folder, wherever that lies."""
PATIENCE = 600.0
"""Seconds to wait for other processes at a lock: sixteen that start at once on two busy cores waited up to 116."""
BATCH = {"metrics": 1000, "params": 100, "tags": 100}  # what MLflow takes at once
LONGEST = 6000  # signs of a parameter
KIND = {"mlflow.experimentKind": "custom_model_development"}
"""Makes MLflow's page open an experiment on its runs, and not on what it has for chats."""


class Store:
    """One MLflow store and the experiment in it."""

    def __init__(self, name: str, client: Any, experiment: str, lock: AbstractContextManager[Any]) -> None:
        self.name = name
        self._client, self._experiment, self._lock = client, experiment, lock

    def enter(self, run_id: str | None, name: str, tags: dict[str, str], started: int | None) -> str:
        """Continue a run, or create it where the store does not know it; `started` in ms since 1970."""
        from mlflow.exceptions import MlflowException

        with self._lock:
            if run_id is not None:
                try:
                    if self._client.get_run(run_id).info.lifecycle_stage != "deleted":
                        self._client.update_run(run_id, status="RUNNING")
                        return run_id
                except MlflowException as error:
                    if not refusal(error):
                        raise
                # else the store was deleted or replaced since: record anew
            run = self._client.create_run(self._experiment, start_time=started, tags=tags, run_name=name)
        return str(run.info.run_id)

    def send(self, run_id: str, records: Sequence[Record], folder: Path | None) -> None:
        """Write records in few transactions; what the store already has is not doubled."""
        if not records:
            return
        from mlflow.entities import Metric, Param, RunTag

        log: dict[str, list[Any]] = {
            "params": [Param(key, value[:LONGEST]) for key, value in _pairs(records, "params")],
            "tags": [RunTag(key, value) for key, value in _pairs(records, "tags")],
            "metrics": [
                Metric(key, value, one["time"], one["step"])
                for one in records
                for key, value in one.get("metrics", {}).items()
            ],
        }
        inputs = [dataset for one in records for dataset in one.get("inputs", [])]
        with self._lock:
            for kind, rows in log.items():
                for start in range(0, len(rows), BATCH[kind]):
                    self._client.log_batch(run_id, **{kind: rows[start : start + BATCH[kind]]})
            if inputs:
                self._client.log_inputs(run_id, datasets=[_dataset_input(**one) for one in inputs])
        for path in dict.fromkeys(one["artifact"] for one in records if "artifact" in one):
            self._attach(run_id, _at(path, folder))
        for one in records:
            if "model" in one:
                with self._lock:
                    log_bundle(self._client, run_id, _at(one["model"], folder), one["bundle_id"])
            if "status" in one:
                with self._lock:
                    self._client.set_terminated(run_id, one["status"], one["time"])

    def _attach(self, run_id: str, path: Path) -> None:
        if path.is_dir():
            self._client.log_artifacts(run_id, str(path), path.name)
        elif path.exists():
            self._client.log_artifact(run_id, str(path))


def open_store(uri: str, experiment: str, outputs: Path) -> Store:
    """Open a store; the sqlite file, its tables and the experiment are made where they are missing.

    Raises:
        ConfigError: it cannot be opened, or refuses us; the user has to mend that.
        UnreachableError: a server that may be up another day does not answer.
    """
    client = connect(uri, outputs)
    known = experiment_of(client, uri, experiment, outputs)
    return Store(name_of(uri, outputs), client, known, writing(uri))


def name_of(uri: str, outputs: Path) -> str:
    """Return the name under which the journal of a run knows a store."""
    return LOCAL if uri == local_uri(outputs) else shown(uri).rstrip("/")


def connect(uri: str, outputs: Path) -> Any:
    """Return an MLflow client of a store that answers; raises as `open_store`."""
    from mlflow import MlflowClient

    quiet()
    if trouble := probe(uri):
        raise UnreachableError(trouble)
    try:
        outputs.mkdir(parents=True, exist_ok=True)
        with writing(uri), created_once(uri):
            if uri.startswith(SQLITE):
                _make(Path(uri.removeprefix(SQLITE)))
            client = MlflowClient(uri)
            client.search_experiments(max_results=1)
    except store_errors() as error:
        raise failure(uri, error) from error
    return client


def experiment_of(client: Any, uri: str, name: str, outputs: Path) -> str:
    """Return the id of an experiment, made where it is missing; raises as `open_store`."""
    # a server has its own place for artifacts; beside a database they lie in outputs
    place = None if is_server(uri) else (outputs / "mlartifacts").resolve().as_uri()
    try:
        with writing(uri):
            return _experiment(client, name, place)
    except store_errors() as error:
        raise failure(uri, error) from error


def _make(database: Path) -> None:
    """Make a database whole or not at all: MLflow takes many steps, and refuses for ever what a kill left half-made."""
    if database.exists():
        return
    from mlflow import MlflowClient

    database.parent.mkdir(parents=True, exist_ok=True)
    partial = database.with_name(f".{database.name}.partial")
    for rest in ("", "-journal"):
        partial.with_name(partial.name + rest).unlink(missing_ok=True)
    MlflowClient(f"{SQLITE}{partial}").search_experiments(max_results=1)
    partial.replace(database)


def failure(uri: str, error: Exception) -> ConfigError | UnreachableError:
    """Say of a store that failed whether waiting helps, or only the user."""
    refused = refusal(error) in (401, 403)
    if is_server(uri) and not refused:  # what answers anything else may be a proxy, or no MLflow at all
        return UnreachableError(reason(error))
    mend = "; set MLFLOW_TRACKING_USERNAME and MLFLOW_TRACKING_PASSWORD" if refused else ""
    return ConfigError(f"tracking.uri={quoted(shown(uri))} cannot be opened: {reason(error)}{mend}")


def writing(uri: str) -> AbstractContextManager[Any]:
    """Return the lock that every writer to a store has to hold; servers and other databases need none."""
    if not uri.startswith(SQLITE):
        return nullcontext()
    return FileLock(f"{shown(uri).removeprefix(SQLITE)}.lock", timeout=PATIENCE, poll_interval=0.01)


def _experiment(client: Any, name: str, place: str | None) -> str:
    """Return the id of an experiment, made where it is missing; on a server another may be making it right now."""
    from mlflow.exceptions import MlflowException

    if client.get_experiment_by_name(name) is None:
        try:
            return str(client.create_experiment(name, artifact_location=place, tags=KIND))
        except MlflowException:
            if client.get_experiment_by_name(name) is None:
                raise
    found = client.get_experiment_by_name(name)
    if found.lifecycle_stage == "deleted":
        raise ConfigError(f"tracking.experiment={quoted(name)} was deleted; restore it or choose another name")
    for key, value in KIND.items():
        if key not in found.tags:
            client.set_experiment_tag(found.experiment_id, key, value)
    return str(found.experiment_id)


def _at(path: str, folder: Path | None) -> Path:
    return folder / path if folder else Path(path)


def _pairs(records: Sequence[Record], kind: str) -> Iterator[tuple[str, str]]:
    joined = {key: value for one in records for key, value in one.get(kind, {}).items()}
    return iter(joined.items())


def _dataset_input(context: str, **dataset: str) -> Any:
    from mlflow.entities import Dataset, DatasetInput, InputTag

    return DatasetInput(Dataset(**dataset), [InputTag("mlflow.data.context", context)])

"""`Tracker`: one MLflow run with its parameters, metrics, datasets and artifacts.

Whatever is recorded goes into the journal of the run's folder first and then to the store, figures at most once in
`PAUSE` seconds: a run never waits for a store that is busy, and never ends because one is gone.

    server ──(does not answer: one warning)──> sqlite in outputs ──(cannot be written: one warning)──> journal alone

A run that is continued gives a store that is up again what the journal holds.
"""

from __future__ import annotations

import sys
import threading
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from pytorch_lightning.loggers import Logger

from embedrec.errors import ConfigError, masked
from embedrec.tracking.commit import commit
from embedrec.tracking.config import DATABASE, TrackingConfig, local_uri, shown
from embedrec.tracking.journal import Journal, Record
from embedrec.tracking.load import SystemLoad
from embedrec.tracking.reaching import UnreachableError, reason, store_errors
from embedrec.tracking.store import LOCAL, Store, failure, open_store

__all__ = ["PARENT_TAG", "Tracker", "commit", "flat"]

PARENT_TAG = "mlflow.parentRunId"
SECRETIVE = "tracking"
"""The group of settings that is never recorded: an address may hold a password."""
PAUSE = 1.0
"""Seconds between two writes: epochs of a small model take less, and a store serves many runs."""


class Tracker:
    """One MLflow run, opened on construction, or continued: the one of `run_id`, or of the journal in `folder`.

    Raises:
        ConfigError: the store cannot be opened; or its server is down, and `elsewhere` forbids to record in outputs.
    """

    def __init__(
        self,
        config: TrackingConfig,
        outputs: Path,
        name: str,
        run_id: str | None = None,
        elsewhere: bool = True,
        folder: Path | None = None,
    ) -> None:
        self._config, self._outputs, self._name = config, outputs, name
        self._before = run_id
        self._journal = Journal(folder)
        self._due: list[Record] = []
        self._sent = 0.0
        self._one_at_a_time = threading.RLock()
        self._params = {key for one in self._journal.records for key in one.get("params", {})}
        self._figures = {figure for one in self._journal.records for figure in _figures(one)}
        self._load = SystemLoad() if config.system_metrics else None

        self._journal.append(_status("RUNNING"))
        self._store: Store | None = None
        self.run_id = ""
        try:
            self._enter(open_store(config.uri_in(outputs), config.experiment, outputs))
        except UnreachableError as down:
            where = f"tracking.uri={shown(config.uri_in(outputs))} does not answer ({down})"
            if not elsewhere:
                raise ConfigError(where) from down
            self._enter_local(where)
        if self._load:
            self._load.start(self.metrics)

    @property
    def here(self) -> bool:
        """Whether the run is recorded in the outputs folder, asked for or not."""
        return self._store is not None and self._store.name == LOCAL

    def lightning_logger(self) -> Logger:
        """Return a logger that writes the epochs of Lightning into this run."""
        from embedrec.tracking.epochs import EpochLogger

        return EpochLogger(self)

    def parameters(self, values: dict[str, Any], tags: dict[str, str]) -> None:
        """Record settings under dotted names, and tags; the commit of a git checkout is added."""
        open_to_all = {key: value for key, value in values.items() if key != SECRETIVE}
        new = {key: masked(str(value)) for key, value in flat(open_to_all).items() if key not in self._params}
        self._params |= new.keys()
        if new:
            self._record({"params": new})
        self._record({"tags": {**tags, **commit()}})
        self._flush()  # whoever looks at a run that goes on sees what it is

    def metrics(self, values: dict[str, float], step: int = 0) -> None:
        """Record figures of a step, or final ones; names keep to MLflow's alphabet. What is known is not doubled."""
        named = {key.replace("@", "_at_"): float(value) for key, value in values.items()}
        with self._one_at_a_time:
            record = {"metrics": named, "step": step, "time": _now()}
            new = {figure[0]: figure[2] for figure in _figures(record) if figure not in self._figures}
            self._figures |= _figures(record)
            if new:
                self._record({**record, "metrics": new})

    def inputs(self, datasets: Sequence[dict[str, str]]) -> None:
        """Record which data were used: name, digest, source_type, source, profile and context of each, no rows."""
        self._record({"inputs": list(datasets)})
        self._flush()

    def artifacts(self, *paths: Path) -> None:
        """Attach files and folders that exist."""
        for path in paths:
            if path.exists():
                self._record({"artifact": self._place(path)})
        self._flush()

    def model(self, bundle: Path, bundle_id: str) -> None:
        """Record a bundle as the model of this run."""
        self._record({"model": self._place(bundle), "bundle_id": bundle_id})
        self._flush()

    def finish(self, status: str = "FINISHED") -> None:
        """Close the run: FINISHED, FAILED or KILLED."""
        if self._load:
            self._load.stop()
        self._record(_status(status))
        self._flush()

    def _place(self, path: Path) -> str:
        """Name a path from the folder, which may be moved; a path outside of it as it is."""
        folder = self._journal.folder
        return str(path.relative_to(folder) if folder and path.is_relative_to(folder) else path.resolve())

    def _enter(self, store: Store) -> None:
        """Continue or create the run in a store, and give it what the journal holds."""
        tags = {PARENT_TAG: self._config.parent_run} if self._config.parent_run else {}
        started = next(one["time"] for one in self._journal.records if "status" in one)
        known = self._journal.run_in(store.name) or self._before
        try:
            self.run_id = store.enter(known, self._name, tags, started)
            self._journal.enter(store.name, self.run_id)
            store.send(self.run_id, self._journal.whole(), self._journal.folder)
        except store_errors() as error:
            raise failure(store.name, error) from error
        self._store, self._due, self._sent = store, [], time.monotonic()

    def _enter_local(self, trouble: str) -> None:
        _warn(f"{trouble}; this run is recorded in {self._outputs / DATABASE}, send it later with scripts/push.py")
        self._enter(open_store(local_uri(self._outputs), self._config.experiment, self._outputs))

    def _record(self, record: Record) -> None:
        with self._one_at_a_time:
            self._journal.append(record)
            self._due.append(record)
            if time.monotonic() - self._sent >= PAUSE:
                self._flush()

    def _flush(self) -> None:
        """Send what is due; a store that fails is left, and its place taken by the next."""
        with self._one_at_a_time:
            due, self._due = self._due, []
            if not due or self._store is None:
                return
            try:
                self._store.send(self.run_id, due, self._journal.folder)
                self._sent = time.monotonic()
            except store_errors() as error:
                self._leave(self._store, error)

    def _leave(self, lost: Store, error: Exception) -> None:
        self._store = None
        try:
            if lost.name == LOCAL:
                raise failure(LOCAL, error)
            self._enter_local(f"tracking.uri={lost.name} does not answer any more ({reason(error)})")
        except (ConfigError, UnreachableError) as last:
            _warn(f"{last}; what follows is kept in {self._journal.folder or 'memory'} alone")


def flat(values: dict[str, Any], prefix: str = "") -> dict[str, Any]:
    """Lay a nested dict out under dotted names."""
    rows: dict[str, Any] = {}
    for key, value in values.items():
        if isinstance(value, dict) and value:
            rows.update(flat(value, f"{prefix}{key}."))
        else:
            rows[f"{prefix}{key}"] = value
    return rows


def _warn(text: str) -> None:
    sys.stderr.write(f"warning: {text}\n")


def _figures(record: Record) -> set[tuple[str, int, float]]:
    return {(key, record["step"], value) for key, value in record.get("metrics", {}).items()}


def _status(status: str) -> Record:
    return {"status": status, "time": _now()}


def _now() -> int:
    return time.time_ns() // 1_000_000

"""Which run, trial or sweep somebody means: by its folder, its MLflow run id, or the name of a sweep."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from embedrec.bundle import MANIFEST
from embedrec.errors import ConfigError, nearest, quoted
from embedrec.experiment.comparison_config import parse_comparison
from embedrec.experiment.config import RunConfig, parse_config
from embedrec.experiment.recording import RUN_ID
from embedrec.hydra_entry import saved_settings
from embedrec.tracking.registry import Registry, exists, store_uri

MLFLOW_ID = re.compile(r"[0-9a-f]{32}")
TRIALS = "trials.csv"
OUTCOME = "outcome.json"  # how a trial ended


@dataclass(frozen=True)
class Found:
    """A folder that a run, a trial, a comparison or a sweep left."""

    folder: Path
    run_id: str | None
    """Its MLflow run, where it was tracked."""

    @property
    def is_sweep(self) -> bool:
        """Whether it holds many trials."""
        return (self.folder / TRIALS).is_file() or any(self.folder.glob(f"[0-9]*/{OUTCOME}"))

    @property
    def is_trial(self) -> bool:
        """Whether it was measured on validation only."""
        return (self.folder / OUTCOME).is_file()

    @property
    def bundle(self) -> Path:
        """Where its bundle lies, if it has one."""
        return self.folder / "bundle"

    @property
    def plain(self) -> dict[str, Any]:
        """The settings it kept."""
        if not (self.folder / ".hydra" / "config.yaml").is_file():
            raise ConfigError(f"{self.folder}: no run lies there (.hydra/config.yaml is missing)")
        return saved_settings(self.folder)

    @property
    def settings(self) -> RunConfig:
        """Its settings, validated; of a comparison those that its models share."""
        plain = self.plain
        return parse_comparison(plain).base if "settings" in plain else parse_config(plain)

    @property
    def metrics(self) -> dict[str, Any] | None:
        """Its metrics.json, None where it was not finished."""
        path = self.folder / "metrics.json"
        content = _json(path) if path.is_file() else None
        if path.is_file() and content is None:
            raise ConfigError(f"{path} is damaged; run it again")
        return content


def find(what: str, outputs: Path) -> Found:
    """Find a folder, the name of a sweep under `outputs`, or an MLflow run id.

    A run that lies nowhere on this machine any more is taken from what MLflow keeps of it.

    Raises:
        ConfigError: nothing is called so; names what is.
    """
    path = Path(what)
    if (path / MANIFEST).is_file():  # train.py prints the path of the bundle
        path = path.resolve().parent
    for folder in (path, outputs / "sweeps" / what):
        if folder.is_dir():
            found = Found(folder.resolve() if folder.is_symlink() else folder, _run_id(folder))
            if not found.is_sweep:
                _ = found.plain
            return found
    if MLFLOW_ID.fullmatch(what):
        return _by_run_id(what, outputs)
    sweeps = sorted(one.name for one in (outputs / "sweeps").glob("*") if Found(one, None).is_sweep)
    known = f"; sweeps in {outputs}: {', '.join(sweeps)}" if sweeps else ""
    raise ConfigError(
        f"{quoted(what, 300)}: no such folder, MLflow run id (32 signs) or sweep{nearest(what, sweeps)}{known}"
    )


def _by_run_id(run_id: str, outputs: Path) -> Found:
    for folder in _tracked(outputs):
        if _run_id(folder) == run_id:
            return Found(folder, run_id)
    uri = store_uri(outputs)
    record = Registry(uri).run(run_id) if exists(uri) else None
    if record is None:
        raise ConfigError(f"{run_id}: no run of {outputs} has this id, and no tracking store knows it")
    sweep = outputs / "sweeps" / record.name
    if TRIALS in record.files and sweep.is_dir():
        return Found(sweep, run_id)
    if ".hydra" not in record.files:
        raise ConfigError(f"run {run_id} ({record.name}) kept no settings in MLflow and lies nowhere in {outputs}")
    return Found(Registry(uri).run_folder(run_id), run_id)


def _tracked(outputs: Path) -> Iterator[Path]:
    for pattern in ("runs/*/*", "sweeps/*", "sweeps/*/*"):
        yield from (path.parent for path in sorted(outputs.glob(f"{pattern}/{RUN_ID}")))


def _run_id(folder: Path) -> str | None:
    content = _json(folder / RUN_ID) if (folder / RUN_ID).is_file() else None
    return content.get("run_id") if content else None


def _json(path: Path) -> dict[str, Any] | None:
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return None
    return content if isinstance(content, dict) else None

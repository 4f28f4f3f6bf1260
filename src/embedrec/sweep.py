"""Grid sweeps: `-m model.dim=32,64` runs every combination as a trial under one parent run.

Trials are measured on validation only; the sweep ends with a table of them, best first, and the command that trains
the best one in full.
"""

from __future__ import annotations

import csv
import json
import shlex
import shutil
from collections.abc import Callable
from datetime import datetime
from pathlib import Path
from typing import Any

from embedrec.errors import ConfigError, TrainingError
from embedrec.experiment import RunConfig, parse_config
from embedrec.experiment.folders import new_sweep_folder
from embedrec.hydra_entry import explain, with_hydra
from embedrec.tracking import Tracker


def sweep(arguments: list[str], conf: Path, task: Callable[[Any], None]) -> None:
    """Run all trials and print the folder of the sweep as the last line."""
    arguments = [one for one in arguments if one not in ("-m", "--multirun")]
    config, fixed = _fixed_settings(arguments, conf)
    if config.resume is not None:
        raise ConfigError(f"resume={config.resume} continues one run and does not go with a sweep; drop -m or resume")
    folder = new_sweep_folder(Path(config.outputs), config.name, datetime.now())
    tracker = Tracker(config.tracking, Path(config.outputs), folder.name) if config.tracking.enabled else None
    parent = [f"tracking.parent_run={tracker.run_id}"] if tracker else []
    status = "FAILED"
    try:
        with_hydra(task, ["-m", *arguments, f"hydra.sweep.dir={json.dumps(str(folder))}", *parent], conf, "train")
        trials = read_trials(folder)
        write_table(folder / "trials.csv", trials)
        if tracker:
            best = trials[0].get("ndcg@10")
            tracker.metrics({"valid/all/ndcg@10/best": best} if best is not None else {})
            tracker.artifacts(folder / "trials.csv")
        status = "FINISHED"
    finally:
        if not any(one.is_dir() for one in folder.iterdir()):  # refused before the first trial: the name stays free
            shutil.rmtree(folder)
        if tracker:
            tracker.finish(status)
    print_table(trials, fixed)
    print(folder)
    if all("error" in trial for trial in trials):
        raise TrainingError(f"no trial of {folder} finished; the first said: {trials[0]['error']}")


def read_trials(folder: Path) -> list[dict[str, Any]]:
    """Return the outcomes of all trials, best validation NDCG@10 first, failed ones last."""
    trials = []
    for path in folder.glob("*/outcome.json"):
        trials.append({"trial": int(path.parent.name), **json.loads(path.read_text(encoding="utf-8"))})
    return sorted(trials, key=_place)


def _place(trial: dict[str, Any]) -> tuple[bool, float, int]:
    value = trial.get("ndcg@10")
    return "error" in trial, 1.0 if value is None else -value, trial["trial"]


def write_table(path: Path, trials: list[dict[str, Any]]) -> None:
    """Write the table of trials as CSV."""
    with path.open("w", newline="", encoding="utf-8") as file:
        table = csv.writer(file)
        table.writerow(["trial", "overrides", "valid_ndcg@10", "error"])
        for trial in trials:
            table.writerow([trial["trial"], " ".join(trial["overrides"]), trial.get("ndcg@10"), trial.get("error", "")])


def print_table(trials: list[dict[str, Any]], fixed: list[str]) -> None:
    """Show the trials and how to train the best one in full."""
    from rich.console import Console
    from rich.table import Table

    table = Table("trial", "settings", "NDCG@10 on validation", title="Trials, best first")
    for trial in trials:
        value = trial.get("ndcg@10")
        shown = f"failed: {trial['error']}" if "error" in trial else "–" if value is None else f"{value:.4f}"
        table.add_row(str(trial["trial"]), " ".join(_varied(trial, fixed)), shown)
    Console().print(table)
    if trials and "error" not in trials[0]:
        print(f"train the best in full: python scripts/train.py {shlex.join(trials[0]['overrides'])}")


def _varied(trial: dict[str, Any], fixed: list[str]) -> list[str]:
    return [one for one in trial["overrides"] if one not in fixed]


def _fixed_settings(arguments: list[str], conf: Path) -> tuple[RunConfig, list[str]]:
    """Compose the settings that all trials share, to know the sweep's name and where it is tracked."""
    from hydra import compose, initialize_config_dir
    from hydra.core.override_parser.overrides_parser import OverridesParser
    from hydra.errors import HydraException
    from omegaconf import OmegaConf
    from omegaconf.errors import OmegaConfBaseException

    words = [one for one in arguments if not one.startswith("-")]
    try:
        parsed = OverridesParser.create().parse_overrides(words)
        fixed = [word for word, one in zip(words, parsed, strict=True) if not one.is_sweep_override()]
        with initialize_config_dir(str(conf.resolve()), version_base="1.3"):
            composed = compose("train", overrides=[word for word in fixed if not word.startswith("hydra")])
    except (HydraException, OmegaConfBaseException) as error:
        raise ConfigError(explain(error)) from error
    plain = OmegaConf.to_container(composed, resolve=True)
    assert isinstance(plain, dict)
    return parse_config({str(key): value for key, value in plain.items()}), fixed

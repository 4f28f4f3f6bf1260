"""`scripts/train.py`: one run, a resumed run, or a sweep, from Hydra overrides."""

from __future__ import annotations

import sys
import time
from datetime import datetime
from pathlib import Path
from typing import Any

from embedrec.cli import INTERRUPTED
from embedrec.errors import ConfigError, EmbedrecError, TrainingError
from embedrec.hydra_entry import plain_settings, quiet, saved_settings, select_files, with_hydra

LINGER = 30.0  # seconds


def train(arguments: list[str], conf: Path) -> None:
    """Parse, run, and print the path of what was written as the last line; `-m` runs a sweep."""
    with_hydra(_task, select_files(arguments), conf, "train")


def _task(composed: Any) -> str | None:
    from hydra.core.hydra_config import HydraConfig
    from hydra.types import RunMode

    from embedrec.experiment import parse_config
    from embedrec.training import processes

    quiet()
    hydra = HydraConfig.get()
    plain = plain_settings(composed)
    if hydra.mode == RunMode.MULTIRUN:
        from embedrec.search.trial import work

        return work(plain)
    if plain.pop("hparams_search", None):
        raise ConfigError("hparams_search: a search runs many trials; add -m")
    config, folder = parse_config(plain), None
    if config.resume is not None:
        folder = Path(config.resume)
        config = begun(folder, [one for one in hydra.overrides.task if not one.startswith("resume=")])
    wanted, started = config.trainer.processes, processes.started()
    if started > 1 and wanted == 1:
        raise ConfigError(f"torchrun started {started} processes, and this run has work for one; add trainer=ddp")
    if started > 1 and config.trainer.engine == "ray":
        raise ConfigError("trainer=ray: Ray starts the processes itself; leave out torchrun, or train with trainer=ddp")
    if not processes.is_first():
        go_along(config)
    elif started == 1 and wanted > 1 and config.trainer.engine == "here":
        from embedrec.training.launch import launch

        if code := launch(wanted, folder.parent if folder else Path(config.outputs) / "runs"):
            sys.exit(code)
    elif folder is not None:
        continue_in(folder, config)
    else:
        start(config)
    return None


def go_along(config: Any) -> None:
    """Train along with the first process, and let that one say what goes wrong."""
    from embedrec.experiment import follow
    from embedrec.training import processes

    try:
        follow(config)
    except (TrainingError, processes.Lost):
        time.sleep(LINGER)  # torchrun ends all others when the first one ends, which has the same to say and a folder
        raise
    except KeyboardInterrupt:
        sys.exit(INTERRUPTED)


def continue_in(folder: Path, config: Any) -> None:
    """Go on with a killed run."""
    from embedrec.experiment import run

    _finish(lambda: run(config, folder), folder)


def start(config: Any) -> None:
    """Run in a new folder."""
    from embedrec.experiment import run
    from embedrec.experiment.folders import new_run_folder

    folder = new_run_folder(Path(config.outputs), config.name, datetime.now())
    try:
        _finish(lambda: run(config, folder), folder)
    except EmbedrecError:
        if not any(folder.iterdir()):  # refused before anything was written
            folder.rmdir()
        raise


def begun(folder: Path, others: list[str]) -> Any:
    """Return the settings of a killed run, with which it is continued in its own folder.

    Raises:
        ConfigError: no run lies there, or `others` are to be changed.
    """
    from embedrec.experiment import parse_config

    if others:
        raise ConfigError(f"resume={folder} takes the settings of that run; drop {' '.join(others)}")
    plain = saved_settings(folder)
    if "settings" in plain:
        raise ConfigError(f"resume={folder}: a comparison lies there; continue it with compare.py")
    return parse_config(plain)


def _finish(work: Any, folder: Path) -> None:
    from embedrec.experiment.leaderboard import print_leaderboard

    try:
        result = work()
    except KeyboardInterrupt:
        print(f"stopped; continue with: python scripts/train.py resume={folder}")
        raise
    print_leaderboard(result.metrics)
    print(result.verdict)
    print(f"report: {folder / 'report.html'}")
    print(result.bundle)

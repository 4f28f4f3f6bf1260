"""`scripts/train.py`: one run, a resumed run, or a sweep, from Hydra overrides."""

from __future__ import annotations

from datetime import datetime
from pathlib import Path
from typing import Any

from embedrec.errors import ConfigError, EmbedrecError
from embedrec.hydra_entry import plain_settings, quiet, saved_settings, select_files, with_hydra


def train(arguments: list[str], conf: Path) -> None:
    """Parse, run, and print the path of what was written as the last line; `-m` runs a sweep."""
    with_hydra(_task, select_files(arguments), conf, "train")


def _task(composed: Any) -> str | None:
    from hydra.core.hydra_config import HydraConfig
    from hydra.types import RunMode

    from embedrec.experiment import parse_config

    quiet()
    hydra = HydraConfig.get()
    plain = plain_settings(composed)
    if hydra.mode == RunMode.MULTIRUN:
        from embedrec.search.trial import work

        return work(plain)
    if plain.pop("hparams_search", None):
        raise ConfigError("hparams_search: a search runs many trials; add -m")
    config = parse_config(plain)
    if config.resume is not None:
        others = [one for one in hydra.overrides.task if not one.startswith("resume=")]
        resume(Path(config.resume), others)
    else:
        start(config)
    return None


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


def resume(folder: Path, others: list[str]) -> None:
    """Continue a killed run in its own folder, with its own settings."""
    from embedrec.experiment import parse_config, run

    if others:
        raise ConfigError(f"resume={folder} takes the settings of that run; drop {' '.join(others)}")
    plain = saved_settings(folder)
    if "settings" in plain:
        raise ConfigError(f"resume={folder}: a comparison lies there; continue it with compare.py")
    config = parse_config(plain)
    _finish(lambda: run(config, folder), folder)


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

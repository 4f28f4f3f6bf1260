"""`scripts/train.py`: one run, a resumed run, or a grid sweep, from Hydra overrides."""

from __future__ import annotations

import logging
from datetime import datetime
from pathlib import Path
from typing import Any

from embedrec.errors import ConfigError, EmbedrecError
from embedrec.hydra_entry import select_files, with_hydra

OUTCOME = "outcome.json"  # how a trial ended


def train(arguments: list[str], conf: Path) -> None:
    """Parse, run, and print the path of what was written as the last line."""
    arguments = select_files(arguments)
    if {"-m", "--multirun"} & set(arguments):
        from embedrec.sweep import sweep

        sweep(arguments, conf, _task)
    else:
        with_hydra(_task, arguments, conf, "train")


def _task(composed: Any) -> None:
    from hydra.core.hydra_config import HydraConfig
    from hydra.types import RunMode
    from omegaconf import OmegaConf

    from embedrec.experiment import parse_config

    quiet()
    hydra = HydraConfig.get()
    plain = OmegaConf.to_container(composed, resolve=True)
    assert isinstance(plain, dict)
    if hydra.mode == RunMode.MULTIRUN:
        _trial(plain, Path(hydra.runtime.output_dir), list(hydra.overrides.task))
    else:
        config = parse_config({str(key): value for key, value in plain.items()})
        if config.resume is not None:
            others = [one for one in hydra.overrides.task if not one.startswith("resume=")]
            resume(Path(config.resume), others)
        else:
            start(config)


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
    from omegaconf import OmegaConf
    from omegaconf.errors import OmegaConfBaseException
    from yaml import YAMLError

    from embedrec.experiment import parse_config, run

    if others:
        raise ConfigError(f"resume={folder} takes the settings of that run; drop {' '.join(others)}")
    saved = folder / ".hydra" / "config.yaml"
    if not saved.is_file():
        raise ConfigError(f"resume={folder}: no run lies there ({saved.name} is missing); give the folder of a run")
    try:
        plain = OmegaConf.to_container(OmegaConf.load(saved))
    except (YAMLError, OmegaConfBaseException, OSError, ValueError) as error:
        raise ConfigError(f"{saved} is damaged ({type(error).__name__}); start a new run") from error
    if not isinstance(plain, dict):
        raise ConfigError(f"{saved} is damaged: it holds no settings; start a new run")
    config = parse_config({str(key): value for key, value in plain.items()})
    _finish(lambda: run(config, folder), folder)


def quiet() -> None:
    """Keep Lightning's advertisements and hardware lines off the terminal."""
    for name in ("pytorch_lightning", "lightning.pytorch", "lightning_fabric"):
        logging.getLogger(name).setLevel(logging.WARNING)


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


def _trial(plain: dict[Any, Any], folder: Path, overrides: list[str]) -> None:
    """Run one trial; a trial that cannot run is recorded with its reason and the sweep goes on."""
    from embedrec.experiment import parse_config, run
    from embedrec.experiment.folders import write_json

    folder.mkdir(parents=True, exist_ok=True)
    outcome: dict[str, Any] = {"overrides": [one for one in overrides if not one.startswith("tracking.parent_run=")]}
    try:
        config = parse_config({str(key): value for key, value in plain.items()})
        result = run(config, folder, trial=True, say=lambda _: None)
        outcome["ndcg@10"] = result.score
    except EmbedrecError as error:
        outcome["error"] = str(error)
    write_json(folder / OUTCOME, outcome)

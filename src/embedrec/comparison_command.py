"""`scripts/compare.py`: many models on one split, or a killed comparison continued, from Hydra overrides."""

from __future__ import annotations

from datetime import datetime
from functools import partial
from pathlib import Path
from typing import Any

from embedrec.errors import ConfigError, EmbedrecError
from embedrec.hydra_entry import plain_settings, quiet, saved_settings, select_files, with_hydra


def compare_models(arguments: list[str], conf: Path) -> None:
    """Parse, compare, and print the folder as the last line."""
    if {"-m", "--multirun"} & set(arguments):
        raise ConfigError("compare.py runs many models by itself; drop -m and name them: models=[NAME,NAME]")
    with_hydra(_task, select_files(arguments), conf, "compare")


def _task(composed: Any) -> None:
    from hydra.core.hydra_config import HydraConfig

    from embedrec.experiment.comparison_config import parse_comparison
    from embedrec.experiment.folders import new_run_folder
    from embedrec.search.settings import GROUP
    from embedrec.search.tuning import tuner_of

    quiet()
    plain = plain_settings(composed)
    if plain["resume"] is not None:
        folder = Path(str(plain["resume"]))
        others = [one for one in HydraConfig.get().overrides.task if not one.startswith("resume=")]
        if others:
            raise ConfigError(f"resume={folder} takes the settings of that comparison; drop {' '.join(others)}")
        plain = saved_settings(folder)
        if "settings" not in plain:
            raise ConfigError(f"resume={folder}: a single run lies there; continue it with train.py")
        comparison = parse_comparison(plain)
        _compare(comparison, tuner_of(comparison), plain, folder)
        return
    comparison = parse_comparison(plain)
    tuner = tuner_of(comparison)
    if tuner is None:
        plain = {key: value for key, value in plain.items() if key != GROUP}  # it changes nothing
    folder = new_run_folder(Path(comparison.base.outputs), comparison.base.name or "compare", datetime.now())
    try:
        _compare(comparison, tuner, plain, folder)
    except EmbedrecError:
        if not any(folder.iterdir()):  # refused before anything was written
            folder.rmdir()
        raise


def _compare(comparison: Any, tuner: Any, plain: dict[str, Any], folder: Path) -> None:
    from embedrec.experiment.comparison import compare
    from embedrec.experiment.leaderboard import print_leaderboard

    try:
        result = compare(comparison, plain, folder, tuner, say=partial(print, flush=True))
    except KeyboardInterrupt:
        print(f"stopped; continue with: python scripts/compare.py resume={folder}")
        raise
    print_leaderboard(result.metrics)
    print(result.metrics["verdict"])
    print(f"report: {folder / 'report.html'}")
    if result.bundle:
        print(f"bundle: {result.bundle}")
    print(folder)

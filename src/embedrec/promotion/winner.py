"""The best trial of a sweep, trained in full: once, however often it is asked for."""

from __future__ import annotations

import csv
import json
from datetime import datetime
from pathlib import Path

from embedrec.errors import ConfigError
from embedrec.experiment import run
from embedrec.experiment.folders import new_run_folder, write_json
from embedrec.experiment.recording import SWEEP, TRIAL, Say
from embedrec.promotion.finding import TRIALS, Found, find

FULL_RUN = "full_run.json"  # in a trial's folder: where it was trained in full


def best_trial(sweep: Path) -> Path:
    """Return the folder of the best finished trial, by the table of trials, which lists the best first.

    Raises:
        ConfigError: there is no table yet, or no trial finished.
    """
    table = sweep / TRIALS
    if not table.is_file():
        raise ConfigError(f"{sweep} has no {TRIALS} yet: let the sweep finish, or name one trial, such as {sweep}/0")
    with table.open(newline="", encoding="utf-8") as file:
        for row in csv.DictReader(file):
            value = next((text for name, text in row.items() if name.startswith("valid_")), "")
            if value and not row["error"] and row.get("state", "finished") == "finished":
                return sweep / row["trial"]
    raise ConfigError(f"{table} lists no finished trial with a figure; continue the sweep, or start another")


def train_in_full(trial: Path, outputs: Path, say: Say) -> Found:
    """Return the full run of a trial's settings: found again, continued where it was killed, or trained now.

    Raises:
        ConfigError, DataError, TrainingError: as `run`.
    """
    settings = find(str(trial), outputs).settings
    marker = trial / FULL_RUN
    known = Path(json.loads(marker.read_text(encoding="utf-8"))["folder"]) if marker.is_file() else None
    if known is not None and (known / "bundle").is_dir():
        say(f"{trial} was trained in full before: {known}")
        return find(str(known), outputs)
    tracking = settings.tracking.model_copy(update={"parent_run": None, "here": False})
    sweep, number = trial.resolve().parent.name, trial.name
    name = f"{sweep}-{number}"[:100]
    update = {"name": name, "outputs": str(outputs), "resume": None, "tracking": tracking}
    if known is None or not known.is_dir():
        known = new_run_folder(outputs, name, datetime.now()).resolve()
        write_json(marker, {"folder": str(known)})
    say(f"Training {trial} in full, in {known}")
    run(settings.model_copy(update=update), known, say=say, tags={SWEEP: sweep, TRIAL: number})
    return find(str(known), outputs)

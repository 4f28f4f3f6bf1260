"""What runs and comparisons keep while they go: their settings, their MLflow run, and a check of the data."""

from __future__ import annotations

import io
import json
import signal
import threading
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from omegaconf import OmegaConf

from embedrec.errors import ConfigError
from embedrec.evaluation.summary import headline
from embedrec.experiment.config import RunConfig
from embedrec.experiment.documents import data_report
from embedrec.experiment.folders import unwritable, write_json, write_text
from embedrec.experiment.outcome import ModelOutcome
from embedrec.experiment.shop import Shop
from embedrec.splits import day
from embedrec.spreadsheets import safe_to_open
from embedrec.tracking import Tracker

DATA_REPORT = "data_report.json"
QUARANTINE = "quarantine"  # .parquet as it was read, .csv to look at
RUN_ID = "run.json"  # which MLflow run a folder belongs to, for a resume
SWEEP, TRIAL, STATE = "sweep", "trial", "trial.state"  # tags
OBJECTIVE = "objective"
"""The figure by which trials are chosen, under one name for all models."""
ATTACHED = ("report.html", "metrics.json", "leaderboard.csv", DATA_REPORT, ".hydra", "bundle")
NOT_SENT = ("outputs", "resume", "tracking")  # where a run lies is no part of what it is
DIGEST = 36  # signs that MLflow keeps of a fingerprint
Say = Callable[[str], None]


def begin(folder: Path, settings: Mapping[str, Any], shop: Shop, say: Say) -> None:
    """Keep the settings and what is known of the data; a folder that was begun on other data is refused.

    Raises:
        ConfigError: the data have changed since.
        StorageError: the folder cannot be written.
    """
    _say_shop(shop, say)
    known = folder / DATA_REPORT
    if known.exists() and json.loads(known.read_text(encoding="utf-8"))["fingerprint"] != shop.tables.fingerprint:
        # half of its weights would have learned from each
        raise ConfigError(f"resume={folder}: the data have changed since that run began; start a new one")
    kept = folder / ".hydra" / "config.yaml"
    try:
        if not kept.exists():
            kept.parent.mkdir(exist_ok=True)
            write_text(kept, OmegaConf.to_yaml(OmegaConf.create(dict(settings))))
        write_json(known, data_report(shop))
        write_quarantine(folder, shop.tables.quarantine)
    except OSError as error:
        raise unwritable(folder, error) from error


def write_quarantine(folder: Path, rows: pd.DataFrame) -> None:
    """Write the rows that could not be understood, where there are any."""
    if len(rows):
        text = io.StringIO(newline="")
        safe_to_open(rows).to_csv(text, index=False, lineterminator="\n")
        write_text(folder / f"{QUARANTINE}.csv", text.getvalue())
        partial = folder / f".{QUARANTINE}.partial"
        rows.to_parquet(partial, index=False)
        partial.replace(folder / f"{QUARANTINE}.parquet")


def tracker_of(config: RunConfig, folder: Path, name: str | None = None) -> Tracker | None:
    """Open the MLflow run of a folder, or continue it; None where tracking is off."""
    if not config.tracking.enabled:
        return None
    state = folder / RUN_ID
    known = json.loads(state.read_text(encoding="utf-8")).get("run_id") if state.exists() else None
    return Tracker(config.tracking, Path(config.outputs), name or config.name or folder.name, known, folder=folder)


@contextmanager
def closing(tracker: Tracker | None) -> Iterator[None]:
    """Close the MLflow run with how the work inside ended; a request to end (SIGTERM) counts like Ctrl-C."""
    status = "FAILED"
    try:
        with _terminable():
            yield
        status = "FINISHED"
    except KeyboardInterrupt:
        status = "KILLED"
        raise
    finally:
        if tracker:
            tracker.finish(status)


def trial_tracker(config: RunConfig, folder: Path) -> Tracker | None:
    """Open the MLflow run of a sweep's trial, or continue it; its folder is <sweep>/<number>."""
    tracker = tracker_of(config, folder, f"{folder.parent.name}/{folder.name}")
    if tracker:
        tracker.parameters({}, {SWEEP: folder.parent.name, TRIAL: folder.name})
    return tracker


def record_settings(
    tracker: Tracker | None, settings: Mapping[str, Any], data: str, shop: Shop, *, test: bool = True
) -> None:
    """Send settings, and which data they met; `test` where the test window is read too."""
    if tracker:
        tags = {"data.fingerprint": shop.tables.fingerprint, "data.name": data}
        tracker.parameters({key: value for key, value in settings.items() if key not in NOT_SENT}, tags)
        tracker.inputs([one for one in _datasets(data, shop) if test or one["context"] != "test"])


def record(tracker: Tracker | None, folder: Path, outcomes: Iterable[ModelOutcome]) -> None:
    """Send final figures and files."""
    if tracker is None:
        return
    figures = {}
    for one in outcomes:
        for split, views in (("valid", one.valid), ("test", one.test)):
            for view in views:
                value = headline(views, "ndcg@10", view)
                if value is not None:
                    figures[f"{split}/{view}/ndcg@10/{one.name}"] = value
        for name, entry in one.ratings.items():
            if entry["value"] is not None:
                figures[f"test/{name}/{one.name}"] = float(entry["value"])
    tracker.metrics(figures)
    tracker.artifacts(*(folder / name for name in ATTACHED))


def _datasets(data: str, shop: Shop) -> list[dict[str, str]]:
    """Describe what the split makes of the data: counts of each window, and no row of it."""
    history, split = shop.history, shop.split
    edges = [("train", split.start, split.valid_from), ("validation", split.valid_from, split.test_from)]
    described = []
    for context, start, end in [*edges, ("test", split.test_from, split.end)]:
        inside = (history.times >= start) & (history.times < end)
        profile = {
            "purchases": int(inside.sum()),
            "customers": len(np.unique(history.users[inside])),
            "products": len(np.unique(history.items[inside])),
            "protocol": split.protocol,
        }
        dates = {"from": day(start), "until": day(end - 1)} if split.dated else {}
        described.append(
            {
                "name": f"{data} {context}",  # a run takes a dataset of one name and digest only once
                "digest": shop.tables.fingerprint[:DIGEST],
                "source_type": "local",
                "source": json.dumps({"tables": [account.file for account in shop.tables.accounts]}),
                "profile": json.dumps(profile | dates),
                "context": context,
            }
        )
    return described


@contextmanager
def _terminable() -> Iterator[None]:
    """Let SIGTERM end the work like Ctrl-C, so that what is open is closed; only a main thread may."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return

    def interrupt(*_: object) -> None:
        raise KeyboardInterrupt

    before = signal.signal(signal.SIGTERM, interrupt)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)


def _say_shop(shop: Shop, say: Say) -> None:
    history = shop.history
    say(f"{len(history.times):,} purchases by {history.n_users:,} customers of {history.n_items:,} products")
    for account in shop.tables.accounts:
        if account.read != account.used:
            say(
                f"  {account.file}: {account.read:,} rows read, {account.used:,} used, "
                f"{account.quarantined:,} not understood, {account.duplicates:,} duplicates, "
                f"{account.set_aside:,} set aside"
            )
    if len(shop.tables.quarantine):
        say(f"  what was not understood is in {QUARANTINE}.csv of the run, each row with the reason")
    for one in shop.examination.findings:
        if one.severity != "info":
            say(f"  note: {one.sentence}")

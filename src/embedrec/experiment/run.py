"""One run from start to end: measure, judge, write what a run leaves, and record it."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from omegaconf import OmegaConf

from embedrec.errors import ConfigError
from embedrec.evaluation.summary import headline
from embedrec.evaluation.verdict import Verdict, verdict
from embedrec.experiment.config import RunConfig
from embedrec.experiment.documents import NAMES, data_report, metrics_json, write_report
from embedrec.experiment.export import export
from embedrec.experiment.folders import point_latest, write_json, write_text
from embedrec.experiment.runner import ModelOutcome, Runner
from embedrec.experiment.shop import Shop, open_shop
from embedrec.models import PopularityRecentConfig, TwoTowerConfig
from embedrec.tracking import Tracker

DATA_REPORT = "data_report.json"
RUN_ID = "run.json"  # which MLflow run a folder belongs to, for a resume
Say = Callable[[str], None]


@dataclass(frozen=True)
class RunResult:
    """Where a run lies and what it found; a trial has no bundle and no verdict."""

    folder: Path
    bundle: Path | None
    verdict: str
    score: float | None
    """NDCG@10, view `all`, on validation."""
    metrics: dict[str, Any]


def run(config: RunConfig, folder: Path, *, trial: bool = False, progress: bool = True, say: Say = print) -> RunResult:
    """Run one config in a folder that exists; a folder with checkpoints is continued.

    A trial of a sweep is measured on validation only: no rivals, no test, no bundle.

    Raises:
        DataError: the tables cannot be used.
        ConfigError: a setting does not fit the data, or the folder cannot be written.
        TrainingError: training cannot go on.
    """
    say(f"Reading {config.data.name} …")
    shop = open_shop(config.data, config.split)
    _say_shop(shop, say)
    _same_data(shop, folder)
    try:
        _keep_config(config, folder)
        write_json(folder / DATA_REPORT, data_report(shop))
    except OSError as error:
        raise ConfigError(f"{folder} cannot be written ({error.strerror}); set outputs=DIR to another place") from error
    tracker = _tracker(config, folder)
    status = "FAILED"
    try:
        result = _measure(config, shop, folder, tracker, trial, progress, say)
        status = "FINISHED"
    except KeyboardInterrupt:
        status = "KILLED"
        raise
    finally:
        if tracker:
            tracker.finish(status)
    return result


def _measure(
    config: RunConfig, shop: Shop, folder: Path, tracker: Tracker | None, trial: bool, progress: bool, say: Say
) -> RunResult:
    run_id = None
    if tracker:
        run_id = tracker.run_id
        tags = {"data.fingerprint": shop.tables.fingerprint, "data.name": config.data.name}
        tracker.parameters(config.model_dump(mode="json", exclude={"outputs", "resume", "tracking"}), tags)
    runner = Runner(config, shop, folder / "checkpoints", tracker.lightning_logger() if tracker else None, progress)
    say(f"Fitting {config.model.name} …")
    if isinstance(config.model, TwoTowerConfig):
        asked = runner.measure_learned(config.model, test=not trial)
    else:
        asked = runner.measure_classic(config.model, test=not trial)
    if trial:
        metrics = metrics_json(config, runner, [asked] if asked else [], None, run_id)
        write_json(folder / "metrics.json", metrics)
        _record(tracker, folder, [asked] if asked else [])
        return RunResult(folder, None, "", headline(asked.valid) if asked else None, metrics)

    say("Measuring the simple rivals …")
    rivals = [runner.measure_classic(rival, test=True) for rival in runner.rivals()]
    outcomes = [asked, *rivals] if asked else rivals
    judged = judge(config, shop, asked, rivals)
    metrics = metrics_json(config, runner, outcomes, judged, run_id)
    trusted = None if shop.too_little and isinstance(config.model, TwoTowerConfig) else asked
    bundle = folder / "bundle"
    export(bundle, config, runner, trusted, judged, metrics)
    write_report(folder / "report.html", config, runner, outcomes, judged, metrics)
    write_json(folder / "metrics.json", metrics)
    point_latest(Path(config.outputs), folder)
    _record(tracker, folder, outcomes)
    return RunResult(folder, bundle, judged.sentence, headline(asked.valid) if asked else None, metrics)


def judge(config: RunConfig, shop: Shop, asked: ModelOutcome | None, rivals: list[ModelOutcome]) -> Verdict:
    """Say which model to serve; a shop too small to train on gets popular products, whatever the figures."""
    ndcg = {one.name: one.ranked["all"].metric("ndcg", 10) for one in ([asked] if asked else []) + rivals}
    simple = PopularityRecentConfig().name
    found = verdict(ndcg, asked.name if asked else simple, config.seed, NAMES)
    why = shop.too_little if isinstance(config.model, TwoTowerConfig) else ""
    if asked is None and not why:
        why = "no customer bought both before and within a training window"
    if why:
        sentence = f"Too little data to tell: {why}. The bundle recommends popular products instead."
        return found._replace(sentence=sentence, winner=simple, beyond_chance=False, enough_data=False)
    return found._replace(sentence=found.sentence[:1].upper() + found.sentence[1:])


def _tracker(config: RunConfig, folder: Path) -> Tracker | None:
    if not config.tracking.enabled:
        return None
    state = folder / RUN_ID
    known = json.loads(state.read_text(encoding="utf-8")).get("run_id") if state.exists() else None
    tracker = Tracker(config.tracking, Path(config.outputs), config.name or folder.name, known)
    write_json(state, {"run_id": tracker.run_id})
    return tracker


def _same_data(shop: Shop, folder: Path) -> None:
    """Refuse to continue a run on other data: half of its weights would have learned from each."""
    kept = folder / DATA_REPORT
    if kept.exists() and json.loads(kept.read_text(encoding="utf-8"))["fingerprint"] != shop.tables.fingerprint:
        raise ConfigError(f"resume={folder}: the data have changed since that run began; start a new one")


def _keep_config(config: RunConfig, folder: Path) -> None:
    kept = folder / ".hydra" / "config.yaml"
    if not kept.exists():
        kept.parent.mkdir(exist_ok=True)
        write_text(kept, OmegaConf.to_yaml(OmegaConf.create(config.model_dump(mode="json"))))


def _record(tracker: Tracker | None, folder: Path, outcomes: list[ModelOutcome]) -> None:
    """Send final figures and files to MLflow."""
    if tracker is None:
        return
    figures = {}
    for one in outcomes:
        for split, views in (("valid", one.valid), ("test", one.test)):
            for view in views:
                value = headline(views, "ndcg@10", view)
                if value is not None:
                    figures[f"{split}/{view}/ndcg@10/{one.name}"] = value
    tracker.metrics(figures)
    names = ("report.html", "metrics.json", DATA_REPORT, ".hydra", "bundle")
    tracker.artifacts(*(folder / name for name in names))


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
    for warning in shop.tables.warnings:
        say(f"  note: {warning}")

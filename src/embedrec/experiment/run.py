"""One run from start to end: measure, judge, write what a run leaves, and record it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from embedrec.errors import DataError
from embedrec.evaluation.verdict import Verdict, verdict
from embedrec.experiment.config import RunConfig
from embedrec.experiment.documents import NAMES, metrics_json, paired, write_report
from embedrec.experiment.export import export
from embedrec.experiment.folders import alone, point_latest, write_json
from embedrec.experiment.outcome import ModelOutcome
from embedrec.experiment.recording import (
    OBJECTIVE,
    STATE,
    Say,
    begin,
    closing,
    record,
    record_settings,
    tracker_of,
    trial_tracker,
)
from embedrec.experiment.runner import Runner
from embedrec.experiment.shop import Shop, open_shop
from embedrec.models import RIVALS, BiasedMfConfig, LearnedConfig, PopularityRecentConfig, RandomConfig
from embedrec.tracking import Tracker
from embedrec.training import NDCG, RMSE, Pruned, Report, check_machine, processes


@dataclass(frozen=True)
class RunResult:
    """Where a run lies and what it found; a trial has no bundle and no verdict."""

    folder: Path
    bundle: Path | None
    verdict: str
    score: float | None
    """Validation figure by which settings are chosen: NDCG@10, or RMSE for a model of ratings."""
    metrics: dict[str, Any]


def run(
    config: RunConfig,
    folder: Path,
    *,
    progress: bool = True,
    say: Say = print,
    tags: Mapping[str, str] | None = None,
) -> RunResult:
    """Run one config in a folder that exists; a folder with checkpoints is continued. `tags` say what it is of.

    Where torchrun started several processes, this is the first, and the others are told to `follow`.

    Raises:
        DataError: the tables cannot be used.
        ConfigError: a setting does not fit the data or the machine, or another process is at work in the folder.
        TrainingError: training cannot go on, or the folder cannot be written.
    """
    check_machine(config.trainer)
    say(f"Reading {config.data.name} …")
    shop = open_shop(config.data, config.split, progress)
    with alone(folder):
        begin(folder, config.model_dump(mode="json"), shop, say)
        tracker = tracker_of(config, folder)
        with closing(tracker):
            if tracker and tags:
                tracker.parameters({}, dict(tags))
            return _measure(config, shop, folder, tracker, progress, say)


def follow(config: RunConfig) -> None:
    """Take part in what another process `run`s with the same config; nothing is written or said.

    Raises:
        DataError: the tables cannot be used here, or are others than those of the first process.
        ConfigError, TrainingError: as `run`.
    """
    with processes.together():
        folder, fingerprint = processes.from_first(("", ""))
        shop = open_shop(config.data, config.split)
        if shop.tables.fingerprint != fingerprint:
            raise DataError(f"{config.data.path}: process {processes.place()} finds other tables there than the first")
        Runner(shop, progress=False).measure(config, _checkpoints(Path(folder)), test=True)


def _checkpoints(folder: Path) -> Path:
    return folder / "checkpoints"


def run_trial(
    config: RunConfig, folder: Path, shop: Shop, report: Report, progress: bool = True
) -> ModelOutcome | None:
    """Measure one trial of a search on validation only: no rivals, no test, no bundle.

    None where a learned model has nothing to learn from.

    Raises:
        ConfigError: a setting does not fit the data, or the folder cannot be written.
        TrainingError: training cannot go on.
        Pruned: `report` ended the training.
    """
    begin(folder, config.model_dump(mode="json"), shop, lambda _: None)
    tracker = trial_tracker(config, folder)
    pruned = found = None

    def told(epoch: int, value: float) -> None:
        try:
            report(epoch, value)
        except Pruned:
            if tracker:  # Lightning's logger does not come to it any more
                tracker.metrics({(RMSE if isinstance(config.model, BiasedMfConfig) else NDCG).name: value}, epoch)
            raise

    with closing(tracker):
        record_settings(tracker, config.model_dump(mode="json"), config.data.name, shop, test=False)
        runner = Runner(shop, progress)
        logger = tracker.lightning_logger() if tracker else None
        try:
            found = runner.measure(config, _checkpoints(folder), logger, test=False, report=told)
        except Pruned as why:  # meant, so its record is closed like that of any other trial
            pruned = why
        measured = [found] if found else []
        run_id = tracker.run_id if tracker else None
        write_json(folder / "metrics.json", metrics_json(config, runner, measured, None, run_id))
        record(tracker, folder, measured)
        if tracker and found and found.score is not None:
            tracker.metrics({OBJECTIVE: found.score})
            tracker.parameters({}, {STATE: "finished"})
        elif tracker and pruned:
            tracker.parameters({}, {STATE: "pruned"})
    if pruned:
        raise pruned
    return found


def _measure(
    config: RunConfig, shop: Shop, folder: Path, tracker: Tracker | None, progress: bool, say: Say
) -> RunResult:
    run_id = tracker.run_id if tracker else None
    record_settings(tracker, config.model_dump(mode="json"), config.data.name, shop)
    checkpoints, logger = _checkpoints(folder), tracker.lightning_logger() if tracker else None
    with processes.together():
        processes.from_first((str(folder), shop.tables.fingerprint))
        runner = Runner(shop, progress)
        say(f"Fitting {config.model.name} …")
        asked = runner.measure(config, checkpoints, logger, test=True)
    say("Measuring the simple rivals …")
    measured = [runner.measure(rival, checkpoints, test=True) for rival in rivals_of(config)]
    rivals = [one for one in measured if one is not None]
    outcomes = [asked, *rivals] if asked else rivals
    judged = judge(config, shop, asked, rivals, "" if asked else runner.nothing_to_learn(config))
    metrics = metrics_json(config, runner, outcomes, judged, run_id) | {"paired": paired(outcomes, config.seed)}
    trusted = None if shop.too_little and isinstance(config.model, LearnedConfig) else asked
    bundle = folder / "bundle"
    manifest = export(bundle, config, runner, trusted, judged, metrics)
    write_report(folder / "report.html", config, runner, outcomes, judged, metrics)
    write_json(folder / "metrics.json", metrics)
    point_latest(Path(config.outputs), folder)
    record(tracker, folder, outcomes)
    if tracker:
        tracker.model(bundle, manifest.id)
    return RunResult(folder, bundle, judged.sentence, asked.score if asked else None, metrics)


def rivals_of(config: RunConfig) -> list[RunConfig]:
    """Return the simple models that stand beside the one asked for."""
    rivals = [
        rival.model_copy(update={"seed": config.seed}) if isinstance(rival, RandomConfig) else rival
        for rival in RIVALS
        if rival.name != config.model.name
    ]
    return [config.model_copy(update={"model": rival}) for rival in rivals]


def judge(
    config: RunConfig, shop: Shop, asked: ModelOutcome | None, rivals: list[ModelOutcome], nothing_to_learn: str
) -> Verdict:
    """Say which model to serve; a shop too small to train on gets popular products, whatever the figures."""
    ndcg = {one.name: one.ranked["all"].metric("ndcg", 10) for one in ([asked] if asked else []) + rivals}
    simple = PopularityRecentConfig().name
    found = verdict(ndcg, asked.name if asked else simple, config.seed, NAMES)
    why = (shop.too_little if isinstance(config.model, LearnedConfig) else "") or nothing_to_learn
    if why:
        sentence = f"Too little data to tell: {why}. The bundle recommends popular products instead."
        return found._replace(sentence=sentence, winner=simple, beyond_chance=False, enough_data=False)
    return found._replace(sentence=found.sentence[:1].upper() + found.sentence[1:])

"""Many models on one split: the engine of a single run, once for each model, and what can be said of them together.

Every outcome is kept in a folder of its own as soon as it is there, so that a killed comparison goes on where it
stood, and one model's failure does not lose the others.
"""

from __future__ import annotations

import traceback
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from embedrec.errors import ConfigError, EmbedrecError, NotApplicableError, TrainingError
from embedrec.evaluation.comparison_report import write_comparison_report
from embedrec.evaluation.summary import headline
from embedrec.evaluation.verdict import Verdict
from embedrec.experiment.board import (
    VIEWS,
    Board,
    backtest,
    best_simple,
    judge_comparison,
    rating_reference,
    significance,
)
from embedrec.experiment.comparison_config import Comparison
from embedrec.experiment.config import RunConfig
from embedrec.experiment.documents import NAMES, metrics_json
from embedrec.experiment.export import export
from embedrec.experiment.folders import alone, write_json, write_text
from embedrec.experiment.leaderboard import write_leaderboard_csv
from embedrec.experiment.outcome import ModelOutcome
from embedrec.experiment.recording import Say, begin, closing, record, record_settings, tracker_of
from embedrec.experiment.runner import Runner
from embedrec.experiment.shop import Shop, open_shop
from embedrec.experiment.tuned import Tune, Tuned, means_of_seeds, tuned_entries
from embedrec.models import IalsConfig, LearnedConfig
from embedrec.splits import day, rolling
from embedrec.tracking import Tracker

MODELS, TUNING = "models", "tuning"  # folders of the outcomes, and of what they were chosen from
Drawn = LearnedConfig | IalsConfig  # models that begin at random
ERROR = "error.txt"


@dataclass(frozen=True)
class ComparisonResult:
    """Where a comparison lies and what it found."""

    folder: Path
    metrics: dict[str, Any]
    bundle: Path | None


@dataclass(frozen=True)
class _Step:
    """One thing to measure: a model with a seed, on one test window."""

    name: str
    run: RunConfig
    folder: Path
    main: bool
    """Whether its figures are the comparison's own: not of earlier windows, nor of settings that were not chosen."""


@dataclass(frozen=True)
class _Window:
    """One test window and what it has brought."""

    board: Board
    defaults: Board
    """With default settings, where tuning chose others; for the last window only."""
    tuned: dict[str, Tuned] = field(default_factory=dict)
    """By model; one without has nothing to tune."""


@dataclass(frozen=True)
class _Work:
    """What measuring takes, whatever the window."""

    comparison: Comparison
    folder: Path
    tune: Tune | None
    parent: Tracker | None
    progress: bool
    say: Say


def compare(
    comparison: Comparison,
    settings: dict[str, Any],
    folder: Path,
    tune: Tune | None = None,
    *,
    progress: bool = True,
    say: Say = print,
) -> ComparisonResult:
    """Measure all models in a folder that exists; what an earlier, killed call left there is not measured again.

    `settings` are the plain settings to keep for a resume, `tune` searches those of a model where `tune=N` asks for it.

    Raises:
        DataError: the tables cannot be used.
        ConfigError: a setting does not fit the data, or another process is at work in the folder.
        TrainingError: no model could be measured, or the folder cannot be written.
    """
    assert bool(comparison.config.tune) == (tune is not None), "tune=N wants somebody to tune"
    base = comparison.base
    say(f"Reading {base.data.name} …")
    shop = open_shop(base.data, base.split, progress)
    shops = _windows(comparison, shop)
    with alone(folder):
        begin(folder, settings, shop, say)
        tracker = tracker_of(base, folder)
        with closing(tracker):
            record_settings(tracker, settings, base.data.name, shop)
            work = _Work(comparison, folder, tune, tracker, progress, say)
            windows = [_measure_window(work, shop, place) for place, shop in enumerate(shops)]
            return _conclude(comparison, windows, folder, tracker, say)


def _windows(comparison: Comparison, shop: Shop) -> list[Shop]:
    """Return the shop cut at each test window, latest first; later purchases are never looked at."""
    count = comparison.config.windows
    if count == 1:
        return [shop]
    if shop.split.protocol != "global_time":
        raise ConfigError(f"windows={count}: only split.protocol=global_time has windows, not {shop.split.protocol}")
    splits = rolling(shop.history.times, comparison.base.split, count)
    return [replace(shop, split=split) for split in splits]


def _measure_window(work: _Work, shop: Shop, place: int) -> _Window:
    """Measure every model on one window, or read what was measured before; settings are tuned on each window anew."""
    runner, config, runs = Runner(shop, work.progress), work.comparison.config, work.comparison.runs
    window = _Window(Board(runner), Board(runner))
    main, root = place == 0, work.folder if place == 0 else work.folder / "windows" / str(place)
    since = "" if main else f", window from {day(shop.split.test_from)[:10]}"
    for number, (name, default) in enumerate(runs.items(), 1):
        label, run = f"[{number}/{len(runs)}] {name}{since}", default
        if work.tune and (tuned := work.tune(default, runner, root / TUNING / name, _saying(work.say, label))):
            window.tuned[name], run = tuned, tuned.run
        seeds = config.seeds if main and isinstance(run.model, Drawn) else 1
        for step in _steps(name, run, seeds, root / MODELS / name if main else root / name, main):
            _take(step, window.board, label, work)
        if main and run != default:
            for step in _steps(name, default, seeds, root / TUNING / name / "default", False):
                _take(step, window.defaults, f"{label}, default settings", work)
    return window


def _saying(say: Say, label: str) -> Say:
    return lambda text: say(f"{label}, {text}")


def _steps(name: str, run: RunConfig, seeds: int, folder: Path, main: bool) -> Iterator[_Step]:
    """Yield one step for each seed; where there are several, each has a folder of its own beside `folder`."""
    for extra in range(seeds):
        seeded = run.model_copy(update={"seed": run.seed + extra})
        if isinstance(run.model, IalsConfig):
            seeded = seeded.model_copy(update={"model": run.model.model_copy(update={"seed": seeded.seed})})
        place = folder if seeds == 1 else folder.with_name(f"{folder.name}-seed{seeded.seed}")
        yield _Step(name, seeded, place, main)


def _take(step: _Step, board: Board, label: str, work: _Work) -> None:
    """Put on the board what a step brings, or brought before."""
    if step.name in board.errors or step.name in board.left_out:
        return  # another seed of a model that cannot be measured
    known = ModelOutcome.load(step.folder)
    label += f", seed {step.run.seed}" if step.run.seed else ""
    if known is None:
        work.say(f"{label} …")
        known = _measure(step, board, work.parent)
    if known is not None:
        if step.name != work.comparison.config.export or not step.main:
            known.scorer = None  # only what is exported is needed again; the others may be large
        board.outcomes.setdefault(step.name, []).append(known)
        board.folders.setdefault(step.name, step.folder)
        work.say(f"{label}: {_headline(known)}")
    elif step.name in board.left_out:
        work.say(f"{label}: left out; {board.left_out[step.name]}")
    else:
        work.say(f"{label}: failed; {board.errors[step.name]}")


def _measure(step: _Step, board: Board, parent: Tracker | None) -> ModelOutcome | None:
    """Measure one step and keep its outcome; a reason on the board where it cannot be measured."""
    step.folder.mkdir(parents=True, exist_ok=True)
    tracker = _child(step, parent) if step.main else None
    status = "FAILED"
    try:
        record_settings(tracker, step.run.model_dump(mode="json"), step.run.data.name, board.runner.shop)
        logger = tracker.lightning_logger() if tracker else None
        outcome = board.runner.measure(step.run, step.folder / "checkpoints", logger, test=True)
        if outcome is None:
            board.left_out[step.name] = board.runner.nothing_to_learn(step.run)
        else:
            outcome.save(step.folder)
            record(tracker, step.folder, [outcome])
            (step.folder / ERROR).unlink(missing_ok=True)
        status = "FINISHED"
    except KeyboardInterrupt:
        status = "KILLED"
        raise
    except NotApplicableError as error:
        board.left_out[step.name] = str(error)
        outcome, status = None, "FINISHED"
    except ConfigError:  # of the whole comparison: every other model would meet it too
        raise
    except EmbedrecError as error:
        board.errors[step.name] = str(error)
        outcome = None
    except Exception as error:  # a crash of one model must not lose the others
        write_text(step.folder / ERROR, traceback.format_exc())
        board.errors[step.name] = f"{type(error).__name__}: {error} (see {step.folder / ERROR})"
        outcome = None
    finally:
        if tracker:
            tracker.finish(status)
    return outcome


def _child(step: _Step, parent: Tracker | None) -> Tracker | None:
    if parent is None:
        return None
    tracking = step.run.tracking.model_copy(update={"parent_run": parent.run_id})
    return tracker_of(step.run.model_copy(update={"tracking": tracking}), step.folder, step.folder.name)


def _headline(outcome: ModelOutcome) -> str:
    shown = [f"{view} {value:.4f}" for view in VIEWS if (value := headline(outcome.test, view=view)) is not None]
    rmse = outcome.ratings.get("rmse", {}).get("value")
    errors = [] if rmse is None else [f"RMSE {rmse:.4f}"]
    return f"NDCG@10 {', '.join([*shown, *errors]) or 'not measurable'}, fitted in {outcome.fit_seconds:.0f} s"


def _conclude(
    comparison: Comparison, windows: list[_Window], folder: Path, tracker: Tracker | None, say: Say
) -> ComparisonResult:
    """Judge, write what a comparison leaves, and export where asked."""
    base, window = comparison.base, windows[0]
    board = window.board
    if not board.outcomes:
        reasons = {**board.left_out, **board.errors}
        raise TrainingError(
            "no model could be measured: " + "; ".join(f"{name}: {why}" for name, why in reasons.items())
        )
    runner = board.runner
    joined = means_of_seeds(board, base.seed)
    judged = judge_comparison(board, base.seed)
    metrics = metrics_json(base, runner, list(joined.values()), judged, tracker.run_id if tracker else None)
    metrics["models"] |= {name: {"error": why} for name, why in board.errors.items()}
    metrics |= {"seeds": comparison.config.seeds, "left_out": board.left_out}
    if comparison.config.tune:
        metrics["tune"] = comparison.config.tune
        for name, entry in tuned_entries(window.tuned, board, window.defaults, base.seed).items():
            metrics["models"][name]["tuned"] = entry
    if rival := best_simple(board):
        metrics["significance"] = significance(board, rival, base.seed)
    if len(windows) > 1:
        metrics["backtest"] = backtest([one.board for one in windows])
    if any(one.ratings for one in joined.values()):
        metrics["ratings_reference"] = rating_reference(runner, base.seed)
    write_json(folder / "metrics.json", metrics)
    accounts, findings = runner.shop.tables.accounts, runner.shop.examination.findings
    write_comparison_report(
        folder / "report.html", metrics, verdict=judged, accounts=accounts, findings=findings, names=NAMES
    )
    write_leaderboard_csv(folder / "leaderboard.csv", metrics)
    bundle = None
    if exported := comparison.config.export:
        bundle = folder / "bundle"
        say(f"Exporting {exported} …")
        tuned = window.tuned.get(exported)
        _export(tuned.run if tuned else comparison.runs[exported], board, bundle, judged, metrics)
    record(tracker, folder, joined.values())
    return ComparisonResult(folder, metrics, bundle)


def _export(run: RunConfig, board: Board, bundle: Path, judged: Verdict, metrics: dict[str, Any]) -> None:
    """Make a bundle of a measured model; one measured before a kill is fitted again, from its checkpoints.

    On a shop too small to train on, a learned model gives way to recent popularity, as in a single run.
    """
    if board.runner.shop.too_little and isinstance(run.model, LearnedConfig):
        export(bundle, run, board.runner, None, judged, metrics)
        return
    if run.model.name not in board.outcomes:
        raise TrainingError(f"export={run.model.name}: that model could not be measured")
    outcome = board.outcomes[run.model.name][0]
    if outcome.scorer is None:
        again = board.runner.measure(run, board.folders[run.model.name] / "checkpoints", test=True)
        assert again is not None
        outcome = again
    export(bundle, run, board.runner, outcome, judged, metrics)

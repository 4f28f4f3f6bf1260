"""Many models on one split: the engine of a single run, once for each model, and what can be said of them together.

Every outcome is kept in a folder of its own as soon as it is there, so that a killed comparison goes on where it
stood, and one model's failure does not lose the others.
"""

from __future__ import annotations

import traceback
from collections.abc import Iterator
from dataclasses import dataclass, replace
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
from embedrec.experiment.folders import write_json, write_text
from embedrec.experiment.leaderboard import write_leaderboard_csv
from embedrec.experiment.outcome import ModelOutcome, mean_of_seeds
from embedrec.experiment.recording import Say, begin, closing, record, record_settings, tracker_of
from embedrec.experiment.runner import Runner
from embedrec.experiment.shop import Shop, open_shop
from embedrec.models import IalsConfig, LearnedConfig
from embedrec.splits import day, rolling
from embedrec.tracking import Tracker

MODELS = "models"  # folder of the outcomes
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
    """On the last window, whose figures are the comparison's own; earlier ones are for the backtest."""


def compare(
    comparison: Comparison, settings: dict[str, Any], folder: Path, *, progress: bool = True, say: Say = print
) -> ComparisonResult:
    """Measure all models in a folder that exists; what an earlier, killed call left there is not measured again.

    `settings` are the plain settings to keep for a resume.

    Raises:
        DataError: the tables cannot be used.
        ConfigError: a setting does not fit the data, or the folder cannot be written.
        TrainingError: no model could be measured.
    """
    base = comparison.base
    say(f"Reading {base.data.name} …")
    shop = open_shop(base.data, base.split)
    windows = _windows(comparison, shop)
    begin(folder, settings, shop, say)
    tracker = tracker_of(base, folder)
    with closing(tracker):
        record_settings(tracker, settings, base.data.name, shop)
        boards = [
            _measure_window(comparison, window, folder, place, tracker, progress, say)
            for place, window in enumerate(windows)
        ]
        return _conclude(comparison, boards, folder, tracker, say)


def _windows(comparison: Comparison, shop: Shop) -> list[Shop]:
    """Return the shop cut at each test window, latest first; later purchases are never looked at."""
    count = comparison.config.windows
    if count == 1:
        return [shop]
    if shop.split.protocol != "global_time":
        raise ConfigError(f"windows={count}: only split.protocol=global_time has windows, not {shop.split.protocol}")
    splits = rolling(shop.history.times, comparison.base.split, count)
    return [replace(shop, split=split) for split in splits]


def _measure_window(
    comparison: Comparison, shop: Shop, folder: Path, place: int, parent: Tracker | None, progress: bool, say: Say
) -> Board:
    """Measure every model on one window, or read what was measured before."""
    board = Board(Runner(shop, progress))
    steps = list(_steps(comparison, folder, place))
    for number, step in enumerate(steps, 1):
        if step.name in board.errors or step.name in board.left_out:
            continue  # another seed of a model that cannot be measured
        known = ModelOutcome.load(step.folder)
        label = f"[{number}/{len(steps)}] {step.name}" + (f", seed {step.run.seed}" if step.run.seed else "")
        window = "" if step.main else f", window from {day(shop.split.test_from)[:10]}"
        if known is None:
            say(f"{label}{window} …")
            known = _measure(step, board, parent)
        if known is not None:
            if step.name != comparison.config.export or not step.main:
                known.scorer = None  # only what is exported is needed again; the others may be large
            board.outcomes.setdefault(step.name, []).append(known)
            board.folders.setdefault(step.name, step.folder)
            say(f"{label}{window}: {_headline(known)}")
        elif step.name in board.left_out:
            say(f"{label}: left out; {board.left_out[step.name]}")
        else:
            say(f"{label}: failed; {board.errors[step.name]}")
    return board


def _steps(comparison: Comparison, folder: Path, place: int) -> Iterator[_Step]:
    """Models in their order; those with a random start once for each seed, on earlier windows with the first only."""
    root = folder / MODELS if place == 0 else folder / "windows" / str(place)
    for name, run in comparison.runs.items():
        seeds = comparison.config.seeds if isinstance(run.model, Drawn) and place == 0 else 1
        for extra in range(seeds):
            seeded = run.model_copy(update={"seed": run.seed + extra})
            if isinstance(run.model, IalsConfig):
                seeded = seeded.model_copy(update={"model": run.model.model_copy(update={"seed": seeded.seed})})
            yield _Step(name, seeded, root / (name if seeds == 1 else f"{name}-seed{seeded.seed}"), place == 0)


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
            board.left_out[step.name] = board.runner.nothing_to_learn()
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
    comparison: Comparison, boards: list[Board], folder: Path, tracker: Tracker | None, say: Say
) -> ComparisonResult:
    """Judge, write what a comparison leaves, and export where asked."""
    base, board = comparison.base, boards[0]
    if not board.outcomes:
        reasons = {**board.left_out, **board.errors}
        raise TrainingError(
            "no model could be measured: " + "; ".join(f"{name}: {why}" for name, why in reasons.items())
        )
    runner = board.runner
    n_valid, n_test = runner.candidates(runner.before_valid), runner.candidates(runner.before_test)
    joined = [mean_of_seeds(seeds, n_valid, n_test, base.seed) for seeds in board.outcomes.values()]
    judged = judge_comparison(board, base.seed)
    metrics = metrics_json(base, runner, joined, judged, tracker.run_id if tracker else None)
    metrics["models"] |= {name: {"error": why} for name, why in board.errors.items()}
    metrics |= {"seeds": comparison.config.seeds, "left_out": board.left_out}
    if rival := best_simple(board):
        metrics["significance"] = significance(board, rival, base.seed)
    if len(boards) > 1:
        metrics["backtest"] = backtest(boards)
    if any(one.ratings for one in joined):
        metrics["ratings_reference"] = rating_reference(runner, base.seed)
    write_json(folder / "metrics.json", metrics)
    accounts, warnings = runner.shop.tables.accounts, runner.shop.tables.warnings
    write_comparison_report(
        folder / "report.html", metrics, verdict=judged, accounts=accounts, warnings=warnings, names=NAMES
    )
    write_leaderboard_csv(folder / "leaderboard.csv", metrics)
    bundle = None
    if name := comparison.config.export:
        bundle = folder / "bundle"
        say(f"Exporting {name} …")
        _export(comparison.runs[name], board, bundle, judged, metrics)
    record(tracker, folder, joined)
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

"""What tuning has brought a model, and how it stands in metrics.json beside the default settings.

The search itself lies above, in `embedrec.search.tuning`; a comparison is handed it as a callable.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from embedrec.evaluation.intervals import paired_difference
from embedrec.evaluation.summary import finite
from embedrec.experiment.board import VIEWS, Board
from embedrec.experiment.config import RunConfig
from embedrec.experiment.outcome import ModelOutcome, mean_of_seeds
from embedrec.experiment.recording import Say
from embedrec.experiment.runner import Runner

Settings = dict[str, Any]


@dataclass(frozen=True)
class Tuned:
    """The settings of a model that were best on validation."""

    run: RunConfig
    objective: str
    """Name of the validation figure that settings were chosen by: ndcg@10, or rmse (lower is better)."""
    settings: Settings
    """Chosen value of everything that was varied."""
    default: Settings
    score: float | None
    """Validation figure of the chosen settings; None where no trial could be measured."""
    default_score: float | None
    trials: int
    failed: int
    exhausted: bool
    """Whether there are no other settings than those that were tried."""
    seconds: float
    """Of all trials."""
    reason: str
    """Why the first of the failed trials failed."""

    @property
    def better(self) -> bool:
        """Whether other settings than the default were chosen."""
        return self.settings != self.default


Tune = Callable[[RunConfig, Runner, Path, Say], Tuned | None]
"""Searches a model's settings on validation and keeps its trials in a folder; None where there is nothing to tune."""


def tuned_entries(tuned: Mapping[str, Tuned], board: Board, defaults: Board, seed: int) -> dict[str, Any]:
    """Lay out {model: its entry `tuned`} for the models of the board, whose own figures are of the chosen settings.

    `defaults` holds the default settings of models for which others were chosen, as far as they could be measured.
    """
    chosen, others = means_of_seeds(board, seed), means_of_seeds(defaults, seed)
    entries = {}
    for name, one in tuned.items():
        if name in chosen:
            default = others.get(name) if one.better else chosen[name]
            entries[name] = _entry(one, default)
            if name in others:
                entries[name]["gain_ndcg@10"] = _gain(name, board, defaults, seed)
    return entries


def means_of_seeds(board: Board, seed: int) -> dict[str, ModelOutcome]:
    """Return each model's mean over its seeds."""
    runner = board.runner
    n_valid, n_test = runner.candidates(runner.before_valid), runner.candidates(runner.before_test)
    return {name: mean_of_seeds(seeds, n_valid, n_test, seed) for name, seeds in board.outcomes.items()}


def _entry(tuned: Tuned, default: ModelOutcome | None) -> dict[str, Any]:
    beside: dict[str, Any] = {"settings": tuned.default, "valid": tuned.default_score}
    if default is not None:
        beside |= {"test": default.test} | ({"ratings": default.ratings} if default.ratings else {})
    return {
        "settings": tuned.settings,
        "objective": tuned.objective,
        "valid": tuned.score,
        "trials": tuned.trials,
        "failed": tuned.failed,
        "reason": tuned.reason,
        "exhausted": tuned.exhausted,
        "fit_seconds": round(tuned.seconds, 3),
        "default": beside,
    }


def _gain(name: str, board: Board, defaults: Board, seed: int) -> dict[str, Any]:
    """NDCG@10 of the tuned settings minus that of the default ones, customer by customer, for each view."""
    gaps = {view: paired_difference(board.ndcg(view)[name], defaults.ndcg(view)[name], seed) for view in VIEWS}
    return {
        view: {"difference": finite(gap.mean), "low": finite(gap.low), "high": finite(gap.high), "n": gap.n}
        for view, gap in gaps.items()
    }

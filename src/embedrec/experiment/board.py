"""What a comparison has brought, and what can be said of its models together."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from embedrec.evaluation.ratings import rating_errors
from embedrec.evaluation.significance import against
from embedrec.evaluation.summary import headline
from embedrec.evaluation.verdict import RANDOM, Verdict, best_simple_model, verdict_of_comparison
from embedrec.experiment.documents import NAMES
from embedrec.experiment.examples import rated
from embedrec.experiment.outcome import ModelOutcome
from embedrec.experiment.runner import Runner, mean_ratings
from embedrec.features.history import Floats
from embedrec.splits import day

VIEWS = ("all", "new")
"""Views that are tested for significance, and followed over windows."""


@dataclass
class Board:
    """One window, and what it has brought so far, by model."""

    runner: Runner
    outcomes: dict[str, list[ModelOutcome]] = field(default_factory=dict)
    """One for each seed."""
    errors: dict[str, str] = field(default_factory=dict)
    left_out: dict[str, str] = field(default_factory=dict)
    """Models that do not suit the data, with the reason."""
    folders: dict[str, Path] = field(default_factory=dict)
    """Of the first seed."""

    def ndcg(self, view: str) -> dict[str, Floats]:
        """NDCG@10 by customer, [n] for each model, averaged over its seeds."""
        return {
            name: np.mean([one.ranked[view].metric("ndcg", 10) for one in seeds], axis=0)
            for name, seeds in self.outcomes.items()
        }


def best_simple(board: Board) -> str | None:
    """Return the simple model that was best on validation: the rival that the others are tested against."""
    return best_simple_model(_valid_ndcg(board))


def judge_comparison(board: Board, seed: int) -> Verdict:
    """Say in one sentence which model to serve."""
    found = verdict_of_comparison(board.ndcg("all"), _valid_ndcg(board), seed, NAMES)
    return found._replace(sentence=found.sentence[:1].upper() + found.sentence[1:])


def _valid_ndcg(board: Board) -> dict[str, float | None]:
    """Validation NDCG@10 of each model, the mean of its seeds; None where nobody could be measured."""
    found: dict[str, float | None] = {}
    for name, seeds in board.outcomes.items():
        known = [value for one in seeds if (value := headline(one.valid)) is not None]
        found[name] = float(np.mean(known)) if known else None
    return found


def significance(board: Board, rival: str, seed: int) -> dict[str, Any]:
    """Compare every model with the rival, customer by customer; the floor is no claim and is left out."""
    table = {}
    for view in VIEWS:
        values = board.ndcg(view)
        theirs = values.pop(rival)
        values.pop(RANDOM, None)
        table[view] = against(theirs, values, seed)
    return {"rival": rival, "ndcg@10": table}


def backtest(boards: Sequence[Board]) -> dict[str, Any]:
    """Lay out NDCG@10 of every window, and each model's mean and spread over them (standard deviation)."""
    windows: list[dict[str, Any]] = []
    for board in reversed(boards):  # oldest first, as they happened
        split = board.runner.shop.split
        figures = {
            name: {view: headline(seeds[0].test, view=view) for view in VIEWS} for name, seeds in board.outcomes.items()
        }
        customers = len(board.runner.test_truth.users)
        windows.append(
            {"from": day(split.test_from), "to": day(split.end - 1), "customers": customers, "ndcg@10": figures}
        )
    models: dict[str, Any] = {}
    for name in boards[0].outcomes:
        models[name] = {}
        for view in VIEWS:
            values = [one["ndcg@10"][name][view] for one in windows if name in one["ndcg@10"]]
            known = [value for value in values if value is not None]
            spread = float(np.std(known, ddof=1)) if len(known) > 1 else None
            models[name][view] = {"mean": float(np.mean(known)) if known else None, "std": spread}
    return {"windows": windows, "models": models}


def rating_reference(runner: Runner, seed: int) -> dict[str, Any]:
    """Return the errors of predicting the mean rating, and the means of product and customer."""
    means = mean_ratings(runner.before_test)
    given = rated(runner.before_test, runner.shop.split.end)
    everywhere = np.full(len(given.stars), means.mean)
    return {
        "global_mean": rating_errors(everywhere, given.stars, given.users, seed),
        "means": rating_errors(means.predict(given.users, given.items), given.stars, given.users, seed),
    }

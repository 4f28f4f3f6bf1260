"""What one model achieved, and how that survives a kill: figures as JSON, ranked lists as plain arrays."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass, field, fields, replace
from pathlib import Path
from typing import Any

import numpy as np

from embedrec.evaluation.calibration import PurchaseProbability
from embedrec.evaluation.ranking import RankedView
from embedrec.evaluation.summary import Figures, headline, summarise
from embedrec.experiment.folders import write_json
from embedrec.models import Scorer

FIGURES, LISTS = "outcome.json", "lists.npz"
NOT_KEPT = ("scorer", "ranked", "valid_ranked", "probability", "audience")


@dataclass
class ModelOutcome:
    """What one model achieved with one seed."""

    name: str
    scorer: Scorer | None
    """The fitted model: after the refit, once there was one. None where the outcome was read from a folder."""
    valid: dict[str, Figures]
    score: float | None = None
    """Validation figure by which settings are chosen: NDCG@10, or RMSE for a model of ratings."""
    test: dict[str, Figures] = field(default_factory=dict)
    ranked: dict[str, RankedView] = field(default_factory=dict)
    """Test lists by view."""
    valid_ranked: dict[str, RankedView] = field(default_factory=dict)
    slices: dict[str, dict[str, Figures]] = field(default_factory=dict)
    probability: PurchaseProbability | None = None
    """From a score to the chance of a purchase within a window as long as validation; None once read from a folder."""
    audience: PurchaseProbability | None = None
    """From `evaluation.likelihood` to that of any customer and product; None once read from a folder."""
    calibration: dict[str, Any] = field(default_factory=dict)
    ratings: Figures = field(default_factory=dict)
    """Errors of predicted ratings, for a model that predicts any."""
    fit_seconds: float = 0.0
    """Choosing on validation and the refit."""
    peak_mb: int = 0
    """Largest memory of the process while the model was measured."""
    curve: list[dict[str, float | None]] = field(default_factory=list)
    """One entry an epoch."""
    seeds: dict[str, list[float | None]] = field(default_factory=dict)
    """NDCG@10 of each seed by view, where there were several."""

    def plain(self) -> dict[str, Any]:
        """Return the model's entry of metrics.json."""
        optional = {
            "slices": self.slices,
            "calibration": self.calibration,
            "ratings": self.ratings,
            "seeds_ndcg@10": self.seeds,
        }
        return {
            "valid": self.valid,
            "test": self.test,
            **{name: value for name, value in optional.items() if value},
            "fit_seconds": round(self.fit_seconds, 3),
            "peak_mb": self.peak_mb,
        }

    def save(self, folder: Path) -> None:
        """Write the outcome; the figures come last, so that a folder with figures is whole."""
        lists = {
            f"{split}/{view}/{name}": array
            for split, views in (("test", self.ranked), ("valid", self.valid_ranked))
            for view, ranked in views.items()
            for name, array in ranked.arrays().items()
        }
        partial = folder / f".{LISTS}.partial.npz"
        np.savez_compressed(partial, **lists)  # type: ignore[arg-type]  # names of arrays, none is a flag
        partial.replace(folder / LISTS)
        kept = [one.name for one in fields(self) if one.name not in NOT_KEPT]
        write_json(folder / FIGURES, {name: getattr(self, name) for name in kept})

    @classmethod
    def load(cls, folder: Path) -> ModelOutcome | None:
        """Read an outcome; None where none was finished."""
        if not (folder / FIGURES).exists():
            return None
        figures = json.loads((folder / FIGURES).read_text(encoding="utf-8"))
        found: dict[str, dict[str, dict[str, Any]]] = {"test": {}, "valid": {}}
        with np.load(folder / LISTS, allow_pickle=False) as lists:
            for key in lists.files:
                split, view, name = key.split("/")
                found[split].setdefault(view, {})[name] = lists[key]
        views = {
            split: {view: RankedView.from_arrays(arrays) for view, arrays in views.items()}
            for split, views in found.items()
        }
        return cls(scorer=None, ranked=views["test"], valid_ranked=views["valid"], **figures)


def mean_of_seeds(outcomes: Sequence[ModelOutcome], n_valid: int, n_test: int, seed: int) -> ModelOutcome:
    """Join one model's seeds: each customer's figures are averaged over seeds, then over customers.

    n_valid and n_test are the numbers of candidates. Slices, calibration and curve stay those of the first seed.
    """
    first, *others = outcomes
    if not others:
        return first
    return replace(
        first,
        valid=summarise([one.valid_ranked for one in outcomes], n_valid, seed),
        test=summarise([one.ranked for one in outcomes], n_test, seed),
        fit_seconds=sum(one.fit_seconds for one in outcomes) / len(outcomes),
        peak_mb=max(one.peak_mb for one in outcomes),
        seeds={view: [headline(one.test, view=view) for one in outcomes] for view in ("all", "new")},
    )

"""From ranked lists to figures with intervals, as metrics.json holds them."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from embedrec.evaluation.intervals import bootstrap_means
from embedrec.evaluation.ranking import KS, RankedView
from embedrec.metrics import METRICS, coverage, metric_name

Figures = dict[str, dict[str, float | int | None]]


def summarise(views: dict[str, RankedView], n_candidates: int, seed: int) -> dict[str, Figures]:
    """Return {view: {metric: {value, low, high, n}}}; a figure that does not exist is null."""
    return {name: _figures(view, n_candidates, seed) for name, view in views.items()}


def _figures(view: RankedView, n_candidates: int, seed: int) -> Figures:
    names = [(name, k) for k in KS for name in METRICS]
    table = np.stack([view.metric(name, k) for name, k in names], axis=1)
    means = bootstrap_means(table, seed)
    n = len(view.users)
    figures: Figures = {
        metric_name(name, k): {
            "value": finite(means.mean[place]),
            "low": finite(means.low[place]),
            "high": finite(means.high[place]),
            "n": n,
        }
        for place, (name, k) in enumerate(names)
    }
    for k in KS:  # coverage belongs to all customers together: resampling them would only shrink it
        shown = finite(coverage(view.top[:, :k], n_candidates)) if n else None
        figures[metric_name("coverage", k)] = {"value": shown, "low": None, "high": None, "n": n}
    return figures


def headline(figures: dict[str, Figures], metric: str = "ndcg@10", view: str = "all") -> float | None:
    """Return one value of a summary, None where nobody could be measured."""
    value = figures[view][metric]["value"]
    return None if value is None else float(value)


def finite(value: Any) -> float | None:
    """Return a float, None for NaN."""
    return None if math.isnan(value) else float(value)

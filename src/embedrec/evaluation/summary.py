"""From ranked lists to figures with intervals, as metrics.json holds them."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from embedrec.evaluation.intervals import bootstrap_means
from embedrec.evaluation.ranking import RankedView
from embedrec.metrics import METRICS, coverage, gini, metric_name

Figures = dict[str, dict[str, float | int | None]]

# What a list is like, hit or not, by customer.
LIST_METRICS = ("novelty", "diversity", "mean_popularity")


def summarise(runs: Sequence[Mapping[str, RankedView]], n_candidates: int, seed: int) -> dict[str, Figures]:
    """Return {view: {metric: {value, low, high, n}}}; a figure that does not exist is null.

    `runs` hold the views of one model, one for each seed: each customer's figures are averaged over the seeds that
    know them, and the customers are resampled as ever. `n` counts the
    customers the metric applies to: AUC needs a candidate that is no target, diversity two products of known category.
    """
    return {name: _figures([views[name] for views in runs], n_candidates, seed) for name in runs[0]}


def _figures(runs: Sequence[RankedView], n_candidates: int, seed: int) -> Figures:
    first, *others = runs
    assert all(np.array_equal(first.users, other.users) for other in others), "seeds were measured on other customers"
    tables = [_by_customer(view) for view in runs]
    figures = estimates({name: _mean_of_known([table[name] for table in tables]) for name in tables[0]}, seed)
    n = len(first.users)
    for k in first.cutoffs:  # these belong to all customers together: resampling them would only shrink coverage
        for name, whole in (("coverage", coverage), ("gini", gini)):
            shown = finite(np.mean([whole(view.top[:, :k], n_candidates) for view in runs])) if n else None
            figures[metric_name(name, k)] = {"value": shown, "low": None, "high": None, "n": n}
    return figures


def _by_customer(view: RankedView) -> dict[str, NDArray[np.float64]]:
    names = [(name, k) for k in view.cutoffs for name in (*METRICS, *LIST_METRICS)]
    return {**{metric_name(name, k): view.metric(name, k) for name, k in names}, "auc": view.auc}


def _mean_of_known(values: Sequence[NDArray[np.float64]]) -> NDArray[np.float64]:
    """Mean over seeds for each customer, NaN where no seed has a value."""
    known = ~np.isnan(values)
    total = np.where(known, values, 0.0).sum(axis=0)
    mean: NDArray[np.float64] = np.full(len(total), np.nan)
    np.divide(total, known.sum(axis=0), out=mean, where=known.any(axis=0))
    return mean


def estimates(columns: Mapping[str, NDArray[np.float64]], seed: int) -> Figures:
    """Return {name: {value, low, high, n}} of values by customer, each [n]; NaN is left out and not counted."""
    table = np.stack(list(columns.values()), axis=1)
    means = bootstrap_means(table, seed)
    known = (~np.isnan(table)).sum(axis=0)
    return {
        name: {
            "value": finite(means.mean[place]),
            "low": finite(means.low[place]),
            "high": finite(means.high[place]),
            "n": int(known[place]),
        }
        for place, name in enumerate(columns)
    }


def headline(figures: dict[str, Figures], metric: str = "ndcg@10", view: str = "all") -> float | None:
    """Return one value of a summary, None where nobody could be measured."""
    value = figures[view][metric]["value"]
    return None if value is None else float(value)


def finite(value: Any) -> float | None:
    """Return a float, None for NaN."""
    return None if math.isnan(value) else float(value)

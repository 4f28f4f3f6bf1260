"""The leaderboard: on the terminal, and as a CSV file."""

from __future__ import annotations

import csv
import io
import math
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from embedrec.experiment.folders import write_text
from embedrec.report import best_first, duration, number
from embedrec.report.cells import ABSENT, decimals_for, fixed

if TYPE_CHECKING:
    from rich.table import Table

Json = Mapping[str, Any]
VIEWS = ("all", "new")  # what fits a terminal of 80 columns; the report has the rest
NDCG = "ndcg@10"
ERRORS = ("rmse", "mse", "mae")
CSV_METRICS = (NDCG, "recall@10", "hit_rate@10", "mrr@10", "map@10", "auc", "coverage@10")


def print_leaderboard(metrics: Json) -> None:
    """Print the test figures of every model, best NDCG@10 first, with their 95 % intervals."""
    from rich.console import Console

    console = Console(highlight=False)
    order = _order(metrics)
    console.print(_ranking(metrics, order))
    if ratings := {model: metrics["models"][model]["ratings"] for model in order if _has(metrics, model, "ratings")}:
        console.print(_ratings({**ratings, **metrics.get("ratings_reference", {})}))
    if tuned := [model for model in order if _has(metrics, model, "tuned")]:
        console.print(_tuned(metrics, tuned))
    for model, reason in _reasons(metrics):
        print(f"{model}: {reason}")
    for view, best in (metrics.get("oracle") or {}).get(NDCG, {}).items():
        shares = (f"{model} {_share(_figure(metrics, model, view, NDCG), best)}" for model in order)
        print(f"share of what is achievable, {view} (NDCG@10 {best:.3f}): {', '.join(shares)}")


def write_leaderboard_csv(path: Path, metrics: Json) -> None:
    """Write one row a model, best NDCG@10 first; the cell of a figure that does not exist is empty.

    Differences are NDCG@10 of the model minus that of `rival`, p-values are of the paired bootstrap, Holm-corrected.
    """
    rows = [{name: _cell(value) for name, value in _csv_row(metrics, model)} for model in _order(metrics)]
    text = io.StringIO()
    writer = csv.DictWriter(text, list(rows[0]) if rows else ["model"], lineterminator="\n")
    writer.writeheader()
    writer.writerows(rows)
    write_text(path, text.getvalue())


def _cell(value: Any) -> Any:
    return f"{value:.6g}" if isinstance(value, float) else value


def _csv_row(metrics: Json, model: str) -> Iterator[tuple[str, Any]]:
    entry: Json = metrics["models"][model]
    tests: Json = metrics.get("significance", {})
    yield "model", model
    for view in VIEWS:
        for name in CSV_METRICS:
            figure = _figure(metrics, model, view, name)
            yield f"{name}_{view}", figure.get("value")
            if name == NDCG:
                yield f"{name}_{view}_low", figure.get("low")
                yield f"{name}_{view}_high", figure.get("high")
    yield "fit_seconds", entry.get("fit_seconds")
    yield "peak_mb", entry.get("peak_mb")
    for name in ERRORS:
        yield name, (entry.get("ratings") or {}).get(name, {}).get("value")
    yield "rival", tests.get("rival")
    for view in VIEWS:
        tested = tests.get(NDCG, {}).get(view, {}).get(model, {})
        yield f"difference_{view}", tested.get("difference")
        yield f"holm_p_{view}", tested.get("holm_bootstrap")
    if metrics.get("tune"):
        yield from _csv_tuned(entry.get("tuned") or {})
    yield "error", entry.get("error")


def _csv_tuned(tuned: Json) -> Iterator[tuple[str, Any]]:
    """Beside the figures of the tuned settings: how they were chosen, and the figures of the default ones."""
    default: Json = tuned.get("default", {})
    yield "trials", tuned.get("trials")
    yield "objective", tuned.get("objective")
    for prefix, one in (("", tuned), ("default_", default)):
        yield f"{prefix}settings", " ".join(f"{key}={value}" for key, value in one.get("settings", {}).items())
        yield f"{prefix}valid", one.get("valid")
    for view in VIEWS:
        yield f"default_{NDCG}_{view}", default.get("test", {}).get(view, {}).get(NDCG, {}).get("value")
    yield "default_rmse", default.get("ratings", {}).get("rmse", {}).get("value")


def _ranking(metrics: Json, order: list[str]) -> Table:
    """NDCG@10 of both views, and the time it took."""
    shown = {view: [_figure(metrics, model, view, NDCG) for model in order] for view in VIEWS}
    counts = {view: max((entry.get("n") or 0 for entry in entries), default=0) for view, entries in shown.items()}
    since = metrics.get("data", {}).get("test", {}).get("from")
    said = ", ".join(f"{count:,} customers ({view})" for view, count in counts.items())
    table = _table(f"Test from {since[:10]}: {said}" if since else f"Test: {said}")
    for header in (*(f"{NDCG} {view}" for view in VIEWS), "fit"):
        table.add_column(header, justify="right", no_wrap=True)
    columns = [_column(entries) for entries in shown.values()]
    times = [duration(number(metrics["models"][model], "fit_seconds")) for model in order]
    for row in zip(order, *columns, times, strict=True):
        table.add_row(*row)
    return table


def _ratings(errors: Json) -> Table:
    """Errors of predicted ratings, beside those of plain averages; lowest RMSE first."""
    table = _table("Predicted ratings, errors in stars (lower is better)")
    for name in ERRORS:
        table.add_column(name.upper(), justify="right", no_wrap=True)
    values = {model: number(entry.get("rmse")) for model, entry in errors.items()}
    order = sorted(errors, key=lambda model: values[model] if math.isfinite(values[model]) else math.inf)
    columns = [_column([errors[model].get(name, {}) for model in order]) for name in ERRORS]
    for row in zip(order, *columns, strict=True):
        table.add_row(*row)
    return table


def _tuned(metrics: Json, models: list[str]) -> Table:
    """Tuned settings beside the default ones, which were chosen between on validation."""
    table = _table("Tuned on validation; NDCG@10 on the test, default → tuned")
    for header in ("trials", *VIEWS):
        table.add_column(header, justify="right", no_wrap=True)
    for model in models:
        tuned: Json = metrics["models"][model]["tuned"]
        pairs = [
            (tuned["default"].get("test", {}).get(view, {}).get(NDCG, {}), _figure(metrics, model, view, NDCG))
            for view in VIEWS
        ]
        decimals = [decimals_for([number(one) for one in pair]) for pair in pairs]
        shown = [" → ".join(fixed(number(one), n) for one in pair) for pair, n in zip(pairs, decimals, strict=True)]
        table.add_row(model, f"{tuned['trials']}", *shown)
    return table


def _table(title: str) -> Table:
    from rich import box
    from rich.table import Table

    table = Table(title=title, title_justify="left", box=box.SIMPLE_HEAD, padding=(0, 1, 0, 0), pad_edge=False)
    table.add_column("model", no_wrap=True)
    return table


def _column(entries: list[Json]) -> list[str]:
    """Values with their intervals, all with as many decimals as the largest one needs."""
    decimals = decimals_for([number(entry) for entry in entries])
    shown = []
    for entry in entries:
        value, low, high = (fixed(number(entry, key), decimals) for key in ("value", "low", "high"))
        shown.append(value if ABSENT in (low, high) else f"{value} ({low}–{high})")
    return shown


def _order(metrics: Json) -> list[str]:
    """Names of all models, best NDCG@10 first, those that failed last."""
    models: Json = metrics["models"]
    order = best_first({model: {NDCG: _figure(metrics, model, "all", NDCG)} for model in models}, NDCG)
    return sorted(order, key=lambda model: "error" in models[model])


def _figure(metrics: Json, model: str, view: str, name: str) -> Json:
    found: Json = metrics["models"][model].get("test", {}).get(view, {}).get(name) or {}
    return found


def _has(metrics: Json, model: str, key: str) -> bool:
    return bool(metrics["models"][model].get(key))


def _reasons(metrics: Json) -> Iterator[tuple[str, str]]:
    for model, entry in metrics["models"].items():
        if "error" in entry:
            yield model, f"failed: {entry['error']}"
    for model, reason in metrics.get("left_out", {}).items():
        yield model, f"left out: {reason}"


def _share(entry: Json, best: float) -> str:
    value = number(entry)
    return f"{value / best:.0%}" if math.isfinite(value) and best > 0 else ABSENT

"""The leaderboard on the terminal."""

from __future__ import annotations

from typing import Any

COLUMNS = (("ndcg@10", "all"), ("ndcg@10", "new"))  # what fits a terminal of 80; the report has the rest


def print_leaderboard(metrics: dict[str, Any]) -> None:
    """Print the test figures of every model, best NDCG@10 first, with their 95 % intervals."""
    from rich.console import Console
    from rich.table import Table

    models = sorted(metrics["models"].items(), key=lambda one: -(_entry(one[1], "ndcg@10", "all")["value"] or 0.0))
    n = {view: max((_entry(one, "ndcg@10", view)["n"] for _, one in models), default=0) for view in ("all", "new")}
    counts = ", ".join(f"{view}: {count:,} customers" for view, count in n.items())
    table = Table(title=f"Test from {metrics['data']['test']['from'][:10]}: {counts}")
    table.add_column("model", no_wrap=True)
    for name, view in COLUMNS:
        table.add_column(f"{name} {view}", justify="right", no_wrap=True)
    for model, figures in models:
        table.add_row(model, *(_shown(_entry(figures, name, view)) for name, view in COLUMNS))
    Console().print(table)
    if oracle := metrics.get("oracle"):
        for view in n:
            best = oracle["ndcg@10"][view]
            shares = (f"{model} {_share(_entry(figures, 'ndcg@10', view), best)}" for model, figures in models)
            print(f"share of what is achievable, {view} (NDCG@10 {best:.3f}): {', '.join(shares)}")


def _entry(figures: dict[str, Any], name: str, view: str) -> dict[str, Any]:
    entry: dict[str, Any] = figures["test"][view][name]
    return entry


def _shown(entry: dict[str, Any]) -> str:
    return "–" if entry["value"] is None else f"{entry['value']:.3f} ({entry['low']:.3f}–{entry['high']:.3f})"


def _share(entry: dict[str, Any], best: float) -> str:
    return "–" if entry["value"] is None else f"{entry['value'] / best:.0%}"

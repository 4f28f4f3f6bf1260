"""The leaderboard on the terminal."""

from __future__ import annotations

from typing import Any

SHOWN = ("ndcg@10", "recall@10", "hit_rate@10")
VIEWS = ("all", "new")


def print_leaderboard(metrics: dict[str, Any]) -> None:
    """Print the test figures of every model, best NDCG@10 first, with their 95 % intervals."""
    from rich.console import Console
    from rich.table import Table

    n = {
        view: max((_entry(one, view, SHOWN[0])["n"] for one in metrics["models"].values()), default=0) for view in VIEWS
    }
    title = f"Test from {metrics['data']['test']['from'][:10]}: " + ", ".join(
        f"{view}: {n[view]:,} customers" for view in VIEWS
    )
    table = Table("model", title=title)
    for view in VIEWS:
        for name in SHOWN:
            table.add_column(f"{name} {view}", justify="right")
    oracle = metrics.get("oracle")
    ranked = sorted(metrics["models"].items(), key=lambda item: -(_entry(item[1], "all", SHOWN[0])["value"] or 0.0))
    for model, figures in ranked:
        table.add_row(model, *(_shown(_entry(figures, view, name)) for view in VIEWS for name in SHOWN))
    Console(width=None).print(table)
    if oracle and ranked:
        best = oracle["ndcg@10"]
        for view in VIEWS:
            shares = (f"{model} {_share(figures, view, best)}" for model, figures in ranked)
            print(f"share of what is achievable, {view} (oracle NDCG@10 {best[view]:.3f}): {', '.join(shares)}")


def _entry(figures: dict[str, Any], view: str, name: str) -> dict[str, Any]:
    entry: dict[str, Any] = figures["test"][view][name]
    return entry


def _shown(entry: dict[str, Any]) -> str:
    if entry["value"] is None:
        return "–"
    return f"{entry['value']:.4f} ({entry['low']:.3f}–{entry['high']:.3f})"


def _share(figures: dict[str, Any], view: str, best: dict[str, float]) -> str:
    value = _entry(figures, view, "ndcg@10")["value"]
    return "–" if value is None else f"{value / best[view]:.0%}"

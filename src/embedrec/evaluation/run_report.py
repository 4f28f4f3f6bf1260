"""The report of a run: the verdict first, then the figures, the leaderboard, and where every row went.

Everything shown is read from the contents of metrics.json and the few series beside it; nothing is computed
again, so the page cannot disagree with the file.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from embedrec.evaluation.verdict import RANDOM, Verdict
from embedrec.evaluation.words import RULES, SPLITS, TERMS
from embedrec.metrics import POPULARITY_BANDS, metric_name
from embedrec.report import (
    Cell,
    Estimate,
    Report,
    colours,
    curve_figure,
    interval_figure,
    line_figure,
    shares_figure,
)
from embedrec.tables.model import TableAccount

Json = Mapping[str, Any]

K = 10
_NDCG, _HITS = metric_name("ndcg", K), metric_name("hit_rate", K)
_COLUMNS = {
    metric_name("ndcg", K): f"NDCG@{K}",
    metric_name("recall", K): f"Recall@{K}",
    metric_name("hit_rate", K): f"Hit rate@{K}",
    metric_name("mrr", K): f"MRR@{K}",
    metric_name("map", K): f"MAP@{K}",
    metric_name("coverage", K): f"Coverage@{K}",
}
_VIEWS = {
    "all": "All purchases count, those of products bought before included",
    "new": "Only products the customer never bought before count and are recommended",
}
_PICTURED = {"all": "All purchases", "new": "New products only"}
_BANDS = tuple(
    f"{'top' if low == 0 else 'next' if high < 1 else 'last'} {high - low:.0%}".replace("%", " %")
    for low, high in zip((0.0, *POPULARITY_BANDS), POPULARITY_BANDS, strict=False)
)


def write_run_report(
    path: Path,
    metrics: Json,
    *,
    champion: str,
    verdict: Verdict,
    learning_curve: Sequence[Mapping[str, float | None]] = (),
    recall_curves: Mapping[str, Mapping[int, Estimate]] | None = None,
    popularity: Mapping[str, Sequence[float]] | None = None,
    accounts: Sequence[TableAccount] = (),
    warnings: Sequence[str] = (),
    oracle: Json | None = None,
    names: Mapping[str, str] | None = None,
) -> None:
    """Write report.html from the contents of metrics.json.

    champion        the trained model, highlighted throughout
    learning_curve  one {"epoch", "train_loss", "valid_ndcg"} an epoch; empty for a model without epochs
    recall_curves   {model: {k: (recall@k, low, high)}}, view `all`
    popularity      {model, or another label: shares as `metrics.popularity_shares` returns them}
    oracle          a synthetic shop's best reachable figures, {"ndcg@10": {view: value}}
    names           readable model names; others are shown as they are
    """
    page = _Page(metrics, champion, oracle or {}, names or {})
    page.opening(verdict)
    page.figures(learning_curve, recall_curves or {}, popularity or {})
    page.leaderboard()
    page.data(accounts, warnings)
    page.method()
    page.report.write(path)


class _Page:
    """The sections of the page, each a method."""

    def __init__(self, metrics: Json, champion: str, oracle: Json, names: Mapping[str, str]) -> None:
        models: Json = metrics["models"]
        self.names, self.champion, self.metrics = names, champion, metrics
        self.reachable: Mapping[str, float] = oracle.get(_NDCG, {})
        # {view: {model: its test figures}}, best NDCG first; a model without a view is absent from it.
        self.views = {view: _ranked(models, view) for view in _VIEWS}
        self.colour = colours([self.called(model) for model in models], self.called(champion))
        data: Json = metrics.get("data", {})
        title = f"{self.called(champion)} on {data.get('name', 'this shop')}"
        self.report = Report(title[:1].upper() + title[1:], _window(data))

    def called(self, model: str) -> str:
        return self.names.get(model, model)

    def opening(self, verdict: Verdict) -> None:
        """The verdict and the key figures."""
        good = verdict.beyond_chance and verdict.winner == self.champion
        self.report.callout(verdict.sentence, "verdict good" if good else "verdict caution")
        view = self.views["all"]
        if self.champion not in view:
            return
        ours = view[self.champion]
        value, interval = _column([ours.get(_NDCG)])[0]
        tiles = [Cell(value, f"NDCG@{K}: quality of the first {K} places ({interval})")]
        hits = _number(ours.get(_HITS), "value")
        if math.isfinite(hits):
            said = f"customers bought at least one of the {K} products recommended"
            rival = next((model for model in view if model not in (self.champion, RANDOM)), None)
            theirs = _number(view[rival].get(_HITS), "value") if rival else math.nan
            if rival and math.isfinite(theirs):
                said += f"; {100 * theirs:.0f} with {self.called(rival)}"
            tiles.append(Cell(f"{100 * hits:.0f} of 100", said))
        if "all" in self.reachable:
            share = self.achieved(ours, "all")
            tiles.append(Cell(share, "of the quality that the best possible model reaches on this synthetic shop"))
        tiles.append(Cell(_count(ours.get(_NDCG)), "customers tested, who had bought before the test period"))
        self.report.tiles(tiles)

    def achieved(self, figures: Json, view: str) -> str:
        """NDCG as a share of the best reachable."""
        value, best = _number(figures.get(_NDCG), "value"), self.reachable[view]
        return f"{100 * value / best:.0f} %" if math.isfinite(value) and best > 0 else "–"

    def figures(
        self,
        learning_curve: Sequence[Mapping[str, float | None]],
        recall_curves: Mapping[str, Mapping[int, Estimate]],
        popularity: Mapping[str, Sequence[float]],
    ) -> None:
        """The figures that have something to show."""
        self.report.heading("In pictures")
        ours = self.called(self.champion)
        for view, models in self.views.items():
            rows = {self.called(model): _estimate(figures.get(_NDCG)) for model, figures in models.items()}
            if rows:
                limit = ("best possible", self.reachable[view]) if view in self.reachable else None
                figure = interval_figure(rows, self.colour, ours, f"NDCG@{K}", limit)
                self.report.figure(figure, f"{_PICTURED[view]}: quality of the first {K} places (95 % interval).")
        if recall_curves:
            curves = {self.called(model): curve for model, curve in recall_curves.items()}
            figure = curve_figure(curves, self.colour, ours, "products recommended", "share found")
            self.report.figure(figure, "The longer the list, the more of what customers bought is on it.")
        if popularity:
            shares = {self.called(label): bands for label, bands in popularity.items()}
            figure = shares_figure(shares, _BANDS)
            self.report.figure(
                figure,
                "How popular are the products shown? Top 1 % to last 50 % of the catalogue, by past sales.",
            )
        if learning_curve:
            epochs = [_number(row, "epoch") for row in learning_curve]
            for key, label, caption, mark in (
                ("valid_ndcg", f"validation NDCG@{K}", "Learning: quality on the validation period.", True),
                ("train_loss", "training loss", "Learning: what training minimises.", False),
            ):
                values = [_number(row, key) for row in learning_curve]
                if any(map(math.isfinite, values)):
                    self.report.figure(line_figure(epochs, values, "epoch", label, mark_highest=mark), caption)

    def leaderboard(self) -> None:
        """One table a view, best model first."""
        self.report.heading("Leaderboard")
        for view, caption in _VIEWS.items():
            models = self.views[view]
            if not models:
                continue
            headers = ["Model", *_COLUMNS.values(), "Customers"]
            columns = [_column([figures.get(metric) for figures in models.values()]) for metric in _COLUMNS]
            counts = [_count(figures.get(_NDCG)) for figures in models.values()]
            called = [self.called(model) for model in models]
            rows: list[list[str | Cell]] = [list(row) for row in zip(called, *columns, counts, strict=True)]
            if view in self.reachable:
                headers.insert(2, "Of best possible")
                for row, figures in zip(rows, models.values(), strict=True):
                    row.insert(2, self.achieved(figures, view))
            self.report.table(headers, rows, f"{caption}.", highlight=self.called(self.champion))

    def data(self, accounts: Sequence[TableAccount], warnings: Sequence[str]) -> None:
        """Where every row went, and what the reader should know about the data."""
        self.report.heading("The data")
        if accounts:
            headers = ["Table", "File", "Rows read", "Used", "Quarantined", "Duplicates", "Set aside"]
            rows = [
                [
                    row.table,
                    row.file,
                    *(f"{n:,}" for n in (row.read, row.used, row.quarantined, row.duplicates, row.set_aside)),
                ]
                for row in accounts
            ]
            self.report.table(headers, rows, "Every row read is used or accounted for.")
        notes = [f"{row.table}: {note}" for row in accounts for note in row.notes]
        if notes:
            self.report.bullets(notes)
        for warning in warnings:
            self.report.callout(warning, "caution")

    def method(self) -> None:
        """How the figures came about, and what the words mean."""
        self.report.heading("How this was measured")
        split = self.metrics.get("protocol", {}).get("split", "")
        self.report.text(" ".join(filter(None, [SPLITS.get(split), RULES])))
        run = [
            f"{label} {self.metrics[key]}"
            for key, label in (("run_id", "Run"), ("seed", "seed"))
            if key in self.metrics
        ]
        if run:
            self.report.text(", ".join(run) + ".")
        self.report.heading("Words explained")
        self.report.terms(TERMS)


def _ranked(models: Json, view: str) -> dict[str, Json]:
    """{model: its test figures in this view}, best NDCG first, unmeasured last, ties in the file's order."""
    figures: dict[str, Json] = {model: entry.get("test", {}).get(view, {}) for model, entry in models.items()}
    present = [model for model in figures if figures[model]]

    def merit(model: str) -> float:
        value = _number(figures[model].get(_NDCG), "value")
        return value if math.isfinite(value) else -math.inf

    return {model: figures[model] for model in sorted(present, key=merit, reverse=True)}


def _number(entry: Mapping[str, Any] | None, key: str) -> float:
    """A figure of metrics.json; NaN where it is absent or null."""
    value = (entry or {}).get(key)
    return math.nan if value is None else float(value)


def _estimate(entry: Json | None) -> Estimate:
    return _number(entry, "value"), _number(entry, "low"), _number(entry, "high")


def _column(entries: Sequence[Json | None]) -> list[Cell]:
    """Values with their intervals, all with as many decimals as the largest one needs."""
    estimates = [_estimate(entry) for entry in entries]
    decimals = 3 if any(value >= 0.1 for value, _, _ in estimates) else 4

    def shown(number: float) -> str:
        return f"{number:.{decimals}f}" if math.isfinite(number) else "–"

    return [
        Cell(shown(value), f"{shown(low)}–{shown(high)}" if math.isfinite(low + high) else "")
        for value, low, high in estimates
    ]


def _count(entry: Json | None) -> str:
    n = _number(entry, "n")
    return f"{n:,.0f}" if math.isfinite(n) else "–"


def _window(data: Json) -> str:
    """One line with the dates of both periods, as far as they are known."""
    said = []
    for key, label in (("train", "Learned from purchases"), ("test", "tested on")):
        period: Json = data.get(key, {})
        if period.get("from") and period.get("to"):
            said.append(f"{label} {str(period['from'])[:10]} to {str(period['to'])[:10]}")
    return ", ".join(said) + "." if said else ""

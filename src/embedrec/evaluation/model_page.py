"""`ModelPage`: the sections that the report of a run and that of a comparison share.

Everything shown is read from the contents of metrics.json; nothing is computed again, so a page cannot disagree with
the file.
"""

from __future__ import annotations

import math
from collections.abc import Collection, Mapping, Sequence
from types import MappingProxyType
from typing import Any

from embedrec.evaluation import words
from embedrec.metrics import metric_name
from embedrec.report import (
    Cell,
    Entry,
    Estimate,
    Finding,
    Report,
    best_first,
    column,
    count,
    duration,
    estimate,
    fixed,
    interval_figure,
    number,
    panels_figure,
    percent,
    reliability_figure,
    steps_figure,
)
from embedrec.tables.model import TableAccount

Json = Mapping[str, Any]

K = 10
NDCG, HITS, COVERAGE = metric_name("ndcg", K), metric_name("hit_rate", K), metric_name("coverage", K)
LEADING = 5
"""Models drawn where more would not be told apart."""


class ModelPage:
    """Sections about the models of metrics.json; a subclass says which of them lead, and in which colours."""

    views: Sequence[str] = ("all", "new")
    fit_column = False

    leading: Sequence[str] = ()  # models in figures that hold few, the most important first
    strong: Collection[str] = ()  # readable names that stand out
    colour: Mapping[str, str] = MappingProxyType({})  # by readable name

    def __init__(self, metrics: Json, title: str, names: Mapping[str, str], oracle: Json) -> None:
        self.names, self.metrics = names, metrics
        self.models: Mapping[str, Json] = metrics["models"]
        self.reachable: Mapping[str, float] = oracle.get(NDCG, {})
        self.terms = dict(words.TERMS)
        self.report = Report(title[:1].upper() + title[1:], _periods(metrics.get("data", {})))

    def called(self, model: str) -> str:
        """Return a model's readable name."""
        return self.names.get(model, model)

    def board(self, view: str) -> dict[str, Mapping[str, Entry]]:
        """Return {model: its test figures in this view}, best NDCG first; nothing where nobody was measured."""
        figures = {model: entry.get("test", {}).get(view, {}) for model, entry in self.models.items()}
        rows = {model: row for model, row in figures.items() if row}
        known = any(math.isfinite(number(row.get(NDCG))) for row in rows.values())
        return {model: rows[model] for model in best_first(rows, NDCG)} if known else {}

    def ranking(self) -> None:
        """Add a bar for each model, a figure for each view; a dot for each seed where there are several."""
        for view, said in words.PICTURED.items():
            board = self.board(view)
            if not board:
                continue
            rows = {self.called(model): estimate(figures.get(NDCG)) for model, figures in board.items()}
            limit = ("best possible", self.reachable[view]) if view in self.reachable else None
            seeds = {self.called(model): self._seeds(model, view) for model in board}
            figure = interval_figure(rows, self.colour, self.strong, f"NDCG@{K}", limit, seeds)
            note = ", each seed a dot" if any(seeds.values()) else ""
            self.report.figure(figure, f"{said}: quality of the first {K} places (95 % interval{note}).")

    def _seeds(self, model: str, view: str) -> list[float]:
        values = self.models[model].get(f"seeds_{NDCG}", {}).get(view, ())
        return [float(value) for value in values if value is not None]

    def slice_of(self, model: str, group: str) -> Mapping[str, Mapping[str, Entry]]:
        """Return {slice: its figures} of one group, empty where the model has none."""
        found: Mapping[str, Mapping[str, Entry]] = self.models[model].get("slices", {}).get(group, {})
        return found

    def slice_names(self, group: str) -> list[str]:
        """Return the slices of a group in which somebody was measured, in the order of the file."""
        rows = [self.slice_of(model, group) for model in self.models]
        names = dict.fromkeys(name for row in rows for name in row)
        return [name for name in names if any(math.isfinite(_ndcg(row, name)[0]) for row in rows)]

    def for_whom(self) -> None:
        """Add the figures of customers by their history, and of products by their popularity."""
        lengths = self.slice_names("history_length")
        rows = {model: row for model in self.leading if (row := self.slice_of(model, "history_length"))}
        if lengths and rows:
            curves = {self.called(model): [_ndcg(row, one) for one in lengths] for model, row in rows.items()}
            counts = [count(*(row.get(one, {}).get(NDCG) for row in rows.values())) for one in lengths]
            ticks = [f"{one.replace('-', '–')}\n({n})" for one, n in zip(lengths, counts, strict=True)]
            label = "products bought before (customers)"
            figure = steps_figure(curves, ticks, self.colour, self.strong, label, f"NDCG@{K}")
            self.report.figure(figure, "The longer a customer is known, the better? Quality by what was bought before.")
        parts = self.slice_names("item_popularity")
        rows = {model: row for model in self.leading if (row := self.slice_of(model, "item_popularity"))}
        if parts and rows:
            panels = {
                words.slice_name("item_popularity", part): {
                    self.called(model): _ndcg(row, part) for model, row in rows.items()
                }
                for part in parts
            }
            figure = panels_figure(panels, self.colour, self.strong, f"NDCG@{K}")
            self.report.figure(figure, "Bestsellers are easy to find. Who finds the rest of the catalogue?")
        if lengths or parts:
            self.terms |= words.SLICE_TERMS

    def probabilities(self, models: Sequence[str]) -> None:
        """Add the reliability of stated probabilities, for the models that have them."""
        curves = {
            self.called(model): [(float(part["predicted"]), float(part["observed"])) for part in bins]
            for model in models
            if (bins := self.models[model].get("calibration", {}).get("bins"))
        }
        if curves:
            labels = "stated probability", "really bought"
            figure = reliability_figure(curves, self.colour, self.strong, *labels)
            said = "Do probabilities come true? On the dashed line, as many products are bought as was said."
            self.report.figure(figure, said)

    def calibration(self) -> None:
        """Add how far stated probabilities are from what happened, for every model that states any."""
        found = {model: entry.get("calibration", {}) for model, entry in self.models.items()}
        known = {model: one for model, one in found.items() if math.isfinite(number(one, "brier"))}
        if not known:
            return
        rows = [
            [self.called(model), *(fixed(number(one, key), 4) for key in words.CALIBRATION), count(one)]
            for model, one in sorted(known.items(), key=lambda pair: number(pair[1], "brier"))
        ]
        headers = ["Model", *words.CALIBRATION.values(), "Products shown"]
        said = "Stated probabilities of purchase against what happened, best first; lower is better."
        self.report.heading("Probabilities")
        self.report.table(headers, rows, said, highlight=self.strong)
        self.terms |= words.CALIBRATION_TERMS

    def leaderboard(self) -> None:
        """Add one table a view, best model first."""
        self.report.heading("Leaderboard")
        for view in self.views:
            board = self.board(view)
            if not board:
                continue
            metrics = [metric for metric in words.COLUMNS if any(metric in figures for figures in board.values())]
            self.terms |= words.AUC_TERM if "auc" in metrics else {}
            headers = ["Model", *(words.COLUMNS[metric] for metric in metrics)]
            columns = [column([figures.get(metric) for figures in board.values()]) for metric in metrics]
            called = [self.called(model) for model in board]
            rows: list[list[str | Cell]] = [list(row) for row in zip(called, *columns, strict=True)]
            if view in self.reachable:
                headers.insert(2, "Of best possible")
                for row, figures in zip(rows, board.values(), strict=True):
                    row.insert(2, percent(self.achieved(figures, view)))
            if self.fit_column:
                headers.append("Fitting")
                for row, model in zip(rows, board, strict=True):
                    row.append(duration(number(self.models[model], "fit_seconds")))
            customers = count(*(figures.get(NDCG) for figures in board.values()))
            self.report.table(headers, rows, f"{words.VIEWS[view]}; {customers} customers.", highlight=self.strong)

    def achieved(self, figures: Mapping[str, Entry], view: str) -> float:
        """Return NDCG as a share of the best reachable, NaN where unknown."""
        best = self.reachable[view]
        return number(figures.get(NDCG)) / best if best > 0 else math.nan

    def data(self, accounts: Sequence[TableAccount], findings: Sequence[Finding]) -> None:
        """Add where every row went, and what the data doctor found."""
        self.report.heading("The data")
        add_accounts(self.report, accounts)
        if any(row.quarantined for row in accounts):
            self.report.text("Quarantined rows stand in quarantine.csv beside this page, each with line and reason.")
        self.report.findings(findings)

    def method(self) -> None:
        """Add how the figures came about, and what the words mean."""
        self.report.heading("How this was measured")
        split = self.metrics.get("protocol", {}).get("split", "")
        self.report.text(" ".join(filter(None, [words.SPLITS.get(split), words.RULES])))
        labels = (("run_id", "Run"), ("seed", "seed"), ("seeds", "seeds for each learned model:"))
        run = [f"{label} {self.metrics[key]}" for key, label in labels if self.metrics.get(key) is not None]
        if run:
            said = ", ".join(run) + "."
            self.report.text(said[:1].upper() + said[1:])
        self.report.heading("Words explained")
        self.report.terms(self.terms)


def add_accounts(report: Report, accounts: Sequence[TableAccount]) -> None:
    """Add where every row of each table went, and what was repaired."""
    if accounts:
        headers = ["Table", "File", "Rows read", "Used", "Quarantined", "Duplicates", "Set aside"]
        numbers = [(row.read, row.used, row.quarantined, row.duplicates, row.set_aside) for row in accounts]
        rows = [
            [row.table, row.file, *(f"{n:,}" for n in counts)] for row, counts in zip(accounts, numbers, strict=True)
        ]
        report.table(headers, rows, "Every row read is used or accounted for.")
    if notes := [f"{row.table}: {note}" for row in accounts for note in row.notes]:
        report.bullets(notes)


def hits_tile(ours: Mapping[str, Entry], theirs: Mapping[str, Entry] | None, rival: str) -> list[Cell]:
    """Return how many of 100 customers were served, and by the rival; nothing where it is unknown."""
    hits, others = number(ours.get(HITS)), number((theirs or {}).get(HITS))
    if not math.isfinite(hits):
        return []
    said = f"customers bought at least one of the {K} products recommended"
    if math.isfinite(others):
        said += f"; {100 * others:.0f} with {rival}"
    return [Cell(f"{100 * hits:.0f} of 100", said)]


def _ndcg(rows: Mapping[str, Mapping[str, Entry]], name: str) -> Estimate:
    return estimate(rows.get(name, {}).get(NDCG))


def _periods(data: Json) -> str:
    """One line with the dates of both periods, as far as they are known."""
    said = []
    for key, label in (("train", "Learned from purchases"), ("test", "tested on")):
        period: Json = data.get(key, {})
        if period.get("from") and period.get("to"):
            said.append(f"{label} {str(period['from'])[:10]} to {str(period['to'])[:10]}")
    return ", ".join(said) + "." if said else ""

"""The report of a comparison: which model to serve, in one sentence, then the figures that show why.

Like the report of a run, whose sections it shares, it reads everything from the contents of metrics.json.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from pathlib import Path

from embedrec.evaluation import words
from embedrec.evaluation.intervals import LEVEL
from embedrec.evaluation.model_page import COVERAGE, HITS, LEADING, NDCG, Json, K, ModelPage, hits_tile
from embedrec.evaluation.tuning_section import add_tuning
from embedrec.evaluation.verdict import MIN_CUSTOMERS, RANDOM, Verdict
from embedrec.report import (
    Cell,
    Entry,
    Finding,
    column,
    count,
    difference_figure,
    estimate,
    leading_colours,
    number,
    percent,
    probability,
    scatter_figure,
    steps_figure,
)
from embedrec.tables.model import TableAccount

TWO_TOWER = "two_tower"
RELIABLE = 3
"""Models whose probabilities are drawn."""


def write_comparison_report(
    path: Path,
    metrics: Json,
    *,
    verdict: Verdict,
    accounts: Sequence[TableAccount] = (),
    findings: Sequence[Finding] = (),
    names: Mapping[str, str] | None = None,
) -> None:
    """Write report.html from the contents of metrics.json; `names` are readable names, by model."""
    page = _ComparisonPage(metrics, verdict, names or {})
    page.opening()
    page.quality()
    page.price()
    add_tuning(page)
    page.customers_and_products()
    page.trust()
    page.leaderboard()
    page.not_measured()
    page.differences()
    page.lists()
    page.ratings()
    page.calibration()
    page.parts()
    page.data(accounts, findings)
    page.method()
    page.report.write(path)


class _ComparisonPage(ModelPage):
    """The sections of the page; up to five leading models have a colour of their own, the first one blue."""

    views = tuple(words.VIEWS)
    fit_column = True

    def __init__(self, metrics: Json, verdict: Verdict, names: Mapping[str, str]) -> None:
        title = f"Which model suits {metrics.get('data', {}).get('name', 'this shop')}?"
        super().__init__(metrics, title, names, metrics.get("oracle") or {})
        self.verdict = verdict
        self.rival: str = metrics.get("significance", {}).get("rival", "")
        self.order = list(self.board("all"))
        self.first = verdict.winner if verdict.winner in self.order else next(iter(self.order), "")
        roles = [model for model in (self.first, TWO_TOWER, self.rival) if model in self.order]
        others = [model for model in self.order if model != RANDOM]
        self.leading = list(dict.fromkeys([*roles, *others]))[:LEADING]
        self.strong = {self.called(model) for model in (self.first, TWO_TOWER)}
        everybody = [self.called(model) for model in self.models]
        self.colour = leading_colours(everybody, [self.called(model) for model in self.leading])

    def opening(self) -> None:
        """Add the verdict, the key figures, and what the colours stand for."""
        good = self.verdict.beyond_chance and self.verdict.winner
        self.report.callout(self.verdict.sentence, "verdict good" if good else "verdict caution")
        if not self.first:
            return
        board = self.board("all")
        against = [self.rival, *(model for model in self.order if model != RANDOM)]
        other = next((model for model in against if model in board and model != self.first), "")
        ours, theirs = board[self.first], board.get(other, {})
        value, interval = column([ours.get(NDCG)])[0]
        tiles = [
            Cell(value, f"NDCG@{K} of {self.called(self.first)}: quality of the first {K} places ({interval})"),
            *hits_tile(ours, theirs, self.called(other)),
        ]
        hits = number(self.board("new").get(self.first, {}).get(HITS))
        if math.isfinite(hits):
            said = f"found something they had never bought before among {K} products that were new to them"
            tiles.append(Cell(f"{100 * hits:.0f} of 100", said))
        shown, others = number(ours.get(COVERAGE)), number(theirs.get(COVERAGE))
        if math.isfinite(shown):
            versus = f"; {percent(others)} with {self.called(other)}" if math.isfinite(others) else ""
            tiles.append(Cell(percent(shown), f"of the catalogue is recommended to somebody{versus}"))
        tiles.append(Cell(count(ours.get(NDCG)), f"customers tested; {len(self.order)} models compared"))
        self.report.tiles(tiles)
        self.report.key(self._meanings())

    def _meanings(self) -> dict[str, str]:
        roles = {self.rival: " (simple rival)"}
        recommended = self.verdict.enough_data and self.first == self.verdict.winner
        roles[self.first] = " (recommended)" if recommended else " (best figures)"
        said = {
            f"{self.called(model)}{roles.get(model, '')}": self.colour[self.called(model)] for model in self.leading
        }
        greys = [model for model in self.order if model not in self.leading]
        return said | ({"all others": self.colour[self.called(greys[0])]} if greys else {})

    def quality(self) -> None:
        """Add the bars of all models, and how far each lies from the simple rival."""
        if self.order:
            self.report.heading("Who finds what customers buy next?")
        self.ranking()
        for view, said in words.PICTURED.items():
            tested = self._tested(view)
            if tested:
                rows = {self.called(model): estimate(row, "difference") for model, row in tested.items()}
                certain = {self.called(model) for model, row in tested.items() if _certain(row)}
                rival = self.called(self.rival)
                figure = difference_figure(rows, certain, self.colour, self.strong, f"NDCG@{K} minus that of {rival}")
                self.report.figure(figure, f"{said}: better or worse than {rival}? A hollow dot may be chance.")

    def _tested(self, view: str) -> dict[str, Entry]:
        """Return {model: its difference from the simple rival}, best first."""
        table: Json = self.metrics.get("significance", {}).get(NDCG, {}).get(view, {})
        rows = {model: row for model, row in table.items() if math.isfinite(number(row, "difference"))}
        return dict(sorted(rows.items(), key=lambda one: -number(one[1], "difference")))

    def price(self) -> None:
        """Add quality over the time it takes, and over how much of the catalogue is shown."""
        board = self.board("all")
        if not board:
            return
        self.report.heading("What does quality cost?")
        label = f"NDCG@{K}, all purchases"
        quality = {self.called(model): number(figures.get(NDCG)) for model, figures in board.items()}
        seconds = {self.called(model): number(self.models[model], "fit_seconds") for model in board}
        shown = {self.called(model): number(figures.get(COVERAGE)) for model, figures in board.items()}
        for x, x_label, caption in (
            (seconds, "time to choose and fit", "Is training worth its time? Best is the upper left: good and fast."),
            (shown, "share of the catalogue shown", "Good, and does it show the whole shop? Best is the upper right."),
        ):
            points = {name: (x[name], quality[name]) for name in quality if math.isfinite(x[name] + quality[name])}
            if points:
                figure = scatter_figure(points, self.colour, self.strong, x_label, label, seconds=x is seconds)
                self.report.figure(figure, caption)

    def customers_and_products(self) -> None:
        """Add for which customers and products the leading models work."""
        if self.slice_names("history_length") or self.slice_names("item_popularity"):
            self.report.heading("For whom, and for which products?")
            self.for_whom()

    def trust(self) -> None:
        """Add whether the order of the models lasts, and whether their probabilities come true."""
        windows: Sequence[Json] = self.metrics.get("backtest", {}).get("windows", ())
        calibrated = [model for model in self.leading if self.models[model].get("calibration", {}).get("bins")]
        if windows or calibrated:
            self.report.heading("Can it be trusted?")
        if windows:
            self._backtest(windows)
        self.probabilities(calibrated[:RELIABLE])

    def _backtest(self, windows: Sequence[Json]) -> None:
        dated = all(window.get("from") for window in windows)
        order = sorted(windows, key=lambda window: str(window["from"])) if dated else windows
        dates = [str(window["from"])[:10].replace("-", "\n", 1) for window in order]  # the year above the day
        ticks = dates if dated else [str(place) for place in range(1, len(order) + 1)]
        curves = {
            self.called(model): [estimate({"value": window[NDCG].get(model, {}).get("all")}) for window in order]
            for model in self.leading
        }
        label = "tested from" if dated else "window"
        figure = steps_figure(curves, ticks, self.colour, self.strong, label, f"NDCG@{K}, all purchases")
        self.report.figure(figure, "Does the order last? The same comparison, repeated at several dates.")
        self.terms |= words.BACKTEST_TERMS

    def differences(self) -> None:
        """Add one table a view: how far each model is from the simple rival, and whether chance explains it."""
        rival = self.called(self.rival)
        views = {view: tested for view in words.PICTURED if (tested := self._tested(view))}
        if views:
            self.report.heading(f"Better than {rival}?")
            self.terms |= words.SIGNIFICANCE_TERMS
        headers = ["Model", "Difference", "Beyond chance?", "p, bootstrap (Holm)", "p, Wilcoxon (Holm)", "Customers"]
        for view, tested in views.items():
            gaps = column(list(tested.values()), "difference")
            p_values = [
                [probability(number(row, f"holm_{test}")) for test in ("bootstrap", "wilcoxon")]
                for row in tested.values()
            ]
            rows: list[list[str | Cell]] = [
                [self.called(model), gap, _in_words(row), *tests, count(row)]
                for (model, row), gap, tests in zip(tested.items(), gaps, p_values, strict=True)
            ]
            said = f"{words.PICTURED[view]}: NDCG@{K} minus that of {rival}, customer by customer."
            self.report.table(headers, rows, said, highlight=self.strong)

    def lists(self) -> None:
        """Add what the recommended lists are like, hit or not."""
        board = self.board("all")
        known = [name for name in words.LISTS if any(name in figures for figures in board.values())]
        if not known:
            return
        columns = [column([figures.get(name) for figures in board.values()]) for name in known]
        rows = list(zip(map(self.called, board), *columns, strict=True))
        headers = ["Model", *(words.LISTS[name] for name in known)]
        self.report.heading("What the lists are like")
        self.report.table(headers, rows, "All purchases, in the order of the leaderboard.", highlight=self.strong)
        self.terms |= words.LIST_TERMS

    def ratings(self) -> None:
        """Add the errors of predicted ratings, beside the averages that a model must beat."""
        models = {self.called(model): entry["ratings"] for model, entry in self.models.items() if entry.get("ratings")}
        if not models:
            return
        averages: Json = self.metrics.get("ratings_reference", {})
        errors = models | {words.REFERENCES.get(name, name): entry for name, entry in averages.items()}
        known = {name: number(entry.get("rmse")) for name, entry in errors.items()}
        order = sorted(errors, key=lambda name: known[name] if math.isfinite(known[name]) else math.inf)
        columns = [column([errors[name].get(error) for name in order]) for error in words.ERRORS]
        counts = [count(errors[name].get("rmse")) for name in order]
        self.report.heading("Predicted ratings")
        rows = [list(row) for row in zip(order, *columns, counts, strict=True)]
        said = "Errors in stars, best first; lower is better. A model has to beat the plain averages."
        self.report.table(["Model", *words.ERRORS.values(), "Ratings"], rows, said, highlight=models)
        self.terms |= words.RATING_TERMS

    def parts(self) -> None:
        """Add NDCG of every model for every slice."""
        tables = {groups: said for groups, said in words.SLICED.items() if any(map(self.slice_names, groups))}
        if tables:
            self.report.heading("Parts of the shop")
        for groups, said in tables.items():
            parts = [(group, name) for group in groups for name in self.slice_names(group)]
            parts = [part for part in parts if part != ("customer", "warm")]  # the leaderboard shows them
            models = [model for model in self.order if self.models[model].get("slices")]
            entries = [
                [self.slice_of(model, group).get(name, {}).get(NDCG) for model in models] for group, name in parts
            ]
            rows = list(zip([self.called(model) for model in models], *map(column, entries), strict=True))
            counts = ["Customers", *(count(*row) for row in entries)]
            headers = ["Model", *(words.slice_name(group, name) for group, name in parts)]
            self.report.table(headers, [*rows, counts], f"{said}: NDCG@{K}, all purchases.", highlight=self.strong)

    def not_measured(self) -> None:
        """Add the models without figures, each with its reason."""
        failed = [f"{self.called(name)} failed: {one['error']}" for name, one in self.models.items() if "error" in one]
        left_out: Mapping[str, str] = self.metrics.get("left_out", {})
        reasons = failed + [f"{self.called(name)} was left out: {reason}" for name, reason in left_out.items()]
        if reasons:
            self.report.heading("Models without figures")
            self.report.bullets(reasons)


def _enough(row: Entry) -> bool:
    return number(row, "n") >= MIN_CUSTOMERS


def _certain(row: Entry) -> bool:
    """Whether a difference is beyond chance: by its interval, by Holm's p-value, and over enough customers to tell."""
    outside = number(row, "low") > 0 or number(row, "high") < 0
    return _enough(row) and outside and number(row, "holm_bootstrap") <= 1 - LEVEL


def _in_words(row: Entry) -> str:
    if not _enough(row):
        return "too few to tell"
    if not _certain(row):
        return "no"
    return "yes, better" if number(row, "difference") > 0 else "yes, worse"

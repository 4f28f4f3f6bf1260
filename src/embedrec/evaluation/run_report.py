"""The report of a run: the verdict first, then the figures, the leaderboard, and where every row went.

Everything shown is read from the contents of metrics.json and the few series beside it; nothing is computed
again, so the page cannot disagree with the file.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from pathlib import Path

from embedrec.evaluation import words
from embedrec.evaluation.model_page import LEADING, NDCG, Json, K, ModelPage, hits_tile
from embedrec.evaluation.verdict import RANDOM, Verdict
from embedrec.report import (
    Cell,
    Estimate,
    Finding,
    colours,
    column,
    count,
    curve_figure,
    line_figure,
    number,
    percent,
    shares_figure,
)
from embedrec.tables.model import TableAccount


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
    findings: Sequence[Finding] = (),
    oracle: Json | None = None,
    names: Mapping[str, str] | None = None,
) -> None:
    """Write report.html from the contents of metrics.json.

    champion        the trained model, highlighted throughout
    learning_curve  one {"epoch", "train_loss", "valid_ndcg" or "valid_rmse"} an epoch; empty without epochs
    recall_curves   {model: {k: (recall@k, low, high)}}, view `all`
    popularity      {model, or another label: shares as `metrics.popularity_shares` returns them}
    oracle          a synthetic shop's best reachable figures, {"ndcg@10": {view: value}}
    names           readable model names; others are shown as they are
    """
    page = _RunPage(metrics, champion, oracle or {}, names or {})
    page.opening(verdict)
    page.figures(learning_curve, recall_curves or {}, popularity or {})
    page.leaderboard()
    page.calibration()
    page.data(accounts, findings)
    page.method()
    page.report.write(path)


class _RunPage(ModelPage):
    """The report of one trained model and its rivals."""

    def __init__(self, metrics: Json, champion: str, oracle: Json, names: Mapping[str, str]) -> None:
        title = f"{names.get(champion, champion)} on {metrics.get('data', {}).get('name', 'this shop')}"
        super().__init__(metrics, title, names, oracle)
        rivals = [model for model in self.models if model not in (champion, RANDOM)]
        self.champion = champion
        self.leading = [model for model in (champion, *rivals) if model in self.models][:LEADING]
        self.strong = {self.called(champion)}
        self.colour = colours([self.called(model) for model in self.models], self.called(champion))

    def opening(self, verdict: Verdict) -> None:
        """Add the verdict and the key figures."""
        good = verdict.beyond_chance and verdict.winner == self.champion
        self.report.callout(verdict.sentence, "verdict good" if good else "verdict caution")
        board = self.board("all")
        if self.champion not in board:
            return
        ours = board[self.champion]
        value, interval = column([ours.get(NDCG)])[0]
        tiles = [Cell(value, f"NDCG@{K}: quality of the first {K} places ({interval})")]
        rival = next((model for model in board if model not in (self.champion, RANDOM)), None)
        tiles += hits_tile(ours, board.get(rival or ""), self.called(rival or ""))
        if "all" in self.reachable:
            share = percent(self.achieved(ours, "all"))
            tiles.append(Cell(share, "of the quality that the best possible model reaches on this synthetic shop"))
        tiles.append(Cell(count(ours.get(NDCG)), "customers tested, who had bought before the test period"))
        self.report.tiles(tiles)

    def figures(
        self,
        learning_curve: Sequence[Mapping[str, float | None]],
        recall_curves: Mapping[str, Mapping[int, Estimate]],
        popularity: Mapping[str, Sequence[float]],
    ) -> None:
        """Add the figures that have something to show."""
        self.report.heading("In pictures")
        self.ranking()
        if recall_curves:
            curves = {self.called(model): curve for model, curve in recall_curves.items()}
            figure = curve_figure(curves, self.colour, self.strong, "products recommended", "share found")
            self.report.figure(figure, "The longer the list, the more of what customers bought is on it.")
        if popularity:
            figure = shares_figure({self.called(label): bands for label, bands in popularity.items()}, words.BANDS)
            said = "How popular are the products shown? Top 1 % to last 50 % of the catalogue, by past sales."
            self.report.figure(figure, said)
        self.for_whom()
        self.probabilities([model for model in (self.champion,) if model in self.models])
        for key, label, caption, best in words.LEARNING:
            points = [(number(row, "epoch"), number(row, key)) for row in learning_curve]
            known = [point for point in points if math.isfinite(point[1])]  # not every epoch is validated
            if known:
                epochs, values = map(list, zip(*known, strict=True))
                self.report.figure(line_figure(epochs, values, "epoch", label, best), caption)

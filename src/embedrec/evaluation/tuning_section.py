"""The section of a comparison's report that shows tuned and default settings side by side."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

from embedrec.evaluation import words
from embedrec.evaluation.model_page import NDCG, Json, K, ModelPage
from embedrec.evaluation.verdict import MIN_CUSTOMERS
from embedrec.report import (
    Cell,
    Entry,
    Prose,
    TableCell,
    column,
    count,
    difference_figure,
    duration,
    estimate,
    fixed,
    number,
    panels_figure,
)
from embedrec.report.cells import decimals_for

RMSE = "rmse"
GAIN = f"gain_{NDCG}"
TERMS = {
    "Default and tuned": "Default settings are what a model comes with, or what the command gave it. Tuned ones were "
    "the best of a number of trials, the same for every model, on the validation period.",
}


def add_tuning(page: ModelPage) -> None:
    """Add what was tried for each model, what was chosen, and what that changed; nothing where nothing was tuned."""
    if not page.metrics.get("tune"):
        return
    order = list(dict.fromkeys([*page.board("all"), *page.models]))
    tuned: dict[str, Json] = {model: page.models[model]["tuned"] for model in order if "tuned" in page.models[model]}
    page.report.heading("What did tuning change?")
    page.report.text(_how(page.metrics))
    if tuned:
        _pictures(page, tuned)
        _trials(page, tuned)
        for view, said in words.PICTURED.items():
            _tested(page, tuned, view, said)
        _ratings(page, tuned)
        page.terms |= TERMS
    notes = _notes(page, tuned)
    if notes:
        page.report.bullets(notes)


def _how(metrics: Json) -> str:
    said = (
        f"Every model with settings to choose was given the same number of trials, {metrics['tune']}, the first of "
        "them with its default settings. Each was measured on the validation period alone. What was best there was "
        "fitted again, and is what this whole page shows. The default settings were fitted again and tested too, but "
        "only to be shown here: the test had no say in the choice."
    )
    if metrics.get("seeds", 1) > 1:
        said += " Settings were searched with the first seed; both were then measured with all of them."
    if "backtest" in metrics:
        said += " At each earlier date of the backtest the search was repeated on what was known by then."
    return said


def _pictures(page: ModelPage, tuned: Mapping[str, Json]) -> None:
    board = page.board("all")
    ours = {page.called(model): estimate(board[model].get(NDCG)) for model in tuned if model in board}
    before = {
        page.called(model): estimate(_default(one, "all").get(NDCG)) for model, one in tuned.items() if model in board
    }
    label = f"NDCG@{K}, all purchases"
    if ours:
        panels = {"default settings": before, "tuned settings": ours}
        page.report.figure(
            panels_figure(panels, page.colour, page.strong, label),
            "On the test: with default settings, and with tuned.",
        )
    gains = {page.called(model): _gain(one, "all") for model, one in tuned.items()}
    rows = {name: estimate(gain, "difference") for name, gain in gains.items()}
    rows = dict(
        sorted(((name, row) for name, row in rows.items() if math.isfinite(row[0])), key=lambda one: -one[1][0])
    )
    if rows:
        certain = {name for name in rows if _certain(gains[name])}
        figure = difference_figure(rows, certain, page.colour, page.strong, f"{label}: tuned minus default")
        page.report.figure(figure, "What tuning gained on the test. A hollow dot may be chance.")


def _trials(page: ModelPage, tuned: Mapping[str, Json]) -> None:
    """Add the table of what was tried, and what was chosen on validation."""
    decimals = decimals_for([number(one, "valid") for one in tuned.values()])
    rows: list[list[TableCell]] = []
    for model, one in tuned.items():
        note = "RMSE, lower is better" if one["objective"] == RMSE else ""
        figures = [Cell(fixed(number(each, "valid"), decimals), note) for each in (one["default"], one)]
        rows.append([page.called(model), *figures, f"{one['trials']:,}", duration(one["fit_seconds"])])
    said = f"What tuning gained on validation: NDCG@{K} unless said otherwise."
    page.report.table(["Model", "Default", "Tuned", "Trials", "Time"], rows, said, highlight=page.strong)
    chosen: list[list[TableCell]] = [[page.called(model), Prose(_chosen(one))] for model, one in tuned.items()]
    page.report.table(["Model", "Settings"], chosen, "What was best on validation.", highlight=page.strong)


def _chosen(one: Json) -> str:
    """Name every setting that was searched, with its default where another one was chosen."""
    default: Mapping[str, Any] = one["default"]["settings"]
    if one["settings"] == default:
        return "default: " + ", ".join(f"{_short(key)} {_shown(value)}" for key, value in default.items())
    return ", ".join(
        f"{_short(key)} {_shown(value)}" + (f" (default {_shown(default[key])})" if default[key] != value else "")
        for key, value in one["settings"].items()
    )


def _short(key: str) -> str:
    return key.rpartition(".")[2].replace("_", " ")


def _shown(value: Any) -> str:
    return f"{value:g}" if isinstance(value, float) else str(value)


def _tested(page: ModelPage, tuned: Mapping[str, Json], view: str, said: str) -> None:
    """Add the table of both on the test, in one view."""
    board = page.board(view)
    shown = {model: one for model, one in tuned.items() if model in board}
    if not shown:
        return
    defaults = [_default(one, view).get(NDCG) for one in shown.values()]
    chosen = [board[model].get(NDCG) for model in shown]
    both = column([*defaults, *chosen])  # together, so that they have the same decimals
    gains = [_gain(one, view) for one in shown.values()]
    names = [page.called(model) for model in shown]
    found = ["default chosen" if one["settings"] == one["default"]["settings"] else _in_words(gain)
             for one, gain in zip(shown.values(), gains, strict=True)]  # fmt: skip
    cells = zip(names, both, both[len(names) :], column(gains, "difference"), found, map(count, chosen), strict=False)
    headers = ["Model", "Default", "Tuned", "Difference", "Beyond chance?", "Customers"]
    caption = f"{said}: NDCG@{K} on the test with default and with tuned settings, each model for itself."
    page.report.table(headers, [list(row) for row in cells], caption, highlight=page.strong)


def _ratings(page: ModelPage, tuned: Mapping[str, Json]) -> None:
    """Add the errors of predicted ratings with both, for models that were tuned by them."""
    pairs = {
        model: [(part.get("ratings") or {}).get(RMSE) for part in (one["default"], page.models[model])]
        for model, one in tuned.items()
        if one["objective"] == RMSE
    }
    if pairs:
        rows: list[list[TableCell]] = [
            [page.called(model), *column(pair), count(*pair)] for model, pair in pairs.items()
        ]
        said = "Predicted ratings: RMSE on the test in stars, lower is better."
        page.report.table(["Model", "Default", "Tuned", "Ratings"], rows, said, highlight=page.strong)


def _notes(page: ModelPage, tuned: Mapping[str, Json]) -> list[str]:
    notes = []
    untuned = [page.called(model) for model, entry in page.models.items() if not {"tuned", "error"} & entry.keys()]
    if untuned:
        notes.append(f"Nothing to tune, measured as they are: {', '.join(untuned)}.")
    for model, one in tuned.items():
        if one["exhausted"]:
            notes.append(f"{page.called(model)}: there are no more than {one['trials']} different settings to try.")
        if one["failed"] == one["trials"]:
            notes.append(f"{page.called(model)}: every trial failed, so its default settings stay: {one['reason']}.")
        elif one["failed"]:
            failed = f"{one['failed']} of {one['trials']} trials failed"
            notes.append(f"{page.called(model)}: {failed}, the first of them: {one['reason']}.")
    return notes


def _default(one: Json, view: str) -> Mapping[str, Entry]:
    found: Mapping[str, Entry] = one["default"].get("test", {}).get(view, {})
    return found


def _gain(one: Json, view: str) -> Entry:
    found: Entry = one.get(GAIN, {}).get(view, {})
    return found


def _certain(gain: Entry) -> bool:
    outside = number(gain, "low") > 0 or number(gain, "high") < 0
    return outside and number(gain, "n") >= MIN_CUSTOMERS


def _in_words(gain: Entry) -> str:
    if not math.isfinite(number(gain, "difference")):
        return "–"
    if number(gain, "n") < MIN_CUSTOMERS:
        return "too few to tell"
    if not _certain(gain):
        return "no"
    return "yes, better" if number(gain, "difference") > 0 else "yes, worse"

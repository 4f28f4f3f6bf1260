"""The report of a sweep: which settings are best, in one sentence, then the figures that show why.

Everything shown is read from the record of the sweep; only the importance of the settings is computed here.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from pathlib import Path

from embedrec.report import (
    BEST,
    RAMP,
    STOPPED,
    Better,
    Command,
    Dot,
    Line,
    Mark,
    Prose,
    Report,
    Scale,
    TableCell,
    cost_figure,
    duration,
    parallel_figure,
    parallel_height,
    progress_figure,
    scale_of,
    shades,
    share_bars_figure,
    slices_figure,
    slices_height,
    trial_curves_figure,
    visible_dots,
    written,
)
from embedrec.search.findings import findings, headline, left, number, tiles, within_noise
from embedrec.search.importance import CHANCE, importances
from embedrec.search.record import SweepRecord, TrialRecord

AXES = 8
"""Settings in the parallel coordinates, the objective not counted."""
PANELS = 6
"""Settings in one figure of slices."""
OPEN_ROWS = 20
"""Rows of the table of trials that are shown at once."""
_ABSENT = number(None)
_TERMS = {
    "On validation": "Trials are compared on a period before the test period. The best of many figures is a little "
    "too good, because luck helped to choose it; how good the winner is, its one reading of the test says.",
    "Best so far": "The best finished trial up to that moment. A sweep that has long been flat has found what it can.",
    "Importance": "How far the values among the better two fifths of the finished trials differ from those of all "
    f"(PED-ANOVA). Grey: shuffled results give as much in more than {100 * CHANCE:.0f} % of cases; it may be chance.",
}
_PRUNED = {
    "Pruned": "Stopped early, because its figures were behind those of other trials at the same epoch. "
    "Its last figure is that of a model which is not fully trained."
}


def write_sweep_report(path: Path, sweep: SweepRecord) -> None:
    """Write report.html; any state of a sweep has one, also before the first trial has finished."""
    page = _SweepPage(sweep)
    page.opening()
    page.progress()
    page.what_matters()
    page.cost()
    page.table()
    page.method()
    page.report.write(path)


class _SweepPage:
    """The sections of the page; a trial looks the same in all of them."""

    def __init__(self, sweep: SweepRecord) -> None:
        self.sweep = sweep
        self.ranking = sweep.ranking()
        self.better: Better = "highest" if sweep.maximize else "lowest"
        self.label = f"validation {sweep.objective}"
        self.importance = importances(sweep)
        first = list(self.importance) if isinstance(self.importance, dict) else []
        self.names = [*first, *(name for name in sweep.setting_names() if name not in first)]
        self.short = _short_names(self.names)
        self.slices_height = slices_height(2)
        colours = shades([value for _, value in self.ranking], self.better)
        self.marks = {one.number: Mark(colour, "whole") for (one, _), colour in zip(self.ranking, colours, strict=True)}
        if self.ranking:
            self.marks[self.ranking[0][0].number] = Mark(BEST, "best")
        pruned = (one.number for one in sweep.trials if one.state == "pruned")
        self.marks |= dict.fromkeys(pruned, Mark(STOPPED, "stopped"))
        direction = "higher" if sweep.maximize else "lower"
        lead = (
            f"Sweep {sweep.name}: {sweep.objective} on validation, {direction} is better. Search: {sweep.sampler}. "
            f"Pruning: {sweep.pruner or 'none'}. Trials at a time: {sweep.parallel}."
        )
        self.report = Report(f"Which settings suit {sweep.data}?", lead)

    def opening(self) -> None:
        """Add the best trial, how to train it in full, what else is worth knowing, and how to go on."""
        told_apart = len(self.ranking) > 1 and self.ranking[0][1] != self.ranking[-1][1]
        clear = told_apart and len(within_noise(self.sweep)) < len(self.ranking) - 1
        kind = "good" if clear else "note" if self.ranking else "caution"
        self.report.callout(headline(self.sweep, self.names), f"verdict {kind}")
        self.report.tiles(tiles(self.sweep))
        said = findings(self.sweep)
        if said:
            self.report.bullets(said)
        if self.ranking:
            self.report.text("This command reproduces it:")
            self.report.command(self.ranking[0][0].command)
        if left(self.sweep):
            self.report.text(f"{left(self.sweep)} of {self.sweep.asked} trials have not ended. This runs them:")
            self.report.command(self.sweep.continue_command)

    def progress(self) -> None:
        """Add what the sweep found over time, and how its trials learned."""
        dots = list(self._measured())
        if not dots:
            return
        self.report.heading("How did it get there?")
        self.report.key(self._meanings())
        timed = all(one.ended is not None and math.isfinite(one.ended) for one, _ in dots)
        over_time = [
            Dot(one.ended if timed and one.ended is not None else float(one.number), value, self.marks[one.number])
            for one, value in dots
        ]
        best = f"trial {self.ranking[0][0].number}: {number(self.ranking[0][1])}" if self.ranking else ""
        label = "time of the sweep" if timed else "trial"
        figure = progress_figure(over_time, self.better, label, self.label, best, seconds=timed)
        said = "Every trial where it ended, and the best so far. Would more trials help?"
        self._figure(figure, said + self._beyond())
        curves = [([*one.curve], self.marks[one.number]) for one, _ in reversed(dots)]
        figure = trial_curves_figure(curves, self.better, "epoch", self.label)
        ended = ", a cross where it was pruned" if self.sweep.count("pruned") else ""
        self._figure(figure, f"How each trial learned{ended}.")

    def what_matters(self) -> None:
        """Add the importance of the settings, the trials across all of them, and over each."""
        trials = [one for one, _ in self._measured()]
        scales = {name: scale_of(one.settings[name] for one in trials if name in one.settings) for name in self.names}
        if not trials or not scales:
            return
        self.report.heading("Which settings matter?")
        if isinstance(self.importance, str):
            self.report.text(f"How much each setting matters is not shown: {self.importance}.")
        else:
            height = parallel_height(min(AXES, len(self.names)) + 1)
            rows = {self.short[name]: one.share for name, one in self.importance.items()}
            strong = {self.short[name] for name, one in self.importance.items() if one.beyond_chance}
            grey = " Grey may be chance." if len(strong) < len(rows) else ""
            figure = share_bars_figure(rows, strong, height)
            self._figure(figure, f"How much does each setting decide whether a trial is a good one?{grey}")
        self._across(trials, scales)
        self._slices(scales)

    def _across(self, trials: list[TrialRecord], scales: dict[str, Scale]) -> None:
        """Add the parallel coordinates, the objective as the last axis, the best trials on top."""
        value = {one.number: value for one, value in self._measured()}
        axes = {self.short[name]: scales[name] for name in self.names[:AXES]}
        objective = self.sweep.objective
        low, high = min(value.values()), max(value.values())
        wide = 0 < high - low < math.inf
        axes[objective] = Scale("linear", (), low, high) if wide else scale_of(value.values())
        lines = [
            Line(
                {self.short[name]: setting for name, setting in one.settings.items()} | {objective: value[one.number]},
                self.marks[one.number],
            )
            for one in reversed(trials)
        ]
        unset = any(name not in one.settings for one in trials for name in self.names)
        dash = " A dash: the trial has no such setting." if unset else ""
        through = f"the first {AXES} of its settings" if len(self.names) > AXES else "its settings"
        said = f"Every trial is a line through {through}, down to its result.{dash}"
        self._figure(parallel_figure(axes, lines), said)

    def _slices(self, scales: dict[str, Scale]) -> None:
        measured = list(self._measured())
        size = math.ceil(len(self.names) / math.ceil(len(self.names) / PANELS))
        across = 3 if size > 4 else min(2, size)
        self.slices_height = slices_height(math.ceil(size / across))
        for start in range(0, len(self.names), size):
            panels = {
                self.short[name]: (
                    scales[name],
                    [
                        Dot(scales[name].place(one.settings[name]), value, self.marks[one.number])
                        for one, value in measured
                        if name in one.settings
                    ],
                )
                for name in self.names[start : start + size]
            }
            said = (
                "The result of each trial over each of its settings." if start == 0 else "The same, further settings."
            )
            figure = slices_figure(panels, self._limits(), self.label, across)
            self._figure(figure, said + (self._beyond() if start == 0 else ""))

    def cost(self) -> None:
        """Add quality over training time, beside the slices."""
        dots = [
            Dot(one.seconds, value, self.marks[one.number])
            for one, value in self._measured()
            if one.seconds is not None and math.isfinite(one.seconds)
        ]
        corner = "upper left" if self.sweep.maximize else "lower left"
        figure = cost_figure(dots, self.better, "training time", self.label, self.slices_height)
        self._figure(figure, f"Is training longer worth it? Best is the {corner}: good and fast.")

    def table(self) -> None:
        """Add all trials, best first, each with the command that reproduces it."""
        if not self.sweep.trials:
            return
        names = self.sweep.setting_names()
        explained = any(one.reason for one in self.sweep.trials)
        # the reason before the settings: a wide table is cut off at the window's edge
        headers = ["Trial", self.sweep.objective, "State", *["Why"] * explained, "Command", *names, "Training"]
        rows: list[list[TableCell]] = [
            [
                str(one.number),
                number(one.value),
                one.state,
                *[Prose(one.reason)] * explained,
                Command(one.command),
                *(written(one.settings[name]) if name in one.settings else _ABSENT for name in names),
                duration(one.seconds if one.seconds is not None else math.nan),
            ]
            for one in self._in_order()
        ]
        best = {str(self.ranking[0][0].number)} if self.ranking else set()
        self.report.heading("All trials")
        said = "Finished trials best first, then the others. A command runs a trial again, with every setting."
        self.report.table(headers, rows[:OPEN_ROWS], said, highlight=best, folded=rows[OPEN_ROWS:])

    def method(self) -> None:
        """Add how to go on, and what the words mean."""
        if not left(self.sweep) and self.sweep.sampler != "grid":
            self.report.heading("More trials")
            self.report.text("The sweep is complete. The same command, with more trials asked for, adds to it:")
            self.report.command(self.sweep.continue_command)
        self.report.heading("How to read this page")
        self.report.terms(_TERMS | (_PRUNED if self.sweep.count("pruned") else {}))

    def _measured(self) -> Iterator[tuple[TrialRecord, float]]:
        """Yield the trials that have a figure to draw: finished, best first, then pruned."""
        yield from self.ranking
        for one in self.sweep.trials:
            if one.state == "pruned" and one.value is not None and math.isfinite(one.value):
                yield one, one.value

    def _in_order(self) -> list[TrialRecord]:
        ranked = [one for one, _ in self.ranking]
        states = ("finished", "pruned", "running", "failed")
        others = (one for one in self.sweep.trials if one not in ranked)
        return ranked + sorted(others, key=lambda one: (states.index(one.state), one.number))

    def _meanings(self) -> dict[str, str]:
        """Return what the colours stand for."""
        meanings = {"best": BEST} if self.ranking else {}
        if len(self.ranking) > 1:
            meanings |= {"good": RAMP[-1], "middling": RAMP[len(RAMP) // 2], "poor": RAMP[0]}
        return meanings | ({"pruned": STOPPED} if self.sweep.count("pruned") else {})

    def _beyond(self) -> str:
        """Say what a triangle is, where there is one."""
        low, high = self._limits()
        hidden = any(not low <= value <= high for _, value in self._measured())
        return " A triangle at the edge lies beyond it." if hidden else ""

    def _limits(self) -> tuple[float, float]:
        """Return the range of quality that is drawn to scale."""
        return visible_dots([Dot(0.0, value, self.marks[one.number]) for one, value in self._measured()], self.better)

    def _figure(self, svg: str, caption: str) -> None:
        if svg:
            self.report.figure(svg, caption)


def _short_names(names: list[str]) -> dict[str, str]:
    """Return the last part of each dotted name, or all of it where that is not unique."""
    last = [name.rsplit(".", 1)[-1] for name in names]
    return {name: short if last.count(short) == 1 else name for name, short in zip(names, last, strict=True)}

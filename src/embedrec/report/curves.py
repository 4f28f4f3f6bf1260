"""Figures of lines: over epochs, list lengths, groups or windows; and what was predicted against what happened."""

from __future__ import annotations

import math
from collections.abc import Collection, Mapping, Sequence
from typing import TYPE_CHECKING, Any, Literal

from embedrec.report.cells import Estimate
from embedrec.report.drawing import FAINT, HIGHLIGHT, axis_label, printable, svg, weight
from embedrec.report.labels import spread

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure


_MOST_TICKS = 6


def line_figure(
    x: Sequence[float],
    y: Sequence[float],
    x_label: str,
    y_label: str,
    best: Literal["highest", "lowest"] | None = None,
) -> str:
    """Draw y over x, such as a loss over epochs; NaN leaves a gap; the best point can be marked."""

    def draw(figure: Figure) -> None:
        from matplotlib.ticker import MaxNLocator

        axes = figure.add_subplot()
        axes.plot(x, y, color=HIGHLIGHT, linewidth=2, marker="o", markersize=4)
        known = [(value, place) for place, value in zip(x, y, strict=True) if math.isfinite(value)]
        if best and known:
            lowest = best == "lowest"
            value, place = min(known) if lowest else max(known, key=lambda point: point[0])
            axes.plot([place], [value], "o", markersize=9, color="white", markeredgecolor=HIGHLIGHT)
            axes.margins(y=0.25)
            axes.annotate(
                f"best {value:.4f}",
                (place, value),
                xytext=(0, -9 if lowest else 9),
                textcoords="offset points",
                ha="center",
                va="top" if lowest else "bottom",
                color=HIGHLIGHT,
                fontweight="bold",
            )
        axes.xaxis.set_major_locator(MaxNLocator(integer=True))
        axes.grid(axis="y")
        axes.set(xlabel=axis_label(x_label), ylabel=axis_label(y_label))

    return svg(draw, height=2.6)


def curve_figure(
    curves: Mapping[str, Mapping[int, Estimate]],
    colour: Mapping[str, str],
    strong: Collection[str],
    x_label: str,
    y_label: str,
) -> str:
    """Draw a line with its interval band for each name, named at its right end; x ≥ 1 on a log scale."""

    def draw(figure: Figure) -> None:
        from matplotlib.ticker import NullLocator, ScalarFormatter

        axes = figure.add_subplot()
        for name, points in curves.items():
            x = sorted(points)
            _line(axes, x, [points[one] for one in x], colour[name], name in strong, band=True)
        ticks = sorted({place for points in curves.values() for place in points})
        axes.set_xscale("log")
        axes.set_xticks(ticks if len(ticks) <= 8 else ticks[:: len(ticks) // 6])
        axes.xaxis.set_major_formatter(ScalarFormatter())
        axes.xaxis.set_minor_locator(NullLocator())
        ends = {name: (max(points), points[max(points)][0]) for name, points in curves.items() if points}
        _finish(axes, ends, colour, strong, x_label, y_label)

    return svg(draw, height=max(2.8, 0.9 + 0.2 * len(curves)))


def steps_figure(
    curves: Mapping[str, Sequence[Estimate]],
    ticks: Sequence[str],
    colour: Mapping[str, str],
    strong: Collection[str],
    x_label: str,
    y_label: str,
) -> str:
    """Draw a line with a dot for each name over groups or windows in their order, named at its right end.

    Each curve has one estimate a tick; the intervals are drawn where a name is `strong`.
    """

    def draw(figure: Figure) -> None:
        axes = figure.add_subplot()
        for name, row in curves.items():
            _line(axes, list(range(len(ticks))), row, colour[name], name in strong, band=name in strong, dots=True)
        every = math.ceil(len(ticks) / _MOST_TICKS)
        axes.set_xticks(range(0, len(ticks), every), ticks[::every])
        ends = {}
        for name, row in curves.items():
            known = [place for place, one in enumerate(row) if math.isfinite(one[0])]
            if known:
                ends[name] = (known[-1], row[known[-1]][0])
        _finish(axes, ends, colour, strong, x_label, y_label)
        axes.margins(x=0.06)

    return svg(draw, height=max(3.2, 1.2 + 0.2 * len(curves)))


def reliability_figure(
    curves: Mapping[str, Sequence[tuple[float, float]]],
    colour: Mapping[str, str],
    strong: Collection[str],
    x_label: str,
    y_label: str,
) -> str:
    """Draw what happened over what was predicted, shares of 1 in percent, beside the diagonal of perfect foresight."""

    def draw(figure: Figure) -> None:
        from matplotlib.ticker import MaxNLocator, PercentFormatter

        axes = figure.add_subplot()
        reach = 1.05 * max([part for curve in curves.values() for point in curve for part in point] or [1.0]) or 1.0
        axes.plot([0, reach], [0, reach], color=FAINT, linewidth=1.1, linestyle=(0, (4, 3)))
        for name, curve in curves.items():
            x, y = ([point[part] for point in sorted(curve)] for part in (0, 1))
            axes.plot(x, y, color=colour[name], linewidth=2.4 if name in strong else 1.5, marker="o", markersize=4)
        axes.set(xlim=(0, reach), ylim=(0, reach))
        for axis in (axes.xaxis, axes.yaxis):
            axis.set_major_locator(MaxNLocator(5))
            axis.set_major_formatter(PercentFormatter(1.0, decimals=0 if reach >= 0.05 else 1, symbol=" %"))
        ends = {name: max(curve) for name, curve in curves.items() if curve}
        _finish(axes, ends, colour, strong, x_label, y_label)
        axes.text(0.98, 0.03, "dashed: exactly as stated", transform=axes.transAxes, ha="right", color=FAINT)

    return svg(draw, height=3.2)


def _line(
    axes: Axes,
    x: Sequence[float],
    row: Sequence[Estimate],
    colour: str,
    strong: bool,
    *,
    band: bool,
    dots: bool = False,
) -> None:
    value, low, high = ([one[part] for one in row] for part in range(3))
    style: dict[str, Any] = {"marker": "o", "markersize": 5 if strong else 4} if dots else {}
    axes.plot(x, value, color=colour, linewidth=2.8 if strong else 1.6, zorder=3 if strong else 2, **style)
    if band:
        axes.fill_between(x, low, high, color=colour, alpha=0.16, linewidth=0)


def _finish(
    axes: Axes,
    ends: Mapping[str, tuple[float, float]],
    colour: Mapping[str, str],
    strong: Collection[str],
    x_label: str,
    y_label: str,
) -> None:
    """Name each line at its right end, the names moved apart, and label the axes, y from zero."""
    axes.set_ylim(bottom=0)
    axes.margins(x=0)
    axes.grid(axis="y")
    axes.set(xlabel=axis_label(x_label), ylabel=axis_label(y_label))
    known = {name: end for name, end in ends.items() if math.isfinite(end[1])}
    top = axes.get_ylim()[1]
    heights = spread([height / top for _, height in known.values()], gap=0.075)
    for (name, end), place in zip(known.items(), heights, strict=True):
        axes.annotate(
            printable(name),
            end,
            xytext=(1.05, place),
            textcoords=axes.transAxes,
            va="center",
            fontweight=weight(name in strong),
            arrowprops={
                "arrowstyle": "-",
                "color": colour[name],
                "linewidth": 1.2,
                "relpos": (0, 0.5),
                "shrinkA": 2,
                "shrinkB": 2,
            },
        )

"""Points with their names beside them: one figure of each name over another."""

from __future__ import annotations

import math
from collections.abc import Collection, Mapping, Sequence
from typing import TYPE_CHECKING

from embedrec.report.drawing import FAINT, axis_label, printable, svg, weight
from embedrec.report.labels import Box, nearest, place

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

_GAP = 0.085  # inches between a point and its name
_TIMES = {0.01: "10 ms", 0.1: "0.1 s", 1: "1 s", 10: "10 s", 60: "1 min", 600: "10 min", 3600: "1 h", 36000: "10 h"}
_TIMES_BETWEEN = {
    0.03: "30 ms", 0.3: "0.3 s", 3: "3 s", 30: "30 s", 120: "2 min", 300: "5 min", 1800: "30 min", 7200: "2 h",
    18000: "5 h", 180000: "50 h",
}  # fmt: skip
_CLEAR = 1.2
"""How far a time on the axis keeps from its ends, as a factor."""
SHORTEST = 0.01
"""Seconds; a logarithm has no zero."""


def scatter_figure(
    points: Mapping[str, tuple[float, float]],
    colour: Mapping[str, str],
    strong: Collection[str],
    x_label: str,
    y_label: str,
    *,
    seconds: bool = False,
) -> str:
    """Draw a named point for each (x, y), both at least 0; `seconds` puts x on a log axis with units of time."""
    known = {name: point for name, point in points.items() if math.isfinite(sum(point))}
    if seconds:
        known = {name: (max(x, SHORTEST), y) for name, (x, y) in known.items()}

    def draw(figure: Figure) -> None:
        axes = figure.add_subplot()
        for name, (x, y) in reversed(known.items()):  # the first on top
            axes.plot(
                x,
                y,
                "o",
                markersize=9 if name in strong else 6.5,
                color=colour[name],
                markeredgecolor="white",
                clip_on=False,
            )
        axes.set(xlabel=axis_label(x_label), ylabel=axis_label(y_label))
        axes.grid()
        if seconds:
            time_axis(axes, [x for x, _ in known.values()])
        else:
            axes.set_xlim(*_from_zero([x for x, _ in known.values()]))
        axes.set_ylim(*_from_zero([y for _, y in known.values()]))
        _name_points(figure, axes, known, strong)

    return svg(draw, height=3.6)


def _from_zero(values: list[float]) -> tuple[float, float]:
    """Return the ends of an axis that shows zero, with room for the dots on both sides."""
    top = max(values, default=0.0) or 1.0
    return -0.04 * top, 1.1 * top


def time_axis(axes: Axes, seconds: Sequence[float]) -> None:
    """Put seconds on a log x axis, with the units of time people would use."""
    from matplotlib.ticker import NullLocator

    low, high = min(seconds, default=1.0) / 2.5, max(seconds, default=1.0) * 2.5
    axes.set_xscale("log")
    axes.set_xlim(low, high)
    within = [tick for tick in _TIMES if _CLEAR * low <= tick <= high / _CLEAR]
    named = _TIMES if len(within) > 1 else _TIMES | _TIMES_BETWEEN
    ticks = [tick for tick in named if _CLEAR * low <= tick <= high / _CLEAR]
    axes.set_xticks(ticks, [named[tick] for tick in ticks])
    axes.xaxis.set_minor_locator(NullLocator())


def _name_points(
    figure: Figure, axes: Axes, points: Mapping[str, tuple[float, float]], strong: Collection[str]
) -> None:
    """Write each name at the nearest free place; a thin line leads to one that stands apart."""
    figure.draw_without_rendering()  # the layout, of which the places depend, is only then final
    figure.set_layout_engine("none")
    gap = _GAP * figure.dpi
    order = sorted(points, key=lambda name: (name not in strong, -points[name][1], name))
    spots = {name: tuple(axes.transData.transform(points[name]).tolist()) for name in order}
    texts = {name: figure.text(0, 0, printable(name), fontweight=weight(name in strong)) for name in order}
    sizes = [texts[name].get_window_extent() for name in order]
    area = axes.get_window_extent()
    room = Box(area.x0, area.y0, area.x1, area.y1)
    boxes = place([spots[name] for name in order], [(size.width, 0.86 * size.height) for size in sizes], room, gap)
    to_figure = figure.transFigure.inverted()
    for name, box in zip(order, boxes, strict=True):
        texts[name].set(
            position=to_figure.transform(((box.left + box.right) / 2, (box.bottom + box.top) / 2)),
            ha="center",
            va="center_baseline",
        )
        edge = nearest(box, spots[name])
        if math.dist(edge, spots[name]) > 2 * gap:
            ends = to_figure.transform([edge, spots[name]])
            axes.plot(*ends.T, transform=figure.transFigure, color=FAINT, linewidth=0.6, clip_on=False, zorder=1)

"""Figures of many trials: found over time, learned over epochs, reached with each setting, bought with time."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from itertools import accumulate
from typing import TYPE_CHECKING

from embedrec.report.drawing import INK, axis_label, printable, svg
from embedrec.report.marks import BEST, Better, Dot, Mark, draw_dots, known, visible, visible_dots
from embedrec.report.scales import Scale
from embedrec.report.scatter import SHORTEST, time_axis

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

_UNITS = (("h", 3600.0, 2.0), ("min", 60.0, 3.0), ("s", 1.0, 0.0))
"""Unit, its seconds, and from how many of them on an axis uses it."""
_TICKS_WIDTH = 40
"""Characters that fit under a row of small panels."""
_STEPS = [1, 2, 2.5, 5, 10]
_JITTER = 0.1
_SHORTEST_NAME = 4
_GOLDEN = (5**0.5 - 1) / 2


def progress_figure(
    dots: Sequence[Dot], better: Better, x_label: str, y_label: str, best: str, *, seconds: bool = False
) -> str:
    """Draw every trial where it ended and the best so far as a step line; `best` names the best trial."""
    shown = sorted(known(dots), key=lambda dot: dot.x)
    unit, length = _unit([dot.x for dot in shown]) if seconds else ("", 1.0)
    shown = [dot._replace(x=dot.x / length) for dot in shown]

    def draw(figure: Figure) -> None:
        axes = figure.add_subplot()
        limits = visible_dots(shown, better)
        whole = [dot for dot in shown if dot.mark.kind != "stopped"]
        if whole:
            choose = max if better == "highest" else min
            record = list(accumulate((dot.y for dot in whole), choose))
            end = max(dot.x for dot in shown)
            axes.step(
                [*(dot.x for dot in whole), end],
                [*record, record[-1]],
                where="post",
                color=BEST,
                linewidth=2.2,
                zorder=2,
            )
        draw_dots(axes, shown, limits)
        for dot in shown:
            if dot.mark.kind == "best":
                above = better == "highest"
                side = "right" if dot.x > 0.6 * max(one.x for one in shown) else "left"
                axes.annotate(
                    printable(best),
                    (dot.x, dot.y),
                    xytext=(0, 9 if above else -9),
                    textcoords="offset points",
                    ha=side,
                    va="bottom" if above else "top",
                    color=BEST,
                    fontweight="bold",
                )
        _finish(axes, limits, f"{x_label}, {unit}" if unit else x_label, y_label, whole_numbers=not seconds)
        axes.set_ylim(*(limits if not whole else _with_room(limits, better)))

    return svg(draw, height=3.0) if shown else ""


def trial_curves_figure(
    curves: Sequence[tuple[Sequence[tuple[float, float]], Mark]], better: Better, x_label: str, y_label: str
) -> str:
    """Draw the learning curve of each trial; a cross ends those that were stopped."""
    finite = [([point for point in curve if math.isfinite(sum(point))], mark) for curve, mark in curves]
    shown = [(curve, mark) for curve, mark in finite if curve]

    def draw(figure: Figure) -> None:
        axes = figure.add_subplot()
        limits = visible([y for curve, _ in shown for _, y in curve], better)
        faint = 0.85 if len(shown) <= 40 else 0.5
        for curve, mark in shown:
            x, y = zip(*curve, strict=True)
            best, stopped = mark.kind == "best", mark.kind == "stopped"
            axes.plot(
                x,
                y,
                color=mark.colour,
                linewidth=2.6 if best else 1.2,
                alpha=1.0 if best else faint,
                zorder=5 if best else 2 if stopped else 3,
                marker="o" if len(curve) == 1 else None,
                markersize=3,
            )
            if stopped and limits[0] <= y[-1] <= limits[1]:
                axes.plot(x[-1], y[-1], "x", color=mark.colour, markersize=4.5, markeredgewidth=1.3, zorder=4)
        _finish(axes, limits, x_label, y_label, whole_numbers=True)

    return svg(draw, height=3.0) if shown else ""


def cost_figure(dots: Sequence[Dot], better: Better, x_label: str, y_label: str, height: float = 3.0) -> str:
    """Draw quality over seconds of training, on a log axis."""
    shown = [dot._replace(x=max(dot.x, SHORTEST)) for dot in known(dots)]

    def draw(figure: Figure) -> None:
        axes = figure.add_subplot()
        limits = visible_dots(shown, better)
        draw_dots(axes, shown, limits, size=6.5)
        _finish(axes, limits, x_label, y_label)
        time_axis(axes, [dot.x for dot in shown])

    return svg(draw, height=height) if shown else ""


def slices_figure(
    panels: Mapping[str, tuple[Scale, Sequence[Dot]]],
    limits: tuple[float, float],
    y_label: str,
    across: int,
) -> str:
    """Draw the trials over each setting, a small panel each, `across` side by side.

    All panels share one scale of quality, with its limits. The x of a dot is its place on the panel's scale of the
    setting, 0 to 1; a dot without a place is left out.
    """
    rows = math.ceil(len(panels) / across)

    def draw(figure: Figure) -> None:
        grid = figure.subplots(rows, across, sharey=True, squeeze=False).flat
        # panels first: zip takes from its first argument before it sees that the other is at its end
        for (name, (scale, dots)), axes in zip(panels.items(), grid, strict=False):
            gap = _JITTER / max(1, len(scale.names) - 1) if scale.names else 0.0
            moved = [dot._replace(x=dot.x + gap * offset(at)) for at, dot in enumerate(known(dots))]
            draw_dots(axes, moved, limits, size=4.6)
            _finish(axes, limits, "", "")
            ticks = fitting_ticks(scale, _TICKS_WIDTH // across)
            axes.set_xticks([place for place, _ in ticks], [label for _, label in ticks], fontsize=8.5)
            axes.set_xlim(-0.12, 1.12)
            axes.set_title(printable(name), fontsize=9.5, color=INK, loc="left")
        for axes in list(grid):
            axes.set_visible(False)
        figure.supylabel(axis_label(y_label), fontsize=9.5)

    return svg(draw, height=slices_height(rows)) if panels else ""


def slices_height(rows: int) -> float:
    """Return how tall a figure of so many rows of panels is, in inches."""
    return max(2.6, 0.35 + 1.65 * rows)


def fitting_ticks(scale: Scale, characters: int) -> list[tuple[float, str]]:
    """Return the ticks of a scale whose names fit below it: side by side, or every other one lower, or only some."""
    ticks = [(place, printable(label)) for place, label in scale.ticks()]
    for every in range(1, len(ticks) + 1):
        some = ticks[::every]
        if _wide(some) <= characters:
            return some
        longest = 2 * characters // (len(some) + 1) - 1
        cut = [(place, printable(label, longest)) for place, label in some] if longest >= _SHORTEST_NAME else []
        for names in (some, cut if scale.kind == "names" else []):
            if names and scale.names and max(_wide(names[::2]), _wide(names[1::2])) <= characters:
                return [(place, "\n" * (at % 2) + label) for at, (place, label) in enumerate(names)]
    return ticks[:1]


def _wide(ticks: Sequence[tuple[float, str]]) -> int:
    """Return how many characters the names of ticks take side by side."""
    return sum(len(label) + 1 for _, label in ticks) - 1


def offset(place: int) -> float:
    """Return a distance from −1 to 1 that keeps marks of neighbouring places apart."""
    return 2 * ((place + 1) * _GOLDEN % 1) - 1


def _unit(seconds: Sequence[float]) -> tuple[str, float]:
    longest = max(seconds, default=0.0)
    return next((name, length) for name, length, from_ in _UNITS if longest >= from_ * length)


def _with_room(limits: tuple[float, float], better: Better) -> tuple[float, float]:
    """Leave room for the name of the best."""
    low, high = limits
    room = 0.12 * (high - low)
    return (low, high + room) if better == "highest" else (low - room, high)


def _finish(
    axes: Axes, limits: tuple[float, float], x_label: str, y_label: str, *, whole_numbers: bool = False
) -> None:
    from matplotlib.ticker import MaxNLocator

    axes.set_ylim(*limits)
    axes.grid(axis="y")
    axes.yaxis.set_major_locator(MaxNLocator(5, steps=_STEPS))
    axes.xaxis.set_major_locator(MaxNLocator(6, steps=_STEPS, integer=whole_numbers))
    axes.set(xlabel=axis_label(x_label), ylabel=axis_label(y_label))

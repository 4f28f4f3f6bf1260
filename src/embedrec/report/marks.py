"""How one of many trials looks, the same in every figure: the best in orange, the others the darker the better."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING, Literal, NamedTuple

from embedrec.report.drawing import INK, LEADING

if TYPE_CHECKING:
    from matplotlib.axes import Axes

Better = Literal["highest", "lowest"]
RAMP = ("#BDD7EC", "#8FBCDD", "#5B9BCB", "#2A74B2", "#08458A")
BEST = LEADING[1]
STOPPED = "#868E96"
_FAR_OUT = 3.0
"""Tukey's fence for values that are far out, in interquartile ranges (Exploratory Data Analysis, 1977, 2C)."""

_ENOUGH = 10
"""Values from which some can be far out."""


class Mark(NamedTuple):
    """A trial's colour, and whether it is the best, ran to its end, or was stopped early."""

    colour: str
    kind: Literal["best", "whole", "stopped"]


class Dot(NamedTuple):
    """A trial at its place."""

    x: float
    y: float
    mark: Mark


def shades(values: Sequence[float], better: Better) -> list[str]:
    """Give each value its colour by rank, equal values the same one; darker is better."""
    worst_first = sorted(set(values), reverse=better == "lowest")
    rank = {value: place / max(1, len(worst_first) - 1) for place, value in enumerate(worst_first)}
    return [RAMP[min(len(RAMP) - 1, int(rank[value] * len(RAMP)))] for value in values]


def visible(values: Sequence[float], better: Better, usual: Sequence[float] = ()) -> tuple[float, float]:
    """Return the range of values worth drawing to scale: without those far out on the bad side.

    `usual` values say what is far out, if there are enough of them; all values otherwise.
    """
    low, high = min(values), max(values)
    ordered = sorted(usual if len(usual) >= _ENOUGH else values)
    if len(ordered) >= _ENOUGH:
        lower, upper = ordered[len(ordered) // 4], ordered[-1 - len(ordered) // 4]
        reach = _FAR_OUT * (upper - lower)
        if reach > 0 and better == "highest":
            low = max(low, lower - reach)
        elif reach > 0:
            high = min(high, upper + reach)
    room = 0.08 * (high - low) or 0.05 * abs(high) or 0.05
    return low - room, high + room


def visible_dots(dots: Sequence[Dot], better: Better) -> tuple[float, float]:
    """Return the range of y worth drawing to scale; trials that were stopped are no measure of it."""
    return visible([dot.y for dot in dots], better, [dot.y for dot in dots if dot.mark.kind != "stopped"])


def draw_dots(axes: Axes, dots: Sequence[Dot], limits: tuple[float, float], size: float = 5.5) -> None:
    """Draw dots, the best on top; what lies beyond the limits becomes a triangle at the edge that points there."""
    low, high = limits
    edge = 0.02 * (high - low)
    layers = {"stopped": 3.0, "whole": 4.0, "best": 6.0}
    for x, y, (colour, kind) in dots:
        shape = "v" if y < low else "^" if y > high else "x" if kind == "stopped" else "o"
        axes.plot(
            x,
            min(max(y, low + edge), high - edge) if shape in "v^" else y,
            shape,
            markersize=1.6 * size if kind == "best" else 0.8 * size if kind == "stopped" else size,
            color=colour,
            markeredgecolor=colour if shape == "x" else INK if kind == "best" else "white",
            markeredgewidth=1.2 if shape == "x" else 0.9 if kind == "best" else 0.5,
            zorder=layers[kind],
            clip_on=False,
        )


def known(dots: Sequence[Dot]) -> list[Dot]:
    """Return the dots that have a place."""
    return [dot for dot in dots if math.isfinite(dot.x) and math.isfinite(dot.y)]

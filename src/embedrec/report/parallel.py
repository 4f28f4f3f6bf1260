"""Parallel coordinates, stood upright so that a phone shows them: an axis a row, a line a trial from top to bottom."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, NamedTuple

from embedrec.report.drawing import FAINT, INK, printable, svg
from embedrec.report.marks import RAMP, Mark
from embedrec.report.scales import Scale, Value
from embedrec.report.trials import fitting_ticks, offset

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure
    from matplotlib.path import Path

_UNSET = -0.14
"""Where a line passes an axis on which its trial has no value."""
_JITTER = 0.012
_BEND = 0.3
"""Share of the way to the next axis for which a line keeps its direction."""
_MANY = 40
_TICKS_WIDTH = 44
_LONGEST_NAME = 18
_ORDER = {"stopped": 2, "whole": 3, "best": 5}


class Line(NamedTuple):
    """A trial: {axis: value}, absent where it has none."""

    values: Mapping[str, Value]
    mark: Mark


def parallel_figure(axes_of: Mapping[str, Scale], lines: Sequence[Line]) -> str:
    """Draw a line for each trial through its value on every axis, the axes in the order given.

    Where a trial has no value on an axis, its line passes left of the axis, at a dash.
    """

    def draw(figure: Figure) -> None:
        from matplotlib.patches import PathPatch

        axes = figure.add_subplot()
        unset = set()
        for row, (name, scale) in enumerate(axes_of.items()):
            if any(math.isnan(scale.place(line.values[name])) if name in line.values else True for line in lines):
                unset.add(row)
            _axis(axes, row, scale, row in unset)
        many = len(lines) > _MANY
        for at, line in enumerate(lines):
            best = line.mark.kind == "best"
            axes.add_patch(
                PathPatch(
                    _path(_places(axes_of, line, at)),
                    fill=False,
                    edgecolor=line.mark.colour,
                    linewidth=2.8 if best else 0.8 if many else 1.1,
                    alpha=1.0 if best else 0.85 if not many else 0.6 if line.mark.colour == RAMP[-1] else 0.25,
                    zorder=_ORDER[line.mark.kind],
                    capstyle="round",
                )
            )
        axes.set_yticks(range(len(axes_of)), [printable(name, _LONGEST_NAME) for name in axes_of])
        axes.set(xlim=(_UNSET - 0.04 if unset else -0.04, 1.04), ylim=(len(axes_of) - 0.45, -0.25), xticks=[])
        axes.spines[["left", "bottom"]].set_visible(False)

    return svg(draw, height=parallel_height(len(axes_of))) if lines and axes_of else ""


def parallel_height(axes: int) -> float:
    """Return how tall the figure is, in inches."""
    return 0.35 + 0.66 * axes


def _axis(axes: Axes, row: int, scale: Scale, with_unset: bool) -> None:
    """Draw one axis with the names of its values below it."""
    axes.plot([0, 1], [row, row], color=FAINT, linewidth=1.0, zorder=4)
    ticks = fitting_ticks(scale, _TICKS_WIDTH)
    if with_unset:
        axes.plot([_UNSET - 0.03, _UNSET + 0.03], [row, row], color=FAINT, linewidth=1.0, zorder=4)
    for place, label in ticks:
        axes.plot([place, place], [row - 0.04, row + 0.04], color=FAINT, linewidth=1.0, zorder=4)
        axes.annotate(
            label,
            (place, row),
            xytext=(0, -4),
            textcoords="offset points",
            ha="center",
            va="top",
            fontsize=8,
            color=INK,
            zorder=6,
            bbox={"facecolor": "white", "edgecolor": "none", "pad": 0.6, "alpha": 0.8},
        )


def _places(axes_of: Mapping[str, Scale], line: Line, at: int) -> list[float]:
    """Return where a line crosses each axis; lines through the same name lie side by side."""
    places = []
    for name, scale in axes_of.items():
        place = scale.place(line.values[name]) if name in line.values else math.nan
        apart = _JITTER * offset(at) if scale.names or math.isnan(place) else 0.0
        places.append((_UNSET if math.isnan(place) else place) + apart)
    return places


def _path(places: Sequence[float]) -> Path:
    """Return a smooth path that crosses every axis upright."""
    from matplotlib.path import Path

    points: list[tuple[float, float]] = [(places[0], 0.0)]
    codes = [int(Path.MOVETO)]
    for row in range(1, len(places)):
        points += [(places[row - 1], row - 1 + _BEND), (places[row], row - _BEND), (places[row], float(row))]
        codes += [int(Path.CURVE4)] * 3
    return Path(points, codes)

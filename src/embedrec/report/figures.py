"""Figures as SVG text: the same input gives the same bytes.

Each is half a page wide, so that a phone shows it at almost full size, and has its labels beside the marks
instead of a legend. A name keeps its colour in every figure drawn with the same `colours`. An estimate is
(value, low, high); a missing interval has NaN ends and is not drawn.
"""

from __future__ import annotations

import io
import math
import re
import warnings
from collections.abc import Callable, Mapping, Sequence
from itertools import pairwise
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from matplotlib.axes import Axes

Estimate = tuple[float, float, float]

# Okabe and Ito's palette, told apart by colour-blind readers, without its yellow (too pale on white).
_HIGHLIGHT = "#0072B2"
_OTHERS = ("#E69F00", "#009E73", "#CC79A7", "#D55E00", "#56B4E9", "#8C6BB1", "#7F7F7F")
_SHADES = ("#08519C", "#4292C6", "#9ECAE1", "#DEEBF7")
_INK, _FAINT, _GRID = "#22262b", "#5a646e", "#e4e7ea"
# The first sizes the layout; the reader's own interface font then draws the letters.
_FONT = "DejaVu Sans"
_READER_FONT = "system-ui, 'Segoe UI', Roboto, 'Liberation Sans', Arial, sans-serif"
_WIDTH = 4.6  # inches
_LONGEST_NAME = 28


def colours(names: Sequence[str], highlighted: str) -> dict[str, str]:
    """Give each name its colour: the highlighted one blue, the others in their order, again after seven."""
    others = [name for name in names if name != highlighted]
    chosen = {name: _OTHERS[place % len(_OTHERS)] for place, name in enumerate(others)}
    return chosen | {highlighted: _HIGHLIGHT}


def line_figure(
    x: Sequence[float], y: Sequence[float], x_label: str, y_label: str, *, mark_highest: bool = False
) -> str:
    """Draw y over x, such as a loss over epochs; NaN leaves a gap; the highest point can be marked."""

    def draw(axes: Axes) -> None:
        from matplotlib.ticker import MaxNLocator

        axes.plot(x, y, color=_HIGHLIGHT, linewidth=2, marker="o", markersize=4)
        known = [(value, place) for place, value in zip(x, y, strict=True) if math.isfinite(value)]
        if mark_highest and known:
            value, place = max(known, key=lambda point: point[0])
            axes.plot([place], [value], "o", markersize=9, color="white", markeredgecolor=_HIGHLIGHT)
            axes.margins(y=0.25)
            axes.annotate(
                f"best {value:.4f}",
                (place, value),
                xytext=(0, 9),
                textcoords="offset points",
                ha="center",
                color=_HIGHLIGHT,
                fontweight="bold",
            )
        axes.xaxis.set_major_locator(MaxNLocator(integer=True))
        axes.grid(axis="y")
        axes.set(xlabel=_printable(x_label), ylabel=_printable(y_label))

    return _svg(draw, height=2.6)


def interval_figure(
    rows: Mapping[str, Estimate],
    colour: Mapping[str, str],
    highlighted: str,
    x_label: str,
    limit: tuple[str, float] | None = None,
) -> str:
    """Draw a bar with its interval for each name, in the order given; `limit` is a named upper bound."""

    def draw(axes: Axes) -> None:
        from matplotlib.ticker import MaxNLocator

        ends = [end for row in rows.values() for end in row if math.isfinite(end)]
        widest = max([*ends, limit[1] if limit else 0.0, 1e-9])
        for place, (name, (value, low, high)) in enumerate(rows.items()):
            strong = name == highlighted
            axes.barh(place, value, height=0.62, color=colour[name], alpha=1.0 if strong else 0.55)
            axes.plot([low, high], [place, place], color=_INK, linewidth=1.6, solid_capstyle="butt")
            beside = max(end for end in (value, high, 0.0) if math.isfinite(end))
            shown = f"{value:.{3 if widest >= 0.1 else 4}f}" if math.isfinite(value) else "–"
            weight = "bold" if strong else "normal"
            paper = {"facecolor": "white", "edgecolor": "none", "pad": 1.0}
            axes.text(beside + 0.02 * widest, place, shown, va="center", fontweight=weight, bbox=paper)
        if limit:
            axes.axvline(limit[1], color=_INK, linewidth=1.2, linestyle=(0, (4, 3)))
            axes.text(limit[1], -0.62, _printable(limit[0]), ha="right", va="bottom", color=_FAINT)
        axes.set_yticks(range(len(rows)), [_printable(name) for name in rows])
        for label, name in zip(axes.get_yticklabels(), rows, strict=True):
            label.set_fontweight("bold" if name == highlighted else "normal")
        axes.set(xlabel=_printable(x_label), xlim=(0, 1.14 * widest), ylim=(len(rows) - 0.5, -0.6))
        axes.xaxis.set_major_locator(MaxNLocator(5))
        axes.grid(axis="x")
        axes.spines[["left", "bottom"]].set_visible(False)

    return _svg(draw, height=0.9 + 0.31 * len(rows))


def curve_figure(
    curves: Mapping[str, Mapping[int, Estimate]],
    colour: Mapping[str, str],
    highlighted: str,
    x_label: str,
    y_label: str,
) -> str:
    """Draw a line with its interval band for each name, named at its right end; x ≥ 1 on a log scale."""

    def draw(axes: Axes) -> None:
        from matplotlib.ticker import NullLocator, ScalarFormatter

        ends: dict[str, tuple[float, float]] = {}
        for name, points in curves.items():
            strong, x = name == highlighted, sorted(points)
            value, low, high = ([points[place][part] for place in x] for part in range(3))
            axes.plot(x, value, color=colour[name], linewidth=2.8 if strong else 1.6, zorder=3 if strong else 2)
            axes.fill_between(x, low, high, color=colour[name], alpha=0.16, linewidth=0)
            if x and math.isfinite(value[-1]):
                ends[name] = (x[-1], value[-1])
        ticks = sorted({place for points in curves.values() for place in points})
        axes.set_xscale("log")
        axes.set_xticks(ticks if len(ticks) <= 8 else ticks[:: len(ticks) // 6])
        axes.xaxis.set_major_formatter(ScalarFormatter())
        axes.xaxis.set_minor_locator(NullLocator())
        axes.set_ylim(bottom=0)
        top = axes.get_ylim()[1]
        heights = _spread([height / top for _, height in ends.values()], gap=0.075)
        for (name, (right, height)), place in zip(ends.items(), heights, strict=True):
            axes.annotate(
                _printable(name),
                (right, height),
                xytext=(1.05, place),
                textcoords=axes.transAxes,
                va="center",
                fontweight="bold" if name == highlighted else "normal",
                arrowprops={
                    "arrowstyle": "-",
                    "color": colour[name],
                    "linewidth": 1.2,
                    "shrinkA": 2,
                    "shrinkB": 2,
                },
            )
        axes.margins(x=0)
        axes.grid(axis="y")
        axes.set(xlabel=_printable(x_label), ylabel=_printable(y_label))

    return _svg(draw, height=max(2.8, 0.9 + 0.2 * len(curves)))


def shares_figure(rows: Mapping[str, Sequence[float]], parts: Sequence[str]) -> str:
    """Draw how each name's whole divides into parts, from dark to light; at most four, shares sum to 1."""
    assert len(parts) <= len(_SHADES), parts
    inks = ("white", "white", _INK, _INK)

    def draw(axes: Axes) -> None:
        for place, shares in enumerate(rows.values()):
            left = 0.0
            for share, shade, ink in zip(shares, _SHADES, inks, strict=False):
                if not math.isfinite(share):
                    continue
                axes.barh(place, share, left=left, height=0.66, color=shade)
                if share >= 0.09:
                    axes.text(left + share / 2, place, f"{100 * share:.0f} %", ha="center", va="center", color=ink)
                left += share
        axes.set_yticks(range(len(rows)), [_printable(name) for name in rows])
        axes.set(xlim=(0, 1), ylim=(len(rows) - 0.5, -0.5), xticks=[])
        axes.spines[["left", "bottom"]].set_visible(False)
        keys = [axes.barh(0, 0, color=shade, label=part) for part, shade in zip(parts, _SHADES, strict=False)]
        axes.figure.legend(handles=keys, loc="outside upper center", ncols=len(parts), columnspacing=1.2)

    return _svg(draw, height=0.6 + 0.36 * len(rows))


def _svg(draw: Callable[[Axes], None], height: float) -> str:
    """Let `draw` fill one pair of axes, in the house style, and return the SVG text."""
    import matplotlib as mpl
    from matplotlib.figure import Figure

    style: dict[Any, Any] = {
        "svg.hashsalt": "embedrec", "svg.fonttype": "none", "text.parse_math": False, "font.family": [_FONT],
        "font.size": 9.5, "text.color": _INK, "axes.labelcolor": _FAINT, "axes.edgecolor": _GRID,
        "axes.spines.top": False, "axes.spines.right": False, "axes.axisbelow": True, "grid.color": _GRID,
        "xtick.color": _GRID, "ytick.color": _GRID, "xtick.labelcolor": _FAINT, "ytick.labelcolor": _INK,
        "xtick.major.size": 0, "ytick.major.size": 0, "legend.frameon": False, "legend.handlelength": 1.0,
        "legend.handletextpad": 0.4,
    }  # fmt: skip
    with mpl.rc_context(style), warnings.catch_warnings():
        # A letter the layout font lacks, and a name too long to leave room, both still draw.
        warnings.simplefilter("ignore", UserWarning)
        figure = Figure(figsize=(_WIDTH, height), layout="constrained")
        draw(figure.add_subplot())
        file = io.StringIO()
        undated = dict.fromkeys(("Date", "Creator", "Format", "Type"))
        figure.savefig(file, format="svg", metadata=undated)
    return file.getvalue().replace(f"'{_FONT}'", _READER_FONT)


def _printable(text: str) -> str:
    """Cut a label to a length that leaves room, without the characters an SVG file must not hold."""
    valid = re.sub(r"[\x00-\x1f\x7f-\x9f\ud800-\udfff\ufffe\uffff]", "\N{REPLACEMENT CHARACTER}", text)
    return valid if len(valid) <= _LONGEST_NAME else valid[: _LONGEST_NAME - 1] + "…"


def _spread(heights: Sequence[float], gap: float) -> list[float]:
    """Move heights apart, keeping their order, until neighbours are `gap` apart; in 0 to 1 if they fit."""
    order = sorted(range(len(heights)), key=heights.__getitem__)
    placed = list(heights)
    for lower, upper in pairwise(order):
        placed[upper] = max(placed[upper], placed[lower] + gap)
    excess = max(0.0, placed[order[-1]] - 1.0) if order else 0.0
    if excess:
        placed[order[-1]] -= excess
        for upper, lower in pairwise(reversed(order)):
            placed[lower] = min(placed[lower], placed[upper] - gap)
    return placed

"""Figures of bars: values with their intervals, side by side over several panels, and a whole in its parts."""

from __future__ import annotations

import math
from collections.abc import Collection, Mapping, Sequence
from typing import TYPE_CHECKING

from embedrec.report.cells import Estimate, decimals_for, fixed, percent
from embedrec.report.drawing import BACKGROUND, FAINT, HIGHLIGHT, INK, SHADES, axis_label, printable, svg, weight

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure


def interval_figure(
    rows: Mapping[str, Estimate],
    colour: Mapping[str, str],
    strong: Collection[str],
    x_label: str,
    limit: tuple[str, float] | None = None,
    dots: Mapping[str, Sequence[float]] | None = None,
) -> str:
    """Draw a bar with its interval for each name, in the order given.

    `limit` is a named upper bound, `dots` are further measurements of a name, such as other seeds.
    """

    def draw(figure: Figure) -> None:
        axes = figure.add_subplot()
        others = [value for values in (dots or {}).values() for value in values]
        widest = _widest([*rows.values()], limit[1] if limit else 0.0, *others)
        decimals = decimals_for([widest])
        for place, (name, row) in enumerate(rows.items()):
            _bar(axes, place, row, colour[name], name in strong, fixed(row[0], decimals))
            for value in (dots or {}).get(name, ()):
                axes.plot(value, place, "o", markersize=3.6, color="white", markeredgecolor=INK, markeredgewidth=0.9)
        if limit:
            axes.axvline(limit[1], color=INK, linewidth=1.2, linestyle=(0, (4, 3)))
            axes.text(limit[1], -0.62, printable(limit[0]), ha="right", va="bottom", color=FAINT)
        _names(axes, rows, strong)
        _bare(axes, x_label)
        axes.set_xlim(0, 1.14 * widest)

    return svg(draw, height=0.9 + 0.31 * len(rows))


def difference_figure(
    rows: Mapping[str, Estimate],
    certain: Collection[str],
    colour: Mapping[str, str],
    strong: Collection[str],
    x_label: str,
) -> str:
    """Draw how far each name lies from zero, with its interval; the dot is full only where that is `certain`."""

    def draw(figure: Figure) -> None:
        axes = figure.add_subplot()
        for place, (name, (value, low, high)) in enumerate(rows.items()):
            ink = colour[name]
            axes.plot([low, high], [place, place], color=ink, linewidth=2.6, solid_capstyle="round")
            fill = ink if name in certain else "white"
            axes.plot(value, place, "o", markersize=8, color=fill, markeredgecolor=ink, markeredgewidth=1.8)
        axes.axvline(0, color=INK, linewidth=1.1)
        _names(axes, rows, strong)
        _bare(axes, x_label)
        reach = max([abs(end) for row in rows.values() for end in row if math.isfinite(end)] or [0.01])
        left, right = axes.get_xlim()
        axes.set_xlim(min(left, -0.08 * reach), max(right, 0.08 * reach))
        ends = axes.get_xlim()
        for x, side, said in ((ends[0], "left", "← worse"), (ends[1], "right", "better →")):
            axes.text(x, -0.62, said, ha=side, va="bottom", color=FAINT)

    return svg(draw, height=0.95 + 0.31 * len(rows))


def panels_figure(
    panels: Mapping[str, Mapping[str, Estimate]], colour: Mapping[str, str], strong: Collection[str], x_label: str
) -> str:
    """Draw bars of the same names side by side, a panel for each group, all on one scale."""
    names = list(dict.fromkeys(name for rows in panels.values() for name in rows))

    def draw(figure: Figure) -> None:
        widest = _widest([row for rows in panels.values() for row in rows.values()])
        decimals = decimals_for([widest])
        grid = figure.subplots(1, len(panels), sharey=True, squeeze=False)[0]
        for axes, (title, rows) in zip(grid, panels.items(), strict=True):
            for place, name in enumerate(names):
                row = rows.get(name, (math.nan,) * 3)
                _bar(axes, place, row, colour[name], name in strong, fixed(row[0], decimals))
            axes.set_title(title, fontsize=9.5, color=INK, loc="left")
            _bare(axes, "")
            axes.set(xlim=(0, 1.55 * widest), xticks=[])
        _names(grid[0], names, strong)
        figure.supxlabel(axis_label(x_label), fontsize=9.5, color=FAINT)

    return svg(draw, height=max(2.9, 0.9 + 0.31 * len(names)))


def shares_figure(rows: Mapping[str, Sequence[float]], parts: Sequence[str]) -> str:
    """Draw how each name's whole divides into parts, from dark to light; at most four, shares sum to 1."""
    assert len(parts) <= len(SHADES), parts
    inks = ("white", "white", INK, INK)

    def draw(figure: Figure) -> None:
        axes = figure.add_subplot()
        for place, shares in enumerate(rows.values()):
            left = 0.0
            for share, shade, ink in zip(shares, SHADES, inks, strict=False):
                if not math.isfinite(share):
                    continue
                axes.barh(place, share, left=left, height=0.66, color=shade)
                if share >= 0.09:
                    axes.text(left + share / 2, place, f"{100 * share:.0f} %", ha="center", va="center", color=ink)
                left += share
        axes.set_yticks(range(len(rows)), [printable(name) for name in rows])
        axes.set(xlim=(0, 1), ylim=(len(rows) - 0.5, -0.5), xticks=[])
        axes.spines[["left", "bottom"]].set_visible(False)
        keys = [axes.barh(0, 0, color=shade, label=part) for part, shade in zip(parts, SHADES, strict=False)]
        figure.legend(handles=keys, loc="outside upper center", ncols=len(parts), columnspacing=1.2)

    return svg(draw, height=0.6 + 0.36 * len(rows))


def share_bars_figure(rows: Mapping[str, float], strong: Collection[str], height: float) -> str:
    """Draw a bar for each share of 1, in percent, in so many inches of height; names that are not `strong` are grey."""

    def draw(figure: Figure) -> None:
        axes = figure.add_subplot()
        for place, (name, share) in enumerate(rows.items()):
            colour = HIGHLIGHT if name in strong else BACKGROUND
            _bar(axes, place, (share, math.nan, math.nan), colour, name in strong, percent(share))
        _names(axes, rows, strong)
        _bare(axes, "")
        axes.set(xlim=(0, 1.2 * max([*rows.values(), 0.01])), xticks=[])

    return svg(draw, height=max(height, 0.5 + 0.31 * len(rows)))


def _bar(axes: Axes, place: int, row: Estimate, colour: str, strong: bool, said: str) -> None:
    """One bar with its interval, and its value beyond both."""
    value, low, high = row
    axes.barh(place, value, height=0.62, color=colour, alpha=1.0 if strong else 0.75)
    axes.plot([low, high], [place, place], color=INK, linewidth=1.6, solid_capstyle="butt")
    beside = max(end for end in (value, high, 0.0) if math.isfinite(end))
    paper = {"facecolor": "white", "edgecolor": "none", "pad": 1.0}
    axes.annotate(
        said,
        (beside, place),
        xytext=(5, 0),
        textcoords="offset points",
        va="center",
        fontweight=weight(strong),
        bbox=paper,
    )


def _names(axes: Axes, names: Collection[str], strong: Collection[str]) -> None:
    axes.set_yticks(range(len(names)), [printable(name) for name in names])
    for label, name in zip(axes.get_yticklabels(), names, strict=True):
        label.set_fontweight(weight(name in strong))
    axes.set_ylim(len(names) - 0.5, -0.6)


def _bare(axes: Axes, x_label: str) -> None:
    from matplotlib.ticker import MaxNLocator

    axes.set_xlabel(axis_label(x_label))
    axes.xaxis.set_major_locator(MaxNLocator(5))
    axes.grid(axis="x")
    axes.spines[["left", "bottom"]].set_visible(False)


def _widest(rows: Sequence[Estimate], *others: float) -> float:
    ends = [end for row in rows for end in row] + list(others)
    return max([end for end in ends if math.isfinite(end)] + [1e-9])

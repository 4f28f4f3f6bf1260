"""A figure of how often values fall between edges."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING

from embedrec.report.drawing import HIGHLIGHT, axis_label, printable, svg

if TYPE_CHECKING:
    from matplotlib.figure import Figure

_MOST_LETTERS = 44  # of all edges written side by side under one figure


def histogram_figure(edges: Sequence[str], counts: Sequence[int], x_label: str, y_label: str) -> str:
    """Draw a bar of equal width for each count, edges[i] and edges[i + 1] at its sides."""
    assert len(edges) == len(counts) + 1, f"{len(edges)} edges for {len(counts)} bars"

    def draw(figure: Figure) -> None:
        from matplotlib.ticker import FuncFormatter, MaxNLocator

        axes = figure.add_subplot()
        axes.bar(range(len(counts)), counts, width=0.94, align="edge", color=HIGHLIGHT)
        every = max(1, math.ceil(sum(len(edge) + 1 for edge in edges) / _MOST_LETTERS))
        shown = range(0, len(edges), every)
        axes.set_xticks(list(shown), [printable(edges[place]) for place in shown])
        axes.yaxis.set_major_locator(MaxNLocator(4, integer=True))
        axes.yaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:,.0f}"))
        axes.set(xlabel=axis_label(x_label), ylabel=axis_label(y_label), xlim=(-0.1, len(counts) + 0.1))
        axes.grid(axis="y")

    return svg(draw, height=2.3)

"""Figures, numbers as people read them, and a self-contained HTML page; knows nothing of models, metrics or shops."""

from embedrec.report.bars import difference_figure, interval_figure, panels_figure, shares_figure
from embedrec.report.cells import (
    Entry,
    Estimate,
    best_first,
    column,
    count,
    duration,
    estimate,
    fixed,
    number,
    percent,
    probability,
)
from embedrec.report.curves import curve_figure, line_figure, reliability_figure, steps_figure
from embedrec.report.drawing import colours, leading_colours
from embedrec.report.page import Cell, Report
from embedrec.report.scatter import scatter_figure

__all__ = [
    "Cell",
    "Entry",
    "Estimate",
    "Report",
    "best_first",
    "colours",
    "column",
    "count",
    "curve_figure",
    "difference_figure",
    "duration",
    "estimate",
    "fixed",
    "interval_figure",
    "leading_colours",
    "line_figure",
    "number",
    "panels_figure",
    "percent",
    "probability",
    "reliability_figure",
    "scatter_figure",
    "shares_figure",
    "steps_figure",
]

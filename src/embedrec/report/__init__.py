"""Figures, numbers as people read them, and a self-contained HTML page; knows nothing of models, metrics or shops."""

from embedrec.report.bars import difference_figure, interval_figure, panels_figure, share_bars_figure, shares_figure
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
from embedrec.report.finding import SEVERITIES, Finding, Severity
from embedrec.report.histogram import histogram_figure
from embedrec.report.marks import BEST, RAMP, STOPPED, Better, Dot, Mark, shades, visible_dots
from embedrec.report.page import Cell, Command, Prose, Report, TableCell
from embedrec.report.parallel import Line, parallel_figure, parallel_height
from embedrec.report.scales import Scale, Value, as_number, scale_of, written
from embedrec.report.scatter import scatter_figure
from embedrec.report.trials import cost_figure, progress_figure, slices_figure, slices_height, trial_curves_figure

__all__ = [
    "BEST",
    "RAMP",
    "SEVERITIES",
    "STOPPED",
    "Better",
    "Cell",
    "Command",
    "Dot",
    "Entry",
    "Estimate",
    "Finding",
    "Line",
    "Mark",
    "Prose",
    "Report",
    "Scale",
    "Severity",
    "TableCell",
    "Value",
    "as_number",
    "best_first",
    "colours",
    "column",
    "cost_figure",
    "count",
    "curve_figure",
    "difference_figure",
    "duration",
    "estimate",
    "fixed",
    "histogram_figure",
    "interval_figure",
    "leading_colours",
    "line_figure",
    "number",
    "panels_figure",
    "parallel_figure",
    "parallel_height",
    "percent",
    "probability",
    "progress_figure",
    "reliability_figure",
    "scale_of",
    "scatter_figure",
    "shades",
    "share_bars_figure",
    "shares_figure",
    "slices_figure",
    "slices_height",
    "steps_figure",
    "trial_curves_figure",
    "visible_dots",
    "written",
]

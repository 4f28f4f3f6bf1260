"""Figures and a self-contained HTML page; knows nothing of models, metrics or shops."""

from embedrec.report.figures import (
    Estimate,
    colours,
    curve_figure,
    interval_figure,
    line_figure,
    shares_figure,
)
from embedrec.report.page import Cell, Report

__all__ = [
    "Cell",
    "Estimate",
    "Report",
    "colours",
    "curve_figure",
    "interval_figure",
    "line_figure",
    "shares_figure",
]

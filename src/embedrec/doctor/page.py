"""The doctor's page: whether to trust a model first, then what was found, and what the tables look like."""

from __future__ import annotations

from pathlib import Path

import pandas as pd

from embedrec.doctor import lines
from embedrec.doctor.advice import Advice
from embedrec.doctor.examination import Examination
from embedrec.evaluation.model_page import add_accounts
from embedrec.report import Cell, Prose, Report, TableCell, histogram_figure, percent
from embedrec.tables import Tables

LOOKS = {"yes": "good", "care": "caution", "no": "stop"}
SHOWN, OPEN = 20, 5  # quarantined rows, and of these not folded away
LONGEST = 120  # letters of a quarantined text


def write_page(path: Path, name: str, tables: Tables, examination: Examination, advice: Advice, command: str) -> None:
    """Write the page; `command` is the training that the advice comes to."""
    facts = examination.facts
    period = f"{facts.time.first[:10]} to {facts.time.last[:10]}" if facts.time else "without dates"
    report = Report(f"Data doctor: {name}", f"Purchases {period}.")
    report.callout(f"Can a model be trusted on it? {advice.trust}", f"verdict {LOOKS[advice.trusted]}")
    report.tiles(_tiles(examination))
    report.heading("Findings")
    report.findings(examination.findings)
    report.heading("Advice")
    report.bullets([f"Model – {advice.model}.", f"Protocol – {advice.protocol}."])
    report.command(command)
    report.heading("In pictures")
    for key, (title, x_label, y_label) in lines.HISTOGRAMS.items():
        if histogram := facts.histograms.get(key):
            report.figure(histogram_figure(lines.edges(histogram), histogram.counts, x_label, y_label), title + ".")
    report.heading("The tables")
    add_accounts(report, tables.accounts)
    rows = [*lines.shape(facts), *lines.joins(facts), *lines.held_out(facts)]
    report.table(["What", "How much"], [[label, figure] for label, figure in rows], "Counted in the tables.")
    _add_quarantine(report, tables.quarantine)
    report.write(path)


def _tiles(examination: Examination) -> list[Cell]:
    facts = examination.facts
    tiles = [
        Cell(f"{facts.purchases:,}", "purchases"),
        Cell(f"{facts.customers:,}", "customers who buy"),
        Cell(f"{facts.products:,}", "products sold"),
    ]
    if facts.time:
        tiles.append(Cell(f"{facts.time.days:,.0f}", "days from first to last purchase"))
    if of := facts.held_out:
        tiles.append(Cell(f"{of.customers:,}", "known customers to test on"))
        if of.repeat_share is not None and of.protocol != "random":
            tiles.append(Cell(percent(of.repeat_share), "of what they buy in the test they had bought before"))
        if of.cold_share is not None:
            tiles.append(Cell(percent(of.cold_share), "of the test is of products never sold before"))
    return tiles


def _add_quarantine(report: Report, rows: pd.DataFrame) -> None:
    if not len(rows):
        return
    shown = rows.head(SHOWN)
    cells: list[list[TableCell]] = [
        [str(row.line), str(row.file), str(row.column), Prose(str(row.reason)), Prose(str(row.text)[:LONGEST])]
        for row in shown.itertuples()
    ]
    caption = f"Rows that were not understood and are not used: the first {len(shown):,} of {len(rows):,}."
    report.table(["Line", "File", "Column", "Reason", "What stands there"], cells[:OPEN], caption, folded=cells[OPEN:])

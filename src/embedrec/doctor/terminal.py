"""The doctor's summary in the terminal."""

from __future__ import annotations

from rich.console import Console
from rich.markup import escape
from rich.table import Table

from embedrec.doctor import lines
from embedrec.doctor.advice import Advice
from embedrec.doctor.examination import Examination
from embedrec.tables import Tables

BARS = " ▁▂▃▄▅▆▇█"
MARKS = {"stop": "[bold red]✗ stop[/]", "warn": "[yellow]! warn[/]", "info": "[green]· info[/]"}


def print_summary(console: Console, name: str, tables: Tables, examination: Examination, advice: Advice) -> None:
    """Print what is in the tables, what was found, and the advice."""
    console.print(f"\n[bold]Data doctor: {escape(name)}[/]\n")
    _print_accounts(console, tables)
    facts = examination.facts
    counted = _pairs()
    for label, figure in [*lines.shape(facts), *lines.joins(facts), *lines.held_out(facts)]:
        counted.add_row(escape(label), escape(figure))
    console.print(counted)
    console.print()
    drawn = _pairs()
    for key, (title, _, _) in lines.HISTOGRAMS.items():
        if histogram := facts.histograms.get(key):
            edges = lines.edges(histogram)
            drawn.add_row(title, f"{edges[0]} {sparkline(histogram.counts)} {edges[-1]}")
    console.print(drawn)
    console.print("\n[bold]Findings[/]")
    found = Table.grid(padding=(0, 1))
    found.add_column(no_wrap=True)
    found.add_column(overflow="fold")
    for one in examination.findings:
        found.add_row(MARKS[one.severity], escape(one.sentence))
    console.print(found)
    console.print("\n[bold]Advice[/]")
    said = _pairs()
    for label, sentence in (("model", advice.model), ("protocol", advice.protocol), ("trust it?", advice.trust)):
        said.add_row(label, escape(sentence))
    console.print(said)


def sparkline(counts: tuple[int, ...]) -> str:
    """Draw counts as a row of bars; what is not zero shows.

    >>> sparkline((0, 1, 4, 8))
    ' ▁▄█'
    """
    highest = max(counts, default=0) or 1
    return "".join(BARS[-(-count * (len(BARS) - 1) // highest)] for count in counts)


def _pairs() -> Table:
    table = Table.grid(padding=(0, 2))
    table.add_column(style="dim", no_wrap=True)
    table.add_column(overflow="fold")
    return table


def _print_accounts(console: Console, tables: Tables) -> None:
    table = Table(box=None, pad_edge=False, header_style="dim")
    table.add_column("file", overflow="fold")
    for header in ("read", "used", "quarantined", "duplicates", "set aside"):
        table.add_column(header, justify="right", no_wrap=True)
    for one in tables.accounts:
        counts = (one.read, one.used, one.quarantined, one.duplicates, one.set_aside)
        table.add_row(escape(one.file), *(f"{count:,}" for count in counts))
    console.print(table)
    for one in tables.accounts:
        for note in one.notes:
            console.print(f"[dim]{escape(one.table)}:[/] {escape(note)}", highlight=False)
    console.print()

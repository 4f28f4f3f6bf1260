"""What a sweep leaves to read on the terminal and for scripts: a table of its trials, best first."""

from __future__ import annotations

import csv
import io
import shlex
from collections.abc import Mapping, Sequence
from pathlib import Path

from rich.console import Console
from rich.table import Table

from embedrec.experiment.folders import write_text
from embedrec.search.record import SweepRecord, TrialRecord


def best_first(sweep: SweepRecord) -> list[TrialRecord]:
    """Order trials: finished by value, then pruned by value, then the others; of equals the earlier."""

    def place(trial: TrialRecord) -> tuple[int, float, int]:
        state = ("finished", "pruned", "failed", "running").index(trial.state)
        if trial.value is None:
            return state, float("inf"), trial.number
        return state, -trial.value if sweep.maximize else trial.value, trial.number

    return sorted(sweep.trials, key=place)


def write_table(
    path: Path, sweep: SweepRecord, shared: Sequence[str], drawn: Mapping[int, Sequence[str]], figure: str
) -> None:
    """Write the table of trials as CSV: overrides shared by all and drawn for each; `figure` names the values."""
    text = io.StringIO(newline="")
    table = csv.writer(text)
    table.writerow(["trial", "overrides", figure, "error", "state", "seconds"])
    for trial in best_first(sweep):
        value = trial.value if trial.state == "finished" else None
        given = " ".join([*shared, *drawn[trial.number]])
        table.writerow([trial.number, given, value, trial.reason, trial.state, trial.seconds])
    write_text(path, text.getvalue())


def print_table(sweep: SweepRecord, drawn: Mapping[int, Sequence[str]]) -> None:
    """Show the trials and how to train the best one in full."""
    table = Table("trial", "settings", f"{sweep.objective} on validation", "time", title="Trials, best first")
    trials = best_first(sweep)
    for trial in trials:
        shown = "–" if trial.value is None else f"{trial.value:.4f}"
        said = {"failed": f"failed: {trial.reason}", "pruned": f"pruned at {shown}", "running": "still running"}
        seconds = "" if trial.seconds is None else f"{trial.seconds:.0f} s"
        table.add_row(str(trial.number), " ".join(drawn[trial.number]), said.get(trial.state, shown), seconds)
    Console().print(table)
    if trials and trials[0].state == "finished" and trials[0].value is not None:
        print(f"train the best in full: {trials[0].command}")


def command_of(overrides: Sequence[str]) -> str:
    """Return the command that trains a trial's settings in full."""
    return f"python scripts/train.py {shlex.join(overrides)}"

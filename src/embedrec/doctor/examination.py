"""`examine`: all facts and findings of one shop, for the doctor's own page and for the report of every run."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any

from embedrec.doctor.detectors.dates import dates
from embedrec.doctor.detectors.ids import ids
from embedrec.doctor.detectors.leaks import leaks
from embedrec.doctor.detectors.size import size
from embedrec.doctor.detectors.spread import spread
from embedrec.doctor.enough import too_little
from embedrec.doctor.facts import Facts, facts_of
from embedrec.doctor.held_out import held_out_of
from embedrec.features import Catalogue, History
from embedrec.report import SEVERITIES, Finding
from embedrec.splits import Split
from embedrec.tables import Tables


@dataclass(frozen=True)
class Examination:
    """What is in the tables, and what is to be said about it, the gravest first."""

    facts: Facts
    findings: tuple[Finding, ...]

    def plain(self) -> dict[str, Any]:
        """Return both as JSON holds them."""
        return {"facts": self.facts.plain(), "findings": [asdict(one) for one in self.findings]}


def examine(tables: Tables, history: History, catalogue: Catalogue, split: Split) -> Examination:
    """Examine a shop that was split; its events may carry made-up times."""
    facts = facts_of(tables, tables.time == "dates" and split.dated).with_held_out(held_out_of(history, split))
    size_found = size(facts, too_little(history, split))
    return _examination(facts, [*size_found, *leaks(tables, history, catalogue, split)], tables)


def examine_whole(tables: Tables, refused: str) -> Examination:
    """Examine a shop that cannot be split, for the reason `refused`."""
    facts = facts_of(tables, tables.time == "dates")
    return _examination(facts, [Finding("stop", f"nothing can be held out to test on: {refused}"), *size(facts, "")], tables)


def _examination(facts: Facts, found: list[Finding], tables: Tables) -> Examination:
    warned = [Finding("warn", warning) for warning in tables.warnings]
    undated = tables.time == "dates" and facts.time is None  # the split pays no heed to the dates there are
    every = [*found, *([] if undated else dates(facts.time)), *ids(facts), *spread(facts), *warned]
    return Examination(facts, tuple(sorted(every, key=lambda one: SEVERITIES.index(one.severity))))

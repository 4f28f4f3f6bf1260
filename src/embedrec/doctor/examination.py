"""`examine`: all facts and findings of one shop, for the doctor's own page and for the report of every run."""

from __future__ import annotations

from dataclasses import asdict, dataclass, replace
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
    too_little: str = ""
    """Why a learned model cannot be trusted; empty where it can."""

    def with_finding(self, finding: Finding) -> Examination:
        """Add one."""
        return replace(self, findings=_gravest_first([*self.findings, finding]))

    def plain(self) -> dict[str, Any]:
        """Return both as JSON holds them."""
        return {"facts": self.facts.plain(), "findings": [asdict(one) for one in self.findings]}


def examine(tables: Tables, history: History, catalogue: Catalogue, split: Split) -> Examination:
    """Examine a shop that was split; its events may carry made-up times."""
    facts = facts_of(tables, tables.time == "dates" and split.dated).with_held_out(held_out_of(history, split))
    lacking = too_little(history, split)
    found = [*size(facts, lacking), *leaks(tables, history, catalogue, split)]
    return Examination(facts, _gravest_first([*found, *_of_tables(tables, facts)]), lacking)


def examine_whole(tables: Tables, refused: str) -> Examination:
    """Examine a shop that cannot be split, for the reason `refused`."""
    facts = facts_of(tables, tables.time == "dates")
    found = [Finding("stop", f"nothing can be held out to test on: {refused}"), *size(facts, "")]
    return Examination(facts, _gravest_first([*found, *_of_tables(tables, facts)]))


def _of_tables(tables: Tables, facts: Facts) -> list[Finding]:
    ignored = tables.time == "dates" and facts.time is None  # the split pays no heed to the dates there are
    warned = [Finding("warn", warning) for warning in tables.warnings]
    return [*([] if ignored else dates(facts.time)), *ids(facts), *spread(facts), *warned]


def _gravest_first(findings: list[Finding]) -> tuple[Finding, ...]:
    return tuple(sorted(findings, key=lambda one: SEVERITIES.index(one.severity)))

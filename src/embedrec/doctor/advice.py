"""What to do with such data: which model, which protocol, and whether to trust what comes out."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

from embedrec.columns import CATEGORY, CUSTOMER_RATING, PART, PRICE, RATING
from embedrec.doctor.detectors.spread import OFTEN
from embedrec.doctor.examination import Examination
from embedrec.doctor.signal import Signal
from embedrec.splits import Protocol
from embedrec.tables import Tables

Trusted = Literal["yes", "care", "no"]
SIMPLE = "popularity_recent"
FIGURES = r" \(|; "
"""Where the gist of a finding ends."""
SHORTEST = 28.0
"""Days of purchases below which a tenth of them, the test, covers less than three days."""


@dataclass(frozen=True)
class Advice:
    """Three answers in words, and the settings that follow from them."""

    model: str
    protocol: str
    trust: str
    trusted: Trusted
    settings: Mapping[str, str]


def advise(tables: Tables, examination: Examination, signal: Signal | None) -> Advice:
    """Answer from what was found; `signal` is None where nothing could be measured."""
    model, why_model = _model(tables, examination, signal)
    protocol, why_protocol = _protocol(tables, examination)
    trusted, why = _trust(examination)
    return Advice(
        model=f"{model}: {why_model}",
        protocol=f"{protocol}: {why_protocol}",
        trust=why,
        trusted=trusted,
        settings={"model": model, "split.protocol": protocol},
    )


def _model(tables: Tables, examination: Examination, signal: Signal | None) -> tuple[str, str]:
    facts = examination.facts
    if facts.held_out is None or examination.too_little:
        return SIMPLE, "there is too little to train on, so recommend what most customers buy now"
    if signal and not signal.found:
        return SIMPLE, "who buys what looks like chance, so recommend what most customers buy now"
    attributes = facts.filled.get(CATEGORY, 0) + facts.filled.get(RATING, 0) > 0 or PRICE in facts.histograms
    if tables.time == "order":
        return (
            "two_tower_sequence",
            "the order of purchases is known and their dates are not, and the order is what it reads",
        )
    if not attributes and facts.time is None and not facts.looks:
        return "two_tower_ids", "with neither dates, product attributes nor views there are only ids to learn from"
    rival = f", against {signal.best}, the best quick model on validation" if signal else ""
    if (facts.held_out.repeat_share or 0) >= OFTEN:
        rival = ", against personal_frequency: customers come back for what they know"
    rated = "; biased_mf predicts the stars that customers give" if CUSTOMER_RATING in tables.events else ""
    return "two_tower", f"the default{rival}{rated}; the verdict of the run says which of them to serve"


def _protocol(tables: Tables, examination: Examination) -> tuple[Protocol, str]:
    time = examination.facts.time
    if PART in tables.events:
        return "given", "the data bring their own split, with which published figures can be compared"
    if time is not None and time.moments > 1:
        short = f"; {time.days:,.0f} days are short, so a test covers few of them" if time.days < SHORTEST else ""
        return "global_time", f"learn from the past, test on what came after one date, as in daily use{short}"
    if tables.time == "order":
        return (
            "leave_last_out",
            "the order of purchases is known, not their dates; figures are higher than in daily use",
        )
    return "random", "nothing tells which purchase came first; figures say little about the future"


def _trust(examination: Examination) -> tuple[Trusted, str]:
    grave = [one for one in examination.findings if one.severity == "stop"]
    if grave:
        more = f", and {len(grave) - 1} more" if len(grave) > 1 else ""
        return "no", f"No: {re.split(FIGURES, grave[0].sentence)[0]}{more}."
    doubts = sum(one.severity == "warn" for one in examination.findings)
    if doubts:
        warnings = "the warning" if doubts == 1 else f"{doubts} warnings"
        return "care", f"With care: nothing forbids it; keep {warnings} in mind."
    return "yes", "Yes, as far as the interval of a run's verdict goes."

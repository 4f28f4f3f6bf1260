"""What timestamps cannot tell: one value for all, a bulk import, no time of day, a hole in the data."""

from __future__ import annotations

from embedrec.doctor.facts import Span
from embedrec.report import Finding, percent

IMPORTED = 0.5
"""Share of the purchases at one moment, or on one day, above which that is an import and no shopping."""
FEWEST_DAYS = 7.0  # spans shorter than this have a busiest day that says nothing
HOLE = 0.1  # of the whole span without a purchase, and at least FEWEST_DAYS: something is missing


def dates(span: Span | None) -> list[Finding]:
    """Look at when purchases happened; nothing where they carry no dates."""
    if span is None:
        return [Finding("info", "purchases carry no dates: nobody can tell what a model would have known in time")]
    if span.moments == 1:
        return [Finding("stop", f"all purchases carry the same timestamp ({span.first}): their order is unknown")]
    found = []
    if span.same_moment > IMPORTED:
        found.append(_imported("moment", span.same_moment))
    elif span.same_day > IMPORTED and span.days > FEWEST_DAYS:
        found.append(_imported("day", span.same_day))
    if span.whole_days:
        sentence = "timestamps have no time of day: which of two purchases of one day came first is unknown"
        found.append(Finding("info", sentence))
    if span.longest_gap_days > max(HOLE * span.days, FEWEST_DAYS):
        sentence = (
            f"there is no purchase for {span.longest_gap_days:,.0f} of {span.days:,.0f} days, from "
            f"{span.gap_from[:10]} on: was the shop closed, or is a part of the export missing?"
        )
        found.append(Finding("warn", sentence, {"longest_gap_days": span.longest_gap_days}))
    return found


def _imported(what: str, share: float) -> Finding:
    sentence = (
        f"{percent(share)} of the purchases carry the date of one {what}: is that when they were imported, not when "
        "they happened?"
    )
    return Finding("warn", sentence, {f"same_{what}": share})

"""Figures of a JSON file as people read them: {"value", "low", "high", "n"} each, null where nothing was measured."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

from embedrec.report.page import Cell

Entry = Mapping[str, Any]
Estimate = tuple[float, float, float]
"""(value, low, high); NaN where unknown."""

ABSENT = "–"


def number(entry: Entry | None, key: str = "value") -> float:
    """Return one number of an entry; NaN where it is absent or null."""
    value = (entry or {}).get(key)
    return math.nan if value is None else float(value)


def estimate(entry: Entry | None, value: str = "value") -> Estimate:
    """Return a value with its interval; `value` is the key of the value."""
    return number(entry, value), number(entry, "low"), number(entry, "high")


def column(entries: Sequence[Entry | None], value: str = "value") -> list[Cell]:
    """Show estimates with their intervals, all with as many decimals as the largest one needs.

    `value` is the key of the estimate; a `difference` is shown with its sign.
    """
    signed = value == "difference"
    rows = [estimate(entry, value) for entry in entries]
    decimals = decimals_for([row[0] for row in rows])
    join = " to " if signed else "–"

    def shown(one: float) -> str:
        return fixed(one, decimals, signed=signed)

    return [
        Cell(shown(middle), f"{shown(low)}{join}{shown(high)}" if math.isfinite(low + high) else "")
        for middle, low, high in rows
    ]


def decimals_for(values: Sequence[float]) -> int:
    """Return how many decimals show such values with three digits or so."""
    return 3 if any(abs(value) >= 0.1 for value in values) else 4


def fixed(value: float, decimals: int, *, signed: bool = False) -> str:
    """Return a number with a true minus sign, a dash for NaN."""
    if not math.isfinite(value):
        return ABSENT
    return f"{value:{'+' if signed else ''}.{decimals}f}".replace("-", "−")


def count(*entries: Entry | None) -> str:
    """Return how many customers, or ratings, estimates rest on: the largest number of them."""
    known = [n for n in (number(entry, "n") for entry in entries) if math.isfinite(n)]
    return f"{max(known):,.0f}" if known else ABSENT


def percent(share: float) -> str:
    """Return a share of 1 in percent."""
    return f"{100 * share:.0f} %" if math.isfinite(share) else ABSENT


def probability(p: float) -> str:
    """Return a p-value; what is smaller than a thousandth is said to be so."""
    return "<0.001" if p < 0.001 else fixed(p, 3)


def duration(seconds: float) -> str:
    """Return a time span in the unit people would use: s, min or h."""
    if not math.isfinite(seconds):
        return ABSENT
    if seconds < 9.95:
        return f"{seconds:.1f} s"
    if seconds < 99.5:
        return f"{seconds:.0f} s"
    if seconds < 99.5 * 60:
        return f"{seconds / 60:.0f} min"
    return f"{seconds / 3600:.1f} h"


def best_first(rows: Mapping[str, Mapping[str, Entry]], metric: str) -> list[str]:
    """Return the names by one metric, highest first, unmeasured last, ties in the order given."""

    def merit(name: str) -> float:
        value = number(rows[name].get(metric))
        return value if math.isfinite(value) else -math.inf

    return sorted(rows, key=merit, reverse=True)

"""Tables that people open in a spreadsheet: no cell runs as a formula, and none drives a terminal."""

from __future__ import annotations

import re

import pandas as pd

FORMULA = ("=", "+", "-", "@", "\t", "\r")
"""What a spreadsheet takes for the begin of a formula: OWASP, "CSV Injection"."""
CONTROL = re.compile(r"[\x00-\x08\x0a-\x1f\x7f-\x9f\u2028\u2029]")


def safe_to_open(table: pd.DataFrame) -> pd.DataFrame:
    """Return a copy whose texts begin with ' where they could be a formula, and show control characters as \\x1b.

    Numbers stay numbers.
    """
    return table.map(lambda cell: _safe(cell) if isinstance(cell, str) else cell)


def _safe(text: str) -> str:
    mark = "'" if text.startswith(FORMULA) else ""
    return mark + CONTROL.sub(lambda found: ascii(found[0])[1:-1], text)

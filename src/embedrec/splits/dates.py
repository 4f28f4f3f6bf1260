"""Dates as a user gives them, and as a report shows them."""

from __future__ import annotations

import pandas as pd

from embedrec.errors import ConfigError, quoted


def day(time: int) -> str:
    """Show seconds since 1970 as an ISO date and time."""
    return pd.Timestamp(time, unit="s").isoformat()


def parse_date(name: str, value: str) -> int:
    """Read a date given by the user as seconds since 1970; `name` is what the error calls it."""
    try:
        if value.strip().lower() in ("now", "today"):
            raise ValueError("a run must be repeatable")
        stamp = pd.Timestamp(value)
        if stamp.tzinfo is not None:
            stamp = stamp.tz_convert("UTC").tz_localize(None)
        return int(stamp.timestamp())
    except (ValueError, TypeError, OverflowError):
        raise ConfigError(f"{name}={quoted(value)} is not a date; write it as 2024-12-31 or 2024-12-31T18:00") from None

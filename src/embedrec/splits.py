"""Where training ends and the future begins: windows in time, cut before any statistic is computed.

train  < valid_from  <= validation  < test_from  <= test  < end
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np
import numpy.typing as npt
import pandas as pd
from pydantic import BaseModel, ConfigDict, Field

from embedrec.errors import ConfigError, DataError, quoted


class SplitConfig(BaseModel):
    """Global time windows; dates win over quantiles."""

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True)

    protocol: Literal["global_time"] = "global_time"
    valid_from: str | None = None
    """Date (and time) at which validation begins; without it the `valid_quantile` of purchase times."""
    test_from: str | None = None
    """Date (and time) at which the test begins; without it the `test_quantile` of purchase times."""
    valid_quantile: float = Field(0.8, gt=0, lt=1)
    test_quantile: float = Field(0.9, gt=0, lt=1)

    def model_post_init(self, context: object) -> None:
        """Refuse what can be refused before a file is opened."""
        for name in ("valid_from", "test_from"):
            if (given := getattr(self, name)) is not None:
                parse_date(f"split.{name}", given)
        if self.valid_quantile >= self.test_quantile:
            raise ConfigError(
                f"split.valid_quantile={self.valid_quantile} must be below split.test_quantile={self.test_quantile}"
            )


@dataclass(frozen=True)
class Split:
    """Window borders in seconds since 1970."""

    start: int
    valid_from: int
    test_from: int
    end: int  # the first second after the last purchase


def split_by_time(times: npt.NDArray[np.int64], config: SplitConfig) -> Split:
    """Cut purchase times[E] (seconds) into train, validation and test windows.

    Quantiles are linear and rounded down to the second, as in the published tables this protocol is compared with.

    Raises:
        ConfigError: a date cannot be read, or the borders are not in order.
        DataError: all purchases carry the same time, so there is no future to predict.
    """
    start, end = int(times.min()), int(times.max()) + 1
    if end - start <= 1:
        raise DataError(
            "purchase_history: all purchases carry the same purchase_date, so there is no later window to test on; "
            "give the date of each purchase"
        )
    valid_from = _border("valid_from", config.valid_from, times, config.valid_quantile)
    test_from = _border("test_from", config.test_from, times, config.test_quantile)
    if config.valid_from is None and config.test_from is not None:
        # keep validation as long as test would have it: the same quantile of what lies before the test
        valid_from = _quantile(times[times < test_from], config.valid_quantile / config.test_quantile, start)
    if not (start <= valid_from <= test_from < end and start < test_from):
        raise ConfigError(
            f"split: the windows must be in order within the data ({day(start)} to {day(end - 1)}): "
            f"valid_from={day(valid_from)}, test_from={day(test_from)}"
        )
    return Split(start, valid_from, test_from, end)


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


def _border(name: str, given: str | None, times: npt.NDArray[np.int64], quantile: float) -> int:
    return _quantile(times, quantile, 0) if given is None else parse_date(f"split.{name}", given)


def _quantile(times: npt.NDArray[np.int64], quantile: float, empty: int) -> int:
    return int(np.floor(np.quantile(times, quantile))) if len(times) else empty

"""Windows on a time axis, the same for everybody."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt

from embedrec.errors import ConfigError
from embedrec.splits.config import Protocol, SplitConfig
from embedrec.splits.dates import day, parse_date

Times = npt.NDArray[np.int64]

ONE_MOMENT = "all purchases carry the same purchase_date, so there is none later to test on"


@dataclass(frozen=True)
class Split:
    """Window borders in seconds since 1970."""

    start: int
    valid_from: int
    test_from: int
    end: int  # the first second after the last purchase
    protocol: Protocol = "global_time"
    warning: str = ""
    """What keeps the figures from saying how well the future is predicted, or why there are none; or empty."""

    @property
    def tested(self) -> bool:
        """Something is held out for the test; otherwise nothing can be measured and all is there to learn from."""
        return self.test_from < self.end

    @property
    def dated(self) -> bool:
        """The borders are real dates; otherwise nobody should be shown them."""
        return self.protocol == "global_time"


def split_by_time(times: Times, config: SplitConfig) -> Split:
    """Cut purchase times[E] (seconds) into train, validation and test windows.

    Quantiles are linear and rounded down to the second, as in the published tables this protocol is compared with.
    Where so many purchases carry the first date that nothing would lie before the test, it begins with the next date.
    Where all carry one date there is no test.

    Raises:
        ConfigError: a date cannot be read, or the borders are not in order.
    """
    start, end = int(times.min()), int(times.max()) + 1
    if end - start <= 1 and config.valid_from is None and config.test_from is None:
        return untested(start, end, "global_time", ONE_MOMENT)
    valid_from = _border("valid_from", config.valid_from, times, config.valid_quantile)
    test_from = _border("test_from", config.test_from, times, config.test_quantile)
    if config.test_from is None and test_from == start and config.valid_from is None:
        test_from = int(times[times > start].min())
    if config.valid_from is None and config.test_from is not None:
        # keep validation as long as test would have it: the same quantile of what lies before the test
        valid_from = _quantile(times[times < test_from], config.valid_quantile / config.test_quantile, start)
    if not (start <= valid_from <= test_from < end and start < test_from):
        raise ConfigError(
            f"split: the windows must be in order within the data ({day(start)} to {day(end - 1)}): "
            f"valid_from={day(valid_from)}, test_from={day(test_from)}"
        )
    return Split(start, valid_from, test_from, end)


def untested(start: int, end: int, protocol: Protocol, why: str) -> Split:
    """Return windows that leave everything for training; `why` is the warning."""
    return Split(start, end, end, end, protocol, why)


def rolling(times: Times, config: SplitConfig, count: int) -> list[Split]:
    """Return the `count` latest test windows side by side, the latest first: the default one and those before it.

    All windows are as long as the default ones, validation just before its test. Window i ends where window i - 1
    begins; purchases (seconds, [E]) at or after its end must be taken from the data before it is measured.

    Raises:
        ConfigError: the protocol is not global_time, or too little lies before the windows.
    """
    if config.protocol not in (None, "global_time"):
        raise ConfigError(f"rolling windows need dates: split.protocol={config.protocol} has none")
    if count < 1:
        raise ConfigError(f"{count} rolling windows are asked for: give at least 1")
    latest = split_by_time(times, config)
    if not latest.tested:
        raise ConfigError(f"{count} rolling windows are asked for, but {latest.warning}")
    length = latest.end - latest.test_from
    windows = []
    for step in range(count):
        valid_from, test_from, end = (
            border - step * length for border in (latest.valid_from, latest.test_from, latest.end)
        )
        inside = (times >= test_from) & (times < end)
        if not (times < valid_from).any() or not inside.any():
            raise ConfigError(
                f"{count} rolling windows of {length / 86_400:.1f} days do not fit into the data "
                f"({day(latest.start)} to {day(latest.end - 1)}): {step} do"
            )
        windows.append(replace(latest, valid_from=valid_from, test_from=test_from, end=end))
    return windows


def _border(name: str, given: str | None, times: Times, quantile: float) -> int:
    return _quantile(times, quantile, 0) if given is None else parse_date(f"split.{name}", given)


def _quantile(times: Times, quantile: float, empty: int) -> int:
    return int(np.floor(np.quantile(times, quantile))) if len(times) else empty

"""Where the values of a setting lie on an axis: step by step, by size, by magnitude, or by name."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from statistics import median_low
from typing import Literal

Value = str | int | float | bool | None

_FEW, _SEVERAL = 4, 8
"""Different values up to which each has its own place, evenly spaced; the second where they recur or are integers."""
_WIDE = 20.0
"""Largest over smallest value from which an axis may be logarithmic."""

_LONG = 1e6


@dataclass(frozen=True)
class Scale:
    """Places of values in 0 to 1.

    names      in their order, of the kinds `steps` (few numbers) and `names`
    low, high  of the kinds `linear` and `log`
    """

    kind: Literal["steps", "names", "linear", "log"]
    names: tuple[str, ...] = ()
    low: float = 0.0
    high: float = 1.0

    def place(self, value: Value) -> float:
        """Return where a value lies, NaN for one that the scale does not hold."""
        if self.names:
            spelled, last = written(value), len(self.names) - 1
            if spelled not in self.names:
                return math.nan
            return self.names.index(spelled) / last if last else 0.5
        number = as_number(value)
        if not math.isfinite(number) or not self.low <= number <= self.high:
            return math.nan
        if self.kind == "log":
            return math.log(number / self.low) / math.log(self.high / self.low)
        return number / self.high if self.low == 0 else (number - self.low) / (self.high - self.low)

    def ticks(self) -> list[tuple[float, str]]:
        """Return places worth naming, with their names."""
        if self.names:
            return [(self.place(name), name) for name in self.names]
        round_ones = (
            _round_magnitudes(self.low, self.high) if self.kind == "log" else _round_numbers(self.low, self.high)
        )
        return [(self.place(one), written(one)) for one in round_ones if self.low <= one <= self.high]


def scale_of(values: Iterable[Value]) -> Scale:
    """Choose the scale that shows these values best.

    Among many numbers, what is no finite number has no place; without any value there is no scale to choose, and
    the one returned holds nothing.
    """
    given = list(values)
    numbers = [number for number in map(as_number, given) if math.isfinite(number)]
    names = list(dict.fromkeys(written(one) for one in sorted(given, key=_order)))
    chosen = len(given) >= 2 * len(names) or all(isinstance(one, int) or one is None for one in given)
    if len(names) > (_SEVERAL if chosen else _FEW) and 2 * len(numbers) > len(given):
        low, high = min(numbers), max(numbers)
        if math.isfinite(high - low) and high > low:
            by_size, by_magnitude = Scale("linear", (), low, high), Scale("log", (), low, high)
            middle = median_low(numbers)
            if low > 0 and high / low >= _WIDE and _lopsided(by_size, middle) > _lopsided(by_magnitude, middle):
                return by_magnitude
            return by_size
    return Scale("steps" if len(numbers) == len(given) else "names", tuple(names) or ("–",))


def _lopsided(scale: Scale, middle: float) -> float:
    """Return how far the median is from the middle of an axis."""
    return abs(scale.place(middle) - 0.5)


def written(value: Value) -> str:
    """Return a value as it is written on a command line, numbers to four digits."""
    if value is None:
        return "null"
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, float):
        return f"{value:.0f}" if value.is_integer() and abs(value) < _LONG else f"{value:.4g}"
    return str(value)


def as_number(value: Value) -> float:
    """Return a number as float, NaN for anything else; yes and no are no numbers."""
    if isinstance(value, bool) or not isinstance(value, int | float):
        return math.nan
    try:
        return float(value)
    except OverflowError:
        return math.nan


def _order(value: Value) -> tuple[int, float, str]:
    """Numbers by size, then other values by name, then none at all."""
    number = as_number(value)
    if math.isfinite(number):
        return 0, number, ""
    return (2, 0.0, "") if value is None else (1, 0.0, written(value))


def _round_numbers(low: float, high: float) -> Sequence[float]:
    """Return about four multiples of 1, 2 or 5 times a power of ten."""
    rough = (high - low) / 4
    unit = 10 ** math.floor(math.log10(rough))
    step = next(factor * unit for factor in (1, 2, 5, 10) if factor * unit >= rough * (1 - 1e-9))
    first = math.ceil(low / step)
    return [round(place * step, 12 - math.floor(math.log10(step))) for place in range(first, first + 7)]


def _round_magnitudes(low: float, high: float) -> Sequence[float]:
    """Return up to six round values: powers of ten, or where few of them fit also 3, or 2 and 5 times them."""
    decades = range(math.floor(math.log10(low)), math.ceil(math.log10(high)) + 1)
    fitting: list[float] = []
    for factors in ((1,), (1, 3), (1, 2, 5)):
        fitting = [
            one for decade in decades for factor in factors if low <= (one := float(f"{factor}e{decade}")) <= high
        ]
        if len(fitting) >= 3:
            break
    return fitting[:: math.ceil(len(fitting) / 6)] if fitting else [low, high]

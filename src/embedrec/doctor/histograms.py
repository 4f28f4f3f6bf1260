"""Histograms as JSON holds them: edges that people read, and how many values lie from one edge to the next."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pandas as pd

STARS = np.arange(0.0, 5.5, 0.5)
PERIODS = (("D", 45), ("W-MON", 45 * 7), ("MS", 45 * 30), ("YS", 10**6))  # length, and up to how many days it is used
_STEPS = (1.0, 2.0, 5.0)


@dataclass(frozen=True)
class Histogram:
    """counts[i] values lie in [edges[i], edges[i + 1]); the last bin holds its upper edge too."""

    edges: tuple[float | str, ...]
    counts: tuple[int, ...]


def of_amounts(values: npt.ArrayLike) -> Histogram | None:
    """Count amounts of at least 0 between 1, 2, 5, 10, 20, 50 …, zeros by themselves; None without a value."""
    known = np.asarray(values, dtype=np.float64)
    known = known[np.isfinite(known) & (known >= 0)]
    if not len(known):
        return None
    zeros, positive = int((known == 0).sum()), known[known > 0]
    edges = _one_two_five(positive.min(), positive.max()) if len(positive) else [1.0]
    counts = np.histogram(positive, edges)[0].tolist() if len(positive) else []
    if zeros:
        edges, counts = [0.0, *edges], [zeros, *counts]
    return Histogram(tuple(edges), tuple(counts))


def of_stars(values: npt.ArrayLike) -> Histogram | None:
    """Count ratings in steps of half a star; None without one."""
    known = np.asarray(values, dtype=np.float64)
    known = known[np.isfinite(known)]
    if not len(known):
        return None
    return Histogram(tuple(STARS.tolist()), tuple(np.histogram(known, STARS)[0].tolist()))


def over_time(times: pd.Series) -> Histogram | None:
    """Count moments by day, week, month or year, whichever gives a few dozen bins; None without a moment."""
    if not len(times):
        return None
    first, last = times.min().normalize(), times.max()
    length = next(length for length, days in PERIODS if (last - first).days <= days)
    starts = pd.date_range(first, last, freq=length).union([first])
    ends = starts[1:].append(pd.DatetimeIndex([last + pd.Timedelta(seconds=1)]))
    edges = starts.append(ends[-1:]).to_numpy("datetime64[s]").astype(np.int64)
    counts = np.histogram(times.to_numpy("datetime64[s]").astype(np.int64), edges)[0]
    return Histogram(tuple(f"{day:%Y-%m-%d}" for day in starts.append(ends[-1:])), tuple(counts.tolist()))


def _one_two_five(low: float, high: float) -> list[float]:
    """Return the edges of the series 1, 2, 5 that enclose low … high."""
    powers = range(int(np.floor(np.log10(low))), int(np.floor(np.log10(high))) + 2)
    series = [float(f"{step}e{power}") for power in powers for step in _STEPS]
    start = max(place for place, edge in enumerate(series) if edge <= low)
    stop = next(place for place, edge in enumerate(series) if edge > high)
    return series[start : stop + 1]

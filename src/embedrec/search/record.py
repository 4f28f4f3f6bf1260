"""What a sweep did, in plain values: all that its report and its table need."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

Setting = str | int | float | bool | None
State = Literal["finished", "pruned", "failed", "running"]


@dataclass(frozen=True)
class TrialRecord:
    """One trial.

    settings  those that vary in the sweep; a conditional one is missing where it does not apply
    value     the objective on validation; of a pruned trial the last one reported
    seconds   of training
    ended     when it ended, in seconds of the sweep's own working time
    curve     (epoch, objective on validation) for each epoch measured
    reason    of a failure, or why it was pruned
    command   reproduces the trial in full
    interval  95 % interval of the value, over customers
    """

    number: int
    state: State
    settings: Mapping[str, Setting]
    value: float | None
    seconds: float | None
    ended: float | None
    curve: tuple[tuple[int, float], ...]
    reason: str
    command: str
    interval: tuple[float, float] | None = None


@dataclass(frozen=True)
class SweepRecord:
    """A sweep with its trials.

    objective         in words, such as "NDCG@10" or "RMSE"
    asked             how many trials were asked for
    data              name of the shop
    sampler, pruner   in words; None where nothing is pruned
    continue_command  runs what is left of the sweep
    parallel          trials that ran at the same time
    """

    name: str
    objective: str
    maximize: bool
    asked: int
    data: str
    sampler: str
    pruner: str | None
    trials: tuple[TrialRecord, ...]
    continue_command: str
    parallel: int

    def ranking(self) -> list[tuple[TrialRecord, float]]:
        """Return the finished trials that have a figure, with it, best first, ties in the order of the trials."""
        rows = [(one, one.value) for one in self.trials if one.state == "finished" and one.value is not None]
        known = [row for row in rows if math.isfinite(row[1])]
        return sorted(known, key=lambda row: (-row[1] if self.maximize else row[1], row[0].number))

    def count(self, state: State) -> int:
        """Return how many trials are in a state."""
        return sum(one.state == state for one in self.trials)

    def setting_names(self) -> list[str]:
        """Return every setting that varies, in the order in which the trials name them."""
        return list(dict.fromkeys(name for one in self.trials for name in one.settings))

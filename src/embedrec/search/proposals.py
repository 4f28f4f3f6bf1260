"""Which settings to try next: what Optuna draws after the trials so far, and never the same settings twice.

A proposal follows from the trials alone, each drawn from a random stream of its own, so that a search which was killed
goes on exactly as if nothing had happened.
"""

from __future__ import annotations

import itertools
import math
import warnings
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import optuna
from optuna.distributions import BaseDistribution, CategoricalDistribution, FloatDistribution, IntDistribution
from optuna.samplers import BaseSampler, RandomSampler, TPESampler

from embedrec.experiment.tuned import Settings
from embedrec.search.draws import STARTUP
from embedrec.search.space import Space, overrides, parsed

Drawn = dict[str, Any]
"""By axis, as Optuna knows it: choices are texts of overrides."""
REDRAWN = 10  # after so many draws of what was tried already, a random draw finds others sooner
MOST_DRAWS = 1_000


@dataclass(frozen=True)
class Tried:
    """One trial that is over."""

    drawn: Drawn
    """Of the default settings what of them lies within the space."""
    settings: Settings
    score: float | None
    """Validation figure; None where the trial failed."""
    seconds: float
    error: str = ""


@dataclass(frozen=True)
class Proposals:
    """Proposes settings of one model; the first are its default ones."""

    space: Space
    model: str
    default: Settings
    """Of every axis of the space."""
    sampler: str
    """tpe or random."""
    trials: int
    maximize: bool
    seed: int

    @property
    def _axes(self) -> dict[str, BaseDistribution]:
        return self.space.axes(self.model)

    def after(self, tried: Sequence[Tried]) -> tuple[Drawn, Settings] | None:
        """Return the next settings; None where enough were tried, or no others are found."""
        if len(tried) >= self.trials:
            return None
        if not tried:
            return self.space.within(self.model, self.default), self.default
        known = [trial.settings for trial in tried]
        draws = self._few() or (self._draw(tried, attempt) for attempt in range(MOST_DRAWS))
        meant = ((drawn, parsed(overrides(drawn))) for drawn in draws)
        return next((one for one in meant if one[1] not in known), None)

    def _few(self) -> Iterator[Drawn] | None:
        """Return every combination where there are no more of them than trials."""
        values = {key: _values(axis, self.trials) for key, axis in self._axes.items()}
        if math.prod(len(some) or self.trials + 1 for some in values.values()) > self.trials:
            return None
        return (dict(zip(values, chosen, strict=True)) for chosen in itertools.product(*values.values()))

    def _draw(self, tried: Sequence[Tried], attempt: int) -> Drawn:
        seed = ((self.seed * 1_000_003 + len(tried)) * 1_000_003 + attempt) % 2**32
        optuna.logging.set_verbosity(optuna.logging.ERROR)
        study = optuna.create_study(
            direction="maximize" if self.maximize else "minimize", sampler=self._sampler(seed, attempt)
        )
        for trial in tried:
            if trial.score is not None and trial.drawn.keys() == self._axes.keys():
                study.add_trial(
                    optuna.trial.create_trial(params=trial.drawn, distributions=self._axes, value=trial.score)
                )
        asked = study.ask()
        self.space.suggest(asked)
        return dict(asked.params)

    def _sampler(self, seed: int, attempt: int) -> BaseSampler:
        if self.sampler == "random" or attempt >= REDRAWN:
            return RandomSampler(seed=seed)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # what Optuna calls experimental has kept its meaning for years
            startup = min(STARTUP, max(self.trials // 3, 1))
            return TPESampler(seed=seed, multivariate=True, n_startup_trials=startup)


def _values(axis: BaseDistribution, most: int) -> list[Any]:
    """Return the values of an axis; none where there are more than `most`."""
    if isinstance(axis, CategoricalDistribution):
        return list(axis.choices)
    assert isinstance(axis, IntDistribution | FloatDistribution)
    if not axis.step:
        return []
    count = math.floor((axis.high - axis.low) / axis.step + 1e-9) + 1
    return [axis.low + place * axis.step for place in range(count)] if count <= most else []

"""How a study draws settings and ends trials early: Optuna's samplers and pruners, seeded by the number of a trial."""

from __future__ import annotations

import warnings
from collections.abc import Iterator, Sequence
from contextlib import contextmanager

import optuna
from optuna.pruners import BasePruner, MedianPruner, NopPruner, SuccessiveHalvingPruner
from optuna.samplers import BaseSampler, PartialFixedSampler, RandomSampler, TPESampler
from optuna.study import StudyDirection
from optuna.trial import FrozenTrial

from embedrec.search.settings import SearchConfig
from embedrec.search.space import Space

REDRAWN = 20  # draws, half of them at random, before a trial repeats an earlier one: a small space may hold no others
STARTUP = 10  # random trials before TPE learns from them, at most


def pruner(search: SearchConfig) -> BasePruner:
    """Return Optuna's pruner; it compares validation figures of the same epoch, from the first."""
    if search.pruner == "median":
        return MedianPruner(n_startup_trials=5)
    if search.pruner == "halving":
        return SuccessiveHalvingPruner(min_resource=1, reduction_factor=2)
    return NopPruner()


def sampler(search: SearchConfig, seed: int) -> BaseSampler:
    """Return Optuna's sampler."""
    seed %= 2**32
    if search.sampler != "tpe":
        return RandomSampler(seed=seed)
    with no_warnings():  # what Optuna calls experimental has kept its meaning for years
        return TPESampler(
            seed=seed, multivariate=True, group=True, n_startup_trials=min(STARTUP, max(search.n_trials // 3, 1))
        )


def fresh_draw(
    search: SearchConfig,
    space: Space,
    seed: int,
    known: Sequence[list[str]],
    ended: Sequence[FrozenTrial],
    direction: StudyDirection,
) -> BaseSampler:
    """Return what draws settings that are not `known` yet, learning from trials that `ended`.

    What was drawn into a study cannot be taken back, so that the tries go into a copy of it.
    """
    for attempt in range(REDRAWN):
        again = seed + attempt * 1_000_000_007
        chosen = sampler(search, again) if attempt < REDRAWN // 2 else RandomSampler(seed=again % 2**32)
        copy = optuna.create_study(direction=direction, sampler=chosen)
        copy.add_trials(ended)
        drawn = copy.ask()
        if space.suggest(drawn) not in known:
            break
    with no_warnings():  # experimental as well
        return PartialFixedSampler(drawn.params, RandomSampler(seed=0))  # which has nothing left to draw


@contextmanager
def no_warnings() -> Iterator[None]:
    """Keep what Optuna says of itself to itself."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        yield

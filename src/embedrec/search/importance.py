"""How much each setting decides whether a trial is among the better ones.

Conditional PED-ANOVA (Watanabe and others, "PED-ANOVA: Efficiently Quantifying Hyperparameter Importance in Arbitrary
Subspaces", IJCAI 2023), as Optuna computes it: how far the values of the better trials are from those of all trials.
It knows settings that only some trials have. A setting without any effect has an importance too, so each is compared
with what the same trials yield when their results are shuffled.
"""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from typing import TYPE_CHECKING, NamedTuple

from embedrec.report import Scale, scale_of
from embedrec.search.record import SweepRecord, TrialRecord

if TYPE_CHECKING:
    from optuna import Study
    from optuna.distributions import BaseDistribution

MIN_TRIALS = 10
"""Finished trials below which nothing is said."""
BETTER = 0.4
"""Share of the trials that count as the better ones. Of 8 sweeps of 20 random trials over six settings, 0.4 found the
most important one in 6, Optuna's own 0.1 in 2, random forests (fANOVA) in 5."""
SHUFFLES = 100
CHANCE = 0.05
"""Share of shuffles that may reach an importance which is called beyond chance."""


class Importance(NamedTuple):
    """Of one setting: its share of 1, and the share of shuffled sweeps in which it is as large."""

    share: float
    by_chance: float

    @property
    def beyond_chance(self) -> bool:
        """Whether shuffled results rarely give as much."""
        return self.by_chance <= CHANCE


def importances(sweep: SweepRecord) -> dict[str, Importance] | str:
    """Return the importance of each setting, largest first, or the reason why there is none."""
    ranking = sweep.ranking()
    scales = {
        name: scale_of(one.settings[name] for one, _ in ranking if name in one.settings) for name in _varied(sweep)
    }
    if not scales:
        return "no setting has more than one value among the finished trials"
    if len(ranking) < MIN_TRIALS:
        return f"that needs {MIN_TRIALS} finished trials; there are {len(ranking)}"
    values = [value if sweep.maximize else -value for _, value in ranking]
    if len(set(values)) == 1:
        return "all finished trials are equally good"
    found = _evaluate([one for one, _ in ranking], values, scales)
    total = sum(raw for raw, _ in found.values())
    if total == 0:
        return "the better trials have the same settings as the others"
    shares = {name: Importance(raw / total, chance) for name, (raw, chance) in found.items()}
    return dict(sorted(shares.items(), key=lambda one: (-one[1].share, one[0])))


def _varied(sweep: SweepRecord) -> list[str]:
    """Return the settings with several values among the finished trials; that of another one's choice counts."""
    known = [one.settings for one, _ in sweep.ranking()]
    return [
        name for name in sweep.setting_names() if len(scale_of(one[name] for one in known if name in one).ticks()) > 1
    ]


def _evaluate(
    trials: Sequence[TrialRecord], values: Sequence[float], scales: dict[str, Scale]
) -> dict[str, tuple[float, float]]:
    """Return (importance, share of shuffles in which it is as large) of each setting; higher values are better."""
    import numpy as np
    from optuna.importance import PedAnovaImportanceEvaluator

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # experimental; few trials under one condition
        study = _study(trials, scales)
        evaluator = PedAnovaImportanceEvaluator(target_quantile=BETTER)

        def raw(some: Sequence[float]) -> dict[str, float]:
            result: dict[str, float] = evaluator.evaluate(study, list(scales), target=lambda one: -some[one.number])
            return result

        ours = raw(values)
        order = np.random.default_rng(0)
        reached = dict.fromkeys(scales, 0)
        for _ in range(SHUFFLES):
            chance = raw(order.permutation(values).tolist())
            for name in scales:
                reached[name] += chance[name] >= ours[name]
    return {name: (float(np.nan_to_num(ours[name])), reached[name] / SHUFFLES) for name in scales}


def _study(trials: Sequence[TrialRecord], scales: dict[str, Scale]) -> Study:
    """Rebuild the study in memory, every setting by its place on its axis."""
    import optuna

    loudness = optuna.logging.get_verbosity()
    optuna.logging.set_verbosity(optuna.logging.ERROR)
    try:
        study = optuna.create_study()
    finally:
        optuna.logging.set_verbosity(loudness)
    for one in trials:
        places: dict[str, float] = {}
        spaces: dict[str, BaseDistribution] = {}
        for name, scale in scales.items():
            place = scale.place(one.settings[name]) if name in one.settings else float("nan")
            if place == place:
                last = len(scale.names) - 1
                places[name] = round(place * last) if scale.names else place
                spaces[name] = (
                    optuna.distributions.CategoricalDistribution(range(last + 1))
                    if scale.kind == "names"
                    else optuna.distributions.IntDistribution(0, last)
                    if scale.kind == "steps"
                    else optuna.distributions.FloatDistribution(0.0, 1.0)
                )
        study.add_trial(optuna.create_trial(value=0.0, params=places, distributions=spaces))
    return study

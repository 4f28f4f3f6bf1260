"""The verdict: one sentence that says which model to serve, and whether chance may explain it.

The trained model is held against its best rival, by mean NDCG@10 over the same customers, nothing masked. A
rival keeps the benefit of the doubt: a model that is not better beyond chance is not worth its upkeep. In a
comparison of many models the best of the trained ones is held against the best simple one in the same way.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

from embedrec.evaluation.intervals import LEVEL, Difference, paired_difference
from embedrec.evaluation.significance import holm

_Values = dict[str, NDArray[np.float64]]

# Below about this many test customers, differences of the usual size between models drown in chance.
MIN_CUSTOMERS = 200
RANDOM = "random"
# Rules and neighbour counts, which train nothing: the sentence calls them simple.
SIMPLE_MODELS = frozenset({"popularity", "popularity_recent", "personal_frequency", "user_knn", "item_knn"})


class Verdict(NamedTuple):
    """What to tell the reader.

    sentence       one line for people who do not read tables
    winner         the model to serve, empty where none can be recommended; with too few customers merely the
                   one that is ahead
    beyond_chance  the two models of the sentence differ beyond chance: the 95 % interval of their paired
                   difference excludes zero, and where the better one was picked among several, so does Holm's
                   correction of its p-value
    enough_data    there were at least `MIN_CUSTOMERS` test customers
    """

    sentence: str
    winner: str
    beyond_chance: bool
    enough_data: bool


def verdict(ndcg: Mapping[str, ArrayLike], champion: str, seed: int, names: Mapping[str, str] | None = None) -> Verdict:
    """Judge the trained model `champion` from every model's NDCG@10 by customer, each float[n] in one order.

    Rows come sorted by customer id (see `intervals`); a customer that some model does not know (NaN) is left
    out. `names` gives readable model names; a model it does not list is called by its own name. `random` is
    the floor and no rival: where neither the champion nor its best rival beats it beyond chance, nothing is
    recommended.
    """
    assert champion in ndcg, f"{champion} is not among {list(ndcg)}"
    values = _paired(ndcg)
    if not len(values[champion]):
        return _NOBODY
    shown = _Wording(values, names or {})
    rival = _best_rival(values, champion)
    if rival is None:
        return _alone(values, champion, shown)
    return _undecidable(values, champion, rival, seed, shown) or _rival_in_doubt(
        values, champion, rival, [champion], seed, shown, SIMPLE_MODELS
    )


def verdict_of_comparison(
    ndcg: Mapping[str, ArrayLike],
    seed: int,
    names: Mapping[str, str] | None = None,
    simple: Collection[str] = SIMPLE_MODELS,
) -> Verdict:
    """Judge a comparison of many models from NDCG@10 by customer, each float[n] in one order, as in `verdict`.

    The best of the models that are not `simple` must beat the best simple one beyond chance. It was picked among
    several, so its p-value is Holm-corrected over the tests of all of them against that rival. Otherwise the simple
    model is recommended. Where all models are of one kind, the best is held against the second, corrected over its
    tests against all others, and recommended even where its lead may be chance.
    """
    assert ndcg, "no model to judge"
    values = _paired(ndcg)
    if not len(next(iter(values.values()))):
        return _NOBODY
    shown = _Wording(values, names or {})
    models = [model for model in values if model != RANDOM] or list(values)
    trained = [model for model in models if model not in simple]
    plain = [model for model in models if model in simple]
    if trained and plain:
        winner, rival = _best(values, trained), _best(values, plain)
        return _undecidable(values, winner, rival, seed, shown) or _rival_in_doubt(
            values, winner, rival, trained, seed, shown, simple
        )
    winner = _best(values, models)
    second = _best_rival(values, winner)
    if second is None:
        return _alone(values, winner, shown)
    return _undecidable(values, winner, second, seed, shown) or _best_of_a_kind(
        values, winner, second, [model for model in models if model != winner] or [second], seed, shown, simple
    )


_TOO_FEW = f"Too few customers to tell (n = {{n}}; about {MIN_CUSTOMERS} are needed)"
_NOBODY = Verdict(f"{_TOO_FEW.format(n=0)}: no model could be measured.", "", beyond_chance=False, enough_data=False)


def _alone(values: _Values, model: str, shown: _Wording) -> Verdict:
    n = len(values[model])
    sentence = f"{shown.model(model)} was measured alone: NDCG@10 {shown.mean(model)}, {n:,} customers; "
    return Verdict(f"{sentence}nothing to compare.", model, beyond_chance=False, enough_data=n >= MIN_CUSTOMERS)


def _undecidable(values: _Values, ours: str, rival: str, seed: int, shown: _Wording) -> Verdict | None:
    """What is to be said before any comparison: too few customers, or no better than the floor."""
    n = len(values[ours])
    if n < MIN_CUSTOMERS:
        sentence = (
            f"{_TOO_FEW.format(n=n)}: {shown.model(ours)} reaches NDCG@10 {shown.mean(ours)}, "
            f"{shown.model(rival)} {shown.mean(rival)}."
        )
        ahead = ours if values[ours].mean() > values[rival].mean() else rival
        return Verdict(sentence, ahead, beyond_chance=False, enough_data=False)
    floor = values.get(RANDOM)
    if floor is None or any(paired_difference(values[model], floor, seed).low > 0 for model in (ours, rival)):
        return None
    best = ours if values[ours].mean() >= values[rival].mean() or rival == RANDOM else rival
    sentence = (
        f"No model finds the next products better than a random order beyond chance: NDCG@10 of {shown.model(best)} "
        f"{shown.mean(best)}, of a random order {shown.mean(RANDOM)}, {n:,} customers. Serve none."
    )
    return Verdict(sentence, "", beyond_chance=False, enough_data=True)


def _rival_in_doubt(
    values: _Values,
    ours: str,
    rival: str,
    picked_among: list[str],
    seed: int,
    shown: _Wording,
    simple: Collection[str],
) -> Verdict:
    """Recommend our model only where it is better beyond chance."""
    gap = paired_difference(values[ours], values[rival], seed)
    clear = _beyond_chance(gap, {one: (values[one], values[rival]) for one in picked_among}, ours, seed)
    interval = shown.interval(gap, len(picked_among))
    if clear and gap.low > 0:
        sentence = f"{shown.best(ours, rival)}, beyond chance ({interval})."
        return Verdict(sentence, ours, beyond_chance=True, enough_data=True)
    serve = f"serve {shown.kind(rival, simple)}"
    if clear:
        sentence = f"{shown.best(rival, ours)}, beyond chance ({interval}): {serve}."
        return Verdict(sentence, rival, beyond_chance=True, enough_data=True)
    sentence = (
        f"{shown.model(ours)} is no better than {shown.model(rival)} beyond chance (NDCG@10 {shown.mean(ours)} "
        f"against {shown.mean(rival)}; {interval}): {serve}."
    )
    return Verdict(sentence, rival, beyond_chance=False, enough_data=True)


def _best_of_a_kind(
    values: _Values, winner: str, second: str, others: list[str], seed: int, shown: _Wording, simple: Collection[str]
) -> Verdict:
    """Recommend the best of models that cost the same upkeep."""
    gap = paired_difference(values[winner], values[second], seed)
    clear = _beyond_chance(gap, {one: (values[winner], values[one]) for one in others}, second, seed)
    chance = "beyond chance" if clear else "but not beyond chance"
    interval = shown.interval(gap, len(others))
    sentence = f"{shown.best(winner, second)}, {chance} ({interval}): serve {shown.kind(winner, simple)}."
    return Verdict(sentence, winner, beyond_chance=clear, enough_data=True)


def _beyond_chance(
    gap: Difference, tests: Mapping[str, tuple[NDArray[np.float64], NDArray[np.float64]]], which: str, seed: int
) -> bool:
    """Whether the interval of one difference excludes zero, and Holm's p-value says so too if there are more tests."""
    if gap.low <= 0 <= gap.high:
        return False
    if len(tests) == 1:
        return True
    p_values = [paired_difference(*pair, seed).p_value for pair in tests.values()]
    return bool(holm(p_values)[list(tests).index(which)] <= 1 - LEVEL)


def _paired(ndcg: Mapping[str, ArrayLike]) -> _Values:
    """The values of the customers that every model knows."""
    table = np.stack([np.asarray(values, dtype=np.float64) for values in ndcg.values()])
    return dict(zip(ndcg, table[:, ~np.isnan(table).any(axis=0)], strict=True))


def _best(values: _Values, models: list[str]) -> str:
    return max(models, key=lambda model: float(values[model].mean()))


def _best_rival(values: _Values, model: str) -> str | None:
    """The best of the others; `random` only where there is nothing else."""
    others = [one for one in values if one not in (model, RANDOM)] or [one for one in values if one != model]
    return _best(values, others) if others else None


class _Wording:
    """Names and figures as the sentence prints them, with as many decimals as the means need."""

    def __init__(self, values: Mapping[str, NDArray[np.float64]], names: Mapping[str, str]) -> None:
        self._means = {model: float(by_customer.mean()) for model, by_customer in values.items()}
        self._names = names
        self._decimals = 3 if max(self._means.values()) >= 0.1 else 4

    def model(self, model: str) -> str:
        return self._names.get(model, model)

    def mean(self, model: str) -> str:
        return f"{self._means[model]:.{self._decimals}f}"

    def kind(self, model: str, simple: Collection[str]) -> str:
        return f"the simple {self.model(model)}" if model in simple else self.model(model)

    def interval(self, gap: Difference, tests: int = 1) -> str:
        low, high = (f"{end:+.{self._decimals}f}".replace("-", "−") for end in (gap.low, gap.high))
        corrected = f"; corrected for {tests} comparisons" if tests > 1 else ""
        return f"95 % interval of the difference {low} to {high}, {gap.n:,} customers{corrected}"

    def best(self, winner: str, other: str) -> str:
        first, second = self._means[winner], self._means[other]
        ratio = first / second if second > 0 else float("inf")
        lead = (
            "above"
            if ratio == float("inf")
            else f"{ratio:.1f} times that of"
            if ratio >= 3
            else f"{100 * (ratio - 1):.{0 if ratio >= 1.01 else 1}f} % above"
        )
        return (
            f"{self.model(winner)} finds the next products best: NDCG@10 {self.mean(winner)}, {lead} "
            f"{self.model(other)} ({self.mean(other)})"
        )

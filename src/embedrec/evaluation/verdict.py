"""The verdict: one sentence that says which model to serve, and whether chance may explain it.

The trained model is held against its best rival, by mean NDCG@10 over the same customers, nothing masked. A
rival keeps the benefit of the doubt: a model that is not better beyond chance is not worth its upkeep. In a
comparison of many models the best of the trained ones is held against the best simple one in the same way; both
are chosen on validation, so the test answers one question and needs no correction for many.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

from embedrec.evaluation.intervals import Difference, paired_difference

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
                   difference on the test excludes zero
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
        values, champion, rival, seed, shown, SIMPLE_MODELS
    )


def verdict_of_comparison(
    ndcg: Mapping[str, ArrayLike],
    valid: Mapping[str, float | None],
    seed: int,
    names: Mapping[str, str] | None = None,
    simple: Collection[str] = SIMPLE_MODELS,
) -> Verdict:
    """Judge a comparison of many models from test NDCG@10 by customer, each float[n] in one order, as in `verdict`.

    `valid` holds the validation NDCG@10 of the same models, None where nobody could be measured, and alone says who
    is compared: the best of the models that are not `simple`, and the best simple one. The trained model must be
    better on the test beyond chance, otherwise the simple one is recommended. Where all models are of one kind, the
    best on validation is held against the second, and recommended unless it is worse beyond chance.
    """
    assert ndcg, "no model to judge"
    assert ndcg.keys() == valid.keys(), f"tested {list(ndcg)}, validated {list(valid)}"
    values = _paired(ndcg)
    if not len(next(iter(values.values()))):
        return _NOBODY
    shown = _Wording(values, names or {})
    trained = _best_on_validation(valid, (model for model in valid if model not in simple and model != RANDOM))
    plain = best_simple_model(valid, simple)
    if trained and plain:
        return _undecidable(values, trained, plain, seed, shown) or _rival_in_doubt(
            values, trained, plain, seed, shown, simple
        )
    chosen = trained or plain or RANDOM
    others = [model for model in valid if model != chosen]
    second = _best_on_validation(valid, [model for model in others if model != RANDOM] or others)
    if second is None:
        return _alone(values, chosen, shown)
    return _undecidable(values, chosen, second, seed, shown) or _best_of_a_kind(
        values, chosen, second, seed, shown, simple
    )


def best_simple_model(valid: Mapping[str, float | None], simple: Collection[str] = SIMPLE_MODELS) -> str | None:
    """Return the simple model with the highest validation NDCG@10: the rival of a comparison.

    A model without a figure counts as 0, of equals the first is taken, and without simple models there is none.
    """
    return _best_on_validation(valid, (model for model in valid if model in simple))


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
    finds, means = (
        (f"{shown.model(ours)} does not find", shown.mean(ours))
        if rival == RANDOM
        else (
            f"Neither {shown.model(ours)} nor {shown.model(rival)} finds",
            f"{shown.mean(ours)} and {shown.mean(rival)}",
        )
    )
    sentence = (
        f"{finds} the next products better than a random order beyond chance: NDCG@10 {means}, of a random order "
        f"{shown.mean(RANDOM)}, {n:,} customers. Serve none."
    )
    return Verdict(sentence, "", beyond_chance=False, enough_data=True)


def _rival_in_doubt(
    values: _Values, ours: str, rival: str, seed: int, shown: _Wording, simple: Collection[str]
) -> Verdict:
    """Recommend our model only where it is better beyond chance."""
    gap = paired_difference(values[ours], values[rival], seed)
    interval, serve = shown.interval(gap), f"serve {shown.kind(rival, simple)}"
    if gap.low > 0:
        sentence = f"{shown.lead(ours, rival)}, beyond chance ({interval})."
        return Verdict(sentence, ours, beyond_chance=True, enough_data=True)
    if gap.high < 0:
        sentence = f"{shown.lead(rival, ours)}, beyond chance ({interval}): {serve}."
        return Verdict(sentence, rival, beyond_chance=True, enough_data=True)
    sentence = (
        f"{shown.model(ours)} is no better than {shown.model(rival)} beyond chance (NDCG@10 {shown.mean(ours)} "
        f"against {shown.mean(rival)}; {interval}): {serve}."
    )
    return Verdict(sentence, rival, beyond_chance=False, enough_data=True)


def _best_of_a_kind(
    values: _Values, chosen: str, second: str, seed: int, shown: _Wording, simple: Collection[str]
) -> Verdict:
    """Recommend one of two models that cost the same upkeep: in doubt the one that validation chose."""
    gap = paired_difference(values[chosen], values[second], seed)
    interval = shown.interval(gap)
    if gap.low <= 0 <= gap.high:
        sentence = (
            f"{shown.model(chosen)} and {shown.model(second)} do not differ beyond chance (NDCG@10 "
            f"{shown.mean(chosen)} against {shown.mean(second)}; {interval}): serve {shown.kind(chosen, simple)}, "
            "the better one on validation."
        )
        return Verdict(sentence, chosen, beyond_chance=False, enough_data=True)
    winner, other = (chosen, second) if gap.low > 0 else (second, chosen)
    sentence = f"{shown.lead(winner, other)}, beyond chance ({interval}): serve {shown.kind(winner, simple)}."
    return Verdict(sentence, winner, beyond_chance=True, enough_data=True)


def _paired(ndcg: Mapping[str, ArrayLike]) -> _Values:
    """The values of the customers that every model knows."""
    table = np.stack([np.asarray(values, dtype=np.float64) for values in ndcg.values()])
    return dict(zip(ndcg, table[:, ~np.isnan(table).any(axis=0)], strict=True))


def _best_on_validation(valid: Mapping[str, float | None], among: Iterable[str]) -> str | None:
    return max(among, key=lambda model: valid[model] or 0.0, default=None)


def _best_rival(values: _Values, model: str) -> str | None:
    """The best of the others; `random` only where there is nothing else."""
    others = [one for one in values if one not in (model, RANDOM)] or [one for one in values if one != model]
    return max(others, key=lambda one: float(values[one].mean()), default=None)


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

    def interval(self, gap: Difference) -> str:
        low, high = (f"{end:+.{self._decimals}f}".replace("-", "−") for end in (gap.low, gap.high))
        return f"95 % interval of the difference {low} to {high}, {gap.n:,} customers"

    def lead(self, winner: str, other: str) -> str:
        first, second = self._means[winner], self._means[other]
        ratio = first / second if second > 0 else float("inf")
        lead = (
            ""
            if ratio == float("inf")
            else f" ({ratio:.1f} times as high)"
            if ratio >= 3
            else f" ({100 * (ratio - 1):.{0 if ratio >= 1.01 else 1}f} % higher)"
        )
        return (
            f"{self.model(winner)} finds the next products better than {self.model(other)}: "
            f"NDCG@10 {self.mean(winner)} against {self.mean(other)}{lead}"
        )

"""The verdict: one sentence that says which model to serve, and whether chance may explain it.

The trained model is held against its best rival, by mean NDCG@10 over the same customers, nothing masked. A
rival keeps the benefit of the doubt: a model that is not better beyond chance is not worth its upkeep.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

from embedrec.evaluation.intervals import Difference, paired_difference

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
    beyond_chance  winner and runner-up, trained model and best rival, differ beyond chance: the 95 % interval
                   of their paired difference excludes zero
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
    table = np.stack([np.asarray(values, dtype=np.float64) for values in ndcg.values()])
    table = table[:, ~np.isnan(table).any(axis=0)]
    values = dict(zip(ndcg, table, strict=True))
    n = table.shape[1]
    too_few = f"Too few customers to tell (n = {n}; about {MIN_CUSTOMERS} are needed)"
    if n == 0:
        return Verdict(f"{too_few}: no model could be measured.", "", beyond_chance=False, enough_data=False)

    rivals = [model for model in values if model not in (champion, RANDOM)]
    if not rivals:
        rivals = [model for model in values if model != champion]
    shown = _Wording(values, names or {})
    ours = shown.model(champion)
    if not rivals:
        sentence = f"{ours} was measured alone: NDCG@10 {shown.mean(champion)}, {n:,} customers; nothing to compare."
        return Verdict(sentence, champion, beyond_chance=False, enough_data=n >= MIN_CUSTOMERS)

    rival = max(rivals, key=lambda model: float(values[model].mean()))
    theirs = shown.model(rival)
    if n < MIN_CUSTOMERS:
        sentence = f"{too_few}: {ours} reaches NDCG@10 {shown.mean(champion)}, {theirs} {shown.mean(rival)}."
        ahead = champion if values[champion].mean() > values[rival].mean() else rival
        return Verdict(sentence, ahead, beyond_chance=False, enough_data=False)

    floor = values.get(RANDOM)
    if floor is not None and not any(
        paired_difference(values[model], floor, seed).low > 0 for model in (champion, rival)
    ):
        sentence = (
            f"No model finds the next products better than a random order beyond chance: NDCG@10 of {ours} "
            f"{shown.mean(champion)}, of a random order {shown.mean(RANDOM)}, {n:,} customers. Serve none."
        )
        return Verdict(sentence, "", beyond_chance=False, enough_data=True)

    gap = paired_difference(values[champion], values[rival], seed)
    interval = shown.interval(gap)
    if gap.low > 0:
        sentence = f"{shown.best(champion, rival)}, beyond chance ({interval})."
        return Verdict(sentence, champion, beyond_chance=True, enough_data=True)
    serve = f"serve the simple {theirs}" if rival in SIMPLE_MODELS else f"serve {theirs}"
    if gap.high < 0:
        sentence = f"{shown.best(rival, champion)}, beyond chance ({interval}): {serve}."
        return Verdict(sentence, rival, beyond_chance=True, enough_data=True)
    sentence = (
        f"{ours} is no better than {theirs} beyond chance (NDCG@10 {shown.mean(champion)} against "
        f"{shown.mean(rival)}; {interval}): {serve}."
    )
    return Verdict(sentence, rival, beyond_chance=False, enough_data=True)


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

    def interval(self, gap: Difference) -> str:
        low, high = (f"{end:+.{self._decimals}f}".replace("-", "−") for end in (gap.low, gap.high))
        return f"95 % interval of the difference {low} to {high}, {gap.n:,} customers"

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

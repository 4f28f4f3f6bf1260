"""Why a product is recommended, in one short sentence made from the parts of its score.

A part matters by how far it lifts the product above the catalogue's average: what adds the same to every product
is no reason for any.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from embedrec.features import Customers, Snapshot
from embedrec.features.history import Ints
from embedrec.models import Explanation, Scorer
from embedrec.serving.profile import to_date

NAMED = 2  # bought products named in one reason
POPULAR = "Popular with other customers"
WORDS = {
    "identity": "Fits this customer's own taste",
    "activity": "Fits how often and how much they shop",
    "price": "Fits their usual price level",
    "popularity": POPULAR,
    "taste": POPULAR,
    "random": "Picked at random",
}


def reasons(scorer: Scorer, snapshot: Snapshot, customer: Customers, items: Ints, names: Sequence[str]) -> list[str]:
    """Return a sentence for each of items[n]; names[N] are what products are called."""
    explanation = scorer.explain(customer, items)
    return [_reason(explanation, place, item, snapshot, customer, names) for place, item in enumerate(items)]


def _reason(
    explanation: Explanation,
    place: int,
    item: int,
    snapshot: Snapshot,
    customer: Customers,
    names: Sequence[str],
) -> str:
    if item in customer.bought.values and "repeat" in explanation.parts:
        return _bought_before(item, snapshot, customer)
    lift = {name: float(part[place]) - explanation.average[name] for name, part in explanation.parts.items()}
    lift.pop("repeat", None)
    strongest = max(lift, key=lambda name: lift[name])
    if strongest == "history":
        pull = explanation.pull[place].numpy()
        first = [places for places in np.argsort(-pull, kind="stable")[:NAMED] if pull[places] > 0]
        if first:
            return "Goes with " + " and ".join(names[explanation.bought[one]] for one in first) + ", bought before"
    if strongest == "category":
        return (
            f"Fits their favourite category: {snapshot.encoder.schema.categories[customer.category[0] - 1]}"
            if (customer.category[0])
            else WORDS["identity"]
        )
    return WORDS.get(strongest, POPULAR)


def _bought_before(item: int, snapshot: Snapshot, customer: Customers) -> str:
    lines = customer.lines.values[customer.line_items == item]
    times = f"{len(lines)} times" if len(lines) > 1 else "once"
    return f"Bought {times} before, last on {to_date(snapshot.history.times[lines].max()).isoformat()}"

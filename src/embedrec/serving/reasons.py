"""Why a product is recommended, in one short sentence made from the parts of its score.

A part matters by how far it lifts the product above the catalogue's average: what adds the same to every product
is no reason for any. The strongest part is named, and the second where it lifts at least half as much.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from embedrec.features import Customers, Snapshot
from embedrec.features.history import Ints
from embedrec.features.schema import AGE, LOOKS
from embedrec.models import Explanation, Scorer
from embedrec.serving.profile import to_date

NAMED = 2  # bought products named in one reason
WORTH_NAMING = 0.5  # share of the strongest part's lift
POPULAR, NEW, THIS_MONTH = "popular with other customers", "new in the shop", "popular this month"
DUE = "time to buy again: "
WORDS = {
    "identity": "fits this customer's own taste",
    "activity": "fits how often and how much they shop",
    "price": "fits their usual price level",
    "order": "often follows what they bought last",
    "popularity": POPULAR,
    "taste": POPULAR,
    "newness": NEW,
    "esteem": "rated highly by other customers",
    "random": "picked at random",
}


def reasons(
    scorer: Scorer,
    snapshot: Snapshot,
    customer: Customers,
    items: Ints,
    names: Sequence[str],
    bought_before: str | None = None,
    dated: bool = True,
) -> list[str]:
    """Return a sentence for each of items[n].

    names[N] are what products are called; `bought_before` replaces the count and date of a product bought before;
    without `dated` times are made up and are not told.
    """
    return reasons_of(scorer.explain(customer, items), snapshot, customer, items, names, bought_before, dated)


def reasons_of(
    explanation: Explanation,
    snapshot: Snapshot,
    customer: Customers,
    items: Ints,
    names: Sequence[str],
    bought_before: str | None = None,
    dated: bool = True,
) -> list[str]:
    """Return what `reasons` does, of scores that were taken apart already."""
    values = {part: value.tolist() for part, value in explanation.parts.items()}
    always = {part: phrase for part in values if (phrase := _of_customer(part, snapshot, customer)) is not None}
    bought = set(customer.bought.values.tolist()) if "repeat" in explanation.parts else set()
    return [
        bought_before or _bought_before(int(item), snapshot, customer, dated)
        if item in bought
        else sentence(_strongest(explanation, values, always, items, place, snapshot, customer, names, dated))
        for place, item in enumerate(items)
    ]


def sentence(phrases: list[str]) -> str:
    """Join phrases and start with a capital."""
    text = "; ".join(phrases)
    return text[:1].upper() + text[1:]


def popular(item: int, snapshot: Snapshot, dated: bool = True) -> str:
    """Say how a product stands with all customers: one that nobody bought yet is not popular."""
    if np.isnan(snapshot.products.dynamic[item, AGE]):
        return NEW
    return THIS_MONTH if dated and snapshot.calendar.popular[item] else POPULAR


def _strongest(
    explanation: Explanation,
    values: dict[str, list[float]],
    always: dict[str, str],
    items: Ints,
    place: int,
    snapshot: Snapshot,
    customer: Customers,
    names: Sequence[str],
    dated: bool,
) -> list[str]:
    """Phrases for the one or two parts that lift the product most."""
    lift: dict[str, float] = {}
    for part, value in values.items():
        phrase = (
            always[part]
            if part in always
            else _phrase(part, explanation, items, place, snapshot, customer, names, dated)
        )
        if phrase:
            lift[phrase] = lift.get(phrase, 0.0) + value[place] - explanation.average[part]
    ranked = sorted(lift, key=lambda phrase: -lift[phrase])
    return [phrase for phrase in ranked[:2] if lift[phrase] >= WORTH_NAMING * lift[ranked[0]]] or ranked[:1]


def _of_customer(part: str, snapshot: Snapshot, customer: Customers) -> str | None:
    """Say in words what a part stands for with every product alike; None where that depends on the product."""
    if part == "category":
        row = int(customer.category[0])
        return f"fits their favourite category, {snapshot.encoder.schema.categories[row - 1]}" if row else ""
    if part == "identity" and not customer.row[0]:
        return ""  # the model never met this customer
    word = WORDS.get(part, "")
    return None if part in ("history", "looks", "habits", "newness") or word == POPULAR else word


def _phrase(
    part: str,
    explanation: Explanation,
    items: Ints,
    place: int,
    snapshot: Snapshot,
    customer: Customers,
    names: Sequence[str],
    dated: bool,
) -> str:
    """Say in words what a part stands for with one product; empty where it says nothing for this customer."""
    if part == "history":
        pull = explanation.pull[place].numpy()
        named = [one for one in np.argsort(-pull, kind="stable")[:NAMED] if pull[one] > 0]
        return "because they bought " + " and ".join(names[explanation.bought[one]] for one in named) if named else ""
    if part == "looks":
        fits = "fits what they looked at" if explanation.parts[part][place] else ""
        return _looked_at(int(items[place]), customer) or fits
    if part == "habits":
        return "new, from a category they buy" if explanation.parts[part][place] else ""
    if part == "newness" and not explanation.parts[part][place]:
        return ""
    word = WORDS.get(part, "")
    return popular(int(items[place]), snapshot, dated) if word == POPULAR else word


def _looked_at(item: int, customer: Customers) -> str:
    at = np.flatnonzero(customer.seen.values == item)
    if not len(at):
        return ""
    carted = customer.looks[at[0], LOOKS.index("carts")] > 0
    return "they put it in the cart and have not bought it yet" if carted else "they looked at it before"


def _bought_before(item: int, snapshot: Snapshot, customer: Customers, dated: bool) -> str:
    lines = customer.lines.values[customer.line_items == item]
    times = f"{len(lines)} times" if len(lines) > 1 else "once"
    if not dated:
        return f"Bought {times} before"
    moments = customer.history.times[lines]
    last = to_date(moments.max())
    if due := snapshot.calendar.due(item, moments):
        days = f"{due[0]} day{'s' if due[0] > 1 else ''}"
        usual = f"usually every {days}" if due[1] else f"customers usually do after {days}"
        return sentence([f"{DUE}{usual}, last on {last.day} {last:%b %Y}"])
    return f"Bought {times} before, last on {last.day} {last:%b %Y}"

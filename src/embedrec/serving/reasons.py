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
from embedrec.models import Explanation
from embedrec.serving.profile import to_date

NAMED = 2  # bought products named in one reason
WORTH_NAMING = 0.5  # share of the strongest part's lift
POPULAR, NEW, THIS_MONTH = "popular with other customers", "new in the shop", "popular this month"
DUE = "time to buy again: "
LATER = ("history", "looks", "habits")
"""Parts that take longer to put into words, which is done for the strongest alone."""
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
    explanation: Explanation,
    snapshot: Snapshot,
    customer: Customers,
    items: Ints,
    names: Sequence[str],
    bought_before: str | None = None,
    dated: bool = True,
) -> list[str]:
    """Return a sentence for each of items[n], of which the explanation is.

    names[N] are what products are called; `bought_before` replaces the count and date of a product bought before;
    without `dated` times are made up and are not told.
    """
    values = {part: value.tolist() for part, value in explanation.parts.items()}
    always = {part: phrase for part in values if (phrase := _of_customer(part, snapshot, customer)) is not None}
    bought = set(customer.bought.values.tolist()) if "repeat" in explanation.parts else set()
    sentences = []
    for place, item in enumerate(items.tolist()):
        if item in bought:
            sentences.append(bought_before or _bought_before(item, snapshot, customer, dated))
            continue
        everybodys = popular(item, snapshot, dated)
        lift: dict[str, float] = {}
        for part, value in values.items():
            if source := always[part] if part in always else _source(part, value[place], everybodys):
                lift[source] = lift.get(source, 0.0) + value[place] - explanation.average[part]
        sentences.append(sentence(_strongest(lift, explanation, place, item, customer, names)))
    return sentences


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
    lift: dict[str, float], explanation: Explanation, place: int, item: int, customer: Customers, names: Sequence[str]
) -> list[str]:
    """Phrases for the one or two sources that lift the product most, of those that say anything."""
    phrases: list[str] = []
    most = 0.0
    for source in sorted(lift, key=lambda source: -lift[source]):
        if phrases and lift[source] < WORTH_NAMING * most:
            break
        if phrase := _phrase(source, explanation, place, item, customer, names):
            if phrases:
                return [*phrases, phrase]
            phrases, most = [phrase], lift[source]
    return phrases


def _of_customer(part: str, snapshot: Snapshot, customer: Customers) -> str | None:
    """Say in words what a part stands for with every product alike; None where that depends on the product."""
    if part == "category":
        row = int(customer.category[0])
        return f"fits their favourite category, {snapshot.encoder.schema.categories[row - 1]}" if row else ""
    if part == "identity" and not customer.row[0]:
        return ""  # the model never met this customer
    word = WORDS.get(part, "")
    return None if part in (*LATER, "newness") or word == POPULAR else word


def _source(part: str, value: float, everybodys: str) -> str:
    """What a part is told as where that depends on the product: a phrase, or its own name until it is needed."""
    if part in LATER:
        return part
    word = WORDS.get(part, "")
    if part == "newness" and not value:
        return ""
    return everybodys if word == POPULAR else word


def _phrase(
    source: str, explanation: Explanation, place: int, item: int, customer: Customers, names: Sequence[str]
) -> str:
    """Put a source into words; empty where it says nothing for this customer and product."""
    if source == "history":
        pull = explanation.pull[place].numpy()
        named = [one for one in np.argsort(-pull, kind="stable")[:NAMED] if pull[one] > 0]
        return "because they bought " + " and ".join(names[explanation.bought[one]] for one in named) if named else ""
    if source == "looks":
        return _looked_at(item, customer) or ("fits what they looked at" if explanation.parts[source][place] else "")
    if source == "habits":
        return "new, from a category they buy" if explanation.parts[source][place] else ""
    return source


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

"""Who buys what: too few who decide, products that only one table knows, and what is bought again."""

from __future__ import annotations

from embedrec.doctor.facts import Facts
from embedrec.report import Finding, percent

WHALE = 0.05
"""One customer's share of the purchases, from which popularity is partly theirs: a reseller, or a till."""
HEAD = 0.5
"""Share of the purchases on 1 % of the products, from which an unpersonal list is hard to beat."""
FEWEST_SOLD = 100  # products, below which 1 % of them is one
FEWEST_TESTED = 25  # customers, below which a share of what they buy is an accident
FEWEST_BUYERS = 100  # customers, below which 5 % are no excess
ONE_TIME = 0.8  # share of the customers with a single purchase, from which there is little to learn from
OFTEN, SELDOM = 0.3, 0.02
"""Share of re-purchases among what is held out: what customers have must stay on the list, and need not be."""
MANY_COLD = 0.2
"""Share of held-out purchases of products never sold before, that a model of ids alone must miss."""


def spread(facts: Facts) -> list[Finding]:
    """Look at how purchases are spread over customers and products."""
    found = []
    of = facts.concentration
    if of.largest_customer > WHALE and facts.customers >= FEWEST_BUYERS:
        sentence = f"one customer made {percent(of.largest_customer)} of all purchases: a reseller, or a till?"
        found.append(Finding("warn", sentence, {"largest_customer": of.largest_customer}))
    if of.top_1_percent > HEAD and facts.products >= FEWEST_SOLD:
        sentence = (
            f"{percent(of.top_1_percent)} of the purchases are of 1 % of the products: bestsellers are hard to beat"
        )
        found.append(Finding("info", sentence, {"top_1_percent": of.top_1_percent}))
    if of.customers_once > ONE_TIME:
        sentence = (
            f"{percent(of.customers_once)} of the customers bought once: of them there is no next purchase to learn"
        )
        found.append(Finding("warn", sentence, {"customers_once": of.customers_once}))
    return found + _repeats(facts) + _cold(facts)


def _repeats(facts: Facts) -> list[Finding]:
    held_out = facts.held_out
    if held_out is None or held_out.customers < FEWEST_TESTED or held_out.protocol == "random":
        return []  # a random part holds out every purchase of a product, so that nothing is bought again
    share = held_out.repeat_share or 0.0
    said = f"{percent(share)} of what known customers buy after the cut they had bought before"
    if share >= OFTEN:
        sentence = f"{said}: leave bought products on the list (exclude_bought=false, the default)"
    elif share < SELDOM:
        sentence = (
            f"{said}: nobody needs to see again what they have, so ask for exclude_bought=true (--exclude-bought)"
        )
    else:
        sentence = f"{said}: bought products earn their places, unless the page is to inspire"
    return [Finding("info", sentence, {"repeat_share": share})]


def _cold(facts: Facts) -> list[Finding]:
    if facts.held_out is None or facts.held_out.customers < FEWEST_TESTED:
        return []
    share = facts.held_out.cold_share or 0.0
    if share < MANY_COLD:
        return []
    sentence = (
        f"{percent(share)} of what is bought after the cut had never been sold before: only a model that reads "
        "product attributes can find it"
    )
    return [Finding("warn", sentence, {"cold_share": share})]

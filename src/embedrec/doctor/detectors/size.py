"""Too little, and for what."""

from __future__ import annotations

from embedrec.columns import CATEGORY, PRICE
from embedrec.doctor.facts import Facts
from embedrec.evaluation.verdict import MIN_CUSTOMERS
from embedrec.report import Finding

FEW_FILLED = 0.5  # of the products with a value, below which an attribute says little


def size(facts: Facts, lacking: str) -> list[Finding]:
    """Say what there is not enough of; `lacking` is what `too_little` says."""
    found = []
    if lacking:
        found.append(Finding("stop", f"too little to train a model: {lacking}; popular products are all there is"))
    if (of := facts.held_out) and min(of.customers, of.validation_customers) < MIN_CUSTOMERS:
        sentence = (
            f"known customers to test on: {of.customers:,}, to choose settings by (validation): "
            f"{of.validation_customers:,}; about {MIN_CUSTOMERS} are needed, or usual differences between models "
            "drown in chance"
        )
        figures = {"test": of.customers, "validation": of.validation_customers}
        found.append(Finding("stop" if not of.customers else "warn", sentence, figures))
    return found + _attributes(facts)


def _attributes(facts: Facts) -> list[Finding]:
    unpriced = Finding("info", "no price is known: models and page go without")
    found = [] if PRICE in facts.histograms else [unpriced]
    share = facts.filled.get(CATEGORY, 0.0)
    if share < FEW_FILLED:
        said = f"only {share:.0%} of the products have a category" if share else "no product has a category"
        found.append(Finding("info", f"{said}: about new products little can be said", {"categorised": share}))
    return found

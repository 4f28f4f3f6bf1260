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
    if held_out := facts.held_out:
        for customers, purpose in (
            (held_out.validation_customers, "choose settings by (validation)"),
            (held_out.customers, "tell models apart by (test)"),
        ):
            if customers < MIN_CUSTOMERS:
                sentence = (
                    f"{customers:,} customers to {purpose}: about {MIN_CUSTOMERS} are needed, or usual differences "
                    "between models drown in chance"
                )
                found.append(Finding("warn" if customers else "stop", sentence, {"customers": customers}))
    return found + _attributes(facts)


def _attributes(facts: Facts) -> list[Finding]:
    if PRICE not in facts.histograms:
        found = [Finding("info", "no price is known: models and page go without")]
    else:
        found = []
    share = facts.filled.get(CATEGORY, 0.0)
    if share < FEW_FILLED:
        said = f"only {share:.0%} of the products have a category" if share else "no product has a category"
        found.append(Finding("info", f"{said}: about new products little can be said", {"categorised": share}))
    return found

"""Ids that are something else: a category, or the number of a row."""

from __future__ import annotations

from embedrec.doctor.facts import Facts
from embedrec.report import Finding

FEW = 20
"""A list of ten shows half of so many products; so few customers are rather shops or channels."""
EACH = 50  # purchases of each id, from which few ids cannot be chance
COUNTED = 0.9
"""Ids for each purchase, above which they number rows: with 9 of 10 seen once there is nobody to learn from."""
FEWEST_ROWS = 50


def ids(facts: Facts) -> list[Finding]:
    """Look at how many different ids there are for so many purchases."""
    found = []
    for name, count in (("customer_id", facts.customers), ("product_id", facts.products)):
        kind = name.removesuffix("_id")
        figures = {f"{kind}s": count, "purchases": facts.purchases}
        if count <= FEW and facts.purchases >= EACH * count:
            what = "a shop or channel" if kind == "customer" else "a category"
            sentence = f"{name} has {count} values for {facts.purchases:,} purchases: is it {what}, not one {kind}?"
            found.append(Finding("warn", sentence, figures))
        elif count >= COUNTED * facts.purchases and facts.purchases >= FEWEST_ROWS:
            sentence = (
                f"{name} has {count:,} values for {facts.purchases:,} purchases: is it the number of a row or an "
                f"order? Of {kind}s seen once a model learns nothing"
            )
            found.append(Finding("warn", sentence, figures))
    return found

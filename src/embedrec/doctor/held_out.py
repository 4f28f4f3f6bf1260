"""`HeldOut`: what the purchases after the cut ask of a model that knows those before it."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from embedrec.features import History
from embedrec.features.history import NEVER
from embedrec.splits import Protocol, Split, day


@dataclass(frozen=True)
class HeldOut:
    """The test window; a customer who buys a product several times in it counts once. None without such a purchase."""

    protocol: Protocol
    since: str | None
    """None where the dates were made up."""
    pairs: int
    """Customers with each product they buy."""
    customers: int
    """With a purchase before the cut as well: who can be tested."""
    validation_customers: int
    """Likewise in the window before."""
    repeat_share: float | None
    """Share of the tested customers' pairs that they had bought before."""
    cold_share: float | None
    """Share of all pairs whose product was never sold before."""
    newcomer_share: float | None
    """Share of the window's customers who had bought nothing before."""


def held_out_of(history: History, split: Split) -> HeldOut:
    """Describe the test window of a split."""
    cut, n_items = split.test_from, history.n_items
    buyers = history.buyers(cut, split.end)
    tested = history.returning_buyers(cut, split.end)
    targets = history.targets(buyers, cut, split.end)
    before = history.targets(buyers, NEVER, cut)
    again = np.isin(targets.rows * n_items + targets.values, before.rows * n_items + before.values)
    of_tested = np.isin(buyers, tested)[targets.rows]
    cold = history.distinct_customers(NEVER + 1, cut)[targets.values] == 0
    return HeldOut(
        protocol=split.protocol,
        since=day(cut) if split.dated else None,
        pairs=len(targets.values),
        customers=len(tested),
        validation_customers=len(history.returning_buyers(split.valid_from, cut)),
        repeat_share=float(again[of_tested].mean()) if of_tested.any() else None,
        cold_share=float(cold.mean()) if len(cold) else None,
        newcomer_share=1 - len(tested) / len(buyers) if len(buyers) else None,
    )

"""What speaks against a bundle: a simple rule does as well, its figures cannot be repeated, or the champion stands."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any, NamedTuple

from embedrec.bundle import Bundle, Manifest
from embedrec.errors import EmbedrecError
from embedrec.evaluation.intervals import paired_difference
from embedrec.evaluation.ranking import RankedView
from embedrec.evaluation.verdict import MIN_CUSTOMERS, RANDOM
from embedrec.experiment.reevaluation import Window, settings_of
from embedrec.splits import parse_date

DATED = "global_time"
EQUAL = 1e-6  # relative: another machine may round the last digits of a mean otherwise


class PromotionError(EmbedrecError):
    """A bundle is not worth serving, or not known to be."""


class Contest(NamedTuple):
    """Two bundles on one window: NDCG@10, view all, of the customers both know; the gap is challenger − champion."""

    champion: str
    challenger_ndcg: float
    champion_ndcg: float
    gap: float
    low: float
    high: float
    customers: int

    @property
    def sentence(self) -> str:
        """Say how it went in one line."""
        if not self.customers:
            return f"{self.champion} knows no customer of the window"
        return (
            f"NDCG@10 {self.challenger_ndcg:.4f} against {self.champion_ndcg:.4f} of {self.champion}, 95 % interval of "
            f"the difference {_signed(self.low)} to {_signed(self.high)}, {self.customers:,} customers"
        )

    @property
    def objection(self) -> str:
        """Say why the champion stays; empty where the challenger is better beyond chance."""
        if self.customers < MIN_CUSTOMERS:
            return (
                f"only {self.customers:,} customers of the window are known to it and to {self.champion}, about "
                f"{MIN_CUSTOMERS} are needed to tell which is better"
            )
        return "" if self.low > 0 else f"it is no better than {self.champion} beyond chance: {self.sentence}"


def own_objection(manifest: Manifest) -> str:
    """Say what a bundle tells against itself; empty where nothing."""
    if manifest.fallback_from:
        return f"there was too little data to train {manifest.fallback_from}: the bundle holds popular products"
    if manifest.beaten_by:
        what = "no model beats a random order" if manifest.beaten_by == RANDOM else "a simpler rule wins"
        return f"{what}: {manifest.verdict.rstrip('.')}"
    customers = test_customers(manifest)
    if customers < MIN_CUSTOMERS:
        return f"it was tested on {customers:,} customers, about {MIN_CUSTOMERS} are needed to tell"
    return ""


def test_customers(manifest: Manifest) -> int:
    """Return how many customers stand behind the figures of a bundle's model."""
    return int(reported_figures(manifest).get("all", {}).get("ndcg@10", {}).get("n", 0))


def reported_figures(manifest: Manifest) -> dict[str, Any]:
    """Return the test figures a bundle gives of its own model."""
    return dict(manifest.metrics.get(manifest.model.name, {}).get("test", {}))


def overlap_objection(champion: Manifest, challenger: Manifest, name: str) -> str:
    """Say whether the champion's weights have learned from the challenger's test window; empty where they have not.

    With dates the champion's training must end before the window begins. Without, times are made up, and only the
    same tables cut in the same way hold out the same purchases.
    """
    if champion.split["protocol"] == challenger.split["protocol"] == DATED:
        learned, begins = champion.split["test_from"], challenger.split["test_from"]
        if parse_date("test_from", learned) <= parse_date("test_from", begins):
            return ""
        return (
            f"{name} learned from purchases up to {learned}, and the test window begins on {begins}: it has seen part "
            f"of the answers; train with split.test_from={learned} or later"
        )
    same = champion.data["fingerprint"] == challenger.data["fingerprint"] and champion.split == challenger.split
    if same and champion.config["split"] == challenger.config["split"]:
        return ""
    return (
        f"{name} was not cut as this bundle was ({champion.split['protocol']} and {challenger.split['protocol']}), so "
        "it may have learned from the purchases held out here; without dates both need the same tables and split"
    )


def figure_objection(reported: Mapping[str, Any], measured: Mapping[str, Any]) -> str:
    """Name the first figure that the bundle alone does not give again; empty where all are equal."""
    for view, figures in measured.items():
        for name, figure in figures.items():
            told = reported.get(view, {}).get(name, {})
            for part in ("value", "n"):
                if not _equal(told.get(part), figure[part]):
                    return (
                        f"measured from the bundle alone, {name} ({view}) is {figure[part]} where the run reported "
                        f"{told.get(part)}"
                    )
    return ""


def hold(challenger: Bundle, champion: Bundle, window: Window, ours: RankedView, name: str) -> Contest:
    """Compare two bundles on a window for the customers both know; `ours` are the challenger's lists on it."""
    theirs = window.rank(champion, ("all",))["all"]
    assert (ours.users == theirs.users).all(), "the customers of a window are those of its tables"
    ids = window.history.customer_ids[ours.users]
    both = ids.isin(challenger.schema.customers) & ids.isin(champion.schema.customers)
    new, old = (view.metric("ndcg", 10)[both] for view in (ours, theirs))
    gap = paired_difference(new, old, settings_of(challenger).seed)
    ours_mean, theirs_mean = (float(values.mean()) if len(values) else math.nan for values in (new, old))
    return Contest(name, ours_mean, theirs_mean, gap.mean, gap.low, gap.high, gap.n)


def _equal(told: float | None, found: float | None) -> bool:
    return told is found if told is None or found is None else math.isclose(told, found, rel_tol=EQUAL, abs_tol=1e-12)


def _signed(value: float) -> str:
    return f"{value:+.4f}".replace("-", "−")

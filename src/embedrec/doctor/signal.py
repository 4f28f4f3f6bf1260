"""Is there a signal at all? The best quick model, held against itself on a copy whose customers buy at random.

In the copy the products of all purchase lines are shuffled, within training, validation and test each: every product
sells as often and every customer buys as much as before in each window, but who buys what is chance. A model that is
no better on the shop than on the copy has found nothing about single customers. Both sides choose the quick model on
validation and are measured on the test, customer by customer.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np

from embedrec.doctor.held_out import held_out_of
from embedrec.evaluation.intervals import paired_difference
from embedrec.evaluation.ranking import Truth, rank
from embedrec.evaluation.verdict import MIN_CUSTOMERS
from embedrec.features import Catalogue, FeatureEncoder, History, Snapshot
from embedrec.features.history import Bools, Floats, Ints
from embedrec.models import ClassicConfig, PopularityRecentConfig
from embedrec.models.classic.item_knn import ItemKnnConfig
from embedrec.models.classic.personal_frequency import PersonalFrequencyConfig
from embedrec.report import Finding
from embedrec.splits import Split

KNOWN = 5000
"""Customers whose purchases are used, drawn at random; enough for an interval, and quick."""
RANKED = 2000  # of them, customers who are ranked for
CELLS = 40_000_000  # scores a model and window, which bounds the time in a shop of many products
PAIRED = 30_000  # products, above which comparing each with each would take minutes
AGAIN = 30  # times that lines are shuffled anew where nobody buys twice
STEPS = 8  # models fitted: three and the best of them, on the shop and on the copy
FEWEST = 25
"""Test customers below which no interval says anything, and nothing is measured."""

Say = Callable[[str], None]


@dataclass(frozen=True)
class Signal:
    """NDCG@10 of the best quick model on the shop and on the shuffled copy; low … high is their 95 % difference."""

    model: str
    ndcg: float
    shuffled: float
    low: float
    high: float
    customers: int
    skipped: str = ""
    """What was left out, and why."""

    @property
    def found(self) -> bool:
        """Whether the shop tells more than chance does."""
        return self.low > 0

    def finding(self) -> Finding:
        """Say it."""
        figures = {name: getattr(self, name) for name in ("model", "ndcg", "shuffled", "low", "high", "customers")}
        low, high = (f"{end:+.4f}".replace("-", "−") for end in (self.low, self.high))
        said = (
            f"{self.model} reaches NDCG@10 {self.ndcg:.4f}, and {self.shuffled:.4f} where customers buy at random; "
            f"95 % interval of the difference {low} to {high}, {self.customers:,} customers{self.skipped}"
        )
        if self.found:
            return Finding("info", f"there is a signal: {said}", figures)
        if self.customers < MIN_CUSTOMERS:
            return Finding("warn", f"no signal to be seen among so few customers: {said}", figures)
        return Finding("stop", f"no signal: no quick model beats chance ({said})", figures)


def signal(
    history: History, catalogue: Catalogue, split: Split, seed: int = 0, say: Say = lambda _: None
) -> Signal | None:
    """Measure the quick models on a shop and on its shuffled copy; `say` is told each before it is fitted.

    None where there are too few customers to test on.
    """
    if len(history.returning_buyers(split.test_from, split.end)) < FEWEST:
        return None
    rng = np.random.default_rng(seed)
    known = _of_some(history, rng)
    models: list[ClassicConfig] = [PopularityRecentConfig(), PersonalFrequencyConfig()]
    skipped = f"; item_knn left out, it would compare each of {known.n_items:,} products with each"
    if known.n_items <= PAIRED:
        models, skipped = [*models, ItemKnnConfig()], ""
    # where nobody buys again, what a customer has would only fill the list
    view = "all" if held_out_of(known, split).repeat_share else "new"
    shop = _Measured.of(known, catalogue, split, models, view, lambda model: say(f"{model} on the shop"))
    mixed = shuffled(known, split, rng, repeats=view == "all")
    copy = _Measured.of(mixed, catalogue, split, models, view, lambda model: say(f"{model} on a shuffled copy"))
    users, ours, theirs = np.intersect1d(shop.users, copy.users, assume_unique=True, return_indices=True)
    if len(users) < FEWEST:
        return None
    gap = paired_difference(shop.ndcg[ours], copy.ndcg[theirs], seed)
    ndcg, chance = float(shop.ndcg[ours].mean()), float(copy.ndcg[theirs].mean())
    return Signal(shop.model, ndcg, chance, gap.low, gap.high, len(users), skipped)


def shuffled(history: History, split: Split, rng: np.random.Generator, *, repeats: bool = True) -> History:
    """Return a copy in which the products of purchase lines[E] are shuffled within each window.

    Without `repeats`, as in a shop where nobody buys a product twice, lines that give a customer what they have are
    shuffled again, together with as many others, until few are left.
    """
    items = history.items.copy()
    borders = [split.valid_from, split.test_from]
    window = np.searchsorted(borders, history.times, side="right")
    for which in range(len(borders) + 1):
        inside = np.flatnonzero(window == which)
        items[inside] = rng.permutation(items[inside])
        for _ in range(0 if repeats else AGAIN):
            again = inside[_repeated(history.users * history.n_items + items, window <= which)[inside]]
            if not len(again):
                break
            mixed = np.union1d(again, rng.choice(inside, min(len(again), len(inside)), replace=False))
            items[mixed] = rng.permutation(items[mixed])
    return _lines(replace(history, items=items), np.lexsort((items, history.times, history.users)))


def _repeated(pairs: Ints, known: Bools) -> Bools:
    """Mark the lines[E] whose pair stands on an earlier known line."""
    where = np.flatnonzero(known)
    _, first = np.unique(pairs[where], return_index=True)
    repeated = known.copy()
    repeated[where[first]] = False
    return repeated


def _of_some(history: History, rng: np.random.Generator) -> History:
    """Keep the purchases of at most KNOWN customers, and no views and carts: the quick models look at none."""
    buyers = np.unique(history.users)
    chosen = rng.choice(buyers, KNOWN, replace=False) if len(buyers) > KNOWN else buyers
    kept = _lines(history, np.isin(history.users, chosen))
    activity = {name: getattr(kept, name)[:0] for name in vars(kept) if name.startswith("activity_")}
    return replace(kept, **activity)


def _lines(history: History, which: Ints | Bools) -> History:
    """Take some purchase lines, or all in another order."""
    columns = ("users", "items", "times", "spend", "prices", "stars")
    return replace(history, **{name: getattr(history, name)[which] for name in columns})


@dataclass(frozen=True)
class _Measured:
    """The quick model that is best on validation, and its NDCG@10 by test customer."""

    model: str
    users: Ints
    ndcg: Floats

    @classmethod
    def of(
        cls, history: History, catalogue: Catalogue, split: Split, models: list[ClassicConfig], view: str, say: Say
    ) -> _Measured:
        """Choose on validation, measure on the test."""
        few = max(1, min(RANKED, CELLS // max(history.n_items, 1)))
        before_valid, before_test = (
            FeatureEncoder.fit(history, catalogue, until).at(until) for until in (split.valid_from, split.test_from)
        )
        valid = Truth.of_window(before_valid, split.test_from).sample(before_valid, few)
        test = Truth.of_window(before_test, split.end).sample(before_test, few)
        best, highest = models[0], -1.0
        for model in models:
            say(model.name)
            scores = _ndcg(model, before_valid, valid, view)[1]
            if len(scores) and scores.mean() > highest:
                best, highest = model, float(scores.mean())
        say(best.name)
        return cls(best.name, *_ndcg(best, before_test, test, view))


def _ndcg(model: ClassicConfig, moment: Snapshot, truth: Truth, view: str) -> tuple[Ints, Floats]:
    scorer = model.build(moment.encoder.schema).fit(moment)
    ranked = rank(scorer, moment, truth, (view,), auc=False)[view]
    return ranked.users, ranked.metric("ndcg", 10)

"""Is there a signal at all? Quick personal models, each held against itself on a copy whose customers buy at random.

In the copy the products of all purchase lines are shuffled, a fiftieth of the lines at a time and no further than
within training, validation or test: every product sells as often and every customer buys as much as before in each
stretch of time, but who buys what is chance. A list of popular products is as good on the one as on the other; a model
that looks at single customers is better on the shop, if their past tells of their future at all. Each is measured on
the test, customer by customer; with two models a p-value counts twice (Bonferroni), so that one false alarm in twenty
stays one.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import asdict, dataclass, replace

import numpy as np

from embedrec.doctor.held_out import held_out_of
from embedrec.evaluation.intervals import Difference, paired_difference
from embedrec.evaluation.ranking import Truth, rank
from embedrec.evaluation.verdict import MIN_CUSTOMERS
from embedrec.features import Catalogue, FeatureEncoder, History, Snapshot
from embedrec.features.history import Bools, Floats, Ints
from embedrec.models import ClassicConfig, PopularityRecentConfig
from embedrec.models.classic.item_knn import ItemKnnConfig
from embedrec.models.classic.personal_frequency import PersonalFrequencyConfig
from embedrec.report import Finding
from embedrec.splits import Split
from embedrec.splits.rows import numbered

PERSONAL: tuple[ClassicConfig, ...] = (PersonalFrequencyConfig(), ItemKnnConfig())
QUICK: tuple[ClassicConfig, ...] = (PopularityRecentConfig(), *PERSONAL)
STEPS = len(QUICK) + 2 * len(PERSONAL)  # fits in all: validation, and the test on the shop and on the copy
LEVEL = 0.05
KNOWN = 5000
"""Customers whose purchases are used, drawn at random; enough for an interval, and quick."""
ON_SALE = 10_000  # products, those sold most: item_knn compares each with each
RANKED = 2000  # customers who are ranked for
FEWEST = 25
"""Test customers below which no interval says anything, and nothing is measured."""
STRETCHES, SHORTEST = 50, 200
"""Stretches of time that keep their popular products, and the fewest lines of one: enough customers to mix."""
AGAIN = 30  # times that lines are shuffled anew where nobody buys twice

Say = Callable[[str], None]


@dataclass(frozen=True)
class Signal:
    """The personal model furthest above chance, and what it reaches: NDCG@10 on the shop and on the copy.

    low … high is the 95 % interval of their difference, p_value that of both models together. `best` is the quick
    model that is best on validation, popularity among them.
    """

    model: str
    ndcg: float
    shuffled: float
    low: float
    high: float
    p_value: float
    customers: int
    best: str
    sampled: bool = False
    """The shop has more than KNOWN customers or ON_SALE products, so that only these were looked at."""

    @property
    def found(self) -> bool:
        """Whether the past of customers tells more than chance does."""
        return self.ndcg > self.shuffled and self.p_value < LEVEL

    def finding(self) -> Finding:
        """Say it."""
        low, high = (f"{end:+.4f}".replace("-", "−") for end in (self.low, self.high))
        said = (
            f"{self.model} reaches NDCG@10 {self.ndcg:.4f}, and {self.shuffled:.4f} where customers buy at random; "
            f"95 % interval of the difference {low} to {high}, {self.customers:,} customers"
        )
        if self.sampled:
            said += f" of a sample of at most {KNOWN:,}, and the {ON_SALE:,} products sold most"
        if self.found:
            return Finding("info", f"there is a signal in who buys what: {said}", asdict(self))
        if self.low > 0:
            said += f"; the best of {len(PERSONAL)} models may get so far by chance: p = {self.p_value:.2f}"
        if self.customers < MIN_CUSTOMERS:
            return Finding("warn", f"no signal to be seen among so few customers: {said}", asdict(self))
        return Finding("stop", f"no signal: no quick model beats chance ({said})", asdict(self))


def signal(
    history: History, catalogue: Catalogue, split: Split, seed: int = 0, say: Say = lambda _: None
) -> Signal | None:
    """Measure the quick models on a shop and on its shuffled copy; `say` is told each before it is fitted.

    None where there are too few customers to test on.
    """
    rng = np.random.default_rng(seed)
    sampled = len(np.unique(history.users)) > KNOWN or history.n_items > ON_SALE
    history, catalogue = _of_some(history, catalogue, rng)
    if len(history.returning_buyers(split.test_from, split.end)) < FEWEST:
        return None
    # where nobody buys again, what a customer has would only fill the list
    view = "all" if held_out_of(history, split).repeat_share else "new"
    valid = _Moment.of(history, catalogue, split.valid_from, split.test_from)
    means = {}
    for model in QUICK:
        say(f"{model.name}, validation")
        means[model.name] = valid.ndcg(model, view)[1].mean() if len(valid.truth.users) else 0.0
    copy = shuffled(history, split, rng, repeats=view == "all")
    shop, chance = (_Moment.of(one, catalogue, split.test_from, split.end) for one in (history, copy))
    measured = [_held_against_chance(model, shop, chance, view, seed, say) for model in PERSONAL]
    name, ndcg, by_chance, gap = max(measured, key=lambda one: (-one[3].p_value, one[3].mean))
    if gap.n < FEWEST:
        return None
    p_value = min(1.0, len(PERSONAL) * gap.p_value)
    best = max(means, key=lambda one: means[one])
    return Signal(name, ndcg, by_chance, gap.low, gap.high, p_value, gap.n, best, sampled)


def shuffled(history: History, split: Split, rng: np.random.Generator, *, repeats: bool = True) -> History:
    """Return a copy in which the products of purchase lines[E] are shuffled within each stretch of time.

    Without `repeats`, as in a shop where nobody buys a product twice, lines that give a customer what they have are
    shuffled again, together with as many others, until few are left.
    """
    items = history.items.copy()
    stretch = _stretches(history.times, split)
    for which in range(stretch.max(initial=-1) + 1):
        inside = np.flatnonzero(stretch == which)
        items[inside] = rng.permutation(items[inside])
        for _ in range(0 if repeats else AGAIN):
            again = inside[_repeated(history.users * history.n_items + items, stretch <= which)[inside]]
            if not len(again):
                break
            mixed = np.union1d(again, rng.choice(inside, len(again), replace=False))
            items[mixed] = rng.permutation(items[mixed])
    return _lines(replace(history, items=items), np.lexsort((items, history.times, history.users)))


def _stretches(times: Ints, split: Split) -> Ints:
    """Number the stretches of time to which lines[E] belong, the oldest 0."""
    place = np.empty(len(times), np.int64)
    place[np.argsort(times, kind="stable")] = np.arange(len(times))
    length = max(len(times) // STRETCHES, SHORTEST)
    window = np.searchsorted([split.valid_from, split.test_from], times, side="right")
    return numbered(window * len(times) + place // length)


def _repeated(pairs: Ints, known: Bools) -> Bools:
    """Mark the known lines[E] whose pair stands on an earlier known line."""
    where = np.flatnonzero(known)
    repeated = known.copy()
    repeated[where[np.unique(pairs[where], return_index=True)[1]]] = False
    return repeated


def _of_some(history: History, catalogue: Catalogue, rng: np.random.Generator) -> tuple[History, Catalogue]:
    """Keep the purchases of at most KNOWN customers and ON_SALE products; quick models look at no views or carts."""
    buyers = np.unique(history.users)
    chosen = rng.choice(buyers, KNOWN, replace=False) if len(buyers) > KNOWN else buyers
    kept = _lines(history, np.isin(history.users, chosen))
    sales = np.bincount(kept.items, minlength=kept.n_items)
    products = np.sort(np.argsort(-sales, kind="stable")[:ON_SALE])
    kept = _lines(kept, np.isin(kept.items, products))
    activity = {name: getattr(kept, name)[:0] for name in vars(kept) if name.startswith("activity_")}
    numbered = np.searchsorted(products, kept.items)
    kept = replace(kept, items=numbered, product_ids=kept.product_ids[products], **activity)
    return kept, replace(catalogue, **{name: getattr(catalogue, name)[products] for name in vars(catalogue)})


def _lines(history: History, which: Ints | Bools) -> History:
    """Take some purchase lines, or all in another order."""
    columns = ("users", "items", "times", "spend", "prices", "stars")
    return replace(history, **{name: getattr(history, name)[which] for name in columns})


@dataclass(frozen=True)
class _Moment:
    """A shop at a date, and what some of its customers buy from then on."""

    snapshot: Snapshot
    truth: Truth

    @classmethod
    def of(cls, history: History, catalogue: Catalogue, cut: int, until: int) -> _Moment:
        snapshot = FeatureEncoder.fit(history, catalogue, cut).at(cut)
        return cls(snapshot, Truth.of_window(snapshot, until).sample(snapshot, RANKED))

    def ndcg(self, model: ClassicConfig, view: str) -> tuple[Ints, Floats]:
        """Return customers with a target and their NDCG@10."""
        scorer = model.build(self.snapshot.encoder.schema).fit(self.snapshot)
        ranked = rank(scorer, self.snapshot, self.truth, (view,), auc=False)[view]
        return ranked.users, ranked.metric("ndcg", 10)


def _held_against_chance(
    model: ClassicConfig, shop: _Moment, chance: _Moment, view: str, seed: int, say: Say
) -> tuple[str, float, float, Difference]:
    """Return the model's name, its NDCG@10 on the shop and on the copy, and their difference by customer."""
    say(f"{model.name}, test")
    users, real = shop.ndcg(model, view)
    say(f"{model.name}, shuffled copy")
    others, random = chance.ndcg(model, view)
    _, ours, theirs = np.intersect1d(users, others, assume_unique=True, return_indices=True)
    gap = paired_difference(real[ours], random[theirs], seed)
    if not gap.n:
        return model.name, 0.0, 0.0, gap
    return model.name, float(real[ours].mean()), float(random[theirs].mean()), gap

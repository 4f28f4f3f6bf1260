"""Rank the full catalogue for every test customer, and say per customer how good the list is.

Views: **all** masks nothing; **new** masks what the customer bought before and counts first-time targets; **repeat**
ranks only what the customer bought before; **cold_item** masks nothing and counts only targets that nobody had bought
before, listed in product_details. A target that is no candidate, since training never saw it, counts as a miss.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Self

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from embedrec import metrics
from embedrec.evaluation.standing import Standing, standing
from embedrec.features import Customers, Snapshot
from embedrec.features.history import NEVER, Bools, Floats, Ints, Ragged
from embedrec.models import Scorer
from embedrec.ranking import RankedItems, top_k

VIEWS = ("all", "new", "repeat", "cold_item")
KS = (5, 10, 20)
COLD_KS = (*KS, 50)
"""New products seldom stand among the first twenty; lists of the view `cold_item` are longer."""
BLOCK = 256  # customers scored at once; changes no result


@dataclass(frozen=True)
class Truth:
    """What each test customer bought in the window, customers in ascending order of their ids."""

    users: Ints  # [U]
    targets: Ragged  # offsets[U + 1], item numbers
    window: tuple[int, int]  # seconds

    @classmethod
    def of_window(cls, snapshot: Snapshot, until: int) -> Truth:
        """Collect the customers with a purchase before the snapshot and one in [as_of, until)."""
        return cls._of(snapshot.history.returning_buyers(snapshot.as_of, until), snapshot, until)

    @classmethod
    def of_newcomers(cls, snapshot: Snapshot, until: int) -> Truth:
        """Collect the customers who make their first purchase in [as_of, until): a model knows no history of them."""
        history = snapshot.history
        known = history.returning_buyers(snapshot.as_of, until)
        return cls._of(np.setdiff1d(history.buyers(snapshot.as_of, until), known), snapshot, until)

    @classmethod
    def of_everybody(cls, snapshot: Snapshot, until: int, at_most: int) -> Truth:
        """Collect customers with a purchase before the snapshot, whether they buy in [as_of, until) or not."""
        return cls._of(_spread(snapshot.history.buyers(NEVER, snapshot.as_of), at_most), snapshot, until)

    def sample(self, snapshot: Snapshot, at_most: int) -> Truth:
        """Return the truth of at most so many of the customers, evenly spread over the ids."""
        few = _spread(self.users, at_most)
        return self if len(few) == len(self.users) else self._of(few, snapshot, self.window[1])

    def part(self, place: int, parts: int) -> Truth:
        """Return the truth of one of about equally many customers each; place = 0 … parts - 1."""
        size = len(self.users)
        start, stop = size * place // parts, size * (place + 1) // parts
        offsets = self.targets.offsets[start : stop + 1]
        targets = Ragged(offsets - offsets[0], self.targets.values[offsets[0] : offsets[-1]])
        return Truth(self.users[start:stop], targets, self.window)

    def repeat_share(self, snapshot: Snapshot) -> float | None:
        """Return the share of targets that the customer had bought before, None without customers."""
        if not len(self.users):
            return None
        bought, n_items = snapshot.customers(self.users).bought, snapshot.history.n_items
        again = np.isin(self.targets.rows * n_items + self.targets.values, bought.rows * n_items + bought.values)
        return float(again.mean())

    @classmethod
    def _of(cls, users: Ints, snapshot: Snapshot, until: int) -> Truth:
        return cls(users, snapshot.history.targets(users, snapshot.as_of, until), (snapshot.as_of, until))


def _spread(users: Ints, at_most: int) -> Ints:
    """Of more than `at_most` every second, or third, and so on."""
    return users[:: max(-(-len(users) // at_most), 1)]


@dataclass(frozen=True)
class RankedView:
    """Lists of one view, for the customers who have a target in it; -1 (a score of -inf) where a list ended."""

    users: Ints  # [n]
    top: Ints  # [n, k] item numbers; k = 20, or 50 for cold_item
    scores: npt.NDArray[np.float32]  # [n, k]
    hits: Bools  # [n, k]
    wanted: Ragged  # offsets[n + 1], item numbers of the targets, ascending within a customer
    auc: Floats  # [n] NaN where nothing but targets could be recommended, and where it was not asked for
    buyers: Ints  # [n, k] how many customers had bought the shown product
    categories: Ints  # [n, k] its category, 0 = unknown
    n_buyers: int  # customers of the shop with a purchase before the snapshot

    @classmethod
    def joined(cls, parts: Sequence[RankedView]) -> RankedView:
        """Make one view of those of some customers after those of others; there is at least one."""
        return _join(list(parts), parts[0].n_buyers, parts[0].top.shape[1])

    @property
    def cutoffs(self) -> tuple[int, ...]:
        """The k of metrics for which the lists are long enough."""
        return tuple(k for k in COLD_KS if k <= self.top.shape[1])

    @property
    def targets(self) -> Ints:
        """[n]: how many distinct products were to be found."""
        return np.diff(self.wanted.offsets)

    def metric(self, name: str, k: int) -> Floats:
        """Return a metric with a cut-off per customer, [n]."""
        if name == "novelty":
            return metrics.novelty(self.buyers, self.n_buyers, k)
        if name == "mean_popularity":
            return metrics.mean_popularity(self.buyers, k)
        if name == "diversity":
            return metrics.diversity(self.categories, k)
        return metrics.METRICS[name](self.hits, self.targets, k)

    def arrays(self) -> dict[str, npt.NDArray[Any]]:
        """Return everything as small arrays for `numpy.savez`; item and user numbers hold for the same tables only."""
        small = {name: getattr(self, name).astype(np.int32) for name in ("users", "top", "buyers", "categories")}
        return {
            **small,
            "scores": self.scores,
            "hits": self.hits,
            "wanted_offsets": self.wanted.offsets.astype(np.int32),
            "wanted_items": self.wanted.values.astype(np.int32),
            "auc": self.auc,
            "n_buyers": np.array(self.n_buyers),
        }

    @classmethod
    def from_arrays(cls, arrays: Mapping[str, npt.NDArray[Any]]) -> Self:
        """Make the view of `arrays` again."""
        numbers = {name: arrays[name].astype(np.int64) for name in ("users", "top", "buyers", "categories")}
        wanted = Ragged(arrays["wanted_offsets"].astype(np.int64), arrays["wanted_items"].astype(np.int64))
        return cls(
            users=numbers["users"],
            top=numbers["top"],
            scores=arrays["scores"],
            hits=arrays["hits"],
            wanted=wanted,
            auc=arrays["auc"],
            buyers=numbers["buyers"],
            categories=numbers["categories"],
            n_buyers=int(arrays["n_buyers"]),
        )


def rank(
    scorer: Scorer,
    snapshot: Snapshot,
    truth: Truth,
    views: tuple[str, ...] = VIEWS,
    *,
    without_target: bool = False,
    auc: bool = True,
) -> dict[str, RankedView]:
    """Rank all candidates for every customer of `truth`; `scorer` has observed `snapshot`.

    A view holds the customers who have a target in it, and `without_target` the others as well. AUC, for which
    every score is compared with those of the targets, can be left out.
    """
    shelf = _Shelf.of(snapshot)
    found: dict[str, list[RankedView]] = {view: [] for view in views}
    for start in range(0, len(truth.users), BLOCK):
        users = truth.users[start : start + BLOCK]
        low, high = truth.targets.offsets[[start, start + len(users)]]
        offsets = truth.targets.offsets[start : start + len(users) + 1] - low
        targets = Ragged(offsets, truth.targets.values[low:high])
        customers = snapshot.customers(users)
        block = _Block.of(users, scorer.score(customers), customers, targets, shelf)
        for view in views:
            found[view].append(_rank_view(view, block, shelf, without_target, auc))
    return {view: _join(parts, shelf.n_buyers, places(view)) for view, parts in found.items()}


def places(view: str) -> int:
    """Return how long the lists of a view are."""
    return max(COLD_KS if view == "cold_item" else KS)


@dataclass(frozen=True)
class _Shelf:
    """What is known of the N products before the window."""

    blocked: Tensor  # [N] bool, no candidate
    never_sold: Bools  # [N] candidate that nobody had bought
    buyers: Ints  # [N] distinct customers
    category: Ints  # [N] 0 = unknown
    n_buyers: int

    @classmethod
    def of(cls, snapshot: Snapshot) -> _Shelf:
        history, products = snapshot.history, snapshot.products
        buyers = history.distinct_customers(NEVER + 1, snapshot.as_of).astype(np.int64)
        past = history.users[history.times < snapshot.as_of]
        return cls(
            blocked=~torch.from_numpy(products.candidates),
            never_sold=products.candidates & (buyers == 0),
            buyers=buyers,
            category=products.category,
            n_buyers=int(np.count_nonzero(np.bincount(past))),
        )


@dataclass(frozen=True)
class _Block:
    """Some customers with the scores of all products, and where their targets stand."""

    users: Ints  # [B]
    scores: Tensor  # [B, N], -inf where a product is no candidate
    bought: Ragged  # products bought before, ascending within a customer
    targets: Ragged
    again: Bools  # [T] the customer had bought the target before

    @classmethod
    def of(cls, users: Ints, scores: Tensor, customers: Customers, targets: Ragged, shelf: _Shelf) -> _Block:
        if shelf.blocked.any():
            scores = scores.masked_fill(shelf.blocked, -torch.inf)
        bought, n_items = customers.bought, scores.shape[1]
        again = np.isin(targets.rows * n_items + targets.values, bought.rows * n_items + bought.values)
        return cls(users, scores, bought, targets, again)

    @cached_property
    def in_shop(self) -> Standing:
        """Where the targets stand among all candidates."""
        return standing(self.scores.numpy(), self.targets)

    @cached_property
    def in_bought(self) -> Standing:
        """And among what the customer bought before."""
        return standing(self.scores.numpy(), self.targets, self.bought)

    def auc(self, view: str, keep: Bools) -> Floats:
        """[B]: AUC of the targets that a view keeps; keep[T]."""
        if view == "repeat":
            place = self.in_bought
        else:
            place = self.in_shop.without(self.in_bought) if view == "new" else self.in_shop
        count = np.bincount(self.targets.rows[keep], minlength=len(self.users))
        return metrics.auc(place.below[keep], place.tied[keep], self.targets.rows[keep], count, place.pool)

    def best(self, view: str, some: Ints) -> RankedItems:
        """Rank what a view lets some of the customers see."""
        if view == "repeat":
            return self._best_bought(some)
        if view != "new":
            return top_k(self._rows(some), places(view))
        # masked in place and put back: a copy of the block would take longer than to rank it
        here = (torch.from_numpy(self.bought.rows), torch.from_numpy(self.bought.values))
        hidden = self.scores[here]
        self.scores[here] = -torch.inf
        ranked = top_k(self._rows(some), places(view))
        self.scores[here] = hidden
        return ranked

    def _rows(self, some: Ints) -> Tensor:
        return self.scores if len(some) == len(self.users) else self.scores[torch.from_numpy(some)]

    def _best_bought(self, some: Ints) -> RankedItems:
        """Rank the products bought before, laid out side by side: their order is that of the item numbers."""
        offsets = self.bought.offsets
        lengths = np.diff(offsets)[some]
        width = max(int(lengths.max(initial=0)), 1)
        place = np.arange(width)
        filled = place < lengths[:, None]
        at = np.where(filled, offsets[:-1][some][:, None] + place, 0)
        items = torch.from_numpy(np.where(filled, self.bought.values[at] if len(self.bought.values) else 0, 0))
        scores = self.scores[torch.from_numpy(some)[:, None], items].masked_fill(~torch.from_numpy(filled), -torch.inf)
        ranked = top_k(scores, max(KS))
        shown = items.gather(1, ranked.items.clamp(min=0)).masked_fill(ranked.items < 0, -1)
        return RankedItems(shown, ranked.scores)


def _rank_view(view: str, block: _Block, shelf: _Shelf, without_target: bool, auc: bool) -> RankedView:
    rows, items = block.targets.rows, block.targets.values
    keep = np.ones(len(items), bool)
    if view == "cold_item":
        keep = shelf.never_sold[items]
    elif view != "all":
        keep = block.again if view == "repeat" else ~block.again
    rows, items = rows[keep], items[keep]
    count = np.bincount(rows, minlength=len(block.users))
    some = np.arange(len(count)) if without_target else np.flatnonzero(count)
    best = block.best(view, some)
    gap = ((0, 0), (0, places(view) - best.items.shape[1]))
    top = np.pad(best.items.numpy(), gap, constant_values=-1)
    n_items = block.scores.shape[1]
    asked = np.where(top >= 0, some[:, None] * n_items + top, -1)
    return RankedView(
        users=block.users[some],
        top=top,
        scores=np.pad(best.scores.numpy().astype(np.float32), gap, constant_values=-np.inf),
        hits=np.isin(asked, rows * n_items + items),
        wanted=Ragged(np.concatenate([[0], np.cumsum(count[some])]), items),
        auc=(block.auc(view, keep) if auc else np.full(len(count), np.nan))[some],
        buyers=np.where(top >= 0, shelf.buyers[top], -1),
        categories=np.where(top >= 0, shelf.category[top], -1),
        n_buyers=shelf.n_buyers,
    )


def _join(parts: list[RankedView], n_buyers: int, width: int) -> RankedView:
    if not parts:
        none: Ints = np.empty((0, width), np.int64)
        return RankedView(
            users=none[:, 0],
            top=none,
            scores=none.astype(np.float32),
            hits=none.astype(np.bool_),
            wanted=Ragged(np.zeros(1, np.int64), none[:, 0]),
            auc=none[:, 0].astype(np.float64),
            buyers=none,
            categories=none,
            n_buyers=n_buyers,
        )
    rows = ("users", "top", "scores", "hits", "auc", "buyers", "categories")
    counts = np.concatenate([part.targets for part in parts])
    items = np.concatenate([part.wanted.values for part in parts])
    return RankedView(
        **{name: np.concatenate([getattr(part, name) for part in parts]) for name in rows},
        wanted=Ragged(np.concatenate([[0], np.cumsum(counts)]), items),
        n_buyers=n_buyers,
    )

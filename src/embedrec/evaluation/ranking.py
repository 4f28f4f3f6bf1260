"""Rank the full catalogue for every test customer, and say per customer how good the list is.

Views: **all** masks nothing; **new** masks what the customer bought before and counts first-time targets; **repeat**
ranks only what the customer bought before. A target that training never saw counts as a miss.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from embedrec import metrics
from embedrec.features import Customers, Snapshot
from embedrec.features.history import Bools, Floats, Ints, Ragged
from embedrec.models import Scorer
from embedrec.ranking import top_k

VIEWS = ("all", "new", "repeat")
KS = (5, 10, 20)
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
        users = snapshot.history.returning_buyers(snapshot.as_of, until)
        targets = snapshot.history.targets(users, snapshot.as_of, until)
        return cls(users, targets, (snapshot.as_of, until))


@dataclass(frozen=True)
class RankedView:
    """Lists of one view, for the customers who have a target in it."""

    users: Ints  # [n]
    top: Ints  # [n, 20] item numbers, -1 = list ended
    hits: Bools  # [n, 20]
    targets: Ints  # [n] how many distinct products were to be found

    def metric(self, name: str, k: int) -> Floats:
        """Return a metric per customer, [n]."""
        return metrics.METRICS[name](self.hits, self.targets, k)


def rank(scorer: Scorer, snapshot: Snapshot, truth: Truth, views: tuple[str, ...] = VIEWS) -> dict[str, RankedView]:
    """Rank all candidates for every customer of `truth`; `scorer` has observed `snapshot`."""
    n_items = len(snapshot.products.row)
    blocked = ~torch.from_numpy(snapshot.products.candidates)
    found: dict[str, list[RankedView]] = {view: [] for view in views}
    for start in range(0, len(truth.users), BLOCK):
        users = truth.users[start : start + BLOCK]
        low, high = truth.targets.offsets[[start, start + len(users)]]
        offsets = truth.targets.offsets[start : start + len(users) + 1] - low
        targets = Ragged(offsets, truth.targets.values[low:high])
        customers = snapshot.customers(users)
        scores = scorer.score(customers).masked_fill(blocked, -torch.inf)
        bought = bought_mask(customers, n_items)
        for view in views:
            found[view].append(_rank_view(view, users, scores, bought, targets))
    return {view: _join(parts) for view, parts in found.items()}


def bought_mask(customers: Customers, n_items: int) -> Tensor:
    """[B, N]: True where the customer bought the product before."""
    mask = torch.zeros(customers.size, n_items, dtype=torch.bool)
    mask[torch.from_numpy(customers.bought.rows), torch.from_numpy(customers.bought.values)] = True
    return mask


def _rank_view(view: str, users: Ints, scores: Tensor, bought: Tensor, targets: Ragged) -> RankedView:
    rows, items = targets.rows, targets.values
    if view != "all":
        was_bought = bought[torch.from_numpy(rows), torch.from_numpy(items)].numpy()
        keep = was_bought if view == "repeat" else ~was_bought
        rows, items = rows[keep], items[keep]
        scores = scores.masked_fill(~bought if view == "repeat" else bought, -torch.inf)
    count = np.bincount(rows, minlength=len(users))
    some = np.flatnonzero(count)
    top = top_k(scores[torch.from_numpy(some)], max(KS)).items.numpy()
    top = np.pad(top, ((0, 0), (0, max(KS) - top.shape[1])), constant_values=-1)
    n_items = scores.shape[1]
    asked = np.where(top >= 0, some[:, None] * n_items + top, -1)
    return RankedView(users[some], top, np.isin(asked, rows * n_items + items), count[some].astype(np.int64))


def _join(parts: list[RankedView]) -> RankedView:
    if not parts:
        empty: npt.NDArray[np.int64] = np.zeros((0, max(KS)), np.int64)
        return RankedView(empty[:, 0], empty, empty.astype(bool), empty[:, 0])
    return RankedView(
        *(np.concatenate([getattr(part, name) for part in parts]) for name in ("users", "top", "hits", "targets"))
    )

"""The one scoring contract: every model, learned or counted, answers through `Scorer`.

Shapes: B customers, N products of the catalogue. Scores order products for one customer; they are not comparable
between models.
"""

from __future__ import annotations

import copy
from abc import ABC, abstractmethod
from collections.abc import Sequence
from typing import NamedTuple, Self

import numpy as np
import torch
from torch import Tensor, nn

from embedrec.features import Customers, Snapshot
from embedrec.features.history import NEVER, Ints, distinct
from embedrec.models.crowd import Crowd
from embedrec.ranking import RankedItems, top_k


class Explanation(NamedTuple):
    """Why one customer gets each of n products."""

    parts: dict[str, Tensor]  # each [n]; they add up to the score
    average: dict[str, float]  # the mean of each part over all N products
    bought: Ints  # [P] products of the history
    pull: Tensor  # [n, P] what each bought product adds to parts["history"]


class Scorer(ABC):
    """Scores products for customers, from the state of the shop at a date."""

    snapshot_: Snapshot

    @property
    def reads_features(self) -> bool:
        """Whether products that nobody bought yet are told apart, by what product_details says of them."""
        return False

    def observe(self, snapshot: Snapshot) -> Self:
        """Take the state of the shop from which to answer; learned weights stay as they are."""
        self.snapshot_ = snapshot
        return self

    def fit(self, train: Snapshot) -> Self:
        """Learn from everything before `train.as_of`. Models that only count have nothing more to learn."""
        return self.observe(train)

    def weights(self) -> dict[str, Tensor]:
        """Return what `fit` learned as plain tensors, for a bundle; rows follow the schema, row 0 is the unknown."""
        return {}

    def restore(self, weights: dict[str, Tensor]) -> Self:
        """Take the weights of a bundle instead of fitting; `observe` comes next.

        Raises:
            KeyError, ValueError: the weights are not those of this model and schema.
        """
        if weights:
            raise ValueError(f"weights of another model: {', '.join(sorted(weights))}")
        return self

    @abstractmethod
    def score_parts(self, customers: Customers) -> dict[str, Tensor]:
        """Return named parts [B, N] (float64) that add up to the score."""

    def score(self, users: Customers | Ints, items: Ints | None = None) -> Tensor:
        """Return scores [B, N] of users for every product, or [B, len(items)] for the products asked."""
        customers = users if isinstance(users, Customers) else self.snapshot_.customers(users)
        total = torch.stack(list(self.score_parts(customers).values())).sum(0)
        return total if items is None else total[:, torch.from_numpy(items)]

    def best(self, customers: Customers, k: int, allowed: Tensor) -> RankedItems:
        """Rank for each of B customers the k best of the products that allowed[N] or [B, N] leaves.

        The lists and scores are those of `top_k` over all of `score`; a model may find them in a quicker way.
        """
        return top_k(self.score(customers).masked_fill(~allowed, -torch.inf), k)

    def explain(self, customer: Customers, items: Ints) -> Explanation:
        """Take the scores of items[n] apart for one customer (B = 1)."""
        parts = {name: part[0] for name, part in self.score_parts(customer).items()}
        return Explanation(
            parts={name: part[torch.from_numpy(items)] for name, part in parts.items()},
            average={name: float(part.mean()) for name, part in parts.items()},
            bought=np.empty(0, np.int64),
            pull=torch.zeros(len(items), 0, dtype=torch.float64),
        )

    def explain_many(self, customers: Customers, lists: Sequence[Ints]) -> list[Explanation]:
        """Take the scores of lists[b] apart for each of B customers, as `explain` does."""
        return [self.explain(customers.one(place), items) for place, items in enumerate(lists)]

    def crowd(self, users: Ints) -> Crowd:
        """Make users[B] ready to be asked about any few products; hold on to them while the snapshot stays."""
        return Crowd(self.score, users, len(self.snapshot_.products.row))

    def average_pull(self, customer: Customers) -> Tensor:
        """[P]: the mean of `Explanation.pull` over all N products, for one customer (B = 1)."""
        return self.explain(customer, np.arange(self.snapshot_.history.n_items)).pull.mean(0)

    def product_vectors(self) -> Tensor | None:
        """[N, d]: unit vectors whose cosine `similar` is, 0 for a product of which the model knows nothing.

        None where `similar` compares the sets of buyers instead.
        """
        return None

    likeness = "Bought by the same customers"
    """What `similar` measures, in words."""

    def similar(self, item: int) -> Tensor:
        """[N]: how close products are to `item`, -inf where they have nothing in common.

        Here the cosine of their sets of buyers before the date.
        """
        snapshot = self.snapshot_
        history, until = snapshot.history, snapshot.as_of
        past = history.times < until
        fans = distinct(history.users[past & (history.items == item)])
        shared = history.targets(fans, int(history.times.min()), until).values
        together = np.bincount(shared, minlength=history.n_items)
        buyers = history.distinct_customers(NEVER + 1, until)
        cosine = together / np.sqrt(np.maximum(buyers, 1) * max(len(fans), 1))
        return torch.from_numpy(np.where(together > 0, cosine, -np.inf))


class NetworkScorer(Scorer):
    """A trained network behind the scoring contract; later training does not reach its copy.

    Computed in float64, so that no score hangs on what is scored beside it; float32 is for a quick look.
    """

    network: nn.Module

    def __init__(self, network: nn.Module, dtype: torch.dtype = torch.float64) -> None:
        self.network = copy.deepcopy(network).to("cpu", dtype).eval()
        self.dtype = dtype

    def weights(self) -> dict[str, Tensor]:
        """Return the network's weights in float32, as they were trained."""
        return {name: value.float() for name, value in self.network.state_dict().items()}

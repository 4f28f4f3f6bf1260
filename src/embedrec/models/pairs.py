"""Networks that know a customer and a product by their ids alone: one score for each (customer, product) pair.

Legend: P pairs, B customers, R product rows (row 0 is the product that training never saw), d dimensions.
"""

from __future__ import annotations

from abc import ABC, abstractmethod

import numpy as np
import torch
from torch import Tensor, nn

from embedrec.features import Customers, Products
from embedrec.features.history import Floats, Ints
from embedrec.models.base import NetworkScorer

UNKNOWN = 0  # row of whoever, and whatever, training never saw


def id_embedding(rows: int, dim: int, std: float) -> nn.Embedding:
    """Make a table of `rows` ids plus row 0, which says nothing: what is unknown is scored by what all share."""
    table = nn.Embedding(rows + 1, dim)
    nn.init.normal_(table.weight, std=std)
    with torch.no_grad():
        table.weight[UNKNOWN] = 0.0
    return table


class PairNetwork(nn.Module, ABC):
    """The network; it knows nothing of training."""

    reads_features = False
    """Whether products that training never saw have rows of their own kind, by what the shop says of them."""

    @abstractmethod
    def forward(self, users: Tensor, items: Tensor) -> Tensor:
        """Return the score of each pair of rows: users[P] with items[P], or users[P, 1] with items[P, n]."""

    @abstractmethod
    def parts(self, users: Tensor) -> dict[str, Tensor]:
        """Return named parts [B, R] that add up to the scores of users[B] with every product row."""

    def rows(self, products: Products) -> Ints:
        """[N]: the row that stands for each product of the shop."""
        return products.row

    def prepare(self, users: Ints, items: Ints, values: Floats, products: Products) -> None:
        """See the training pairs users[P], items[P] and their values[P] before the first step; most need none."""


class PairScorer(NetworkScorer):
    """A trained `PairNetwork` behind the scoring contract, in float64 rounded to float32."""

    network: PairNetwork

    @property
    def reads_features(self) -> bool:
        """As the network does."""
        return self.network.reads_features

    @torch.no_grad()
    def score_parts(self, customers: Customers) -> dict[str, Tensor]:
        """Return the network's parts for every product, [B, N] each."""
        rows = torch.from_numpy(self.network.rows(self.snapshot_.products))
        return {name: part[:, rows] for name, part in self.network.parts(torch.from_numpy(customers.row)).items()}

    def score(self, users: Customers | Ints, items: Ints | None = None) -> Tensor:
        """Return scores [B, N] or [B, len(items)], rounded to float32."""
        return super().score(users, items).float()

    @torch.no_grad()
    def rate(self, users: Ints, items: Ints) -> Floats:
        """Return the score of each pair users[P], items[P]: for a network that learned ratings, a rating."""
        user_rows = torch.from_numpy(self.snapshot_.encoder.customer_rows[users])
        item_rows = torch.from_numpy(self.network.rows(self.snapshot_.products)[items])
        ratings: Tensor = self.network(user_rows, item_rows)
        return ratings.numpy().astype(np.float64)

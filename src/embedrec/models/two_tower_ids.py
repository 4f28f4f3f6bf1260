"""Two towers from ids alone: who the customer is, who bought the product, and what is bought by the same customers.

    score(b, j) = lift_j · x_b · v_j / |x_b||v_j|  +  weight · basket_b · pattern_j / |basket_b|

x and v are learned: every customer's whole basket against products drawn at random (`losses.basket_softmax_loss`), from
a spectral start. Cosines tell little of how popular a product is, so the number n_j of its buyers lifts it a little:
lift_j is n_j^LIFT over its mean, and patterns likewise have length 1 on average.
The second term is the spectral solution itself, in more dimensions than are worth learning: the normalised
customers × products matrix D_u^-½ R D_i^-½ ≈ U S Vᵀ, with the rows of V times n_j^REACH for products, and a customer's
basket as the sum of V / root of n, which is U S. Both are one dot product of concatenated vectors. A customer whom
training never saw has no x: the sum of the basket's v / |v| stands for it.
"""

from __future__ import annotations

from typing import Any, ClassVar, Literal, Self

import numpy as np
import torch
import torch.nn.functional as F
from pydantic import BaseModel, ConfigDict, Field
from torch import Tensor, nn

from embedrec.features import Customers, FeatureSchema, Snapshot
from embedrec.features.history import Ints
from embedrec.features.patterns import normalised, spectral
from embedrec.models.base import Explanation, NetworkScorer
from embedrec.models.classic.collaborative import faint_popularity, last_of_all
from embedrec.models.crowd import VectorCrowd
from embedrec.models.recipe import Recipe
from embedrec.models.unit_rows import unit_rows

LIFT, REACH = 0.04, 0.4
POWER_ITERATIONS = 2
TINY = 1e-12
SMALL = 0.01  # of a unit vector: what random numbers add to the start


class TwoTowerIdsConfig(BaseModel):
    """Customer and product vectors from ids alone, beside the spectral solution."""

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True)
    name: Literal["two_tower_ids"] = "two_tower_ids"
    dim: int = Field(64, ge=1, le=1024)
    """Length of customer and product vectors."""
    patterns: int = Field(256, ge=0, le=2048)
    """Length of the spectral vectors beside them; 0 = none."""
    pattern_weight: float = Field(0.1, ge=0, le=10)
    """How much the spectral vectors count beside the learned ones."""

    recipe: ClassVar[Recipe] = Recipe(
        "baskets",
        {"name": "basket_softmax"},
        {
            "max_epochs": 20,
            "patience": 10,  # what looks best half-way, at a high rate, is so by chance
            "batch_size": 512,
            "learning_rate": 0.05,
            "warmup_steps": 0,
            "weight_decay": 0.0,
            "precision": "bfloat16",
        },
        losses=("basket_softmax", "bsl"),
    )

    def build(self, schema: FeatureSchema) -> TwoTowerIds:
        """Make the network for a fitted schema."""
        return TwoTowerIds(self, schema)


class TwoTowerIds(nn.Module):
    """The network; row 0 of its tables is whoever, and whatever, training never saw."""

    patterns: Tensor  # [R + 1, p] what the purchase of a product adds to a customer's pattern
    lift: Tensor  # [R + 1, 2] what the unit vector, and the pattern, of a product are multiplied with

    def __init__(self, config: TwoTowerIdsConfig, schema: FeatureSchema) -> None:
        super().__init__()
        self.config = config
        self.customers = nn.Embedding(len(schema.customers) + 1, config.dim, sparse=True)
        self.products = nn.Embedding(len(schema.products) + 1, config.dim, sparse=True)
        with torch.no_grad():
            self.customers.weight[0] = self.products.weight[0] = 0.0
        self.register_buffer("patterns", torch.zeros(len(schema.products) + 1, config.patterns))
        self.register_buffer("lift", torch.ones(len(schema.products) + 1, 2))

    @torch.no_grad()
    def start(self, baskets: Any) -> None:
        """Begin from the spectral solution of who bought what: scipy CSR of ones [customers, products] of the schema.

        Where the matrix has fewer directions than the vectors have numbers, the others stay random, but small.
        """
        balanced, root = normalised(baskets)
        width = max(self.config.dim, self.config.patterns)
        vectors, values = spectral(balanced, width, POWER_ITERATIONS)
        adds = vectors * root[:, None]
        strongest = values[: self.config.dim]
        halves = np.sqrt(np.where(strongest > 0, strongest, 1.0))
        sides = baskets @ (adds[:, : self.config.dim] / halves), vectors[:, : self.config.dim] * halves
        for table, side in zip((self.customers, self.products), sides, strict=True):
            table.weight[1:] *= SMALL * self.config.dim**-0.5
            table.weight[1:] += F.normalize(torch.from_numpy(np.ascontiguousarray(side, np.float32)), dim=1)
        adds = adds[:, : self.config.patterns]
        self.patterns[1:] = torch.from_numpy(adds)
        buyers = root**-2.0
        of_pattern = buyers ** (REACH + 0.5)  # adds = vectors / root of buyers
        for column, lift, length in ((0, buyers**LIFT, 1.0), (1, of_pattern, np.linalg.norm(adds, axis=1))):
            mean = (lift * length).mean()
            self.lift[1:, column] = torch.from_numpy(lift / mean if mean > 0 else np.ones(len(lift)))

    def forward(self, users: Tensor, items: Tensor) -> tuple[Tensor, Tensor]:
        """Return unit vectors of users[B] and items[n]: [B, d] and [n, d]."""
        return unit_rows(self.customers.weight, users), unit_rows(self.products.weight, items)


class TwoTowerIdsScorer(NetworkScorer):
    """The trained network behind the scoring contract, in float64 rounded to float32."""

    network: TwoTowerIds

    @torch.no_grad()
    def observe(self, snapshot: Snapshot) -> Self:
        """Line the vectors up with the products of the shop, learned ones and patterns side by side."""
        network, row = self.network, torch.from_numpy(snapshot.products.row)
        self.known_ = row > 0
        self.learned_ = F.normalize(network.products.weight, dim=1)[row]
        self.adds_ = network.patterns[row]
        lift = network.lift[row]
        self.lifted_ = self.learned_ * lift[:, :1]
        patterns = self.adds_ * lift[:, 1:]
        self.vectors_ = torch.cat([self.lifted_, patterns], dim=1)
        faint = torch.from_numpy(faint_popularity(snapshot)).to(self.dtype)
        reach = self.lifted_.norm(dim=1).max() + network.config.pattern_weight * patterns.norm(dim=1).max()
        # no score of a product known to training is below minus its reach
        self.popularity_ = last_of_all(faint, self.known_, reach)
        return super().observe(snapshot)

    @torch.no_grad()
    def score(self, users: Customers | Ints, items: Ints | None = None) -> Tensor:
        """Return scores [B, N] or [B, len(items)], rounded to float32."""
        customers = users if isinstance(users, Customers) else self.snapshot_.customers(users)
        scores = (self._vectors(customers) @ self.vectors_.T + self.popularity_).float()
        return scores if items is None else scores[:, torch.from_numpy(items)]

    @torch.no_grad()
    def score_parts(self, customers: Customers) -> dict[str, Tensor]:
        """Return who the customer is, what they bought, and what sells; each [B, N] float64."""
        identity = self._identity(customers) @ self.lifted_.T
        history = torch.cat([self._stand_in(customers), self._patterns(customers)], dim=1) @ self.vectors_.T
        return {"identity": identity, "history": history, "popularity": self.popularity_.expand_as(identity)}

    @torch.no_grad()
    def explain(self, customer: Customers, items: Ints) -> Explanation:
        """Take the scores of items[n] apart for one customer (B = 1); the pulls add up to the part "history"."""
        assert customer.size == 1
        bought = torch.from_numpy(customer.bought.values)
        stranger = float(customer.row[0] == 0)
        blocks = (
            stranger * _share(self.learned_[bought]),
            self.network.config.pattern_weight * _share(self.adds_[bought]),
        )
        pull = self.vectors_[torch.from_numpy(items)] @ torch.cat(blocks, dim=1).T
        return super().explain(customer, items)._replace(bought=customer.bought.values, pull=pull)

    likeness = "Bought by similar customers"

    def product_vectors(self) -> Tensor:
        """[N, d]: the learned vectors, 0 for products not sold in training."""
        return self.learned_ * self.known_[:, None]

    def similar(self, item: int) -> Tensor:
        """[N]: cosine of the learned vectors, -inf for products not sold in training; for those, shared customers."""
        if not self.known_[item]:
            return super().similar(item)
        cosine = torch.mv(self.learned_, self.learned_[item])
        cosine[~self.known_] = -torch.inf
        return cosine

    @torch.no_grad()
    def crowd(self, users: Ints) -> VectorCrowd:
        """Keep the vectors of users[B]."""
        return VectorCrowd(self._vectors(self.snapshot_.customers(users)), self.vectors_, self.popularity_)

    def _vectors(self, customers: Customers) -> Tensor:
        """[B, d + p]: what the products' vectors are multiplied with."""
        return torch.cat([self._identity(customers) + self._stand_in(customers), self._patterns(customers)], dim=1)

    def _identity(self, customers: Customers) -> Tensor:
        """[B, d]: the learned unit vectors, 0 for customers whom training never saw."""
        return F.normalize(self.network.customers.weight[torch.from_numpy(customers.row)], dim=1)

    def _stand_in(self, customers: Customers) -> Tensor:
        """[B, d]: what the baskets of customers whom training never saw say of them, 0 for the others."""
        stranger = torch.from_numpy(customers.row == 0)[:, None]
        return F.normalize(self._sum(self.learned_, customers), dim=1) * stranger

    def _patterns(self, customers: Customers) -> Tensor:
        """[B, p]: unit vectors of what is bought by the same customers as the baskets, times their weight."""
        return self.network.config.pattern_weight * F.normalize(self._sum(self.adds_, customers), dim=1)

    @staticmethod
    def _sum(table: Tensor, customers: Customers) -> Tensor:
        """[B, *]: sum of the rows of the products that each customer bought."""
        places = torch.from_numpy(np.ascontiguousarray(customers.bought.rows))
        return table.new_zeros(customers.size, table.shape[1]).index_add_(
            0, places, table[torch.from_numpy(customers.bought.values)]
        )


def _share(vectors: Tensor) -> Tensor:
    """Divide vectors[P, d] by the length of their sum."""
    length: Tensor = torch.linalg.vector_norm(vectors.sum(0))
    return vectors / length.clamp(min=TINY)

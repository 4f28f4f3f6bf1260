"""Matrix factorisation trained by pairwise ranking: score(u, i) = b_i + p_u · q_i.

Rendle et al. 2009, "BPR: Bayesian Personalized Ranking from Implicit Feedback", section 4.3.1.
"""

from __future__ import annotations

from typing import ClassVar, Literal

import torch
from pydantic import BaseModel, ConfigDict, Field
from torch import Tensor, nn

from embedrec.features import FeatureSchema
from embedrec.models.pairs import PairNetwork, id_embedding
from embedrec.models.recipe import Recipe


class MfBprConfig(BaseModel):
    """Matrix factorisation for ranking."""

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True)
    name: Literal["mf_bpr"] = "mf_bpr"
    dim: int = Field(64, ge=1, le=1024)
    """Length of customer and product vectors."""

    recipe: ClassVar[Recipe] = Recipe(
        "pairs",
        {"name": "bpr", "negatives": 1},
        {"max_epochs": 40, "batch_size": 1024, "learning_rate": 0.005, "weight_decay": 0.1},
        losses=("bpr", "bce"),
    )

    def build(self, schema: FeatureSchema) -> MatrixFactorization:
        """Make the network for a fitted schema."""
        return MatrixFactorization(self.dim, schema)


class MatrixFactorization(PairNetwork):
    """One vector a customer, one vector and one bias a product."""

    def __init__(self, dim: int, schema: FeatureSchema) -> None:
        super().__init__()
        self.users = id_embedding(len(schema.customers), dim, std=0.1)
        self.items = id_embedding(len(schema.products), dim, std=0.1)
        self.bias = nn.Parameter(torch.zeros(len(schema.products) + 1))

    def forward(self, users: Tensor, items: Tensor) -> Tensor:
        """Return b_i + p_u · q_i for each pair."""
        product: Tensor = (self.users(users) * self.items(items)).sum(-1)
        return product + self.bias[items]

    def parts(self, users: Tensor) -> dict[str, Tensor]:
        """Return the customer's own taste and what sells to everybody."""
        taste = self.users(users) @ self.items.weight.T
        return {"identity": taste, "popularity": self.bias.expand_as(taste)}

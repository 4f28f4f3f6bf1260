"""Biased matrix factorisation: predicts the rating that a customer gives a product.

    rating(u, i) = m + b_u + b_i + p_u · q_i

with the mean m of all ratings in training. Koren, Bell and Volinsky 2009, "Matrix Factorization Techniques for
Recommender Systems", equation 4; the squared error is minimised with AdamW, whose weight decay regularises.
"""

from __future__ import annotations

from typing import ClassVar, Literal

import torch
from pydantic import BaseModel, ConfigDict, Field
from torch import Tensor, nn

from embedrec.features import FeatureSchema
from embedrec.models.pairs import PairNetwork, id_embedding
from embedrec.models.recipe import Recipe


class BiasedMfConfig(BaseModel):
    """Matrix factorisation for ratings that customers gave."""

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True)
    name: Literal["biased_mf"] = "biased_mf"
    dim: int = Field(32, ge=1, le=1024)
    """Length of customer and product vectors."""

    recipe: ClassVar[Recipe] = Recipe(
        "pairs",
        {"name": "mse"},
        {"max_epochs": 30, "batch_size": 1024, "learning_rate": 0.003, "weight_decay": 0.3},
        losses=("mse",),
    )

    def build(self, schema: FeatureSchema) -> BiasedMatrixFactorization:
        """Make the network for a fitted schema."""
        return BiasedMatrixFactorization(self.dim, schema)


class BiasedMatrixFactorization(PairNetwork):
    """Biases and vectors of customers and products, around the mean of all ratings."""

    mean: Tensor

    def __init__(self, dim: int, schema: FeatureSchema) -> None:
        super().__init__()
        self.users = id_embedding(len(schema.customers), dim, std=0.03)
        self.items = id_embedding(len(schema.products), dim, std=0.03)
        self.user_bias = nn.Parameter(torch.zeros(len(schema.customers) + 1))
        self.item_bias = nn.Parameter(torch.zeros(len(schema.products) + 1))
        self.register_buffer("mean", torch.zeros(()))

    def prepare(self, values: Tensor) -> None:
        """Take the mean of the training ratings."""
        self.mean.fill_(float(values.mean()))

    def forward(self, users: Tensor, items: Tensor) -> Tensor:
        """Return the rating of each pair."""
        product: Tensor = (self.users(users) * self.items(items)).sum(-1)
        return self.mean + self.user_bias[users] + self.item_bias[items] + product

    def parts(self, users: Tensor) -> dict[str, Tensor]:
        """Return the customer's own taste, and what all customers think of a product."""
        taste = self.users(users) @ self.items.weight.T
        level = self.mean + self.user_bias[users][:, None]
        return {"identity": taste, "esteem": self.item_bias + level}

"""Biased matrix factorisation: predicts the rating that a customer gives a product.

    rating(u, i) = m + b_u + b_i + c_k + p_u · (q_i + f_k)        k: the category of i

with the mean m of all ratings in training. Koren, Bell and Volinsky 2009, "Matrix Factorization Techniques for
Recommender Systems", equations 4 and 6 (the category is an attribute of the product). The biases begin at the ridge
solution, in which those known from few ratings stay small; AdamW, which moves rare and frequent ones alike, would
not find it. From there everything is learned together.
"""

from __future__ import annotations

from typing import ClassVar, Literal

import numpy as np
import torch
from pydantic import BaseModel, ConfigDict, Field
from torch import Tensor, nn

from embedrec.features import FeatureSchema, Products
from embedrec.features.history import Floats, Ints
from embedrec.models.pairs import PairNetwork, id_embedding
from embedrec.models.recipe import Recipe

# Ratings at which what they say and "like everybody else" weigh the same; chosen on Ciao's validation.
USER_PRIOR, ITEM_PRIOR, CATEGORY_PRIOR = 8.0, 3.0, 5.0
ROUNDS = 12  # of one kind of bias after the other; they no longer move then


class BiasedMfConfig(BaseModel):
    """Matrix factorisation for ratings that customers gave."""

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True)
    name: Literal["biased_mf"] = "biased_mf"
    dim: int = Field(32, ge=1, le=1024)
    """Length of customer and product vectors."""

    features: bool = True
    """The category of products: what all think of it, and what each customer does."""

    recipe: ClassVar[Recipe] = Recipe(
        "ratings",
        {"name": "mse"},
        {"max_epochs": 10, "batch_size": 1024, "learning_rate": 0.0005, "weight_decay": 0.3},
        losses=("mse",),
        unread=("negatives",),
    )

    def build(self, schema: FeatureSchema) -> BiasedMatrixFactorization:
        """Make the network for a fitted schema."""
        return BiasedMatrixFactorization(self, schema)


class BiasedMatrixFactorization(PairNetwork):
    """Biases and vectors of customers, products and categories, around the mean of all ratings.

    After the R rows of products sold in training come C rows that stand for other products, one for each category.
    """

    mean: Tensor
    category: Tensor  # [1 + R + C] category row of each product row

    def __init__(self, config: BiasedMfConfig, schema: FeatureSchema) -> None:
        super().__init__()
        self.reads_features = config.features
        self.n_products = len(schema.products)
        n_categories = len(schema.categories) if config.features else 0
        self.users = id_embedding(len(schema.customers), config.dim, std=0.03)
        self.items = id_embedding(self.n_products + n_categories, config.dim, std=0.03)
        self.categories = id_embedding(n_categories, config.dim, std=0.03)
        self.user_bias = nn.Parameter(torch.zeros(len(schema.customers) + 1))
        self.item_bias = nn.Parameter(torch.zeros(self.n_products + n_categories + 1))
        self.category_bias = nn.Parameter(torch.zeros(n_categories + 1))
        with torch.no_grad():
            self.items.weight[self.n_products + 1 :] = 0.0
        self.register_buffer("mean", torch.zeros(()))
        known = torch.zeros(self.n_products + 1, dtype=torch.int64)
        self.register_buffer("category", torch.cat([known, torch.arange(1, n_categories + 1)]))

    def rows(self, products: Products) -> Ints:
        """[N]: the row of each product; of those not sold in training, the one that stands for their category."""
        if len(self.categories.weight) == 1:
            return products.row
        stand_in = np.where(products.category > 0, self.n_products + products.category, 0)
        return np.where(products.row > 0, products.row, stand_in)

    @torch.no_grad()
    def prepare(self, users: Ints, items: Ints, values: Floats, products: Products) -> None:
        """Take the mean of the training ratings, the categories of products, and the biases of the ridge solution."""
        self.mean.fill_(float(values.mean()))
        if len(self.categories.weight) > 1:
            self.category[torch.from_numpy(products.row)] = torch.from_numpy(products.category)
            self.category[0] = 0
        kinds = (users, USER_PRIOR), (items, ITEM_PRIOR), (self.category.numpy()[items], CATEGORY_PRIOR)
        for table, bias in zip(self._biases(), ridge(values - values.mean(), kinds), strict=True):
            table[: len(bias)] = torch.from_numpy(bias)  # only categories are met in row 0: products without any

    def forward(self, users: Tensor, items: Tensor) -> Tensor:
        """Return the rating of each pair."""
        category = self.category[items]
        taste = (self.users(users) * (self.items(items) + self.categories(category))).sum(-1)
        rating: Tensor = (
            self.mean + self.user_bias[users] + self.item_bias[items] + self.category_bias[category] + taste
        )
        return rating

    def parts(self, users: Tensor) -> dict[str, Tensor]:
        """Return the customer's own taste, and what all customers think of a product."""
        taste = self.users(users) @ (self.items.weight + self.categories.weight[self.category]).T
        level = self.mean + self.user_bias[users][:, None]
        return {"identity": taste, "esteem": self.item_bias + self.category_bias[self.category] + level}

    def _biases(self) -> tuple[Tensor, Tensor, Tensor]:
        return self.user_bias, self.item_bias, self.category_bias


def ridge(gaps: Floats, kinds: tuple[tuple[Ints, float], ...]) -> list[Floats]:
    """Explain gaps[n] as a sum of one bias of each kind: minimise Σ (gap - Σ_k b_k)² + Σ_k prior_k |b_k|².

    Each kind names the rows[n] of its biases and their prior; one kind after the other is solved for exactly.
    """
    biases = [np.zeros(int(rows.max(initial=0)) + 1) for rows, _ in kinds]
    rest = gaps.copy()
    for _ in range(ROUNDS):
        for (rows, prior), bias in zip(kinds, biases, strict=True):
            rest += bias[rows]
            bias[:] = np.bincount(rows, rest) / (np.bincount(rows) + prior)
            rest -= bias[rows]
    return biases

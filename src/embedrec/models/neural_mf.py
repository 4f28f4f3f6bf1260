"""Neural matrix factorisation: a product of vectors (GMF) and a network on top of others (MLP), added up.

    score(u, i) = h · [ p_u ∘ q_i ; MLP(p'_u, q'_i) ] + b_i

He et al. 2017, "Neural Collaborative Filtering", section 3.4. Both branches are trained together from a random
start; the paper's separate pre-training is left out. b_i is not in the paper: without it a customer whom training
never saw would get products in no order.
"""

from __future__ import annotations

from typing import ClassVar, Literal

import torch
from pydantic import BaseModel, ConfigDict, Field
from torch import Tensor, nn

from embedrec.features import FeatureSchema
from embedrec.models.pairs import PairNetwork, id_embedding
from embedrec.models.recipe import Recipe

CELLS = 2**20  # numbers in a block of scores' hidden units: what the processor's cache holds; changes no result


class NeuralMfConfig(BaseModel):
    """Neural matrix factorisation (GMF + MLP)."""

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True)
    name: Literal["neural_mf"] = "neural_mf"
    dim: int = Field(32, ge=2, le=1024)
    """Length of each of the four kinds of vectors; the MLP has layers of 2·dim → dim → dim/2."""

    recipe: ClassVar[Recipe] = Recipe(
        "pairs",
        {"name": "bce", "negatives": 4},
        {"max_epochs": 20, "batch_size": 1024, "learning_rate": 0.004, "weight_decay": 0.5},
        losses=("bce", "bpr"),
    )

    def build(self, schema: FeatureSchema) -> NeuralMatrixFactorization:
        """Make the network for a fitted schema."""
        return NeuralMatrixFactorization(self.dim, schema)


class NeuralMatrixFactorization(PairNetwork):
    """Two branches with embeddings of their own."""

    def __init__(self, dim: int, schema: FeatureSchema) -> None:
        super().__init__()
        customers, products = len(schema.customers), len(schema.products)
        self.users, self.items = id_embedding(customers, dim, std=0.1), id_embedding(products, dim, std=0.1)
        self.deep_users, self.deep_items = id_embedding(customers, dim, std=0.1), id_embedding(products, dim, std=0.1)
        self.deep_user = nn.Linear(dim, dim)
        self.deep_item = nn.Linear(dim, dim, bias=False)  # with deep_user the first layer, on [p'_u ; q'_i]
        self.deep = nn.Sequential(nn.ReLU(inplace=True), nn.Linear(dim, dim // 2), nn.ReLU(inplace=True))
        self.out = nn.Linear(dim + dim // 2, 1, bias=False)
        self.bias = nn.Parameter(torch.zeros(products + 1))

    def forward(self, users: Tensor, items: Tensor) -> Tensor:
        """Return the score of each pair."""
        product = self.users(users) * self.items(items)
        return self._join(product, self.deep_user(self.deep_users(users)), items)

    def parts(self, users: Tensor) -> dict[str, Tensor]:
        """Return what the two branches say, and what sells to everybody."""
        first = self.deep_user(self.deep_users(users))[:, None]
        blocks = []
        at_once = max(CELLS // (first.numel() or 1), 1)
        for items in torch.split(torch.arange(len(self.bias)), at_once):
            product = self.users(users)[:, None] * self.items(items)
            blocks.append(self._join(product, first, items) - self.bias[items])
        taste = torch.cat(blocks, dim=1)
        return {"identity": taste, "popularity": self.bias.expand_as(taste)}

    def _join(self, product: Tensor, first: Tensor, items: Tensor) -> Tensor:
        """Add the branches: product[..., d] of the one, first[..., d] customers' half of the other's first layer."""
        deep: Tensor = self.deep(first + self.deep_item(self.deep_items(items)))
        h = self.out.weight[0]
        dim = product.shape[-1]
        joined: Tensor = product @ h[:dim] + deep @ h[dim:]
        return joined + self.bias[items]

"""Two towers and two small heads: what suits the customer, what they buy again, and what sells.

    score(b, j) = popularity(j) + repeat(b, j)                                            b bought j before
                = popularity(j) + LayerNorm(identity_b + behaviour_b + history_b) · product_j        otherwise

The towers are the retrieval model of Covington et al. 2016 (history as a mean of product vectors) and Yi et al. 2019
(features on both sides). For a product bought before, the personal counts know better than a dot product, so the
repeat head answers alone. Every part is linear in what it is made of once the LayerNorm's two statistics are known,
so a score splits exactly into the purchases and features that made it.
"""

from __future__ import annotations

from typing import ClassVar, Literal

import torch
from pydantic import BaseModel, ConfigDict, Field
from torch import Tensor, nn

from embedrec.features import FeatureSchema
from embedrec.features.schema import CUSTOMER_NUMERIC, PRODUCT_DYNAMIC, REPEAT
from embedrec.models.inputs import CustomerInputs, ProductInputs
from embedrec.models.recipe import Recipe
from embedrec.models.towers import CustomerTower, Numeric, ProductTower

HEAD = 32  # hidden units of the repeat and popularity heads


class TwoTowerConfig(BaseModel):
    """Two-tower model with features, history, repeat and popularity heads."""

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True)
    name: Literal["two_tower"] = "two_tower"
    dim: int = Field(64, ge=1, le=1024)
    """Length of customer and product vectors."""
    id_dropout: float = Field(0.3, ge=0, lt=1)
    """Share of ids shown as "unknown" while training, on both sides."""
    history_dropout: float = Field(0.3, ge=0, lt=1)
    """Share of purchase lines hidden from the history while training."""
    half_life: float = Field(120.0, gt=0, le=36500)
    """Days after which a purchase counts half in the history."""
    features: bool = True
    """Behaviour of customers; category, price, rating and sales of products. Without them ids and history remain."""
    repeat: bool = True
    """A head of its own for products bought before."""
    popularity: bool = True
    """A head for what sells to everybody."""

    recipe: ClassVar[Recipe] = Recipe("cuts", {"name": "softmax"}, {})

    def build(self, schema: FeatureSchema) -> TwoTower:
        """Make the network for a fitted schema."""
        return TwoTower(self, schema)


class TwoTowerIdsConfig(BaseModel):
    """The towers alone, from ids: who the customer is and which products they bought."""

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True)
    name: Literal["two_tower_ids"] = "two_tower_ids"
    dim: int = Field(64, ge=1, le=1024)
    """Length of customer and product vectors."""
    id_dropout: float = Field(0.3, ge=0, lt=1)
    """Share of ids shown as "unknown" while training, on both sides."""
    history_dropout: float = Field(0.3, ge=0, lt=1)
    """Share of purchase lines hidden from the history while training."""
    half_life: float = Field(120.0, gt=0, le=36500)
    """Days after which a purchase counts half in the history."""

    recipe: ClassVar[Recipe] = Recipe(
        "cuts", {"name": "softmax"}, {"max_epochs": 8, "learning_rate": 0.01, "weight_decay": 0.03}
    )

    def build(self, schema: FeatureSchema) -> TwoTower:
        """Make the network for a fitted schema."""
        settings = self.model_dump(exclude={"name"})
        return TwoTower(TwoTowerConfig(**settings, features=False, repeat=False, popularity=False), schema)


class TwoTower(nn.Module):
    """The network; it knows nothing of training."""

    def __init__(self, config: TwoTowerConfig, schema: FeatureSchema) -> None:
        super().__init__()
        self.config = config
        self.products = ProductTower(schema, config.dim, config.id_dropout, config.features)
        self.customers = CustomerTower(
            schema, config.dim, config.id_dropout, config.history_dropout, config.half_life, config.features
        )
        self.norm = nn.LayerNorm(config.dim)
        counts = len(REPEAT) + len(PRODUCT_DYNAMIC) + len(CUSTOMER_NUMERIC)
        if config.repeat:
            self.repeat = nn.Sequential(Numeric(counts, HEAD), nn.SiLU(), nn.Linear(HEAD, 1))
        if config.popularity:
            self.popularity = nn.Sequential(Numeric(len(PRODUCT_DYNAMIC), HEAD), nn.SiLU(), nn.Linear(HEAD, 1))

    def forward(self, customers: CustomerInputs, products: ProductInputs, items: Tensor | None = None) -> Tensor:
        """Return scores [B, N], or [B, K] of items[K] (ascending, distinct)."""
        n_items = len(products.row)
        if items is None:
            items = needed = torch.arange(n_items, device=products.row.device)
        else:
            needed = torch.unique(torch.cat([items, customers.line_items]))
        where = positions(needed, n_items)
        static = self.products.static(products, needed)
        parts = self.customers(customers, static, where[customers.line_items])
        vectors = self.products(products, items, static[where[items]])
        scores = self.norm(parts.total()) @ vectors.T
        scores = self.answer_repeats(scores, customers, products, positions(items, n_items))
        return scores + self.popularity_part(products, items)

    def popularity_part(self, products: ProductInputs, items: Tensor) -> Tensor:
        """[n]: what the sales of a product say for every customer alike."""
        if not self.config.popularity:
            return products.dynamic.new_zeros(len(items))
        value: Tensor = self.popularity(products.dynamic[items])
        return value.squeeze(-1)

    def answer_repeats(
        self, scores: Tensor, customers: CustomerInputs, products: ProductInputs, column: Tensor
    ) -> Tensor:
        """Put the repeat head's answer where scores[B, K] stand for bought products.

        column[N] tells where a product stands in K, or -1.
        """
        if not self.config.repeat:
            return scores
        sales = products.dynamic[customers.bought_items]
        behaviour = customers.numeric[customers.bought_rows]
        value = self.repeat(torch.cat([customers.repeat, sales, behaviour], dim=1)).squeeze(-1)
        place = column[customers.bought_items]
        here = place >= 0
        return scores.index_put((customers.bought_rows[here], place[here]), value[here])


def positions(items: Tensor, n_items: int) -> Tensor:
    """[N]: the place of each product in `items`, -1 where it is absent."""
    where = torch.full((n_items,), -1, dtype=torch.int64, device=items.device)
    where[items] = torch.arange(len(items), device=items.device)
    return where

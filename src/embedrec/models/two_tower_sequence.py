"""Two towers of which the customer's reads the order of the last purchases, views and carts.

    score(b, j) = OrderEncoder(last events of b) · product_j

Kang and McAuley 2018, "Self-Attentive Sequential Recommendation" (SASRec), trained with softmax cross-entropy over many
products instead of one negative each, which is worth more than any change of the network: Klenitskiy and Vasilev 2023,
"Turning Dross Into Gold Loss: is BERT4Rec really better than SASRec?". The product's vector is the same in both towers.
"""

from __future__ import annotations

from typing import Any, ClassVar, Literal, Self

import numpy as np
import torch
import torch.nn.functional as F
from pydantic import BaseModel, ConfigDict, Field
from torch import Tensor, nn

from embedrec.features import Customers, FeatureSchema, Snapshot
from embedrec.features.events import BOUGHT, events_of
from embedrec.features.history import Ints
from embedrec.features.patterns import normalised, spectral
from embedrec.models.attention import OrderEncoder
from embedrec.models.base import Explanation, NetworkScorer
from embedrec.models.classic.collaborative import faint_popularity, last_of_all
from embedrec.models.crowd import VectorCrowd
from embedrec.models.inputs import ProductInputs, product_inputs
from embedrec.models.recipe import Recipe
from embedrec.models.towers import ProductTower
from embedrec.models.windows import Windows, windows

STD = 0.02  # standard deviation of fresh embeddings


class TwoTowerSequenceConfig(BaseModel):
    """Self-attention over the order of events, against product vectors."""

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True)
    name: Literal["two_tower_sequence"] = "two_tower_sequence"
    dim: int = Field(64, ge=2, le=1024, multiple_of=2)
    """Length of customer and product vectors."""
    blocks: int = Field(2, ge=1, le=8)
    """Layers of self-attention."""
    events: int = Field(50, ge=1, le=1000)
    """Latest events that are read."""
    dropout: float = Field(0.4, ge=0, lt=1)
    """Share of the numbers in the customer tower hidden while training."""
    id_prior: float = Field(0.0, ge=0, le=1e6)
    """Purchase lines of a product at which its own vector counts as much as that of the unknown."""
    features: bool = True
    """Category, price and rating of products."""
    looks: bool = True
    """Views and carts of single products among the events; purchases alone are predicted."""

    recipe: ClassVar[Recipe] = Recipe(
        "sequences",
        {"name": "softmax"},
        {
            "max_epochs": 30,
            "batch_size": 256,
            "learning_rate": 0.002,
            "warmup_steps": 200,
            "weight_decay": 0.0,
            "precision": "bfloat16",
        },
        losses=("softmax",),
        unread=("first_time_weight", "draw"),
    )

    def build(self, schema: FeatureSchema) -> TwoTowerSequence:
        """Make the network for a fitted schema."""
        return TwoTowerSequence(self, schema)


class TwoTowerSequence(nn.Module):
    """The network; it knows nothing of training."""

    row: Tensor  # [N] of the products it is trained on, as in `ProductInputs`, where its weights are
    category: Tensor
    price_bucket: Tensor
    numeric: Tensor
    dynamic: Tensor  # [N, 0]: changes with time, and here all times are learned from at once

    def __init__(self, config: TwoTowerSequenceConfig, schema: FeatureSchema) -> None:
        super().__init__()
        self.config = config
        self.products = ProductTower(schema, config.dim, STD, config.id_prior, config.features)
        if config.features:
            del self.products.sales
        with torch.no_grad():
            self.products.id.weight[0] = 0.0  # without a prior it is not learned, and says nothing
        self.order = OrderEncoder(config.dim, config.blocks, config.events, config.dropout)

    def keep_products(self, products: ProductInputs) -> None:
        """Take what is known of all N products before training; no weight, so no checkpoint and no bundle has it."""
        for name, value in products._replace(dynamic=products.dynamic[:, :0])._asdict().items():
            if value is not None:
                self.register_buffer(name, value, persistent=False)

    @torch.no_grad()
    def start(self, baskets: Any, dated: bool = True) -> None:
        """Begin with products of the same customers side by side: scipy CSR of ones [customers, products].

        Where times are made up (not `dated`), the gaps between purchases say nothing and stay without a weight.
        """
        self.order.gap.weight.requires_grad_(dated)
        balanced, _ = normalised(baskets)
        vectors, values = spectral(balanced, self.config.dim)
        side = torch.from_numpy(vectors * np.sqrt(values))
        self.products.id.weight[1:] += STD * self.config.dim**0.5 * F.normalize(side, dim=1)

    def forward(self, items: Tensor, tokens: Tensor, kinds: Tensor, gaps: Tensor) -> tuple[Tensor, Tensor]:
        """Return what each token of tokens[B, T], places in items[n], leads to: [B, T, d]; and the items: [n, d]."""
        kept = ProductInputs(self.row, self.category, self.price_bucket, self.numeric, self.dynamic)
        vectors = self.products.static(kept, items)
        return self.order(F.embedding(tokens, vectors), kinds, gaps), vectors


class TwoTowerSequenceScorer(NetworkScorer):
    """The trained network behind the scoring contract, in float64 rounded to float32."""

    network: TwoTowerSequence

    @property
    def reads_features(self) -> bool:
        """Category, price and rating, unless the model was asked to do without."""
        return self.network.config.features

    @torch.no_grad()
    def observe(self, snapshot: Snapshot) -> Self:
        """Compute all product vectors."""
        inputs = product_inputs(snapshot.products, self.dtype)
        self.vectors_ = self.network.products.static(inputs, torch.arange(len(inputs.row)))
        self.known_ = (inputs.row > 0) | self.network.config.features
        # twice: a customer may like the vector that all products share of which nothing is known
        reach = 2 * self.network.order.reach() * self.vectors_.norm(dim=1).max()
        self.popularity_ = last_of_all(torch.from_numpy(faint_popularity(snapshot)).to(self.dtype), self.known_, reach)
        return super().observe(snapshot)

    @torch.no_grad()
    def score(self, users: Customers | Ints, items: Ints | None = None) -> Tensor:
        """Return scores [B, N] or [B, len(items)], rounded to float32."""
        customers = users if isinstance(users, Customers) else self.snapshot_.customers(users)
        scores = (self._order(customers) @ self.vectors_.T + self.popularity_).float()
        return scores if items is None else scores[:, torch.from_numpy(items)]

    @torch.no_grad()
    def score_parts(self, customers: Customers) -> dict[str, Tensor]:
        """Return what purchases and looks add each by itself, what their order adds, and what sells: [B, N] float64."""
        both = self._order(customers) @ self.vectors_.T
        window = self._window(customers)
        shares, bought = self._shares(window), torch.from_numpy(window.kinds == BOUGHT)[..., None]
        history = (shares * bought).sum(1) @ self.vectors_.T
        parts = {"history": history, "order": both - history, "popularity": self.popularity_.expand_as(both)}
        if self.network.config.looks:
            parts["looks"] = (shares * ~bought).sum(1) @ self.vectors_.T
            parts["order"] = parts["order"] - parts["looks"]
        return parts

    @torch.no_grad()
    def explain(self, customer: Customers, items: Ints) -> Explanation:
        """Take the scores of items[n] apart for one customer (B = 1); pulls of new products add up to "history"."""
        assert customer.size == 1
        bought, asked = customer.bought.values, torch.from_numpy(items)
        window = self._window(customer)
        purchases = window.filled & (window.kinds == BOUGHT)
        place = torch.from_numpy(np.searchsorted(bought, window.items[purchases]))
        shares = self._shares(window)[torch.from_numpy(purchases)]
        pull = self.vectors_[asked] @ shares.new_zeros(len(bought), shares.shape[1]).index_add_(0, place, shares).T
        pull[torch.from_numpy(np.isin(items, bought))] = 0.0
        return super().explain(customer, items)._replace(bought=bought, pull=pull)

    likeness = "Appeals to the same customers"

    def product_vectors(self) -> Tensor:
        """[N, d]: the product vectors, 0 where nothing is known."""
        return F.normalize(self.vectors_, dim=1) * torch.as_tensor(self.known_)[:, None]

    def similar(self, item: int) -> Tensor:
        """[N]: cosine of the product vectors, -inf where nothing is known; for such products, shared customers."""
        if not self.known_[item]:
            return super().similar(item)
        unit = self.product_vectors()
        cosine = torch.mv(unit, unit[item])
        cosine[~self.known_] = -torch.inf
        return cosine

    @torch.no_grad()
    def crowd(self, users: Ints) -> VectorCrowd:
        """Keep what the last events of users[B] lead to."""
        return VectorCrowd(self._order(self.snapshot_.customers(users)), self.vectors_, self.popularity_)

    def _order(self, customers: Customers) -> Tensor:
        """[B, d]: what the last purchases lead to, 0 where there is none."""
        window = self._window(customers)
        items, kinds = torch.from_numpy(window.items), torch.from_numpy(window.kinds)
        read = self.network.order(self.vectors_[items], kinds, torch.from_numpy(window.gaps).to(self.dtype))
        lengths = torch.from_numpy(window.lengths)
        last: Tensor = read[torch.arange(len(lengths)), (lengths - 1).clamp(min=0)]
        return last * (lengths > 0)[:, None]

    def _shares(self, window: Windows) -> Tensor:
        """[B, T, d]: what each of the last purchases adds to that by itself, 0 where there is none."""
        items, kinds = torch.from_numpy(window.items), torch.from_numpy(window.kinds)
        gaps = torch.from_numpy(window.gaps)
        last = torch.from_numpy(window.lengths - 1).clamp(min=0)
        return (
            self.network.order.shares(self.vectors_[items], kinds, gaps, last)
            * torch.from_numpy(window.filled)[..., None]
        )

    def _window(self, customers: Customers) -> Windows:
        config, for_sale = self.network.config, self.snapshot_.products.candidates
        found = events_of(customers.history, customers.users, customers.as_of, for_sale & config.looks)
        return windows(found, config.events)

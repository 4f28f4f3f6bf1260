"""The two towers: each a sum of embeddings, so that a score can be taken apart exactly.

Legend: B customers, N products, n of them asked for, L purchase lines, d dimensions.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from embedrec.features import FeatureSchema
from embedrec.features.hierarchy import parent_rows
from embedrec.features.schema import CUSTOMER_NUMERIC, PRODUCT_DYNAMIC, PRODUCT_NUMERIC
from embedrec.models.inputs import CustomerInputs, ProductInputs


def embedding(rows: int, dim: int, std: float) -> nn.Embedding:
    """Make a table of `rows` names plus row 0, the learned state "unknown or missing"."""
    table = nn.Embedding(rows + 1, dim)
    nn.init.normal_(table.weight, std=std)
    return table


class Identity(nn.Embedding):
    """rows[*] → vectors [*, d] of ids, of which row 0 is the unknown; what training saw little of counts little.

    An id with n purchase lines is itself in n / (n + prior) of the steps and unknown in the others, which teaches row 0
    what to say of newcomers. Answers take the mean of both, so that an id's own vector is shrunk towards the unknown
    as far as little is known of it (credibility weights, as in Bühlmann 1967, "Experience Rating and Credibility").
    Lines are those of the whole training, at early dates too: they tell how well a vector was learned, not how much was
    bought by then. With a prior of 0 an id always is itself.
    """

    share: Tensor  # [R + 1] n / (n + prior)

    def __init__(self, lines: Sequence[int], dim: int, std: float, prior: float) -> None:
        super().__init__(len(lines) + 1, dim)
        nn.init.normal_(self.weight, std=std)
        count = torch.tensor([0, *lines], dtype=torch.float64)
        share = count / (count + prior).clamp(min=1.0)
        self.register_buffer("share", share.to(self.weight.dtype), persistent=False)
        self.shrinks = prior > 0

    def forward(self, rows: Tensor) -> Tensor:
        """Look ids up; while training by chance, by torch's random stream."""
        if not self.shrinks:
            return super().forward(rows)
        share = self.share[rows]
        if self.training:
            return super().forward(rows * (torch.rand_like(share) < share))
        return torch.lerp(self.weight[0], super().forward(rows), share[..., None])


class Categories(nn.Embedding):
    """rows[*] → vectors [*, d] of categories: a category's own, and those of all in which it lies.

    A new or rare category so begins as what is known of the one above it. Row 0 is the unknown.
    """

    parents: Tensor  # [C + 1] row of the category in which each lies, 0 = none

    def __init__(self, names: Sequence[str], dim: int, std: float) -> None:
        super().__init__(len(names) + 1, dim)
        nn.init.normal_(self.weight, std=std)
        parents = parent_rows(names)
        self.register_buffer("parents", torch.from_numpy(parents), persistent=False)
        self.nested = bool(parents.any())

    def forward(self, rows: Tensor) -> Tensor:
        """Add up the vectors from the category to the top."""
        vectors = super().forward(rows)
        if not self.nested:
            return vectors
        above = self.parents[rows]
        while above.any():
            vectors = vectors + super().forward(above) * (above > 0)[..., None]
            above = self.parents[above]
        return vectors


class Numeric(nn.Module):
    """values[*, F] → [*, d]: a linear map in which every missing value has a learned vector of its own."""

    def __init__(self, features: int, dim: int) -> None:
        super().__init__()
        self.linear = nn.Linear(2 * features, dim)
        with torch.no_grad():  # what was never missing in training must not add noise when it is missing later
            self.linear.weight[:, features:] = 0.0

    def forward(self, values: Tensor) -> Tensor:
        """Replace NaN by its learned state and map."""
        missing = torch.isnan(values)
        known = torch.where(missing, torch.zeros_like(values), values)
        mapped: Tensor = self.linear(torch.cat([known, missing.to(values.dtype)], dim=-1))
        return mapped


class ProductTower(nn.Module):
    """products[n] → vectors [n, d]: id + category + price bucket + numbers, and how the product sells of late."""

    def __init__(self, schema: FeatureSchema, dim: int, std: float, id_prior: float, features: bool) -> None:
        super().__init__()
        self.id = Identity(schema.product_lines, dim, std, id_prior)
        if features:
            self.category = Categories(schema.categories, dim, std)
            self.price = embedding(len(schema.price_edges) + 1, dim, std)
            self.numeric = Numeric(len(PRODUCT_NUMERIC), dim)
            self.sales = Numeric(len(PRODUCT_DYNAMIC), dim)
        self.features = features

    def static(self, products: ProductInputs, items: Tensor) -> Tensor:
        """Return what a product is, without how it sells: [n, d]."""
        identity: Tensor = self.id(products.row[items])
        if not self.features:
            return identity
        numeric: Tensor = self.numeric(products.numeric[items])
        category, price = self.category(products.category[items]), self.price(products.price_bucket[items])
        static: Tensor = identity + category + price + numeric
        return static

    def forward(self, products: ProductInputs, items: Tensor, static: Tensor) -> Tensor:
        """Add the sales state to `static` [n, d]: the vectors that customers are multiplied with."""
        return static + self.sales(products.dynamic[items]) if self.features else static


class CustomerParts(NamedTuple):
    """What a customer vector is the sum of, each [B, d]; zero what the model does not use."""

    identity: Tensor
    activity: Tensor
    category: Tensor
    price: Tensor
    history: Tensor

    def total(self) -> Tensor:
        """[B, d]: the customer vector before its LayerNorm."""
        return self.identity + self.activity + self.category + self.price + self.history


class CustomerTower(nn.Module):
    """customers[B] → parts [B, d]: id, activity, favourite category, usual price, decayed mean of bought products."""

    def __init__(
        self,
        schema: FeatureSchema,
        dim: int,
        std: float,
        id_prior: float,
        history_dropout: float | None,
        half_life: float,
        features: bool,
    ) -> None:
        super().__init__()
        self.id = Identity(schema.customer_lines, dim, std, id_prior)
        if id_prior:
            with torch.no_grad():  # who bought on one day only is in no batch, and must not be taken for somebody
                self.id.weight[1:] = self.id.weight[0]
        if features:
            self.category = Categories(schema.categories, dim, std)
            self.price = embedding(len(schema.price_edges) + 1, dim, std)
            self.numeric = nn.Sequential(Numeric(len(CUSTOMER_NUMERIC), dim), nn.SiLU(), nn.Linear(dim, dim))
        self.features = features
        self.history = None if history_dropout is None else nn.Linear(dim, dim, bias=False)
        self.history_dropout = history_dropout
        self.half_life = half_life

    def forward(self, customers: CustomerInputs, line_vectors: Tensor, line_positions: Tensor) -> CustomerParts:
        """Return the parts; line l bought the product with vector `line_vectors[line_positions[l]]`."""
        weights = self.line_weights(customers)
        mean = F.embedding_bag(
            line_positions,
            line_vectors,
            customers.line_offsets,
            mode="sum",
            per_sample_weights=weights,
            include_last_offset=True,
        )
        identity = self.id(customers.row)
        history = self.from_history(mean)
        if not self.features:
            nothing = torch.zeros_like(identity)
            return CustomerParts(identity, nothing, nothing, nothing, history)
        return CustomerParts(
            identity=identity,
            activity=self.numeric(customers.numeric),
            category=self.category(customers.category),
            price=self.price(customers.price_bucket),
            history=history,
        )

    def from_history(self, vectors: Tensor) -> Tensor:
        """[*, d]: what bought products, or their mean, add to a customer; nothing in a model without history."""
        return torch.zeros_like(vectors) if self.history is None else self.history(vectors)

    def line_weights(self, customers: CustomerInputs) -> Tensor:
        """[L]: weight of each purchase line, 0.5^(age / half-life), adding up to 1 for each customer."""
        lengths = customers.line_offsets.diff()
        rows = torch.repeat_interleave(torch.arange(len(lengths), device=lengths.device), lengths)
        # measured from the customer's youngest line, so that long absences do not underflow; it cancels in the mean
        youngest = customers.line_ages[(customers.line_offsets[1:] - 1).clamp(min=0)[rows]]
        weights = torch.exp2((youngest - customers.line_ages) / self.half_life)
        if self.training and self.history_dropout:
            weights = weights * (torch.rand_like(weights) >= self.history_dropout)
        total = weights.new_zeros(len(lengths)).index_add_(0, rows, weights)
        return weights / total.clamp(min=1e-12)[rows]

"""Two towers, patterns of what is bought together, and heads: what is bought again, was looked at, is new, sells.

    score(b, j) = popularity(j) + interest_b · sales_j + repeat(b, j)           b bought j before
                = popularity(j) + vector_b · vector_j + looks(b, j)             b did not; looks where b looked at j
                = popularity(j) + vector_b · vector_j + looks + habits(b, category_j) + lift   nobody did

    vector_b = [ scale · LayerNorm(identity_b + behaviour_b + history_b),  weight_b · direction_b,  interest_b ]
    vector_j = [ product_j,                                                direction_j,             sales_j    ]

The towers are the retrieval model of Covington et al. 2016 (history as a mean of product vectors) and Yi et al. 2019
(features on both sides). They learn from a handful of dates; what goes with what is better told by all purchases: a
direction is the unit vector of `features.patterns`, the customer's from the sum over the basket, and the network only
learns how much each kind of pattern weighs for whom. Where training dates lie in the past, so do their patterns. For
a product bought before, the personal counts know better than towers and patterns, so the repeat head answers in their
place; what sells attracts a customer there as everywhere, and is learned from purchases of both kinds. Every part is
linear in what it is made of once the lengths are known that it is divided by, so a score splits exactly into the
purchases and features that made it.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import ClassVar, Literal, NamedTuple

import torch
import torch.nn.functional as F
from pydantic import BaseModel, ConfigDict, Field
from torch import Tensor, nn

from embedrec.features import FeatureSchema
from embedrec.features.patterns import KINDS
from embedrec.features.schema import AGE, CATEGORY_HABITS, CUSTOMER_NUMERIC, LOOKS, PRODUCT_DYNAMIC, REPEAT
from embedrec.models.inputs import CustomerInputs, ProductInputs
from embedrec.models.recipe import Recipe
from embedrec.models.towers import CustomerTower, Numeric, ProductTower

HEAD = 64  # hidden units of the small heads
INTERESTS = 4  # ways in which customers differ in what of a product's sales attracts them
WEIGHT = 5.0  # of a pattern before training
FIT = 3.0  # of a product to the rest of the basket: a cosine, as wide as the other numbers that a head sees
TINY = 1e-12  # length of a basket of nothing
ID_PRIOR = 200.0  # purchase lines
STD = 0.1  # standard deviation of fresh embeddings
QUIET_STD, QUIET_SCALE = 1.0, 0.002
"""Towers beside patterns begin with a whisper. A step changes wide embeddings little, so they learn more slowly than
the heads: what few training dates tell of a product must not outweigh all that is known of it."""


class TwoTowerConfig(BaseModel):
    """Two-tower model with features, history, repeat and popularity heads."""

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True)
    name: Literal["two_tower"] = "two_tower"
    dim: int = Field(64, ge=1, le=1024)
    """Length of customer and product vectors."""
    id_prior: float | None = Field(None, ge=0, le=1e6)
    """Purchase lines of a customer or product at which its own vector counts as much as that of the unknown. Without
    one: 200 where purchases have dates, 0 where they have none, for then nothing fades until the test."""
    history_dropout: float = Field(0.5, ge=0, lt=1)
    """Share of purchase lines hidden from the history while training."""
    half_life: float = Field(120.0, gt=0, le=36500)
    """Days after which a purchase counts half in the history."""
    patterns: int = Field(32, ge=0, le=1024)
    """Length of the vectors of each kind of pattern of what is bought together; 0 = none."""
    features: bool = True
    """Behaviour of customers; category, price, rating and sales of products. Without them ids and history remain."""
    history: bool = True
    """What customers bought: its mean, its patterns, its categories. Without it the repeat head remains."""
    repeat: bool = True
    """A head of its own for products bought before."""
    looks: bool = True
    """A head of its own for products looked at or put into a cart, not bought."""
    popularity: bool = True
    """A head for what sells to everybody."""
    new_product_lift: float = Field(1.5, ge=-100, le=100)
    """Added when answering to the score of products that nobody bought yet: the logarithm of how many times likelier
    than past new ones they are taken to be. What is never shown cannot be bought."""

    usual: ClassVar[Mapping[str, float]] = {"id_prior": ID_PRIOR}
    """What null stands for in most shops, where a search begins."""

    recipe: ClassVar[Recipe] = Recipe("cuts", {"name": "softmax"}, {})

    def build(self, schema: FeatureSchema) -> TwoTower:
        """Make the network for a fitted schema."""
        return TwoTower(self, schema)


class Heads(NamedTuple):
    """What the heads say of all that customers dealt with, whichever products are asked for; None without the head."""

    habits: Tensor | None  # [C]
    looks: Tensor | None  # [Q]
    repeat: Tensor | None  # [P]


class TwoTower(nn.Module):
    """The network; it knows nothing of training."""

    def __init__(self, config: TwoTowerConfig, schema: FeatureSchema) -> None:
        super().__init__()
        self.config = config
        std, self.scale = (QUIET_STD, QUIET_SCALE) if config.patterns else (STD, 1.0)
        id_prior = (ID_PRIOR if schema.dated else 0.0) if config.id_prior is None else config.id_prior
        self.products = ProductTower(schema, config.dim, std, id_prior, config.features)
        self.customers = CustomerTower(
            schema,
            config.dim,
            std,
            id_prior,
            config.history_dropout if config.history else None,
            config.half_life,
            config.features,
        )
        self.norm = nn.LayerNorm(config.dim)
        self.pattern_dim = config.patterns if config.history else 0
        customer, sales = len(CUSTOMER_NUMERIC), len(PRODUCT_DYNAMIC)
        if self.pattern_dim:
            self.patterns: Tensor
            self.register_buffer("patterns", torch.zeros(len(schema.products) + 1, KINDS, self.pattern_dim))
            self.weight = head(customer, KINDS, start=1.0)
        if config.repeat:
            known = len(REPEAT) + (len(LOOKS) if config.looks else 0) + (KINDS if self.pattern_dim else 0)
            self.repeat = head(known + sales + customer, 1)
        if config.features and config.history:
            self.habits = head(len(CATEGORY_HABITS) + customer, 1, start=0.0)
        if config.looks:
            self.looks = head(len(LOOKS) + sales + customer, 1, start=0.0)
        if config.popularity:
            self.popularity = head(sales, 1)
            self.interest, self.sales = head(customer, INTERESTS, start=0.0), head(sales, INTERESTS)

    def keep_patterns(self, patterns: Tensor, rows: Tensor) -> None:
        """Take the patterns[N, KINDS, p] from which to answer, of products at rows[N] of the schema."""
        self.patterns[rows] = patterns
        self.patterns[0] = 0.0

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
        vectors = self.customer_vectors(parts.total(), customers, products)
        scores = vectors @ self.product_vectors(products, items, static[where[items]]).T
        column = positions(items, n_items)
        heads = self.heads(customers, products)
        scores = scores + self.habits_part(heads, customers, products, items)
        scores = scores + self.looks_part(heads, scores, customers, column)
        scores = self.answer_repeats(heads, scores, customers, column)
        return scores + self.popularity_part(products, items) + self.newness_part(products, items)

    def customer_vectors(self, total: Tensor, customers: CustomerInputs, products: ProductInputs) -> Tensor:
        """[B, D]: towers, patterns and interests side by side; total[B, d] is the sum of the tower's parts."""
        basket = self.baskets(customers, products)
        beside = self.directions(basket, basket, customers), self.interests(customers)
        return torch.cat([self.scale * self.norm(total), *beside], dim=1)

    def product_vectors(self, products: ProductInputs, items: Tensor, static: Tensor) -> Tensor:
        """[n, D]: what customers' vectors are multiplied with; static[n, d] are the products without their sales."""
        vectors = [self.products(products, items, static)]
        if self.pattern_dim:
            vectors.append(F.normalize(self.patterns_of(products, items), dim=-1).flatten(1))
        if self.config.popularity:
            vectors.append(self.sales(products.dynamic[items]))
        return torch.cat(vectors, dim=1)

    def patterns_of(self, products: ProductInputs, items: Tensor) -> Tensor:
        """[n, KINDS, p]: what the purchase of each product adds to the patterns of a customer."""
        if not self.pattern_dim:
            return products.dynamic.new_zeros(len(items), KINDS, 0)
        return products.patterns[items] if products.patterns is not None else self.patterns[products.row[items]]

    def baskets(self, customers: CustomerInputs, products: ProductInputs) -> Tensor:
        """[B, KINDS, p]: sum of the patterns of all that each customer bought."""
        none = customers.numeric.new_zeros(len(customers.row), KINDS, self.pattern_dim)
        return none.index_add(0, customers.bought_rows, self.patterns_of(products, customers.bought_items))

    def directions(
        self, basket: Tensor, whole: Tensor, customers: CustomerInputs, owner: Tensor | None = None
    ) -> Tensor:
        """[M, KINDS · p]: baskets[M, KINDS, p] over the length of the whole[B, KINDS, p], weighted for each customer.

        M = B, or each basket is a part of that of its owner[M], such as one product bought.
        """
        if not self.pattern_dim:
            return basket.flatten(1)
        weight: Tensor = self.weight(customers.numeric)
        length = whole.norm(dim=-1, keepdim=True).clamp(min=TINY)
        if owner is not None:
            weight, length = weight[owner], length[owner]
        direction: Tensor = basket / length
        return WEIGHT * (direction * weight[:, :, None]).flatten(1)

    def interests(self, customers: CustomerInputs) -> Tensor:
        """[B, INTERESTS]: what about a product's sales attracts each customer more than others."""
        if not self.config.popularity:
            return customers.numeric.new_zeros(len(customers.row), 0)
        interests: Tensor = self.interest(customers.numeric)
        return interests

    def newness_part(self, products: ProductInputs, items: Tensor) -> Tensor:
        """[n]: the lift of products that nobody bought yet; while training there is none."""
        lift = 0.0 if self.training else self.config.new_product_lift
        return lift * unsold(products, items)

    def popularity_part(self, products: ProductInputs, items: Tensor) -> Tensor:
        """[n]: what the sales of a product say for every customer alike."""
        if not self.config.popularity:
            return products.dynamic.new_zeros(len(items))
        value: Tensor = self.popularity(products.dynamic[items])
        return value.squeeze(-1)

    def heads(self, customers: CustomerInputs, products: ProductInputs) -> Heads:
        """Ask each head about all that the customers dealt with."""
        config = self.config
        return Heads(
            self.habit_values(customers) if config.features and config.history else None,
            self.look_values(customers, products) if config.looks else None,
            self.repeat_values(customers, products) if config.repeat else None,
        )

    def habits_part(self, heads: Heads, customers: CustomerInputs, products: ProductInputs, items: Tensor) -> Tensor:
        """[B, n], zero but for products that nobody bought yet: what a customer buys from their categories."""
        size = len(customers.row)
        if heads.habits is None:
            return customers.numeric.new_zeros(size, len(items))
        table = heads.habits.new_zeros(size, self.products.category.num_embeddings)
        table = table.index_put((customers.habit_rows, customers.habit_categories), heads.habits)
        part: Tensor = table[:, products.category[items]] * unsold(products, items)
        return part

    def looks_part(self, heads: Heads, like: Tensor, customers: CustomerInputs, column: Tensor) -> Tensor:
        """[B, K], zero but for products looked at and not bought; `like` is of that shape.

        column[N] tells where a product stands in K, or -1.
        """
        part = torch.zeros_like(like)
        if heads.looks is None:
            return part
        place = column[customers.seen_items]
        here = place >= 0
        return part.index_put((customers.seen_rows[here], place[here]), heads.looks[here])

    def answer_repeats(self, heads: Heads, scores: Tensor, customers: CustomerInputs, column: Tensor) -> Tensor:
        """Put the repeat head's answer where scores[B, K] stand for bought products.

        column[N] tells where a product stands in K, or -1.
        """
        if heads.repeat is None:
            return scores
        place = column[customers.bought_items]
        here = place >= 0
        return scores.index_put((customers.bought_rows[here], place[here]), heads.repeat[here])

    def habit_values(self, customers: CustomerInputs) -> Tensor:
        """[C]: what a customer buys from each category says of a new product in it."""
        known = [customers.habits, customers.numeric[customers.habit_rows]]
        value: Tensor = self.habits(torch.cat(known, dim=1)).squeeze(-1)
        return value

    def look_values(self, customers: CustomerInputs, products: ProductInputs) -> Tensor:
        """[Q]: what looking at each seen product adds to its score."""
        known = [customers.looks, products.dynamic[customers.seen_items], customers.numeric[customers.seen_rows]]
        value: Tensor = self.looks(torch.cat(known, dim=1)).squeeze(-1)
        return value

    def repeat_values(self, customers: CustomerInputs, products: ProductInputs) -> Tensor:
        """[P]: the repeat head's answer for each bought product."""
        sales = products.dynamic[customers.bought_items]
        behaviour = customers.numeric[customers.bought_rows]
        known = [customers.repeat, sales, behaviour, self.fit_to_rest(customers, products)]
        if self.config.looks:
            known.append(customers.looks_at_bought)
        value: Tensor = self.repeat(torch.cat(known, dim=1)).squeeze(-1)
        if self.config.popularity:
            value = value + (self.interests(customers)[customers.bought_rows] * self.sales(sales)).sum(-1)
        return value

    def fit_to_rest(self, customers: CustomerInputs, products: ProductInputs) -> Tensor:
        """[P, KINDS]: cosine of each bought product with all else its customer bought; 0 where there is nothing."""
        own = self.patterns_of(products, customers.bought_items)
        rest = self.baskets(customers, products)[customers.bought_rows] - own
        cosine = (F.normalize(rest, dim=-1) * F.normalize(own, dim=-1)).sum(-1)
        return FIT * cosine if self.pattern_dim else cosine[:, :0]


def head(features: int, outputs: int, start: float | None = None) -> nn.Sequential:
    """values[*, features] → [*, outputs]: a hidden layer over numbers that may be missing.

    With `start` every output is that number before training.
    """
    last = nn.Linear(HEAD, outputs)
    if start is not None:
        nn.init.zeros_(last.weight)
        nn.init.constant_(last.bias, start)
    return nn.Sequential(Numeric(features, HEAD), nn.SiLU(), last)


def unsold(products: ProductInputs, items: Tensor) -> Tensor:
    """[n]: 1 where nobody bought the product yet, else 0."""
    return products.dynamic[items, AGE].isnan().to(products.dynamic.dtype)


def positions(items: Tensor, n_items: int) -> Tensor:
    """[N]: the place of each product in `items`, -1 where it is absent."""
    where = torch.full((n_items,), -1, dtype=torch.int64, device=items.device)
    where[items] = torch.arange(len(items), device=items.device)
    return where

"""A trained two-tower network behind the scoring contract, with exact explanations.

Scores are computed in float64 and rounded to float32: a customer alone and the same customer in a batch then get the
same list to the last place, which float32 matrix products of different shapes do not grant.
"""

from __future__ import annotations

from typing import Self

import torch
from torch import Tensor

from embedrec.features import Customers, Snapshot
from embedrec.features.history import NEVER, Ints
from embedrec.models.base import Explanation, NetworkScorer
from embedrec.models.inputs import CustomerInputs, customer_inputs, product_inputs
from embedrec.models.towers import CustomerParts
from embedrec.models.two_tower import INTERESTS, TwoTower

AVERAGED = 1000  # customers; enough to know the average one


class TwoTowerScorer(NetworkScorer):
    """Product vectors are computed once per `observe`; a customer then costs one matrix-vector product."""

    network: TwoTower

    @property
    def reads_features(self) -> bool:
        """Category, price and rating, unless the model was asked to do without."""
        return self.network.config.features

    @torch.no_grad()
    def observe(self, snapshot: Snapshot) -> Self:
        """Compute all product vectors as of the date."""
        inputs = product_inputs(snapshot.products, self.dtype)
        self.every_ = every = torch.arange(len(inputs.row))
        self.inputs_ = inputs
        self._average_: dict[str, Tensor] | None = None  # computed when somebody asks why
        self.static_ = self.network.products.static(inputs, every)
        self.vectors_ = self.network.product_vectors(inputs, every, self.static_)
        self.popularity_ = self.network.popularity_part(inputs, every)
        self.newness_ = self.network.newness_part(inputs, every)
        return super().observe(snapshot)

    @torch.no_grad()
    def score(self, users: Customers | Ints, items: Ints | None = None) -> Tensor:
        """Return scores [B, N] or [B, len(items)], rounded to float32."""
        inputs = self._inputs(users)
        vectors = self.network.customer_vectors(self._parts(inputs).total(), inputs, self.inputs_)
        scores = vectors @ self.vectors_.T
        scores += self.network.habits_part(inputs, self.inputs_, self.every_)
        scores += self.network.looks_part(scores, inputs, self.inputs_, self.every_)
        scores = self.network.answer_repeats(scores, inputs, self.inputs_, self.every_)
        scores = (scores + self.popularity_ + self.newness_).float()
        return scores if items is None else scores[:, torch.from_numpy(items)]

    @torch.no_grad()
    def score_parts(self, customers: Customers) -> dict[str, Tensor]:
        """Return what sets the customer apart, everybody's taste, repeat and popularity, each [B, N] float64.

        Parts of a customer count as differences from the average customer, whose own parts make up "taste".
        """
        inputs = self._inputs(customers)
        blank = torch.zeros(customers.size, len(self.every_), dtype=torch.float64)
        shares, average = self._shares(inputs), torch.stack(list(self._average.values()))
        apart = torch.stack(list(shares.values())) - average[:, None]  # [parts, B, D]
        everybody = average.sum(0)
        everybody[: len(self.network.norm.bias)] += self.network.scale * self.network.norm.bias
        every = torch.cat([apart.flatten(0, 1), everybody[None]]) @ self.vectors_.T  # reads the product vectors once
        named = dict(zip(shares, every[:-1].view(*apart.shape[:2], -1), strict=True))
        named["taste"] = every[-1].expand_as(blank)
        named["habits"] = self.network.habits_part(inputs, self.inputs_, self.every_)
        named["looks"] = self.network.looks_part(blank, inputs, self.inputs_, self.every_)
        if self.network.config.repeat:
            bought = (inputs.bought_rows, inputs.bought_items)
            named = {name: part.index_put(bought, blank.new_zeros(())) for name, part in named.items()}
            named["repeat"] = self.network.answer_repeats(blank, inputs, self.inputs_, self.every_)
        named["popularity"] = self.popularity_.expand_as(blank)
        named["newness"] = self.newness_.expand_as(blank)
        return named

    @torch.no_grad()
    def explain(self, customer: Customers, items: Ints) -> Explanation:
        """Take the scores of items[n] apart for one customer (B = 1).

        For a customer who bought something, the pulls add up to the part "history".
        """
        assert customer.size == 1
        inputs = self._inputs(customer)
        network, asked = self.network, torch.from_numpy(items)
        weights = network.customers.line_weights(inputs)
        lines = network.customers.from_history(self.static_[inputs.line_items] * weights[:, None])  # [L, d]
        bought = inputs.bought_items
        place = torch.searchsorted(bought, inputs.line_items)
        by_product = lines.new_zeros(len(bought), lines.shape[1]).index_add_(0, place, lines)
        weight = weights.new_zeros(len(bought)).index_add_(0, place, weights)
        tower = self._linear(by_product, self._parts(inputs).total().expand_as(by_product))
        basket = network.patterns_of(self.inputs_, bought)
        patterns = network.directions(basket, basket.sum(0, keepdim=True), inputs)
        apart = self._beside(tower, patterns=patterns) - weight[:, None] * self._average["history"]
        pull = apart @ self.vectors_[asked].T
        pull[:, torch.isin(asked, bought)] = 0.0  # of a product bought before the repeat head speaks alone
        return super().explain(customer, items)._replace(bought=customer.bought.values, pull=pull.T)

    likeness = "Appeals to the same customers"

    def product_vectors(self) -> Tensor:
        """[N, d]: the product vectors without their sales: what a product is, not how it sells."""
        return torch.nn.functional.normalize(self.static_, dim=1)

    def similar(self, item: int) -> Tensor:
        """[N]: cosine of `product_vectors`."""
        unit = self.product_vectors()
        return unit @ unit[item]

    @property
    @torch.no_grad()
    def _average(self) -> dict[str, Tensor]:
        """Each part of the customer vector [D], averaged over customers of the snapshot (at most `AVERAGED`)."""
        if self._average_ is None:
            buyers = self.snapshot_.history.buyers(NEVER, self.snapshot_.as_of)
            sample = buyers[:: -(-len(buyers) // AVERAGED)] if len(buyers) else buyers
            count = max(len(sample), 1)
            self._average_ = {name: share.sum(0) / count for name, share in self._shares(self._inputs(sample)).items()}
        return self._average_

    def _inputs(self, users: Customers | Ints) -> CustomerInputs:
        customers = users if isinstance(users, Customers) else self.snapshot_.customers(users)
        return customer_inputs(customers, self.dtype)

    def _parts(self, inputs: CustomerInputs) -> CustomerParts:
        parts: CustomerParts = self.network.customers(inputs, self.static_, inputs.line_items)
        return parts

    def _shares(self, inputs: CustomerInputs) -> dict[str, Tensor]:
        """Split the customers' vectors [B, D], but for what the LayerNorm adds to everybody, by what they are made of.

        What is bought together belongs to the history, the interest in sales to how a customer behaves.
        """
        parts = self._parts(inputs)
        total = parts.total()
        basket = self.network.baskets(inputs, self.inputs_)
        beside = {
            "history": {"patterns": self.network.directions(basket, basket, inputs)},
            "activity": {"interests": self.network.interests(inputs)},
        }
        return {
            name: self._beside(self._linear(part, total), **beside.get(name, {}))
            for name, part in parts._asdict().items()
        }

    def _beside(self, tower: Tensor, patterns: Tensor | None = None, interests: Tensor | None = None) -> Tensor:
        """Lay the blocks of vectors[M, D] side by side, zero what is not given."""
        width = self.vectors_.shape[1] - tower.shape[1]
        n_interests = INTERESTS if self.network.config.popularity else 0
        patterns = tower.new_zeros(len(tower), width - n_interests) if patterns is None else patterns
        interests = tower.new_zeros(len(tower), n_interests) if interests is None else interests
        return torch.cat([self.network.scale * tower, patterns, interests], dim=1)

    def _linear(self, part: Tensor, total: Tensor) -> Tensor:
        """LayerNorm of `total` is linear in its summands once mean and spread are known: the share of `part`."""
        norm = self.network.norm
        variance = (total - total.mean(dim=-1, keepdim=True)).square().mean(dim=-1, keepdim=True)  # var() minds no rows
        spread = torch.sqrt(variance + norm.eps)
        return (part - part.mean(dim=-1, keepdim=True)) / spread * norm.weight

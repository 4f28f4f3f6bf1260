"""A trained two-tower network as of a date, and what its scores are made of: parts that add up to them exactly.

Every part is linear in what it is made of once the lengths are known that it is divided by, see `two_tower`.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple, Self

import numpy as np
import torch
from torch import Tensor

from embedrec.features import Customers, Snapshot
from embedrec.features.history import NEVER, Ints
from embedrec.models.base import Explanation, NetworkScorer
from embedrec.models.inputs import CustomerInputs, customer_inputs, product_inputs
from embedrec.models.towers import CustomerParts
from embedrec.models.two_tower import INTERESTS, Heads, TwoTower, positions, unsold

AVERAGED = 1000  # customers; enough to know the average one


class Asked(NamedTuple):
    """B customers as the network sees them, whatever is asked of them."""

    customers: Customers
    inputs: CustomerInputs
    tower: CustomerParts
    vectors: Tensor  # [B, D]
    heads: Heads


class TwoTowerParts(NetworkScorer):
    """Knows all product vectors, sees customers as the network does, and takes scores apart; ranking is above it."""

    network: TwoTower

    @torch.no_grad()
    def observe(self, snapshot: Snapshot) -> Self:
        """Compute all product vectors as of the date."""
        inputs = product_inputs(snapshot.products, self.dtype)
        self.every_ = every = torch.arange(len(inputs.row))
        self.inputs_ = inputs
        self.static_ = self.network.products.static(inputs, every)
        self.vectors_ = self.network.product_vectors(inputs, every, self.static_)
        self.popularity_ = self.network.popularity_part(inputs, every)
        self.newness_ = self.network.newness_part(inputs, every)
        self.unsold_ = unsold(inputs, every).nonzero().squeeze(1)
        self.unsold_place_ = positions(self.unsold_, len(every))
        self._vector_sum = self.vectors_.sum(0)
        self._average_alike = {"popularity": float(self.popularity_.mean()), "newness": float(self.newness_.mean())}
        self._average_: dict[str, Tensor] | None = None  # computed when somebody asks why
        self._latest_: Asked | None = None  # customers asked of last: what they get, and then why
        return super().observe(snapshot)

    @torch.no_grad()
    def asked(self, users: Customers | Ints) -> Asked:
        """See customers as the network does; the same once more without working it out again."""
        latest = self._latest_  # read once: others may ask at the same time
        if latest is not None and latest.customers is users:
            return latest
        customers = users if isinstance(users, Customers) else self.snapshot_.customers(users)
        inputs = customer_inputs(customers, self.dtype)
        tower = self.network.customers(inputs, self.static_, inputs.line_items)
        vectors = self.network.customer_vectors(tower.total(), inputs, self.inputs_)
        asked = Asked(customers, inputs, tower, vectors, self.network.heads(inputs, self.inputs_))
        if asked.customers is users:
            self._latest_ = asked
        return asked

    def explain(self, customer: Customers, items: Ints) -> Explanation:
        """Take the scores of items[n] apart for one customer (B = 1).

        For a customer who bought something, the pulls add up to the part "history".
        """
        assert customer.size == 1
        return self.explain_many(customer, [items])[0]

    @torch.no_grad()
    def score_parts(self, customers: Customers) -> dict[str, Tensor]:
        """Return what sets the customer apart, everybody's taste, repeat and popularity, each [B, N] float64.

        Parts of a customer count as differences from the average customer, whose own parts make up "taste".
        """
        asked = self.asked(customers)
        return self._named_parts(asked, self.every_, *self._apart(asked))

    @torch.no_grad()
    def explain_many(self, customers: Customers, lists: Sequence[Ints]) -> list[Explanation]:
        """Take the scores of lists[b] apart for each of B customers, all in the same few products of matrices."""
        asked = self.asked(customers)
        inputs = asked.inputs
        apart, everybody = self._apart(asked)
        columns = torch.unique(torch.cat([*map(torch.from_numpy, lists), inputs.bought_items, inputs.seen_items]))
        place = torch.searchsorted(columns, torch.from_numpy(np.concatenate(lists)))
        parts = self._named_parts(asked, columns, apart, everybody)
        averages = self._average_parts(asked, parts, apart, everybody)
        pull = self._bought_vectors(asked) @ self.vectors_[columns].T
        place_of_bought = torch.searchsorted(columns, inputs.bought_items)
        answered = torch.zeros(len(inputs.row), len(columns), dtype=torch.bool)  # by the repeat head alone
        answered[inputs.bought_rows, place_of_bought] = True
        stacked, offsets = torch.stack(list(parts.values())), customers.bought.offsets.tolist()
        found, start = [], 0
        for row, items in enumerate(lists):
            at = place[start : start + len(items)]
            start += len(items)
            own = slice(offsets[row], offsets[row + 1])
            pulls = pull[own][:, at].T.masked_fill_(answered[row, at][:, None], 0.0)
            values = dict(zip(parts, stacked[:, row][:, at].unbind(), strict=True))
            average = {name: means[row] for name, means in averages.items()}
            found.append(Explanation(values, average, customers.bought.values[own], pulls))
        return found

    @torch.no_grad()
    def average_pull(self, customer: Customers) -> Tensor:
        """[P]: the mean of the pulls over all N products; those that were bought count as 0."""
        asked = self.asked(customer)
        new = self._vector_sum - self.vectors_[asked.inputs.bought_items].sum(0)
        return self._bought_vectors(asked) @ new / len(self.every_)

    def _bought_vectors(self, asked: Asked) -> Tensor:
        """[P, D]: what each bought product adds to its customer's vector, beyond what it adds to the average one's."""
        network, inputs, owner = self.network, asked.inputs, asked.inputs.bought_rows
        weights = network.customers.line_weights(inputs)
        lines = network.customers.from_history(self.static_[inputs.line_items] * weights[:, None])  # [L, d]
        lengths = inputs.line_offsets.diff()
        of_line = torch.arange(len(lengths)).repeat_interleave(lengths)
        size = len(self.every_)
        place = torch.searchsorted(owner * size + inputs.bought_items, of_line * size + inputs.line_items)
        by_product = lines.new_zeros(len(owner), lines.shape[1]).index_add_(0, place, lines)
        weight = weights.new_zeros(len(owner)).index_add_(0, place, weights)
        tower = self._linear(by_product, asked.tower.total()[owner])
        basket = network.patterns_of(self.inputs_, inputs.bought_items)
        patterns = network.directions(basket, network.baskets(inputs, self.inputs_), inputs, owner)
        return self._beside(tower, patterns=patterns) - weight[:, None] * self._average["history"]

    def _apart(self, asked: Asked) -> tuple[dict[str, Tensor], Tensor]:
        """What sets customers apart from the average one, each [B, D], and the average one's own vector [D]."""
        apart = {name: share - self._average[name] for name, share in self._shares(asked).items()}
        everybody = torch.stack(list(self._average.values())).sum(0)
        everybody[: len(self.network.norm.bias)] += self.network.scale * self.network.norm.bias
        return apart, everybody

    def _average_parts(
        self, asked: Asked, parts: dict[str, Tensor], shares: dict[str, Tensor], everybody: Tensor
    ) -> dict[str, list[float]]:
        """The mean over all N products of each part, for each customer; `parts` are those of what they dealt with.

        Of what is a product of vectors it is that with the mean vector.
        """
        inputs = asked.inputs
        size, rows, bought = len(inputs.row), inputs.bought_rows, inputs.bought_items
        if not self.network.config.repeat:  # whose head alone answers for what was bought
            rows, bought = rows[:0], bought[:0]
        sums = self._vector_sum - everybody.new_zeros(size, len(everybody)).index_add_(0, rows, self.vectors_[bought])
        totals = {name: (share * sums).sum(1) for name, share in {**shares, "taste": everybody}.items()}
        habits = self.network.habits_part(asked.heads, inputs, self.inputs_, self.unsold_)
        place = self.unsold_place_[bought]
        habits[rows[place >= 0], place[place >= 0]] = 0.0
        totals["habits"] = habits.sum(1)
        totals |= {name: parts[name].sum(1) for name in ("looks", "repeat") if name in parts}
        means = {name: (total / len(self.every_)).tolist() for name, total in totals.items()}
        return means | {name: [value] * size for name, value in self._average_alike.items()}

    def _named_parts(
        self, asked: Asked, items: Tensor, shares: dict[str, Tensor], everybody: Tensor
    ) -> dict[str, Tensor]:
        """The parts of the scores of items[n], each [B, n]."""
        inputs, heads = asked.inputs, asked.heads
        column = positions(items, len(self.every_))
        blank = self.popularity_.new_zeros(len(inputs.row), len(items))
        vectors = self.vectors_ if items is self.every_ else self.vectors_[items]
        stacked = torch.cat([*shares.values(), everybody[None]]) @ vectors.T  # reads the product vectors once
        named = dict(zip(shares, stacked[:-1].view(len(shares), *blank.shape), strict=True))
        named["taste"] = stacked[-1].expand_as(blank)
        named["habits"] = self.network.habits_part(heads, inputs, self.inputs_, items)
        named["looks"] = self.network.looks_part(heads, blank, inputs, column)
        if self.network.config.repeat:
            place = column[inputs.bought_items]
            bought = (inputs.bought_rows[place >= 0], place[place >= 0])
            named = {name: part.index_put(bought, blank.new_zeros(())) for name, part in named.items()}
            named["repeat"] = self.network.answer_repeats(heads, blank, inputs, column)
        named["popularity"] = self.popularity_[items].expand_as(blank)
        named["newness"] = self.newness_[items].expand_as(blank)
        return named

    @property
    @torch.no_grad()
    def _average(self) -> dict[str, Tensor]:
        """Each part of the customer vector [D], averaged over customers of the snapshot (at most `AVERAGED`)."""
        if self._average_ is None:
            buyers = self.snapshot_.history.buyers(NEVER, self.snapshot_.as_of)
            sample = buyers[:: -(-len(buyers) // AVERAGED)] if len(buyers) else buyers
            shares = self._shares(self.asked(sample))
            self._average_ = {name: share.sum(0) / max(len(sample), 1) for name, share in shares.items()}
        return self._average_

    def _shares(self, asked: Asked) -> dict[str, Tensor]:
        """Split the customers' vectors [B, D], but for what the LayerNorm adds to everybody, by what they are made of.

        What is bought together belongs to the history, the interest in sales to how a customer behaves.
        """
        total = asked.tower.total()
        of_tower, of_interests = total.shape[1], INTERESTS if self.network.config.popularity else 0
        widths = [of_tower, asked.vectors.shape[1] - of_tower - of_interests, of_interests]
        _, patterns, interests = torch.split(asked.vectors, widths, dim=1)
        beside = {"history": {"patterns": patterns}, "activity": {"interests": interests}}
        return {
            name: self._beside(self._linear(part, total), **beside.get(name, {}))
            for name, part in asked.tower._asdict().items()
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

"""A trained two-tower network behind the scoring contract, with exact explanations.

Scores are computed in float64 and rounded to float32: a customer alone and the same customer in a batch then get the
same list to the last place, which float32 matrix products of different shapes do not grant.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Self

import numpy as np
import torch
from torch import Tensor

from embedrec.features import Customers, Snapshot
from embedrec.features.history import NEVER, Ints
from embedrec.models.base import Explanation, NetworkScorer
from embedrec.models.crowd import Cells, VectorCrowd
from embedrec.models.inputs import CustomerInputs, customer_inputs, product_inputs
from embedrec.models.towers import CustomerParts
from embedrec.models.two_tower import INTERESTS, TwoTower, positions, unsold
from embedrec.ranking import RankedItems, top_k

AVERAGED = 1000  # customers; enough to know the average one
WIDE, SPARE = 4, 24  # products looked at for each place, and beyond
FEW = 8  # times as many products as are looked at, and all of them are scored at once


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
        self._unit_: Tensor | None = None  # likewise, for what is alike
        self.static_ = self.network.products.static(inputs, every)
        self.vectors_ = self.network.product_vectors(inputs, every, self.static_)
        self.popularity_ = self.network.popularity_part(inputs, every)
        self.newness_ = self.network.newness_part(inputs, every)
        self.unsold_ = unsold(inputs, every).nonzero().squeeze(1)
        self._unsold_place = positions(self.unsold_, len(every))
        self._vector_sum = self.vectors_.sum(0)
        self._average_alike = {"popularity": float(self.popularity_.mean()), "newness": float(self.newness_.mean())}
        self._single_: tuple[Tensor, Tensor, float] | None = None  # made when somebody asks for the best
        return super().observe(snapshot)

    @torch.no_grad()
    def score(self, users: Customers | Ints, items: Ints | None = None) -> Tensor:
        """Return scores [B, N] or [B, len(items)], rounded to float32."""
        inputs = self._inputs(users)
        scores = self._score(inputs, self._vectors(inputs), self.every_)
        return scores if items is None else scores[:, torch.from_numpy(items)]

    @torch.no_grad()
    def best(self, customers: Customers, k: int, allowed: Tensor) -> RankedItems:
        """Rank as `Scorer.best`, with the same lists and scores, without all scores in float64.

        A float32 product, a quarter of the time, finds those that come into question: the first few times k, what a
        customer bought and what they looked at. They are scored exactly, and a list stands if its last score is above
        all that a product left out can reach.
        """
        wide = WIDE * k + SPARE
        if len(self.every_) < FEW * wide:
            return super().best(customers, k, allowed)
        inputs = self._inputs(customers)
        vectors = self._vectors(inputs)
        estimate, margin = self._estimate(inputs, vectors, allowed)
        estimate[inputs.bought_rows, inputs.bought_items] = -torch.inf  # scored in any case, as is what was seen
        estimate[inputs.seen_rows, inputs.seen_items] = -torch.inf
        values, found = estimate.topk(wide, dim=1)
        asked = torch.unique(torch.cat([found.flatten(), inputs.bought_items, inputs.seen_items]))
        scores = self._score(inputs, vectors, asked).masked_fill_(~allowed[..., asked], -torch.inf)
        within, best = top_k(scores, k)
        ranked = RankedItems(torch.where(within >= 0, asked[within], -1), best)
        reach = (values[:, -1] + margin).float()  # rounding keeps the order: no score left out is above it
        stands = (reach < best[:, -1]) | (values[:, -1] == -torch.inf)
        for row in (~stands).nonzero().squeeze(1).tolist():
            of_row = allowed if allowed.ndim == 1 else allowed[row : row + 1]
            ranked.items[row], ranked.scores[row] = (one[0] for one in super().best(customers.one(row), k, of_row))
        return ranked

    @torch.no_grad()
    def score_parts(self, customers: Customers) -> dict[str, Tensor]:
        """Return what sets the customer apart, everybody's taste, repeat and popularity, each [B, N] float64.

        Parts of a customer count as differences from the average customer, whose own parts make up "taste".
        """
        inputs = self._inputs(customers)
        return self._named_parts(inputs, self.every_, *self._apart(inputs, self._parts(inputs)))

    def explain(self, customer: Customers, items: Ints) -> Explanation:
        """Take the scores of items[n] apart for one customer (B = 1).

        For a customer who bought something, the pulls add up to the part "history".
        """
        assert customer.size == 1
        return self.explain_many(customer, [items])[0]

    @torch.no_grad()
    def explain_many(self, customers: Customers, lists: Sequence[Ints]) -> list[Explanation]:
        """Take the scores of lists[b] apart for each of B customers, all in the same few products of matrices."""
        inputs = self._inputs(customers)
        tower = self._parts(inputs)
        apart, everybody = self._apart(inputs, tower)
        columns = torch.unique(torch.cat([*map(torch.from_numpy, lists), inputs.bought_items, inputs.seen_items]))
        place = torch.searchsorted(columns, torch.from_numpy(np.concatenate(lists)))
        parts = self._named_parts(inputs, columns, apart, everybody)
        averages = self._average_parts(inputs, parts, apart, everybody)
        pull = self._bought_vectors(inputs, tower.total()) @ self.vectors_[columns].T
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
        inputs = self._inputs(customer)
        new = self.vectors_.sum(0) - self.vectors_[inputs.bought_items].sum(0)
        return self._bought_vectors(inputs, self._parts(inputs).total()) @ new / len(self.every_)

    def _bought_vectors(self, inputs: CustomerInputs, total: Tensor) -> Tensor:
        """[P, D]: what each bought product adds to its customer's vector, beyond what it adds to the average one's."""
        network, owner = self.network, inputs.bought_rows
        weights = network.customers.line_weights(inputs)
        lines = network.customers.from_history(self.static_[inputs.line_items] * weights[:, None])  # [L, d]
        lengths = inputs.line_offsets.diff()
        of_line = torch.arange(len(lengths)).repeat_interleave(lengths)
        size = len(self.every_)
        place = torch.searchsorted(owner * size + inputs.bought_items, of_line * size + inputs.line_items)
        by_product = lines.new_zeros(len(owner), lines.shape[1]).index_add_(0, place, lines)
        weight = weights.new_zeros(len(owner)).index_add_(0, place, weights)
        tower = self._linear(by_product, total[owner])
        basket = network.patterns_of(self.inputs_, inputs.bought_items)
        patterns = network.directions(basket, network.baskets(inputs, self.inputs_), inputs, owner)
        return self._beside(tower, patterns=patterns) - weight[:, None] * self._average["history"]

    likeness = "Appeals to the same customers"

    def product_vectors(self) -> Tensor:
        """[N, d]: the product vectors without their sales: what a product is, not how it sells."""
        if self._unit_ is None:
            self._unit_ = torch.nn.functional.normalize(self.static_, dim=1)
        return self._unit_

    def similar(self, item: int) -> Tensor:
        """[N]: cosine of `product_vectors`."""
        unit = self.product_vectors()
        return unit @ unit[item]

    def _vectors(self, inputs: CustomerInputs) -> Tensor:
        return self.network.customer_vectors(self._parts(inputs).total(), inputs, self.inputs_)

    def _score(self, inputs: CustomerInputs, vectors: Tensor, asked: Tensor) -> Tensor:
        """[B, n] of the products asked[n], ascending and none twice."""
        column = positions(asked, len(self.every_))
        scores = vectors @ (self.vectors_ if asked is self.every_ else self.vectors_[asked]).T
        scores += self.network.habits_part(inputs, self.inputs_, asked)
        scores += self.network.looks_part(scores, inputs, self.inputs_, column)
        scores = self.network.answer_repeats(scores, inputs, self.inputs_, column)
        return (scores + self.popularity_[asked] + self.newness_[asked]).float()

    def _estimate(self, inputs: CustomerInputs, vectors: Tensor, allowed: Tensor) -> tuple[Tensor, Tensor]:
        """Scores [B, N] in float32 but for looks and repeats, and how far [B] they can be from the exact ones.

        -inf where a product is not allowed[N] or [B, N].

        A float32 sum of D products is, in any order, within about D 2⁻²⁴ |u||v| of the true one (Higham, Accuracy and
        Stability of Numerical Algorithms, section 3.1); twice that covers the rounding of u and v and of the bound.
        """
        single, everybody, longest = self._single
        estimate = torch.addmm(everybody.masked_fill(~allowed, -torch.inf), vectors.float(), single)
        habits = self.network.habits_part(inputs, self.inputs_, self.unsold_)
        estimate[:, self.unsold_] += habits.float()
        added = everybody.abs().max() + (habits.abs().amax(dim=1) if len(self.unsold_) else 0.0)
        size = vectors.norm(dim=1) * longest + added
        return estimate, 2 * (vectors.shape[1] + 8) * 2**-24 * size

    def _apart(self, inputs: CustomerInputs, tower: CustomerParts) -> tuple[dict[str, Tensor], Tensor]:
        """What sets customers apart from the average one, each [B, D], and the average one's own vector [D]."""
        apart = {name: share - self._average[name] for name, share in self._shares(inputs, tower).items()}
        everybody = torch.stack(list(self._average.values())).sum(0)
        everybody[: len(self.network.norm.bias)] += self.network.scale * self.network.norm.bias
        return apart, everybody

    def _average_parts(
        self, inputs: CustomerInputs, parts: dict[str, Tensor], shares: dict[str, Tensor], everybody: Tensor
    ) -> dict[str, list[float]]:
        """The mean over all N products of each part, for each customer; `parts` are those of what they dealt with.

        Of what is a product of vectors it is that with the mean vector.
        """
        size, rows, bought = len(inputs.row), inputs.bought_rows, inputs.bought_items
        if not self.network.config.repeat:  # whose head alone answers for what was bought
            rows, bought = rows[:0], bought[:0]
        sums = self._vector_sum - everybody.new_zeros(size, len(everybody)).index_add_(0, rows, self.vectors_[bought])
        totals = {name: (share * sums).sum(1) for name, share in {**shares, "taste": everybody}.items()}
        habits = self.network.habits_part(inputs, self.inputs_, self.unsold_)
        place = self._unsold_place[bought]
        habits[rows[place >= 0], place[place >= 0]] = 0.0
        totals["habits"] = habits.sum(1)
        totals |= {name: parts[name].sum(1) for name in ("looks", "repeat") if name in parts}
        means = {name: (total / len(self.every_)).tolist() for name, total in totals.items()}
        return means | {name: [value] * size for name, value in self._average_alike.items()}

    @property
    def _single(self) -> tuple[Tensor, Tensor, float]:
        """Product vectors [D, N] and what sells to everybody [N] in float32, and the length of the longest vector."""
        if self._single_ is None:
            longest = float(self.vectors_.norm(dim=1).max())
            everybody = (self.popularity_ + self.newness_).float()
            self._single_ = self.vectors_.float().T.contiguous(), everybody, longest
        return self._single_

    def _named_parts(
        self, inputs: CustomerInputs, asked: Tensor, shares: dict[str, Tensor], everybody: Tensor
    ) -> dict[str, Tensor]:
        """The parts of the scores of asked[n], each [B, n]."""
        column = positions(asked, len(self.every_))
        blank = self.popularity_.new_zeros(len(inputs.row), len(asked))
        vectors = self.vectors_ if asked is self.every_ else self.vectors_[asked]
        stacked = torch.cat([*shares.values(), everybody[None]]) @ vectors.T  # reads the product vectors once
        named = dict(zip(shares, stacked[:-1].view(len(shares), *blank.shape), strict=True))
        named["taste"] = stacked[-1].expand_as(blank)
        named["habits"] = self.network.habits_part(inputs, self.inputs_, asked)
        named["looks"] = self.network.looks_part(blank, inputs, self.inputs_, column)
        if self.network.config.repeat:
            place = column[inputs.bought_items]
            bought = (inputs.bought_rows[place >= 0], place[place >= 0])
            named = {name: part.index_put(bought, blank.new_zeros(())) for name, part in named.items()}
            named["repeat"] = self.network.answer_repeats(blank, inputs, self.inputs_, column)
        named["popularity"] = self.popularity_[asked].expand_as(blank)
        named["newness"] = self.newness_[asked].expand_as(blank)
        return named

    @property
    @torch.no_grad()
    def _average(self) -> dict[str, Tensor]:
        """Each part of the customer vector [D], averaged over customers of the snapshot (at most `AVERAGED`)."""
        if self._average_ is None:
            buyers = self.snapshot_.history.buyers(NEVER, self.snapshot_.as_of)
            sample = buyers[:: -(-len(buyers) // AVERAGED)] if len(buyers) else buyers
            count, inputs = max(len(sample), 1), self._inputs(sample)
            shares = self._shares(inputs, self._parts(inputs))
            self._average_ = {name: share.sum(0) / count for name, share in shares.items()}
        return self._average_

    @torch.no_grad()
    def crowd(self, users: Ints) -> VectorCrowd:
        """Keep the vectors of users[B], and what the heads say of the products they bought and looked at."""
        inputs, network = self._inputs(users), self.network
        config, products = network.config, self.inputs_
        added = instead = habits = new_in = None
        if config.looks:
            added = Cells.of(inputs.seen_rows, inputs.seen_items, network.look_values(inputs, products))
        if config.repeat:
            instead = Cells.of(inputs.bought_rows, inputs.bought_items, network.repeat_values(inputs, products))
        if config.features and config.history:
            habits = Cells.of(inputs.habit_rows, inputs.habit_categories, network.habit_values(inputs))
            new_in = torch.where(unsold(products, self.every_) > 0, products.category, -1)
        return VectorCrowd(
            network.customer_vectors(self._parts(inputs).total(), inputs, products),
            self.vectors_,
            self.popularity_ + self.newness_,
            added=added,
            instead=instead,
            habits=habits,
            new_in=new_in,
        )

    def _inputs(self, users: Customers | Ints) -> CustomerInputs:
        customers = users if isinstance(users, Customers) else self.snapshot_.customers(users)
        return customer_inputs(customers, self.dtype)

    def _parts(self, inputs: CustomerInputs) -> CustomerParts:
        parts: CustomerParts = self.network.customers(inputs, self.static_, inputs.line_items)
        return parts

    def _shares(self, inputs: CustomerInputs, parts: CustomerParts) -> dict[str, Tensor]:
        """Split the customers' vectors [B, D], but for what the LayerNorm adds to everybody, by what they are made of.

        What is bought together belongs to the history, the interest in sales to how a customer behaves.
        """
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

"""A trained two-tower network behind the scoring contract, with exact explanations.

Scores are computed in float64 and rounded to float32: a customer alone and the same customer in a batch then get the
same list to the last place, which float32 matrix products of different shapes do not grant.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple, Self

import numpy as np
import torch
from torch import Tensor

from embedrec.features import Customers, Snapshot
from embedrec.features.history import NEVER, Ints
from embedrec.models.approximate import PLACES, ProductIndex
from embedrec.models.base import Explanation, NetworkScorer
from embedrec.models.crowd import Cells, VectorCrowd
from embedrec.models.inputs import CustomerInputs, customer_inputs, product_inputs
from embedrec.models.quick_look import QuickLook
from embedrec.models.towers import CustomerParts
from embedrec.models.two_tower import INTERESTS, Heads, TwoTower, positions, unsold
from embedrec.ranking import RankedItems, top_k

AVERAGED = 1000  # customers; enough to know the average one
WIDE, SPARE = 8, 24  # products looked at for each place, and beyond
FEW = 8  # times as many products as are looked at, and all of them are scored at once


class _Asked(NamedTuple):
    """B customers as the network sees them, whatever is asked of them."""

    customers: Customers
    inputs: CustomerInputs
    tower: CustomerParts
    vectors: Tensor  # [B, D]
    heads: Heads


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
        self._latest_: _Asked | None = None  # customers asked of last: what they get, and then why
        self._quick_look_: QuickLook | None = None  # made when somebody asks for the best
        self._index_: ProductIndex | None = None  # of the vectors of this date, if `use_index` is told of one
        self._for_sale_ = torch.from_numpy(snapshot.products.candidates)
        return super().observe(snapshot)

    def indexed(self) -> Tensor:
        """[n]: the products that an index is made of. Those that nobody bought yet are always scored beside it."""
        return (self._for_sale_ & (self._unsold_place < 0)).nonzero().squeeze(1)

    def make_index(self) -> ProductIndex:
        """Index the product vectors as of the date."""
        return ProductIndex.build(self.vectors_, self.popularity_ + self.newness_, self.indexed())

    def read_index(self, content: bytes, name: str, probes: int) -> None:
        """Answer with an index that `make_index` made, where faiss is installed.

        Raises:
            BundleError: the content of the file of that name is of another model.
        """
        self.use_index(ProductIndex.read(content, name, self.vectors_.shape[1], self.indexed(), probes))

    def use_index(self, index: ProductIndex | None) -> None:
        """Answer short lists of all products, or of all that are new to a customer, with an index; None = exactly."""
        self._index_ = index

    @torch.no_grad()
    def score(self, users: Customers | Ints, items: Ints | None = None) -> Tensor:
        """Return scores [B, N] or [B, len(items)], rounded to float32."""
        scores = self._score(self._asked(users), self.every_)
        return scores if items is None else scores[:, torch.from_numpy(items)]

    @torch.no_grad()
    def best(self, customers: Customers, k: int, allowed: Tensor) -> RankedItems:
        """Rank as `Scorer.best`, with the same lists and scores, without all scores in float64.

        A quick look finds those that come into question: the first few times k, what a customer bought and what they
        looked at. They are scored exactly. Where a product left out could still be among the best, so are all that
        could.
        """
        wide = WIDE * k + SPARE
        if len(self.every_) < FEW * wide:
            return super().best(customers, k, allowed)
        asked = self._asked(customers)
        if (near := self._best_indexed(asked, k, allowed)) is not None:
            return near
        inputs = asked.inputs
        rough = self._quick_look.scores(asked.vectors)
        habits = self.network.habits_part(asked.heads, inputs, self.inputs_, self.unsold_)
        if len(self.unsold_):
            rough.scores[:, self.unsold_] += habits.to(rough.scores.dtype)
        if not allowed.all():
            rough.scores.masked_fill_(~allowed, -torch.inf)
        for rows, items in ((inputs.bought_rows, inputs.bought_items), (inputs.seen_rows, inputs.seen_items)):
            rough.scores[rows, items] = -torch.inf  # scored in any case
        found = rough.scores.topk(wide, dim=1)
        items = torch.unique(torch.cat([found.indices.flatten(), inputs.bought_items, inputs.seen_items]))
        ranked = self._best_of(items, asked, k, allowed)
        added = habits.abs().amax(dim=1) if len(self.unsold_) else habits.new_zeros(len(habits))
        floor = rough.floor(ranked.scores[:, -1], added)
        least = found.values[:, -1]
        unsure = (least >= floor) & (least > -torch.inf)
        if unsure.any():
            within = (rough.scores[unsure] >= floor[unsure, None]).any(0).nonzero().squeeze(1)
            ranked = self._best_of(torch.unique(torch.cat([items, within])), asked, k, allowed)
        return ranked

    def _best_indexed(self, asked: _Asked, k: int, allowed: Tensor) -> RankedItems | None:
        """Rank what the index finds; None where there is none, a filter asks for the exact list, or it is too short.

        What was bought, looked at, or never sold to anybody has scores of its own and is scored in any case.
        """
        index, inputs = self._index_, asked.inputs
        if index is None or k > PLACES or not self._unfiltered(inputs, allowed):
            return None
        most = int(inputs.bought_rows.bincount(minlength=1).max()) + int(inputs.seen_rows.bincount(minlength=1).max())
        near = index.search(asked.vectors, WIDE * k + SPARE + most).flatten()
        others = (inputs.bought_items, inputs.seen_items, self.unsold_)
        items = torch.unique(torch.cat([near[near >= 0], *others]))
        ranked = self._best_of(items, asked, k, allowed)
        full = ranked.items.shape[1] == k and bool((ranked.items >= 0).all())
        return ranked if full else None

    def _unfiltered(self, inputs: CustomerInputs, allowed: Tensor) -> bool:
        """Whether all that is for sale is allowed[N], or to each customer what they did not buy before [B, N]."""
        if allowed.ndim == 1:
            return torch.equal(allowed, self._for_sale_)
        new = self._for_sale_.repeat(len(inputs.row), 1)
        new[inputs.bought_rows, inputs.bought_items] = False
        return torch.equal(allowed, new)

    def _best_of(self, items: Tensor, asked: _Asked, k: int, allowed: Tensor) -> RankedItems:
        """Rank items[n], ascending, by their exact scores."""
        scores = self._score(asked, items).masked_fill_(~allowed[..., items], -torch.inf)
        within, best = top_k(scores, k)
        return RankedItems(torch.where(within >= 0, items[within], -1), best)

    @torch.no_grad()
    def score_parts(self, customers: Customers) -> dict[str, Tensor]:
        """Return what sets the customer apart, everybody's taste, repeat and popularity, each [B, N] float64.

        Parts of a customer count as differences from the average customer, whose own parts make up "taste".
        """
        asked = self._asked(customers)
        return self._named_parts(asked, self.every_, *self._apart(asked))

    def explain(self, customer: Customers, items: Ints) -> Explanation:
        """Take the scores of items[n] apart for one customer (B = 1).

        For a customer who bought something, the pulls add up to the part "history".
        """
        assert customer.size == 1
        return self.explain_many(customer, [items])[0]

    @torch.no_grad()
    def explain_many(self, customers: Customers, lists: Sequence[Ints]) -> list[Explanation]:
        """Take the scores of lists[b] apart for each of B customers, all in the same few products of matrices."""
        asked = self._asked(customers)
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
        asked = self._asked(customer)
        new = self._vector_sum - self.vectors_[asked.inputs.bought_items].sum(0)
        return self._bought_vectors(asked) @ new / len(self.every_)

    def _bought_vectors(self, asked: _Asked) -> Tensor:
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

    def _score(self, asked: _Asked, items: Tensor) -> Tensor:
        """[B, n] of the products items[n], ascending and none twice."""
        inputs, heads = asked.inputs, asked.heads
        column = positions(items, len(self.every_))
        scores = asked.vectors @ (self.vectors_ if items is self.every_ else self.vectors_[items]).T
        scores += self.network.habits_part(heads, inputs, self.inputs_, items)
        scores += self.network.looks_part(heads, scores, inputs, column)
        scores = self.network.answer_repeats(heads, scores, inputs, column)
        return (scores + self.popularity_[items] + self.newness_[items]).float()

    def _apart(self, asked: _Asked) -> tuple[dict[str, Tensor], Tensor]:
        """What sets customers apart from the average one, each [B, D], and the average one's own vector [D]."""
        apart = {name: share - self._average[name] for name, share in self._shares(asked).items()}
        everybody = torch.stack(list(self._average.values())).sum(0)
        everybody[: len(self.network.norm.bias)] += self.network.scale * self.network.norm.bias
        return apart, everybody

    def _average_parts(
        self, asked: _Asked, parts: dict[str, Tensor], shares: dict[str, Tensor], everybody: Tensor
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
        place = self._unsold_place[bought]
        habits[rows[place >= 0], place[place >= 0]] = 0.0
        totals["habits"] = habits.sum(1)
        totals |= {name: parts[name].sum(1) for name in ("looks", "repeat") if name in parts}
        means = {name: (total / len(self.every_)).tolist() for name, total in totals.items()}
        return means | {name: [value] * size for name, value in self._average_alike.items()}

    @property
    def _quick_look(self) -> QuickLook:
        if self._quick_look_ is None:
            self._quick_look_ = QuickLook.of(self.vectors_, self.popularity_ + self.newness_)
        return self._quick_look_

    def _named_parts(
        self, asked: _Asked, items: Tensor, shares: dict[str, Tensor], everybody: Tensor
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
            shares = self._shares(self._asked(sample))
            self._average_ = {name: share.sum(0) / max(len(sample), 1) for name, share in shares.items()}
        return self._average_

    @torch.no_grad()
    def crowd(self, users: Ints) -> VectorCrowd:
        """Keep the vectors of users[B], and what the heads say of the products they bought and looked at."""
        asked, products = self._asked(users), self.inputs_
        inputs, heads = asked.inputs, asked.heads
        added = instead = habits = new_in = None
        if heads.looks is not None:
            added = Cells.of(inputs.seen_rows, inputs.seen_items, heads.looks)
        if heads.repeat is not None:
            instead = Cells.of(inputs.bought_rows, inputs.bought_items, heads.repeat)
        if heads.habits is not None:
            habits = Cells.of(inputs.habit_rows, inputs.habit_categories, heads.habits)
            new_in = torch.where(unsold(products, self.every_) > 0, products.category, -1)
        return VectorCrowd(
            asked.vectors,
            self.vectors_,
            self.popularity_ + self.newness_,
            added=added,
            instead=instead,
            habits=habits,
            new_in=new_in,
        )

    def _asked(self, users: Customers | Ints) -> _Asked:
        """See customers as the network does; the same once more without working it out again."""
        latest = self._latest_  # read once: others may ask at the same time
        if latest is not None and latest.customers is users:
            return latest
        customers = users if isinstance(users, Customers) else self.snapshot_.customers(users)
        inputs = customer_inputs(customers, self.dtype)
        tower = self.network.customers(inputs, self.static_, inputs.line_items)
        vectors = self.network.customer_vectors(tower.total(), inputs, self.inputs_)
        asked = _Asked(customers, inputs, tower, vectors, self.network.heads(inputs, self.inputs_))
        if asked.customers is users:
            self._latest_ = asked
        return asked

    def _shares(self, asked: _Asked) -> dict[str, Tensor]:
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

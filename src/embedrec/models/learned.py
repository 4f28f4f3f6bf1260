"""A trained two-tower network behind the scoring contract, with exact explanations.

Scores are computed in float64 and rounded to float32: a customer alone and the same customer in a batch then get the
same list to the last place, which float32 matrix products of different shapes do not grant.
"""

from __future__ import annotations

from typing import Self

import torch
from torch import Tensor

from embedrec.features import Customers, Snapshot
from embedrec.features.history import Ints
from embedrec.models.approximate import PLACES, ProductIndex
from embedrec.models.choice import NEW, allowed_to
from embedrec.models.crowd import Cells, VectorCrowd
from embedrec.models.quick_look import QuickLook
from embedrec.models.two_tower import positions, unsold
from embedrec.models.two_tower_parts import Asked, TwoTowerParts
from embedrec.ranking import RankedItems, top_k

WIDE, SPARE = 8, 24  # products looked at for each place, and beyond
FEW = 8  # times as many products as are looked at, and all of them are scored at once


class TwoTowerScorer(TwoTowerParts):
    """Product vectors are computed once per `observe`; a customer then costs one matrix-vector product."""

    @property
    def reads_features(self) -> bool:
        """Category, price and rating, unless the model was asked to do without."""
        return self.network.config.features

    def observe(self, snapshot: Snapshot) -> Self:
        """Compute all product vectors as of the date."""
        self._unit_: Tensor | None = None  # made when somebody asks for what is alike
        self._quick_look_: QuickLook | None = None  # made when somebody asks for the best
        self._index_: ProductIndex | None = None  # of the vectors of this date, if `use_index` is told of one
        self._for_sale_ = torch.from_numpy(snapshot.products.candidates)
        return super().observe(snapshot)

    def indexed(self) -> Tensor:
        """[n]: the products that an index is made of. Those that nobody bought yet are always scored beside it."""
        return (self._for_sale_ & (self.unsold_place_ < 0)).nonzero().squeeze(1)

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
        scores = self._score(self.asked(users), self.every_)
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
        asked = self.asked(customers)
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

    def _best_indexed(self, asked: Asked, k: int, allowed: Tensor) -> RankedItems | None:
        """Rank what the index finds; None where there is none, a filter asks for the exact list, or it is too short.

        What was bought, looked at, or never sold to anybody has scores of its own and is scored in any case.
        """
        index, inputs = self._index_, asked.inputs
        if index is None or k > PLACES or not self._unfiltered(asked.customers, allowed):
            return None
        most = int(inputs.bought_rows.bincount(minlength=1).max()) + int(inputs.seen_rows.bincount(minlength=1).max())
        near = index.search(asked.vectors, WIDE * k + SPARE + most).flatten()
        others = (inputs.bought_items, inputs.seen_items, self.unsold_)
        items = torch.unique(torch.cat([near[near >= 0], *others]))
        ranked = self._best_of(items, asked, k, allowed)
        full = ranked.items.shape[1] == k and bool((ranked.items >= 0).all())
        return ranked if full else None

    def _unfiltered(self, customers: Customers, allowed: Tensor) -> bool:
        """Whether all that is for sale is allowed[N], or to each customer what they did not buy before [B, N]."""
        return torch.equal(allowed, allowed_to(customers, self._for_sale_, None if allowed.ndim == 1 else NEW))

    def _best_of(self, items: Tensor, asked: Asked, k: int, allowed: Tensor) -> RankedItems:
        """Rank items[n], ascending, by their exact scores."""
        scores = self._score(asked, items).masked_fill_(~allowed[..., items], -torch.inf)
        within, best = top_k(scores, k)
        return RankedItems(torch.where(within >= 0, items[within], -1), best)

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

    def _score(self, asked: Asked, items: Tensor) -> Tensor:
        """[B, n] of the products items[n], ascending and none twice."""
        inputs, heads = asked.inputs, asked.heads
        column = positions(items, len(self.every_))
        scores = asked.vectors @ (self.vectors_ if items is self.every_ else self.vectors_[items]).T
        scores += self.network.habits_part(heads, inputs, self.inputs_, items)
        scores += self.network.looks_part(heads, scores, inputs, column)
        scores = self.network.answer_repeats(heads, scores, inputs, column)
        return (scores + self.popularity_[items] + self.newness_[items]).float()

    @property
    def _quick_look(self) -> QuickLook:
        if self._quick_look_ is None:
            self._quick_look_ = QuickLook.of(self.vectors_, self.popularity_ + self.newness_)
        return self._quick_look_

    @torch.no_grad()
    def crowd(self, users: Ints) -> VectorCrowd:
        """Keep the vectors of users[B], and what the heads say of the products they bought and looked at."""
        asked, products = self.asked(users), self.inputs_
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

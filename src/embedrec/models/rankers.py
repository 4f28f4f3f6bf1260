"""For each model the quickest way to the lists of many customers; see `in_bulk`."""

from __future__ import annotations

from abc import ABC, abstractmethod

import torch
from torch import Tensor

from embedrec.features import Customers
from embedrec.models.base import Scorer
from embedrec.models.choice import AGAIN, NEW, Choice, allowed_to
from embedrec.models.in_bulk import Many, VectorRanker
from embedrec.models.learned import TwoTowerScorer
from embedrec.ranking import RankedItems

MOST_CATEGORIES = 1000  # each takes a dimension of `in_bulk` where a product of it is new
AT_ONCE = 32  # customers of whom a model is asked all scores


class Ranker(ABC):
    """Lists the k best products of customers that allowed[N] and `only` leave, as `Scorer.best` does."""

    def __init__(self, scorer: Scorer, k: int, allowed: Tensor, only: Choice) -> None:
        self.scorer, self.k, self.allowed, self.only = scorer, k, allowed, only

    @abstractmethod
    def __call__(self, customers: Customers) -> RankedItems:
        """Return items and scores [B, K]."""


class OneByOne(Ranker):
    """Asks the model for few customers at a time; right for every model."""

    def __call__(self, customers: Customers) -> RankedItems:
        """Return items and scores [B, K]."""
        starts = range(0, customers.size, AT_ONCE)
        few = [customers.users[start : start + AT_ONCE] for start in starts]
        parts = [self.scorer.snapshot_.customers(users) for users in few]
        found = [self.scorer.best(part, self.k, allowed_to(part, self.allowed, self.only)) for part in parts]
        return RankedItems(torch.cat([one.items for one in found]), torch.cat([one.scores for one in found]))


class TwoTowerRanker(Ranker):
    """Products of vectors for all that a customer has not dealt with; the heads answer for the rest."""

    def __init__(self, scorer: TwoTowerScorer, k: int, allowed: Tensor, only: Choice) -> None:
        super().__init__(scorer, k, allowed, only)
        self._scorer, new_in = scorer, None
        config, category = scorer.network.config, scorer.inputs_.category
        self._habits = config.features and config.history and len(scorer.unsold_) > 0
        if self._habits:
            new_in = torch.full_like(category, -1)
            new_in[scorer.unsold_] = category[scorer.unsold_]
        others = allowed if only != AGAIN else torch.zeros_like(allowed)
        self._ranker = VectorRanker(scorer.vectors_, scorer.popularity_ + scorer.newness_, others, new_in)
        self._slowly = OneByOne(scorer, k, allowed, only)

    @torch.no_grad()
    def __call__(self, customers: Customers) -> RankedItems:
        """Return items and scores [B, K]."""
        many = self._many(customers)
        ranked, stands = self._ranker.best(many, self.k)
        rest = (~stands).nonzero().squeeze(1)
        if len(rest):
            asked = self.scorer.snapshot_.customers(customers.users[rest.numpy()])
            ranked.items[rest], ranked.scores[rest] = self._slowly(asked)
        return ranked

    def _many(self, customers: Customers) -> Many:
        """Score all that customers bought or looked at, as the network does."""
        asked = self._scorer.asked(customers)
        inputs, heads = asked.inputs, asked.heads
        none = torch.zeros(0, dtype=torch.int64)
        blank = Many(asked.vectors, none, none, asked.vectors.new_zeros(0))
        if self._habits:
            assert heads.habits is not None
            habits = asked.vectors.new_zeros(customers.size, self._scorer.network.products.category.num_embeddings)
            habits[inputs.habit_rows, inputs.habit_categories] = heads.habits
            blank = blank._replace(habits=habits)
        rows = torch.cat([inputs.bought_rows, inputs.seen_rows])
        items = torch.cat([inputs.bought_items, inputs.seen_items])
        values = self._ranker.scores(blank, rows, items)
        count = len(inputs.bought_items)
        if heads.repeat is not None:
            values[:count] = heads.repeat + self._ranker.everybody[inputs.bought_items]
        if heads.looks is not None:
            values[count:] += heads.looks
        if self.only == NEW:
            values[:count] = -torch.inf
        if self.only == AGAIN:
            values[count:] = -torch.inf
        values[~self.allowed[items]] = -torch.inf
        order = rows.argsort(stable=True)
        return blank._replace(rows=rows[order], items=items[order], values=values[order])


def ranker_of(scorer: Scorer, k: int, allowed: Tensor, only: Choice) -> Ranker:
    """Make the quickest one of a model that has observed its snapshot."""
    if isinstance(scorer, TwoTowerScorer) and scorer.network.products.category.num_embeddings <= MOST_CATEGORIES:
        return TwoTowerRanker(scorer, k, allowed, only)
    return OneByOne(scorer, k, allowed, only)

"""Makes lists: the best products of a customer that are allowed, or as many that differ, each with why."""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor

from embedrec.columns import RANK, REASON, SCORE
from embedrec.features import Customers, Snapshot
from embedrec.features.history import Ints
from embedrec.models import Scorer
from embedrec.models.choice import allowed_to
from embedrec.models.classic.popularity import Popularity
from embedrec.ranking import RankedItems, top_k
from embedrec.serving.diversity import POOL, diversified
from embedrec.serving.listed import Listed
from embedrec.serving.reasons import popular as esteem
from embedrec.serving.reasons import reasons, sentence
from embedrec.serving.shelf import Shelf


class Lister:
    """Lists of one model as of one date; those of whom nothing is known are of popular products."""

    def __init__(self, scorer: Scorer, popularity: Popularity, snapshot: Snapshot, shelf: Shelf, dated: bool) -> None:
        self._scorer, self._popular, self._snapshot = scorer, popularity, snapshot
        self._shelf, self._dated = shelf, dated

    def lists(
        self,
        customers: Customers,
        k: int,
        only: str | None,
        allowed: Tensor,
        diversity: float,
        bought_before: str | None = None,
    ) -> list[Listed]:
        """Answer for each of B customers."""
        if not customers.size:
            return []
        allowed = allowed_to(customers, allowed, only)
        best = self._scorer.best(customers, _pool(k, diversity), allowed)
        lists = [self._differing(*_filled(best, row), k, diversity) for row in range(customers.size)]
        told = self._scorer.explain_many(customers, [items for items, _ in lists])
        answers = []
        for row, ((items, scores), explanation) in enumerate(zip(lists, told, strict=True)):
            customer = customers.one(row)
            if not len(customer.line_items):
                answers.append(self.popular(k, allowed if only is None else allowed[row], diversity))
                continue
            words = reasons(explanation, self._snapshot, customer, items, self._shelf.names, bought_before, self._dated)
            answers.append(self.listed(items, scores, words, cold_start=False))
        return answers

    def popular(self, k: int, allowed: Tensor, diversity: float) -> Listed:
        """What anybody gets of whom nothing is known."""
        items, scores = self._differing(*self.most_popular(_pool(k, diversity), allowed), k, diversity)
        words = [sentence([esteem(int(one), self._snapshot, self._dated)]) for one in items]
        return self.listed(items, scores, words, cold_start=True)

    def most_popular(self, k: int, allowed: Tensor) -> tuple[Ints, Tensor]:
        """Return the k products that sell best now, of those that allowed[N] leaves, and their scores."""
        return self.best(torch.from_numpy(self._popular.score_).masked_fill(~allowed, -torch.inf), k)

    def _differing(self, items: Ints, scores: Tensor, k: int, diversity: float) -> tuple[Ints, Tensor]:
        """Take k of the best items[n], the best themselves or as many that differ."""
        if not diversity:
            return items, scores
        places = diversified(items, scores, k, diversity, self._scorer.similar)
        return items[places], scores[torch.from_numpy(places)]

    def best(self, scores: Tensor, k: int) -> tuple[Ints, Tensor]:
        """Return the best k items of scores[N] and their scores; fewer where others are -inf."""
        return _filled(top_k(scores[None], k))

    def listed(self, items: Ints, scores: Tensor, words: list[str], cold_start: bool | None = None) -> Listed:
        """Describe items[n] with their scores[n] and reasons."""
        columns = {
            RANK: np.arange(1, len(items) + 1),
            **self._shelf.columns(items),
            SCORE: scores.numpy().astype(np.float64),
            REASON: np.array(words, dtype=object),
        }
        return Listed(columns, cold_start)


def _pool(k: int, diversity: float) -> int:
    """How many of the best products k are chosen from."""
    return max(k, POOL) if diversity else k


def _filled(best: RankedItems, row: int = 0) -> tuple[Ints, Tensor]:
    """Items and scores of one list, without the places that nothing fills: those are the last ones."""
    items = best.items[row].numpy()
    count = int(np.count_nonzero(items >= 0))
    return items[:count], best.scores[row, :count]

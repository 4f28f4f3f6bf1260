"""The best products of thousands of customers at once: the lists and scores of `Scorer.best`, found more quickly.

A model whose score is a product of vectors, plus what is the same for everybody, plus little that is a customer's own,
is ranked by `top_k_dot` in float32. The few products at the head of that list, and all that a customer dealt with, are
then scored in float64, as the model does. A list stands if its last score is above all that a product left out can
reach; who has no such list is asked of the model itself.

Legend: B customers, N products, D dimensions, C categories, P pairs of a customer and a product, K places.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor

from embedrec.ranking import RankedItems, multiplies_bfloat16, sum_error, top_k_dot

SPARE = 8  # products scored in float64 beyond the K of a list: float32 may put them in another order
HELD_PAIRS = 1 << 16  # whose vectors are gathered at once
SUMMANDS = 3  # of what is the same for everybody


class Many(NamedTuple):
    """B customers as a product of vectors sees them, and P products of their own that it does not score."""

    vectors: Tensor  # [B, D] float64
    rows: Tensor  # [P] whose, ascending
    items: Tensor  # [P] which product; none twice for a customer
    values: Tensor  # [P] float64, its whole score; -inf = not to be listed
    habits: Tensor | None = None  # [B, C] float64, added for a new product of the category


class VectorRanker:
    """Ranks the products that are shown; made once for many customers."""

    def __init__(self, vectors: Tensor, everybody: Tensor, shown: Tensor, new_in: Tensor | None = None) -> None:
        """Make vectors[N, D] and everybody[N] (float64) ready; shown[N] (bool) tells which products may be listed.

        new_in[N] = the category for which habits are added to a product's score, -1 = none.
        """
        self.vectors, self.everybody, self.shown = vectors, everybody, shown
        self.new_in = torch.full_like(shown, -1, dtype=torch.int64) if new_in is None else new_in
        new = (shown & (self.new_in >= 0)).nonzero().squeeze(1)
        self._kinds, kind = torch.unique(self.new_in[new], return_inverse=True)
        of_kind = torch.zeros(len(shown), len(self._kinds))
        of_kind[new, kind] = 1.0
        self._single = torch.cat([vectors.float(), _in_summands(everybody), of_kind], dim=1)
        self._longest = float(self._single.norm(dim=1).max()) if len(vectors) else 0.0
        self._products = torch.bfloat16 if multiplies_bfloat16() else torch.float32

    def scores(self, many: Many, rows: Tensor, items: Tensor) -> Tensor:
        """Score pairs[P] (float64) without regard to what is a customer's own."""
        some = zip(torch.split(rows, HELD_PAIRS), torch.split(items, HELD_PAIRS), strict=True)
        scores = torch.cat([(many.vectors[row] * self.vectors[item]).sum(1) for row, item in some])
        if many.habits is not None:
            category = self.new_in[items]
            new = category >= 0
            scores[new] += many.habits[rows[new], category[new]]
        return scores + self.everybody[items]

    def best(self, many: Many, k: int) -> tuple[RankedItems, Tensor]:
        """Return items and scores (float32) [B, K] as `top_k` does, and which of the lists stand [B]."""
        size, own = len(many.vectors), (torch.searchsorted(many.rows, torch.arange(len(many.vectors) + 1)), many.items)
        habits = torch.zeros(size, len(self._kinds)) if many.habits is None else many.habits[:, self._kinds].float()
        users = torch.cat([many.vectors.float(), torch.ones(size, SUMMANDS), habits], dim=1)
        found = top_k_dot(users, self._single, k + SPARE, exclude=own, candidates=self.shown, products=self._products)
        rows, place = (found.items >= 0).nonzero(as_tuple=True)
        items = found.items[rows, place]
        scores = torch.cat([self.scores(many, rows, items), many.values]).float()
        places = min(k, len(self.shown))
        ranked = _ranked(torch.cat([rows, many.rows]), torch.cat([items, many.items]), scores, size, places)
        reach = found.scores[:, -1]
        farthest = (reach.double() + self._margin(users)).float()  # rounding keeps the order
        return ranked, (farthest < ranked.scores[:, -1]) | (reach == -torch.inf)

    def _margin(self, users: Tensor) -> Tensor:
        """How far [B] a score in float32 can be from the one in float64."""
        size: Tensor = users.double().norm(dim=1) * self._longest
        return sum_error(users.shape[1]) * size


def _in_summands(everybody: Tensor) -> Tensor:
    """[N, 3] float32 that add up to everybody[N]; bfloat16 holds the first two whole, so that rounding spares them."""
    first = everybody.bfloat16().double()
    second = (everybody - first).bfloat16().double()
    return torch.stack([first, second, everybody - first - second], dim=1).float()


def _ranked(rows: Tensor, items: Tensor, scores: Tensor, size: int, places: int) -> RankedItems:
    """Rank pairs[P] of customers 0 … size - 1: the higher score first, then the lower item."""
    order = np.lexsort((items.numpy(), -scores.numpy(), rows.numpy()))
    rows, items, scores = (one[torch.from_numpy(order)] for one in (rows, items, scores))
    place = torch.arange(len(rows)) - torch.searchsorted(rows, torch.arange(size))[rows]
    listed = (place < places) & (scores > -torch.inf)
    at = rows[listed], place[listed]
    ranked = RankedItems(torch.full((size, places), -1), torch.full((size, places), -torch.inf))
    ranked.items[at], ranked.scores[at] = items[listed], scores[listed]
    return ranked

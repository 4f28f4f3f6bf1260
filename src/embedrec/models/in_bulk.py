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

from embedrec.ranking import RankedItems, top_k_dot

SPARE = 8  # products scored in float64 beyond the K of a list: float32 may put them in another order
HELD_PAIRS = 1 << 16  # whose vectors are gathered at once
HELD_SCORES = 1 << 23


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
        self._new = (shown & (self.new_in >= 0)).nonzero().squeeze(1)
        self._steady = shown & (self.new_in < 0)
        self._single = torch.cat([vectors.float(), _in_summands(everybody)], dim=1)
        self._longest = float(self._single.norm(dim=1).max()) if len(vectors) else 0.0
        self._products = torch.bfloat16 if _multiplies_bfloat16() else torch.float32

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
        users = many.vectors.float()
        users = torch.cat([users, users.new_ones(len(users), self._single.shape[1] - users.shape[1])], dim=1)
        wide = k + SPARE
        found = [self._steady_ones(users, many, wide), self._new_ones(users, many, wide)]
        reach = torch.stack([one.scores[:, -1] for one in found if one.scores.shape[1]]).amax(0)
        listed = torch.cat([one.items for one in found], dim=1)
        rows = torch.arange(len(users)).repeat_interleave(listed.shape[1])[listed.flatten() >= 0]
        items = listed[listed >= 0]
        scores = torch.cat([self.scores(many, rows, items), many.values]).float()
        places = min(k, len(self.shown))
        ranked = _ranked(torch.cat([rows, many.rows]), torch.cat([items, many.items]), scores, len(users), places)
        farthest = (reach.double() + self._margin(users, many)).float()  # rounding keeps the order
        return ranked, (farthest < ranked.scores[:, -1]) | (reach == -torch.inf)

    def _steady_ones(self, users: Tensor, many: Many, wide: int) -> RankedItems:
        """Shortlist of the products to which no habits are added."""
        offsets = torch.searchsorted(many.rows, torch.arange(len(users) + 1))
        own = offsets, many.items
        return top_k_dot(users, self._single, wide, exclude=own, candidates=self._steady, products=self._products)

    def _new_ones(self, users: Tensor, many: Many, wide: int) -> RankedItems:
        """Shortlist of the others, of which there are few."""
        width = min(wide, len(self._new))
        if not width:
            return RankedItems(torch.zeros(len(users), 0, dtype=torch.int64), users.new_zeros(len(users), 0))
        vectors, category = self._single[self._new].T, self.new_in[self._new]
        place = torch.full((len(self.shown),), -1)
        place[self._new] = torch.arange(len(self._new))
        parts = []
        for some in torch.split(torch.arange(len(users)), max(1, HELD_SCORES // len(self._new))):
            scores = users[some] @ vectors
            if many.habits is not None:
                scores += many.habits[some].float()[:, category]
            own = (many.rows >= some[0]) & (many.rows <= some[-1]) & (place[many.items] >= 0)
            scores[many.rows[own] - some[0], place[many.items[own]]] = -torch.inf
            parts.append(scores.topk(width, dim=1))
        values = torch.cat([one.values for one in parts])
        items = self._new[torch.cat([one.indices for one in parts])]
        if width == len(self._new):  # none is left out
            values = torch.cat([values, torch.full_like(values[:, :1], -torch.inf)], dim=1)
            items = torch.cat([items, torch.full_like(items[:, :1], -1)], dim=1)
        return RankedItems(items.masked_fill(values == -torch.inf, -1), values)

    def _margin(self, users: Tensor, many: Many) -> Tensor:
        """How far [B] a score in float32 can be from the one in float64.

        A float32 sum of D products is, in any order, within about D 2⁻²⁴ |u||v| of the true one (Higham, Accuracy and
        Stability of Numerical Algorithms, section 3.1); twice that covers the rounding of u and v and of the bound.
        """
        size: Tensor = users.double().norm(dim=1) * self._longest
        if many.habits is not None and many.habits.shape[1]:
            size = size + many.habits.abs().amax(dim=1)
        return 2 * (users.shape[1] + 8) * 2**-24 * size


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


def _multiplies_bfloat16() -> bool:
    """Whether the processor itself does; elsewhere it would take longer than float32."""
    known: dict[str, object] = getattr(torch.cpu, "get_capabilities", dict)()
    return bool(known.get("avx512_bf16") or known.get("amx_bf16"))

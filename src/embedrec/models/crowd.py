"""Many customers made ready once, to be asked about any few products: what an audience is ranked by.

Legend: B customers, N products, n products asked, D dimensions, C cells, each one customer with one product.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor

from embedrec.features.history import Ints

NONE = torch.zeros(0, dtype=torch.int32)
CELLS = 16_000_000  # scores that a model without vectors may compute at once; bounds the memory


class Crowd:
    """Asks the model anew each time; right for every model, and as quick as its `score` of a few products is."""

    def __init__(self, ask: Callable[[Ints, Ints], Tensor], users: Ints, n_items: int) -> None:
        self._ask, self._users = ask, users
        self._at_once = max(CELLS // max(n_items, 1), 1)

    def scores(self, items: Ints) -> Tensor:
        """Return scores [B, n] (float32) of distinct items[n]."""
        starts = range(0, max(len(self._users), 1), self._at_once)
        return torch.cat([self._ask(self._users[start : start + self._at_once], items).float() for start in starts])


class Cells(NamedTuple):
    """A value for each of C pairs of a customer and a product (or category)."""

    rows: Tensor  # [C] int32
    columns: Tensor  # [C] int32
    values: Tensor  # [C] float32

    @classmethod
    def of(cls, rows: Tensor, columns: Tensor, values: Tensor) -> Cells:
        """Keep them as small as they can be: there is one for each product that a customer ever bought."""
        return cls(rows.int(), columns.int(), values.float())

    @classmethod
    def none(cls) -> Cells:
        """Return no cell."""
        return cls(NONE, NONE, torch.zeros(0))

    def within(self, column: Tensor) -> tuple[tuple[Tensor, Tensor], Tensor]:
        """Return where (row, place) the cells stand, and their values; column[N] tells the place, or -1 = leave out."""
        place = column[self.columns.long()]
        here = place >= 0
        return (self.rows[here].long(), place[here]), self.values[here]


class VectorCrowd(Crowd):
    """For models that are a product of vectors but for few cells: a product costs one matrix-vector product."""

    def __init__(
        self,
        vectors: Tensor,
        products: Tensor,
        bias: Tensor,
        *,
        added: Cells | None = None,
        instead: Cells | None = None,
        habits: Cells | None = None,
        new_in: Tensor | None = None,
        faint: bool = False,
    ) -> None:
        """Remember vectors[B, D], products[N, D] and bias[N]; what is of each customer in float32.

        Cells of products are `added` to the product of vectors, or stand `instead` of it; `habits`, of categories, are
        added for products with new_in[N] = their category (elsewhere -1). With `faint` the bias counts only where
        the rest is 0.
        """
        self._vectors = vectors.float()
        self._products, self._bias = products, bias
        self._added, self._instead, self._habits = (cells or Cells.none() for cells in (added, instead, habits))
        self._new_in, self._faint = new_in, faint

    def scores(self, items: Ints) -> Tensor:
        """Return scores [B, n] (float32) of distinct items[n]."""
        asked = torch.from_numpy(items)
        scores = self._vectors @ self._products[asked].float().T
        column = torch.full((len(self._products),), -1)
        column[asked] = torch.arange(len(asked))
        self._add_habits(scores, asked)
        at, values = self._added.within(column)
        scores.index_put_(at, values, accumulate=True)
        at, values = self._instead.within(column)
        scores.index_put_(at, values)
        bias = self._bias[asked].float()
        return torch.where(scores == 0, bias, scores) if self._faint else scores + bias

    def _add_habits(self, scores: Tensor, asked: Tensor) -> None:
        if self._new_in is None or not len(self._habits.columns):
            return
        category = self._new_in[asked]
        new = (category >= 0).nonzero().squeeze(1)
        if not len(new):
            return
        known, which = np.unique(category[new].numpy(), return_inverse=True)
        place = torch.full((max(int(known.max()), int(self._habits.columns.max())) + 1,), -1)
        place[known] = torch.arange(len(known))
        at, values = self._habits.within(place)
        scores[:, new] += scores.new_zeros(len(scores), len(known)).index_put(at, values)[:, which]


def no_vectors(customers: int, products: int) -> tuple[Tensor, Tensor]:
    """Return vectors without a dimension, for models that need none: [B, 0] and [N, 0]."""
    return torch.zeros(customers, 0), torch.zeros(products, 0)

"""Item-kNN: products that the same customers buy as those in the basket.

    sim(i, j) = customers of both / (√(customers of i · customers of j) + shrinkage)
    score(j) = Σ sim(i, j) over the products i of the basket that have j among their nearest

Deshpande and Karypis, "Item-based top-N recommendation algorithms", TOIS 2004; a product is no neighbour of
itself. Shrinkage as in Ferrari Dacrema et al., "Are we really making much progress?", RecSys 2019.
"""

from __future__ import annotations

from typing import Any, Literal, Self

import numpy as np
import torch
from pydantic import BaseModel, ConfigDict, Field
from torch import Tensor

from embedrec.features import FeatureSchema, Snapshot
from embedrec.features.history import Floats, Ints, Ragged
from embedrec.models.classic.collaborative import Collaborative, basket_matrix, positions
from embedrec.ranking import top_k

BLOCK_CELLS = 4_000_000  # of the table of pairs that is open at a time while fitting: 16 MB; changes no result


class ItemKnnConfig(BaseModel):
    """Nearest products."""

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True)
    name: Literal["item_knn"] = "item_knn"
    neighbours: int = Field(200, ge=1, le=10_000)
    """Products that each product of the basket recommends."""
    shrinkage: float = Field(0.0, ge=0, le=10_000)
    """Added to the denominator of the cosine, so that two rare products with one customer in common are less alike."""

    def build(self, schema: FeatureSchema) -> ItemKnn:
        """Make the model."""
        return ItemKnn(self.neighbours, self.shrinkage, len(schema.products))


class ItemKnn(Collaborative):
    """A list of neighbours for each product sold in training."""

    def __init__(self, neighbours: int, shrinkage: float, n_products: int) -> None:
        self.neighbours = neighbours
        self.shrinkage = shrinkage
        self.n_products = n_products

    def fit(self, train: Snapshot) -> Self:
        """Find the nearest products of each product."""
        self.nearest_, self.similarity_ = nearest_products(basket_matrix(train), self.neighbours, self.shrinkage)
        return self.observe(train)

    def weights(self) -> dict[str, Tensor]:
        """Return the lists: those of schema row r stand at offsets[r] to offsets[r + 1]."""
        return {
            "offsets": torch.from_numpy(self.nearest_.offsets),
            "neighbours": torch.from_numpy(self.nearest_.values.astype(np.int32)),
            "similarity": torch.from_numpy(self.similarity_.astype(np.float32)),
        }

    def restore(self, weights: dict[str, Tensor]) -> Self:
        """Take the lists of a bundle.

        Raises:
            KeyError, ValueError: the weights are not those of this model and schema.
        """
        offsets, rows, similarity = (weights[name] for name in ("offsets", "neighbours", "similarity"))
        whole = not (offsets.is_floating_point() or rows.is_floating_point()) and rows.ndim == 1
        if len(weights) > 3 or not whole or offsets.shape != (self.n_products + 2,) or rows.shape != similarity.shape:
            raise ValueError(f"lists of neighbours of {self.n_products} products expected")
        ends, values = offsets.numpy().astype(np.int64), rows.numpy().astype(np.int64)
        lengths_fit = ends[0] == 0 and ends[-1] == len(values) and (np.diff(ends) >= 0).all()
        if not lengths_fit or ((values < 1) | (values > self.n_products)).any():
            raise ValueError("lists of neighbours that do not fit together")
        self.nearest_, self.similarity_ = Ragged(ends, values), similarity.numpy().astype(np.float64)
        return self

    def observe(self, snapshot: Snapshot) -> Self:
        """Find the products of the shop in the lists."""
        self.row_ = snapshot.products.row
        known = np.flatnonzero(self.row_)
        self.item_ = np.full(self.n_products + 1, len(self.row_))  # N = the shop has this product no more
        self.item_[self.row_[known]] = known
        return super().observe(snapshot)

    def affinity(self, basket: Ints, row: int) -> Floats:
        """Return [N]: the summed similarity to the products of the basket."""
        at = positions(self.nearest_.offsets, self.row_[basket])
        items = self.item_[self.nearest_.values[at]]
        votes = np.bincount(items, self.similarity_[at], minlength=len(self.row_) + 1)[:-1]
        return votes.astype(np.float64, copy=False)

    def pull(self, basket: Ints, row: int, items: Ints) -> Floats:
        """Return [n, P]: the similarity of each item to each product of the basket, 0 where it is not near."""
        pulls = [self.affinity(basket[place : place + 1], row)[items] for place in range(len(basket))]
        return np.array(pulls).reshape(len(basket), len(items)).T


def nearest_products(matrix: Any, neighbours: int, shrinkage: float) -> tuple[Ragged, Floats]:
    """Return for each row 0 … R of the schema its nearest rows, closest first, and their similarity.

    matrix[customers, R] is a scipy CSR matrix of ones. Similarities are rounded to float32, as a bundle keeps them;
    of equally close products the lower row comes first.
    """
    n_products = matrix.shape[1]
    customers = np.sqrt(np.bincount(matrix.indices, minlength=n_products))
    by_product = matrix.T.tocsr()
    rows, similarity, lengths = [np.empty(0, np.int64)], [np.empty(0)], [np.zeros(1, np.int64)]
    block = max(1, BLOCK_CELLS // max(n_products, 1))
    for start in range(0, n_products, block):
        some = slice(start, min(start + block, n_products))
        both = (by_product[some] @ matrix).tocoo()
        row, other = both.row, both.col
        close = np.full(both.shape, -np.inf, np.float32)
        close[row, other] = both.data / (customers[start + row] * customers[other] + shrinkage)
        own = np.arange(some.start, some.stop)
        close[own - start, own] = -np.inf
        best = top_k(torch.from_numpy(close), neighbours)
        found = best.items >= 0
        rows.append(best.items[found].numpy() + 1)
        similarity.append(best.scores[found].double().numpy())
        lengths.append(found.sum(1).numpy())
    offsets = np.concatenate([[0], np.cumsum(np.concatenate(lengths))])
    return Ragged(offsets, np.concatenate(rows)), np.concatenate(similarity)

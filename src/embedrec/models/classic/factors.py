"""Models that give each product a vector and make the customer's from the basket: SVD and iALS."""

from __future__ import annotations

from abc import abstractmethod
from typing import Self

import numpy as np
import torch
from torch import Tensor

from embedrec.features import Customers, Snapshot
from embedrec.features.history import Floats, Ints
from embedrec.models.classic.collaborative import Collaborative, baskets_of
from embedrec.models.crowd import VectorCrowd

PRODUCTS = "products"


class ProductFactors(Collaborative):
    """score(j) = v_j · Σ c_i, where c_i is what product i of the basket contributes to the customer's vector.

    No customer has a stored vector: who bought since training, or came since, is served from their basket.
    """

    def __init__(self, dim: int, n_products: int) -> None:
        self.dim = dim
        self.n_products = n_products

    @abstractmethod
    def factors(self, train: Snapshot) -> Floats:
        """Learn the vectors [R, d] of the products sold in training, d <= dim; 0 for one without a customer."""

    @abstractmethod
    def contributions(self, rows: Ints) -> Floats:
        """Return [P, d]: what each product of a basket, rows[P] of the schema, adds to the customer's vector."""

    def fit(self, train: Snapshot) -> Self:
        """Learn the product vectors."""
        factors = self.factors(train)
        learned = np.concatenate([np.zeros((1, factors.shape[1])), factors])
        return self.restore({PRODUCTS: torch.from_numpy(learned).float()}).observe(train)

    def weights(self) -> dict[str, Tensor]:
        """Return the product vectors [1 + R, d], by row of the schema."""
        return {PRODUCTS: torch.from_numpy(self.learned_).float()}

    def restore(self, weights: dict[str, Tensor]) -> Self:
        """Take product vectors learned before.

        Raises:
            KeyError, ValueError: the weights are not those of this model and schema.
        """
        learned = weights[PRODUCTS]
        if len(weights) > 1 or learned.ndim != 2 or len(learned) != self.n_products + 1 or learned.shape[1] > self.dim:
            raise ValueError(
                f"vectors of {self.n_products} products, no longer than {self.dim}, expected; "
                f"got {', '.join(sorted(weights))} {tuple(learned.shape)}"
            )
        self.learned_ = learned.double().numpy()
        return self

    def observe(self, snapshot: Snapshot) -> Self:
        """Line the product vectors up with the products of the shop."""
        self.row_ = snapshot.products.row
        self.vectors_ = on_grid(self.learned_)[self.row_]
        length = np.linalg.norm(self.vectors_, axis=1, keepdims=True)
        self.known_ = length[:, 0] > 0
        self.unit_ = self.vectors_ / np.where(length > 0, length, 1.0)
        return super().observe(snapshot)

    def affinity(self, basket: Ints, row: int) -> Floats:
        """Return [N]: the product of the customer's vector with each product's."""
        # one plain loop rather than BLAS, whose threads and choice of kernel may change the last place of a score
        affinity: Floats = np.einsum("nd,d->n", self.vectors_, self._customer(basket))
        return affinity

    def affinities(self, customers: Customers) -> Tensor:
        """Return [B, N] by one matrix product, rounded to float32."""
        return (torch.from_numpy(self._customers(customers)) @ torch.from_numpy(self.vectors_).T).float()

    def crowd(self, users: Ints) -> VectorCrowd:
        """Keep the vectors of users[B]."""
        vectors = torch.from_numpy(self._customers(self.snapshot_.customers(users)))
        return VectorCrowd(vectors, torch.from_numpy(self.vectors_), self.fallback_, faint=True)

    def pull(self, basket: Ints, row: int, items: Ints) -> Floats:
        """Return [n, P]: the customer's vector is a sum over the basket, so the score is one too."""
        pull: Floats = self.vectors_[items] @ self.contributions(self.row_[basket]).T
        return pull

    def _customers(self, customers: Customers) -> Floats:
        """[B, d]: the vectors of all baskets."""
        vectors = np.zeros((customers.size, self.vectors_.shape[1]))
        for place, basket in enumerate(baskets_of(customers)):
            vectors[place] = self._customer(basket)
        return on_grid(vectors)

    def _customer(self, basket: Ints) -> Floats:
        vector: Floats = self.contributions(self.row_[basket]).sum(0)
        return vector

    likeness = "Bought by similar customers"

    def product_vectors(self) -> Tensor:
        """[N, d]: the vectors at length 1, 0 for products not sold in training."""
        return torch.from_numpy(self.unit_)

    def similar(self, item: int) -> Tensor:
        """[N]: cosine of the product vectors, -inf for products not sold in training; for those, shared customers."""
        if not self.known_[item]:
            return super().similar(item)
        return torch.from_numpy(np.where(self.known_, self.unit_ @ self.unit_[item], -np.inf))


def on_grid(vectors: Floats) -> Floats:
    """Round vectors[M, d] so that dot products of two of them are exact in float64, in any order of summation.

    A matrix product of any shape, on any number of threads, then gives the very same scores. Each row is rounded to
    a multiple of 2^-p of the power of two above its largest entry, 2p + log2(d) ≤ 53: p = 23 at 64 dimensions, 21 at
    1024; about what float32 keeps of that entry.
    """
    places = (53 - (vectors.shape[1] - 1).bit_length()) // 2
    _, above = np.frexp(np.abs(vectors).max(axis=1, keepdims=True, initial=0.0))
    grid: Floats = np.ldexp(np.rint(np.ldexp(vectors, places - above)), above - places)
    return grid

"""Models that give each product a vector and make the customer's from the basket: SVD and iALS."""

from __future__ import annotations

from abc import abstractmethod
from typing import Self

import numpy as np
import torch
from torch import Tensor

from embedrec.features import Snapshot
from embedrec.features.history import Floats, Ints
from embedrec.models.classic.collaborative import Collaborative

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
    def contributions(self, basket: Floats) -> Floats:
        """Turn the vectors basket[P, d] of the bought products into what each adds to the customer's vector [P, d]."""

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
        self.vectors_ = self.learned_[snapshot.products.row]
        length = np.linalg.norm(self.vectors_, axis=1, keepdims=True)
        self.known_ = length[:, 0] > 0
        self.unit_ = self.vectors_ / np.where(length > 0, length, 1.0)
        return super().observe(snapshot)

    def affinity(self, basket: Ints, row: int) -> Floats:
        """Return [N]: the product of the customer's vector with each product's."""
        customer = self.contributions(self.vectors_[basket]).sum(0)
        # one plain loop rather than BLAS, whose threads and choice of kernel may change the last place of a score
        affinity: Floats = np.einsum("nd,d->n", self.vectors_, customer)
        return affinity

    def pull(self, basket: Ints, row: int, items: Ints) -> Floats:
        """Return [n, P]: the customer's vector is a sum over the basket, so the score is one too."""
        pull: Floats = self.vectors_[items] @ self.contributions(self.vectors_[basket]).T
        return pull

    likeness = "Bought by similar customers"

    def similar(self, item: int) -> Tensor:
        """[N]: cosine of the product vectors, -inf for products not sold in training; for those, shared customers."""
        if not self.known_[item]:
            return super().similar(item)
        return torch.from_numpy(np.where(self.known_, self.unit_ @ self.unit_[item], -np.inf))

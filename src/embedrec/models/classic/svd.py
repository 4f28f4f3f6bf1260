"""SVD: the basket, seen through the strongest patterns of what is bought together.

    X ≈ U S Vᵀ     score = x V Vᵀ      X[customers, R] of ones, x the customer's row

Truncated singular value decomposition; Cremonesi, Koren and Turrin, "Performance of recommender algorithms on top-N
recommendation tasks", RecSys 2010 ("PureSVD").
"""

from __future__ import annotations

from typing import Any, Literal

import numpy as np
from pydantic import BaseModel, ConfigDict, Field

from embedrec.features import FeatureSchema, Snapshot
from embedrec.features.history import Floats, Ints
from embedrec.models.classic.collaborative import basket_matrix
from embedrec.models.classic.factors import ProductFactors

NOISE = 1e-6  # of the largest singular value: below it a direction is rounding error


class SvdConfig(BaseModel):
    """Truncated singular value decomposition."""

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True)
    name: Literal["svd"] = "svd"
    dim: int = Field(64, ge=1, le=1024)
    """Singular vectors kept; fewer where the shop has not as many customers or products."""

    def build(self, schema: FeatureSchema) -> Svd:
        """Make the model."""
        return Svd(self.dim, len(schema.products))


class Svd(ProductFactors):
    """Product vectors are the rows of V; a customer's vector is the sum over the basket."""

    def factors(self, train: Snapshot) -> Floats:
        """Decompose the matrix of who bought what."""
        return right_vectors(basket_matrix(train), self.dim)

    def contributions(self, rows: Ints) -> Floats:
        """Return the vectors as they are: x V is their sum."""
        vectors: Floats = self.learned_[rows]
        return vectors


def right_vectors(matrix: Any, dim: int) -> Floats:
    """Return the `dim` strongest right singular vectors of a sparse matrix[M, R] as columns [R, dim], strongest first.

    Fewer where the rank or min(M, R) - 1 is lower, none left means one column of zeros. The largest entry of each
    vector is positive.
    """
    from scipy.sparse.linalg import svds  # serving does without scipy
    from threadpoolctl import threadpool_limits  # type: ignore[import-untyped]

    size = min(matrix.shape)
    if size < 2 or not matrix.nnz:
        return np.zeros((matrix.shape[1], 1))
    start = np.random.default_rng(0).standard_normal(size)  # any start leads there; this one always by the same way
    with threadpool_limits(1, "blas"):  # many small products: threads would mostly wait for each other
        _, strength, rows = svds(matrix, k=min(dim, size - 1), v0=start)
    order = np.argsort(-strength, kind="stable")
    vectors = rows[order[strength[order] > NOISE * strength.max()]].T
    vectors[np.bincount(matrix.indices, minlength=matrix.shape[1]) == 0] = 0.0  # nobody bought it: exactly nothing
    largest = vectors[np.abs(vectors).argmax(0), np.arange(vectors.shape[1])]
    signed: Floats = vectors * np.sign(largest)
    return signed

"""iALS: factors that explain every pair of customer and product, bought pairs with more weight.

    minimise  Σ c_ui (p_ui - x_u · v_i)² + regularization (Σ |x_u|² + Σ |v_i|²),   c_ui = alpha where bought, else 1

Hu, Koren and Volinsky, "Collaborative filtering for implicit feedback datasets", ICDM 2008. The library `implicit`
alternates between x and v; of its answer only the v are kept. A customer's x is the exact minimum for their basket,

    x = A⁻¹ Σ alpha v_i,      A = Σ v_j v_jᵀ + Σ (alpha - 1) v_i v_iᵀ + regularization I

    (j: all products, i: those of the basket)

so that each bought product adds alpha v_jᵀ A⁻¹ v_i to the score of j (section 5 of the paper). With B[P, d] the
vectors of a basket shorter than they are, and W = B G⁻¹ for the common part G of A (all but the sum over i), the
matrix to invert is only [P, P]: the Woodbury identity says

    B A⁻¹ = (I + (alpha - 1) W Bᵀ)⁻¹ W
"""

from __future__ import annotations

from typing import Literal, Self

import numpy as np
import torch
from pydantic import BaseModel, ConfigDict, Field
from torch import Tensor

from embedrec.errors import NotApplicableError
from embedrec.features import FeatureSchema, Snapshot
from embedrec.features.history import Floats, Ints
from embedrec.models.classic.collaborative import basket_matrix
from embedrec.models.classic.factors import ProductFactors


class IalsConfig(BaseModel):
    """Matrix factorisation of implicit feedback by alternating least squares."""

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True)
    name: Literal["ials"] = "ials"
    dim: int = Field(64, ge=1, le=1024)
    """Length of the vectors."""
    alpha: float = Field(5.0, ge=1, le=10_000)
    """Weight of a pair that was bought; a pair that was not weighs 1."""
    regularization: float = Field(1.0, gt=0, le=10_000)
    """Pull of every vector towards zero."""
    iterations: int = Field(15, ge=1, le=1000)
    """Rounds, each over all customers and then all products."""
    seed: int = Field(0, ge=0, lt=2**31)
    """Of the vectors that the first round starts from."""

    def build(self, schema: FeatureSchema) -> Ials:
        """Make the model."""
        return Ials(self, len(schema.products))


class Ials(ProductFactors):
    """Product vectors by alternating least squares, customers folded in from their baskets."""

    def __init__(self, config: IalsConfig, n_products: int) -> None:
        super().__init__(config.dim, n_products)
        self.config = config

    def factors(self, train: Snapshot) -> Floats:
        """Let `implicit` alternate.

        Raises:
            NotApplicableError: the library is not installed.
        """
        try:
            from implicit.cpu.als import AlternatingLeastSquares  # type: ignore[import-untyped]
            from threadpoolctl import threadpool_limits  # type: ignore[import-untyped]
        except ImportError as error:
            raise NotApplicableError(
                "model=ials needs the library implicit, which is not installed: pip install 'embedrec[baselines]'"
            ) from error
        matrix = basket_matrix(train)
        if not matrix.nnz:
            return np.zeros((self.n_products, self.dim))
        config = self.config
        with threadpool_limits(1, "blas"):  # its own threads are enough; two kinds get in each other's way
            model = AlternatingLeastSquares(
                factors=config.dim,
                alpha=config.alpha,
                regularization=config.regularization,
                iterations=config.iterations,
                random_state=config.seed,
            )
            model.fit(matrix, show_progress=False)
        factors: Floats = model.item_factors.astype(np.float64)
        return factors

    def restore(self, weights: dict[str, Tensor]) -> Self:
        """Take product vectors learned before, and prepare what is common to all customers."""
        super().restore(weights)
        self.common_ = self.learned_.T @ self.learned_ + self.config.regularization * np.eye(self.learned_.shape[1])
        self.solved_ = np.linalg.solve(self.common_, self.learned_.T).T.copy()  # W of all products [1 + R, d]
        return self

    def contributions(self, rows: Ints) -> Floats:
        """Return alpha A⁻¹ v for each product of the basket [P, d]."""
        # torch, as for the matrix product of the scores: threads of numpy would stand in the way of those of torch
        basket, solved = (torch.from_numpy(every[rows]) for every in (self.learned_, self.solved_))
        more = self.config.alpha - 1
        if len(rows) < basket.shape[1]:
            solved = torch.linalg.solve(torch.eye(len(rows), dtype=torch.float64) + more * (solved @ basket.T), solved)
        else:
            everything = torch.from_numpy(self.common_) + more * (basket.T @ basket)
            solved = torch.linalg.solve(everything, basket.T).T
        contributions: Floats = (self.config.alpha * solved).numpy()
        return contributions

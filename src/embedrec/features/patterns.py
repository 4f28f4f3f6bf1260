"""Patterns of what is bought by the same customers, as of a date: spectral vectors of the products sold before it.

Four decompositions of the customers × products matrix stand side by side: every purchase counts the same, or counts
half after `half_life` days; and the matrix is taken as it is, in which popular products lead, or with rows and columns
divided by the roots of their sums, in which rare companions count as much. Both are classic: "PureSVD" of Cremonesi,
Koren and Turrin, RecSys 2010, and the normalised adjacency of spectral co-clustering, Dhillon, KDD 2001, section 4.
"""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from embedrec.features.history import DAY, Floats, History, Ints

KINDS = 4
"""Decompositions side by side: (all time, of late) × (as it is, normalised)."""
HALF_LIFE = 1.6
"""Half-life of a purchase, in windows: what is asked about a month follows the last two months more than the years."""
FADED = 1e-3
"""Purchases; what was bought less, because long ago, is divided by no smaller root."""
NOISE = 1e-5  # of the largest singular value: below it a direction is rounding error
WELL_CONDITIONED = 1e-3
"""Least pivot over the greatest, above which a Cholesky factor orthogonalises to single precision."""
POWER_ITERATIONS = 4
OVERSAMPLING = 16

Vectors = npt.NDArray[np.float32]


class PatternSettings(NamedTuple):
    """How patterns are computed; the same for every date of a training."""

    dim: int  # length of a vector of one kind
    half_life: float  # days


def patterns(history: History, as_of: int, settings: PatternSettings) -> Vectors:
    """Return vectors [N, KINDS, dim] of all products from purchase lines before `as_of` (seconds).

    The vector of a product is what it adds to the vector of a customer who bought it; zero for products not sold yet.
    Two products point the same way when they attract the same customers.
    """
    past = history.times < as_of
    users, items = history.users[past], history.items[past]
    buyers, rows = np.unique(users, return_inverse=True)
    sold, columns = np.unique(items, return_inverse=True)
    found = np.zeros((history.n_items, KINDS, settings.dim), np.float32)
    ages = (as_of - history.times[past]) / DAY
    for kind, weights in ((0, None), (2, 0.5 ** (ages / settings.half_life))):
        matrix = _matrix(rows, columns, weights, len(buyers), len(sold))
        found[sold, kind], _ = spectral(matrix, settings.dim)
        balanced, root = normalised(matrix)
        found[sold, kind + 1] = spectral(balanced, settings.dim)[0] * root[:, None]
    return found


def _matrix(rows: Ints, columns: Ints, weights: Floats | None, n_rows: int, n_columns: int) -> Any:
    """Sum the weights of each pair; without weights a pair counts once however often it was bought."""
    from scipy.sparse import csr_matrix  # serving does without scipy

    values = np.ones(len(rows)) if weights is None else weights
    matrix = csr_matrix((values.astype(np.float32), (rows, columns)), shape=(n_rows, n_columns))
    if weights is None:
        matrix.data[:] = 1.0
    return matrix


def normalised(matrix: Any) -> tuple[Any, Vectors]:
    """Divide rows and columns by the roots of their sums; also 1 / root of each column."""
    from scipy.sparse import diags

    by_row, by_column = (1 / np.sqrt(np.maximum(np.asarray(matrix.sum(axis)).ravel(), FADED)) for axis in (1, 0))
    return (diags(by_row) @ matrix @ diags(by_column)).tocsr(), by_column.astype(np.float32)


def spectral(matrix: Any, dim: int, power_iterations: int = POWER_ITERATIONS) -> tuple[Vectors, Vectors]:
    """Return the `dim` strongest right singular vectors of a sparse matrix[M, R] as columns [R, dim], and their values.

    Zero where the matrix has fewer. Randomised power iteration: Halko, Martinsson and Tropp 2011, "Finding structure
    with randomness", algorithm 4.4.
    """
    from threadpoolctl import threadpool_limits  # type: ignore[import-untyped]

    width, back = min(dim + OVERSAMPLING, *matrix.shape), matrix.T.tocsr()
    basis = np.random.default_rng(0).standard_normal((matrix.shape[1], width)).astype(np.float32)
    vectors, values = np.zeros((matrix.shape[1], dim), np.float32), np.zeros(dim, np.float32)
    with threadpool_limits(1, "blas"):  # the same sums on any number of cores
        for _ in range(power_iterations):
            basis = _orthonormal(_product(back, _product(matrix, basis)))
        image = _product(matrix, basis).astype(np.float64)
        squares, rotation = np.linalg.eigh(image.T @ image)  # cheaper than the singular vectors of the tall image
        strength = np.sqrt(np.maximum(squares[::-1], 0.0))
        kept = min(dim, int((strength > NOISE * strength.max(initial=0.0)).sum()))
        vectors[:, :kept] = basis @ rotation[:, ::-1][:, :kept].astype(np.float32)
        values[:kept] = strength[:kept]
    return vectors, values


def _product(matrix: Any, dense: Vectors) -> Vectors:
    """Multiply a sparse matrix[M, R] with dense[R, w], half of the rows by each of two threads; scipy uses one."""
    half = matrix.shape[0] // 2
    with ThreadPoolExecutor(2) as threads:
        halves = threads.map(lambda rows: rows @ dense, (matrix[:half], matrix[half:]))
        return np.concatenate(list(halves))


def _orthonormal(vectors: Vectors) -> Vectors:
    """Return columns [R, w] that are orthogonal, of length 1, and span what those of `vectors` do.

    By the Cholesky factor of their products, a third of the work of Householder reflections, which answer where columns
    are so nearly dependent that it would lose them. Yamamoto et al. 2015, "Roundoff error analysis of the CholeskyQR2
    algorithm", section 1: what is lost is the rounding error times the square of the condition number.
    """
    from scipy.linalg import qr

    exact = vectors.astype(np.float64)
    try:
        factor = np.linalg.cholesky(exact.T @ exact)
        pivots = np.diagonal(factor)
        if pivots.min() > WELL_CONDITIONED * pivots.max():
            return vectors @ np.linalg.inv(factor).T.astype(np.float32)
    except np.linalg.LinAlgError:
        pass
    # numpy's would compute in double precision, three times as slow
    basis, _ = qr(vectors, mode="economic", overwrite_a=True, check_finite=False)
    return np.ascontiguousarray(basis)

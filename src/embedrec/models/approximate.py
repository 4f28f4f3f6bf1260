"""An index of product vectors that finds nearly all of the best products without multiplying every one of them.

Exact search reads all N vectors for each customer. A faiss inverted file reads those of the cells nearest to the
customer (Jégou et al. 2011, Product Quantization for Nearest Neighbor Search). Cells are made of distances, and the
best product is not the nearest: with √(L² - |v|²) as one more dimension of a product, L the greatest length, and 0 of
a customer, it is (Bachrach et al. 2014, Speeding Up the Xbox Recommender System Using a Euclidean Transformation for
Inner-Product Spaces). What is found is scored exactly after it, so an index can miss a product, never misjudge one.

Legend: B customers, N products, n of them in the index, D dimensions.
"""

from __future__ import annotations

from typing import Any, Self

import numpy as np
import torch
from torch import Tensor

from embedrec.errors import BundleError

LARGE = 1_000_000
"""Products from which a bundle carries an index. A quick look at so many, of 64 dimensions, takes about 26 ms of one
core; below, exact search is quick enough not to miss anything, nor to spend memory and an export on an index."""
ADDED = 2  # dimensions: what everybody gets, and what makes the best the nearest
PLACES = 20
"""The longest list that an index answers, and the one whose recall is measured."""
POINTS = 64  # vectors per cell to learn from: enough for k-means, and quick
CODE = "SQfp16"  # half the memory; what rounding does to the order, scoring what was found exactly sets right


class ProductIndex:
    """A faiss index, and how many of its cells are searched."""

    def __init__(self, index: Any, probes: int) -> None:
        self._index = index
        self.probes = probes

    @classmethod
    def build(cls, vectors: Tensor, everybody: Tensor, items: Tensor) -> Self:
        """Index items[n] with vectors[N, D] and what everybody[N] adds, as a dimension of its own; the same each time.

        Raises:
            ImportError: faiss is not installed.
        """
        import faiss

        scored = torch.cat([vectors[items], everybody[items, None]], dim=1)
        squares = scored.square().sum(1)
        rows = _beside(scored, (squares.max() - squares).sqrt())
        cells = max(1, min(round(2 * len(rows) ** 0.5), len(rows) // POINTS))
        index = faiss.index_factory(rows.shape[1], f"IVF{cells},{CODE}", faiss.METRIC_L2)
        some = np.random.default_rng(0).permutation(len(rows))[: cells * POINTS]
        index.train(rows[some])
        index.add_with_ids(rows, items.numpy())
        return cls(index, 1)

    @classmethod
    def read(cls, content: bytes, name: str, dims: int, items: Tensor, probes: int) -> Self | None:
        """Take an index from a file whose hash was checked; None where faiss is not installed.

        Raises:
            BundleError: it is no index of items[n] with vectors of so many dimensions.
        """
        try:
            import faiss
        except ImportError:
            return None
        try:
            index = faiss.deserialize_index(np.frombuffer(content, np.uint8))
            kept = np.concatenate([_numbers(index, cell) for cell in range(index.nlist)])
            fits = index.d == dims + ADDED and index.metric_type == faiss.METRIC_L2
            fits = fits and np.array_equal(np.sort(kept), items.numpy())
        except (RuntimeError, AttributeError, ValueError, MemoryError, AssertionError):
            fits = False
        if not fits:
            raise BundleError(f"{name} is no index of the products of its bundle; export the bundle again")
        return cls(index, probes)

    @property
    def cells(self) -> int:
        """Into how many cells the products are divided."""
        return int(self._index.nlist)

    def plain(self) -> bytes:
        """Return the content of a file, in the format of faiss."""
        import faiss

        return bytes(faiss.serialize_index(self._index))

    def search(self, users: Tensor, count: int) -> Tensor:
        """Return for users[B, D] about the best items [B, count], in any order; -1 where the cells hold fewer."""
        import faiss

        one = users.new_ones(len(users), 1)
        rows = _beside(torch.cat([users, one], dim=1), 0 * one[:, 0])
        settings = faiss.SearchParametersIVF(nprobe=self.probes)  # not kept in the index: others search as well
        return torch.from_numpy(self._index.search(rows, count, params=settings)[1])


def _beside(vectors: Tensor, column: Tensor) -> np.ndarray:
    """[n, D + 1] float32, as faiss wants it."""
    return torch.cat([vectors, column[:, None]], dim=1).float().contiguous().numpy()


def _numbers(index: Any, cell: int) -> np.ndarray:
    """The products in one cell."""
    import faiss

    size = index.invlists.list_size(cell)
    return faiss.rev_swig_ptr(index.invlists.get_ids(cell), size).copy() if size else np.empty(0, np.int64)

"""A flat picture of the catalogue: products that the model takes for alike lie close to each other.

The two directions in which the product vectors differ most, their principal components (Pearson 1901), found by power
iteration: the vectors may be sparse. Directions are those of the best sold products, and every product is laid on them.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import pandas as pd
import torch
from torch import Tensor

from embedrec.columns import CATEGORY, PRICE, PRODUCT
from embedrec.features import Snapshot
from embedrec.features.history import NEVER, Floats
from embedrec.models import Scorer
from embedrec.serving.shelf import Shelf

LEADING = 2000
"""Products, the best sold, that say which way the picture lies, and as many as are worth drawing."""
SHOWN = "shown"
X, Y = "x", "y"
_ITERATIONS, _WIDTH = 30, 6


class Plane(NamedTuple):
    """Two directions in the space of the vectors."""

    directions: Tensor  # [d, 2] orthonormal; zero where there is nothing left to tell products apart
    centre: Tensor  # [1, d]
    shown: float  # share of the variance that lies in the plane, 0 to 1

    def place(self, vectors: Tensor) -> Floats:
        """Return where vectors[n, d] lie: [n, 2]."""
        found: Floats = (vectors @ self.directions - self.centre @ self.directions).numpy()
        return found


def catalogue_map(scorer: Scorer, snapshot: Snapshot, shelf: Shelf) -> pd.DataFrame:
    """Return product_id, x, y, category and price of the products that the model knows, those with most buyers first.

    `attrs["shown"]` is the share of the differences between the products that two dimensions can show.
    """
    buyers = snapshot.history.distinct_customers(NEVER + 1, snapshot.as_of)
    every = np.flatnonzero(snapshot.products.candidates)
    items = every[np.argsort(-buyers[every], kind="stable")]
    known = scorer.product_vectors()
    vectors = (_buyers(snapshot) if known is None else known.double()).index_select(0, torch.from_numpy(items))
    placed = _squares(vectors) > 0
    vectors, items = vectors.index_select(0, placed.nonzero()[:, 0]), items[placed.numpy()]
    plane = principal_plane(vectors.index_select(0, torch.arange(min(LEADING, len(items)))))
    places, words = plane.place(vectors), shelf.columns(items)
    told = {name: words[name] for name in (CATEGORY, PRICE)}
    table = pd.DataFrame({PRODUCT: words[PRODUCT], X: places[:, 0], Y: places[:, 1], **told})
    table.attrs[SHOWN] = plane.shown
    return table


def principal_plane(vectors: Tensor) -> Plane:
    """Return the plane that shows most of the variance of vectors[n, d], dense or sparse, the same on every call."""
    count, width = vectors.shape
    directions = torch.zeros(width, 2, dtype=torch.float64)
    if not count:
        return Plane(directions, torch.zeros(1, width, dtype=torch.float64), 0.0)
    centre = (vectors.t() @ torch.ones(count, 1, dtype=torch.float64)).t() / count
    random = torch.Generator().manual_seed(0)
    basis = torch.randn(width, min(_WIDTH, width, count), dtype=torch.float64, generator=random)
    for _ in range(_ITERATIONS):
        basis = torch.linalg.qr(basis).Q
        image = vectors @ basis - centre @ basis
        basis = vectors.t() @ image - centre.t() @ image.sum(0, keepdim=True)
    basis = torch.linalg.qr(basis).Q
    image = vectors @ basis - centre @ basis
    _, strength, rotation = torch.linalg.svd(image, full_matrices=False)
    total = float(_squares(vectors).sum() - count * centre.square().sum())
    kept = min(2, int((strength.square() > 1e-9 * max(total, 0.0)).sum())) if total > 1e-9 * count else 0
    found = basis @ rotation[:kept].t()
    places = image @ rotation[:kept].t()
    for axis in range(kept):  # a direction and its opposite are the same: the farthest product lies to the right, above
        farthest = places[places[:, axis].abs().argmax(), axis]
        directions[:, axis] = found[:, axis] * farthest.sign()
    return Plane(directions, centre, float(strength[:kept].square().sum()) / total if kept else 0.0)


def _buyers(snapshot: Snapshot) -> Tensor:
    """[N, customers], sparse: the set of buyers of each product before the date, as a vector of length 1."""
    history = snapshot.history
    users = history.buyers(NEVER, snapshot.as_of)
    bought = history.targets(users, NEVER, snapshot.as_of)
    count = np.bincount(bought.values, minlength=history.n_items)
    places = torch.from_numpy(np.stack([bought.values, bought.rows]))
    length = torch.from_numpy(1 / np.sqrt(count[bought.values]))
    return torch.sparse_coo_tensor(places, length, (history.n_items, len(users)), check_invariants=False).coalesce()


def _squares(vectors: Tensor) -> Tensor:
    """[n]: squared lengths."""
    squares = vectors * vectors
    return torch.sparse.sum(squares, 1).to_dense() if squares.is_sparse else squares.sum(1)

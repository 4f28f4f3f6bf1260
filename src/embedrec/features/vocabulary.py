"""Names to rows of an embedding table; row 0 is the learned state for everything unknown or missing."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import numpy as np

from embedrec.features.history import Ints


def rows_of(names: Iterable[object], vocabulary: Sequence[str]) -> Ints:
    """Return the row of each name: 1 + its place in the vocabulary, 0 where the vocabulary lacks it."""
    rows = {name: row for row, name in enumerate(vocabulary, start=1)}
    return np.array([rows.get(name, 0) for name in names], dtype=np.int64)  # type: ignore[call-overload]

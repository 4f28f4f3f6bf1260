"""Text columns from Arrow to pandas, folded where their values repeat."""

from __future__ import annotations

import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc

REPEATS = 2  # rows for each distinct value of the first piece, from which a column is folded


class Folding:
    """One text column, handed over piece by piece; what its first piece is like decides how it is kept."""

    def __init__(self) -> None:
        self._pieces: list[pa.Array] = []
        self._folds: bool | None = None

    def add(self, piece: pa.Array) -> None:
        """Take the next rows."""
        if self._folds is None and len(piece):
            self._folds = pc.count_distinct(piece).as_py() * REPEATS <= len(piece)
        self._pieces.append(piece.dictionary_encode() if self._folds else piece)

    def column(self) -> pd.Series:
        """Return all rows: a Categorical, or text."""
        if not self._folds:
            return pd.Series(pa.chunked_array(self._pieces, pa.large_string()).to_pandas(), dtype="str")
        pieces = pa.chunked_array([piece for piece in self._pieces if len(piece)])
        return pd.Series(pieces.unify_dictionaries().to_pandas())


def folded(column: pa.ChunkedArray) -> pd.Series:
    """Return a text column without nulls, folded where its values repeat."""
    folding = Folding()
    for piece in column.chunks:
        folding.add(piece)
    return folding.column()

"""A file as it came: every cell as text, each row with its line, before any meaning is given to it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import pandas as pd


@dataclass(frozen=True)
class Rejected:
    """A line that is no row of the table.

    reason    what completes "it has …"; in brackets at its end what is this line's alone, left out when counted
    """

    line: int
    reason: str
    text: str


@dataclass(frozen=True)
class RawTable:
    """The rows of one file, untyped.

    cells     one column a header, in the file's order: text ('' = empty), float64 or datetime64
    records   [rows] the record number of each row, from 1, rejected lines included
    line_of   record number → line in the file (row number in a parquet file); dear, so only for messages
    """

    file: str
    cells: pd.DataFrame
    records: np.ndarray
    line_of: Callable[[int], int]
    rejected: tuple[Rejected, ...] = ()
    notes: tuple[str, ...] = ()

    @property
    def headers(self) -> list[str]:
        """The headers, in the file's order."""
        return [str(header) for header in self.cells.columns]

"""`Listed`: one list of products, before it becomes a table for people or JSON for programs."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pandas as pd

from embedrec.columns import REASON, RECOMMENDATION

COLD_START = "cold_start"


@dataclass(frozen=True)
class Listed:
    """The columns of a recommendation, best first; a table of them takes longer to make than the list to find."""

    columns: Mapping[str, npt.NDArray[np.generic]]
    cold_start: bool | None = None
    """Nothing was known of the customer; None where no customer was asked for."""

    def table(self) -> pd.DataFrame:
        """Return rank, product_id, category, price, rating, score, reason; `attrs["cold_start"]`."""
        words = pd.Series(self.columns[REASON], dtype="object")
        table = pd.DataFrame({name: words if name == REASON else self.columns[name] for name in RECOMMENDATION})
        if self.cold_start is not None:
            table.attrs[COLD_START] = self.cold_start
        return table

"""Work once on each distinct value instead of once on each row: ids, dates and prices repeat."""

from __future__ import annotations

import numpy as np
import pandas as pd


def by_distinct(cells: pd.Series) -> tuple[np.ndarray, pd.Series]:
    """Return codes[rows] and distinct[values], in order of appearance: `distinct[codes]` is `cells`."""
    codes, distinct = pd.factorize(cells, use_na_sentinel=False)
    return codes, pd.Series(distinct, dtype=cells.dtype)


def spread(values: pd.Series, codes: np.ndarray) -> pd.Series:
    """Carry one value for each distinct cell back to the rows: values[codes], numbered from 0."""
    return values.take(codes).reset_index(drop=True)


def text_matches(values: pd.Series, pattern: str) -> np.ndarray:
    """Tell which texts match a pattern from end to end; missing ones do not."""
    return values.str.fullmatch(pattern).fillna(False).to_numpy(dtype=bool)

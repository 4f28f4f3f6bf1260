"""Every column of numbers that describes products or customers, those that models read and those that they do not."""

from __future__ import annotations

from typing import Literal, NamedTuple

import numpy as np
import pandas as pd

from embedrec.columns import DETAILS, INTERACTIONS, PAGE_VIEWS, PRICE, RATING, RATING_COUNT, TIME_SPENT
from embedrec.errors import quoted
from embedrec.features import Catalogue, History
from embedrec.features.history import Floats
from embedrec.tables import Tables


class Column(NamedTuple):
    """values[N] by product or [U] by customer, NaN unknown; `used` where models read it."""

    name: str
    of: Literal["product", "customer"]
    values: Floats
    used: bool

    @property
    def called(self) -> str:
        """Name the column in a sentence."""
        return f"column {quoted(self.name)} of {self.of}s"


def columns_of(tables: Tables, history: History, catalogue: Catalogue) -> list[Column]:
    """List the columns, those in use first."""
    used = [
        Column(PRICE, "product", catalogue.price, True),
        Column(RATING, "product", catalogue.rating, True),
        Column(RATING_COUNT, "product", catalogue.rating_count, True),
        Column(PAGE_VIEWS, "customer", history.total_views, True),
        Column(TIME_SPENT, "customer", history.total_time, True),
    ]
    others = tables.unused.get(DETAILS, pd.DataFrame()).reindex(history.product_ids)
    used += [Column(str(name), "product", others[name].to_numpy(np.float64), False) for name in others]
    others = tables.unused.get(INTERACTIONS, pd.DataFrame()).reindex(history.customer_ids)
    return used + [Column(str(name), "customer", others[name].to_numpy(np.float64), False) for name in others]

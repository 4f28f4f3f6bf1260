"""One value for each customer or product from values on dated lines: the last one known, or the first."""

from __future__ import annotations

import numpy as np
import pandas as pd

from embedrec.columns import KNOWN_FROM, PRICE, PRODUCT, TIME
from embedrec.tables.distinct import in_text_order, unfolded
from embedrec.tables.ordering import in_order


def last_known(rows: pd.DataFrame, by: str) -> pd.DataFrame:
    """Return the last known value by date of each column: one row for each value of `by`, sorted."""
    values = in_order(_sorted(rows, by)).drop(columns=TIME).groupby(by, sort=True).last()
    return unfolded(values.reset_index())


def first_known(attributes: pd.DataFrame) -> pd.DataFrame:
    """Return the first known value by date of each product's attributes, and the date since which all are known.

    The price on a line is what that line cost, not the catalogue's: it stays with the purchases.
    """
    rows = in_order(_sorted(attributes.drop(columns=PRICE), PRODUCT))
    values = rows.drop(columns=TIME).groupby(PRODUCT, sort=True).first()
    dates = [
        rows[rows[column].notna()].groupby(PRODUCT)[TIME].first()
        for column in values.columns
        if values[column].notna().any()
    ]
    since = pd.concat(dates, axis=1).max(axis=1) if dates else rows.groupby(PRODUCT)[TIME].first()
    first_sold = rows.groupby(PRODUCT)[TIME].first()
    values[KNOWN_FROM] = since.reindex(values.index).fillna(first_sold).astype("datetime64[s]")
    values[PRICE] = np.nan
    return unfolded(values.reset_index())


def _sorted(rows: pd.DataFrame, by: str) -> pd.DataFrame:
    """Let groups come in the order of their ids."""
    return rows.assign(**{by: in_text_order(rows[by])})

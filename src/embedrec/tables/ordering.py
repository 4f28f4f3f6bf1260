"""One order of rows that depends on nothing but what the rows say."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np
import pandas as pd

from embedrec.tables.distinct import is_folded


def in_order(table: pd.DataFrame) -> pd.DataFrame:
    """Sort by every column in turn, so that the order of rows in the files leaves no trace."""
    order = order_of((_key(column) for _, column in table.items()), len(table))
    return table.iloc[order].reset_index(drop=True)


def order_of(keys: Iterable[np.ndarray], count: int) -> np.ndarray:
    """Return what `np.lexsort` would of keys[count], the most important first; equal rows keep their order.

    Each further key sorts only the rows that all keys before it left tied: hardly any, after a customer and a time.
    """
    order = np.arange(count)
    tied, group = np.arange(count), np.zeros(count, np.int64)  # places in `order`, and which run of equals each is of
    for key in keys:
        if not len(tied):
            break
        rows = order[tied]
        ranked = np.argsort(key[rows], kind="stable") if group[-1] == 0 else np.lexsort((key[rows], group))
        order[tied] = rows = rows[ranked]
        values = key[rows]
        new = np.ones(len(rows) + 1, bool)  # where a run begins
        same = (values[1:] == values[:-1]) | (_missing(values[1:]) & _missing(values[:-1]))
        new[1:-1] = ~same | (group[1:] != group[:-1])
        several = ~(new[:-1] & new[1:])
        tied, group = tied[several], np.cumsum(new[:-1])[several]
        group -= group[0] if len(group) else 0
    return order


def tie_breaks(cells: pd.DataFrame) -> np.ndarray:
    """Return a number for each row that depends on nothing but what the row says; equal rows have the same."""
    return pd.util.hash_pandas_object(cells, index=False).to_numpy()


def _key(column: pd.Series) -> np.ndarray:
    """Return numbers that sort as a column does; missing texts come first."""
    if is_folded(column):
        texts = column.cat.categories
        rank = np.empty(len(texts) + 1, np.int32)
        rank[texts.argsort()] = np.arange(len(texts))
        rank[-1] = -1
        return rank[column.cat.codes.to_numpy()]
    return pd.factorize(column, sort=True)[0] if column.dtype == "str" else column.to_numpy()


def _missing(values: np.ndarray) -> np.ndarray:
    missing: np.ndarray = np.isnat(values) if values.dtype.kind == "M" else values != values
    return missing

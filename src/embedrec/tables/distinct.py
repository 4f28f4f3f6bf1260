"""Work once on each distinct value instead of once on each row: ids, dates and prices repeat.

A column of text whose values repeat is *folded*: a pandas Categorical of the distinct texts and a number for each row,
1 to 4 bytes however long the texts are.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd


def is_folded(cells: pd.Series) -> bool:
    """Say whether a column holds each distinct text once."""
    return isinstance(cells.dtype, pd.CategoricalDtype)


def by_distinct(cells: pd.Series) -> tuple[np.ndarray, pd.Series]:
    """Return codes[rows] and distinct[values], in order of appearance: `distinct[codes]` is `cells`."""
    if is_folded(cells):
        codes, used = pd.factorize(cells.cat.codes.to_numpy())
        texts = cells.cat.categories
        return codes, pd.Series(texts.take(used, allow_fill=True, fill_value=np.nan), dtype=texts.dtype)
    codes, distinct = pd.factorize(cells, use_na_sentinel=False)
    return codes, pd.Series(distinct, dtype=cells.dtype)


def by_distinct_if_folded(cells: pd.Series) -> tuple[np.ndarray, pd.Series]:
    """Return what `by_distinct` does of a folded column; of others, whose values hardly repeat, each row's own value.

    Right where nothing is counted by distinct value.
    """
    return by_distinct(cells) if is_folded(cells) else (np.arange(len(cells)), cells.reset_index(drop=True))


def spread(values: pd.Series, codes: np.ndarray) -> pd.Series:
    """Carry one value for each distinct cell back to the rows: values[codes], numbered from 0; text comes folded."""
    if values.dtype != "str":
        return values.take(codes).reset_index(drop=True)
    numbers, texts = pd.factorize(values)
    return pd.Series(
        pd.Categorical.from_codes(numbers.astype(np.int32)[codes], categories=pd.Index(texts, dtype="str"))
    )


def in_text_order(column: pd.Series) -> pd.Series:
    """Return a folded column that holds the texts in use and no other, in order of their code points."""
    texts = column.cat.categories
    used = np.bincount(column.cat.codes.to_numpy() + 1, minlength=len(texts) + 1)[1:] > 0
    return column.cat.set_categories(texts[used].sort_values())


def unfolded(table: pd.DataFrame) -> pd.DataFrame:
    """Write each folded column out as text."""
    return table.astype({name: "str" for name, column in table.items() if is_folded(column)})


def stacked(tables: Sequence[pd.DataFrame]) -> pd.DataFrame:
    """Put tables one below the other; a column that is folded in one of them stays so."""
    if len(tables) == 1:
        return tables[0].reset_index(drop=True)
    kinds: dict[Any, pd.CategoricalDtype] = {}
    for name in dict.fromkeys(name for table in tables for name in table):
        columns = [table[name] for table in tables if name in table]
        if any(map(is_folded, columns)):
            texts = [by_distinct(column.dropna())[1] for column in columns]
            kinds[name] = pd.CategoricalDtype(pd.Index(pd.concat(texts).unique(), dtype="str"))
    alike = [table.astype({name: kind for name, kind in kinds.items() if name in table}) for table in tables]
    return pd.concat(alike, ignore_index=True).astype(kinds)


def repeated(cells: pd.DataFrame) -> np.ndarray:
    """Tell which rows equal an earlier one in every column.

    Columns that are not folded hardly repeat and are dear to number, so they are compared only where all others agree.
    """
    rows, key, span = np.arange(len(cells)), np.zeros(len(cells), np.int64), 1
    for column in sorted((column for _, column in cells.items()), key=lambda column: not is_folded(column)):
        if is_folded(column):
            codes, count = column.cat.codes.to_numpy(), len(column.cat.categories)
        else:
            again = pd.Series(key).duplicated(keep=False).to_numpy()
            rows, key = rows[again], key[again]
            codes, texts = pd.factorize(column.iloc[rows], use_na_sentinel=False)
            count = len(texts)
        if span * count > np.iinfo(np.int64).max:
            key, distinct = pd.factorize(key)
            span = len(distinct)
        key, span = key * count + codes, span * count
    found = np.zeros(len(cells), dtype=bool)
    found[rows] = pd.Series(key).duplicated().to_numpy()
    return found


def text_matches(values: pd.Series, pattern: str) -> np.ndarray:
    """Tell which texts match a pattern from end to end; missing ones do not."""
    return values.str.fullmatch(pattern).fillna(False).to_numpy(dtype=bool)

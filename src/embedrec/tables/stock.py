"""What can be bought now: yes or no, a word of a shop system, or the pieces in stock."""

from __future__ import annotations

import numpy as np
import pandas as pd

from embedrec.columns import IN_STOCK
from embedrec.errors import DataError, quoted
from embedrec.tables.distinct import by_distinct, text_matches
from embedrec.tables.headers import key
from embedrec.tables.ledger import Ledger
from embedrec.tables.numbers import is_missing
from embedrec.tables.values import as_text, count_missing

HERE = frozenset(
    key(word)
    for word in (
        "true", "t", "yes", "y", "ja", "j", "oui", "sí", "si", "in stock", "available", "low stock", "limited",
        "limited availability", "auf lager", "verfügbar", "lieferbar",
    )
)  # fmt: skip
GONE = frozenset(
    key(word)
    for word in (
        "false", "f", "no", "n", "nein", "non", "out of stock", "not in stock", "sold out", "unavailable",
        "not available", "discontinued", "preorder", "backorder", "nicht auf lager", "nicht verfügbar",
        "nicht lieferbar", "ausverkauft", "vergriffen",
    )
)  # fmt: skip
_PIECES = r"[<>~]?\s*[+-]?[0-9][0-9.,' ]*\+?"
_NONE_LEFT = r"[<>~]?\s*(?:-.*|[+]?[0., ]+)"


def stock_column(ledger: Ledger, header: str) -> pd.Series:
    """Read 1 where a product can be bought, 0 where it is sold out, NaN where nothing is said.

    Pieces count as stock where there are more than 0 of them. What cannot be read is missing, counted.

    Raises DataError if more than half of the filled cells are neither.
    """
    codes, texts = by_distinct(as_text(ledger.raw.cells[header]))
    words, pieces = texts.map(key), text_matches(texts.str.strip(), _PIECES)
    gone = words.isin(GONE) | (pieces & text_matches(texts.str.strip(), _NONE_LEFT))
    here = words.isin(HERE) | (pieces & ~gone)
    known = (gone | here).to_numpy()[codes]
    bad = ~known & ~is_missing(texts)[codes]
    if bad.sum() > (bad.sum() + known.sum()) / 2:
        row = int(np.flatnonzero(bad)[0])
        raise DataError(
            f"{ledger.raw.file}, line {ledger.line(row)}: {header} {quoted(texts.iloc[codes[row]])} is neither yes or "
            f"no nor a number of pieces, nor are most in the column: ignore it with data.columns.{IN_STOCK}=-"
        )
    count_missing(ledger, bad & ledger.used, header, "is neither yes or no nor a number of pieces")
    return pd.Series(np.where(known, here.to_numpy()[codes].astype(float), np.nan))

"""Returned pieces, taken off the purchases they came from.

A return takes back what its customer bought last of the product: from the latest purchase before it, or at its own
moment, that has pieces left, then from the one before that. Bought pieces lie on a stack, and returns take from its
top: a purchase that lifts the stack of its customer and product from b to b + q pieces keeps

    max(0, lowest height from then on - b)

of them. Returned pieces that the stack does not hold were never bought here; they take nothing of what comes later.

This is cleaning, not knowledge as of a date: a purchase before the test that came back during the test is netted too.
In the export of Online Retail that concerns 431 of 354,292 purchases (0.12 %): 145 are taken out, the others reduced.
"""

from __future__ import annotations

import numpy as np
import pandas as pd

from embedrec.tables.ledger import Ledger
from embedrec.tables.ordering import tie_breaks

EXACT = 9  # decimals: three returns of 0.3 and one of 0.1 are a piece, though their floats add up to a little less


def net_returns(
    ledger: Ledger,
    customers: pd.Series,
    products: pd.Series,
    moments: np.ndarray,
    quantity: pd.Series,
    bought: np.ndarray,
    returned: np.ndarray,
) -> pd.Series:
    """Return the pieces of every row, of purchases those not returned; set aside returns and what they undo.

    All are aligned with the rows of the file. `quantity` is positive, of returns too. `moments` grow with time, and
    are equal where nothing tells which came first.
    """
    rows = np.flatnonzero(ledger.used & (bought | returned))
    if not returned[rows].any():
        return quantity
    pairs = _pairs(customers.iloc[rows], products.iloc[rows])
    concerned = np.isin(pairs, pairs[returned[rows]])
    rows, pairs = rows[concerned], pairs[concerned]
    back = returned[rows]
    pieces = quantity.to_numpy()[rows] * np.where(back, -1, 1)
    left = pieces_left(pairs, moments[rows], pieces, tie_breaks(ledger.raw.cells.iloc[rows]))

    def among_all(found: np.ndarray) -> np.ndarray:
        mask = np.zeros(len(quantity), dtype=bool)
        mask[rows[found]] = True
        return mask

    ledger.set_aside(among_all(back & (left == 0)), "of returned pieces, netted against earlier purchases,")
    ledger.set_aside(among_all(back & (left < 0)), "of returned pieces, more than were bought before,")
    ledger.set_aside(among_all(~back & (left == 0)), "of purchases returned in whole")
    in_part = among_all(~back & (left > 0) & (left < pieces))
    if count := int(in_part.sum()):
        ledger.note(f"{count:,} purchase{'' if count == 1 else 's'} returned in part: kept with the pieces left")
    netted = quantity.to_numpy(copy=True)
    netted[rows[~back]] = left[~back]
    return pd.Series(netted)


def pieces_left(pairs: np.ndarray, moments: np.ndarray, pieces: np.ndarray, ties: np.ndarray) -> np.ndarray:
    """Set returns against purchases: each line's pieces that nothing is set against, with the sign they came with.

    pairs[L] number customer and product, pieces[L] are negative in returns, ties[L] order purchases alike in all else.
    At one moment purchases come before returns, and the smaller purchase is taken back first.
    """
    order = np.lexsort((ties, -pieces, moments, pairs))
    by, moved = pairs[order], pd.Series(pieces[order])
    total = moved.groupby(by).cumsum()
    never_bought = total.groupby(by).cummin().clip(upper=0)
    height = total - never_bought
    lowest = height[::-1].groupby(by[::-1]).cummin()[::-1]
    kept = (lowest - (height - moved)).clip(lower=0)
    unmatched = never_bought.groupby(by).diff().fillna(never_bought)
    left = np.empty(len(order))
    left[order] = kept.where(moved > 0, unmatched).round(EXACT)
    return left


def _pairs(customers: pd.Series, products: pd.Series) -> np.ndarray:
    """Number the pairs of customer and product; a return may name no product, and then finds no purchase."""
    users, items = pd.factorize(customers)[0], pd.factorize(products)[0]
    pairs: np.ndarray = users.astype(np.int64) * (len(products) + 1) + items + 1
    return pairs

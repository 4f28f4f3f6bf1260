"""The end of a text file: tells a last line that was cut off from one that only lacks its line end."""

from __future__ import annotations

import csv
from collections.abc import Sequence

import pandas as pd

MAY_BE = "the file may be cut off"
LONG = 8  # characters: a date, a time, a long id
FEWEST_LONG, FEWEST_SHORT = 5, 20  # rows that must agree before a shorter cell counts as cut


def cut_off(text: Sequence[str], cells: pd.DataFrame, fits: bool, separator: str) -> str | None:
    """Return why a last record that no line end follows was cut off; None if it is whole.

    `text` are its lines; if it `fits`, it is the last row of `cells`. It was cut off if it has fewer fields than the
    others, an open quotation mark, or a last cell shorter than all others, which are of one length.
    """
    row, closed = [""], True
    try:
        row = next(csv.reader([line + "\n" for line in text], delimiter=separator, strict=True), [])
    except csv.Error as error:
        closed = "unexpected end" not in str(error)
    if not closed:
        return f"a quotation mark that is not closed; {MAY_BE}"
    if not fits:
        short = len(row) < cells.shape[1]
        return f"{len(row)} fields where {cells.shape[1]} are wanted; {MAY_BE}" if short else None
    lengths = cells.iloc[:, -1].str.len().to_numpy()
    others, cut = lengths[:-1], lengths[-1]
    same = len(others) > 0 and others.min() == others.max()
    if same and cut < others[0] and len(others) >= (FEWEST_LONG if others[0] >= LONG else FEWEST_SHORT):
        return f"a last cell shorter than all others and no line end; {MAY_BE}"
    return None

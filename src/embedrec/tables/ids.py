"""Ids are text: '007' is not '7', and 'NA' is an id like any other."""

from __future__ import annotations

import re
import unicodedata
from dataclasses import dataclass
from itertools import islice

import numpy as np
import pandas as pd

from embedrec.errors import DataError, quoted
from embedrec.tables.distinct import by_distinct, spread, text_matches

LONGEST_ID = 256  # characters
LISTED = 5  # ids that fell together, shown as examples
EXACT_FLOATS = 2.0**53  # above, a float no longer tells two neighbouring integers apart

# Zero-width and byte order marks, soft hyphens, and marks of writing direction.
_INVISIBLE = "[\u00ad\u061c\u200b-\u200f\u202a-\u202e\u2060\u2066-\u2069\ufeff]"
_LOOK_MISSING = {"na", "n/a", "nan", "null", "none"}


@dataclass(frozen=True)
class Ids:
    """One id a row.

    values   text; NaN where the cell is empty
    reasons  why a filled cell is no id, '' where it is one
    notes    repairs and oddities, for the report
    """

    values: pd.Series
    reasons: pd.Series
    notes: tuple[str, ...]


def parse_ids(cells: pd.Series, where: str) -> Ids:
    """Read ids; `where` names file and column in messages.

    Spaces around and invisible characters within are removed. '101.0', which a spreadsheet or a float column
    made of 101, becomes '101' where this is one-to-one.

    Raises DataError where '101' and '101.0' stand in one column, floats are too large to be exact, or the
    column holds dates.
    """
    if cells.dtype.kind == "M":
        raise DataError(f"{where}: holds dates where ids are wanted: name the right column with data.columns")
    codes, distinct = by_distinct(cells)
    notes: list[str] = []
    text = _text_of_floats(distinct, where) if distinct.dtype.kind == "f" else _trimmed(distinct, notes)
    text = _without_point_zero(text, where, notes)
    reasons = pd.Series("", index=text.index, dtype="str")
    reasons[(text.str.len() > LONGEST_ID).to_numpy()] = f"is longer than {LONGEST_ID} characters"
    reasons[text.str.contains("[\\x00-\\x1f\\x7f-\\x9f\u2028\u2029]").to_numpy(dtype=bool)] = "holds control characters"
    rounded = text_matches(text, r"[0-9]+[.,][0-9]+[eE]\+?[0-9]+|[0-9]+[eE]\+[0-9]+")
    reasons[rounded] = "was rounded by a spreadsheet: format the column as text and export again"
    filled = text[text != ""]
    if look := sorted(filled[filled.str.lower().isin(_LOOK_MISSING)].unique()):
        notes.append(f"ids that read like a missing value are kept as text: {', '.join(map(quoted, look))}")
    padded = filled[filled.str.startswith("0")]
    if len(padded) and (near := len(pd.Index(padded.str.lstrip("0")).unique().intersection(pd.Index(filled)))):
        notes.append(f"{near:,} ids differ from another only by leading zeros ('007', '7'): kept apart")
    return Ids(spread(text.mask(text == ""), codes), spread(reasons, codes), tuple(notes))


def clean_id(text: str) -> str:
    """Write one id as the reader does: NFC, without spaces around or invisible characters within."""
    return unicodedata.normalize("NFC", re.sub(_INVISIBLE, "", text.strip())).strip()


def _trimmed(distinct: pd.Series, notes: list[str]) -> pd.Series:
    text = distinct.str.strip()
    if not bool(distinct.str.isascii().all()):
        text = text.str.replace(_INVISIBLE, "", regex=True).str.normalize("NFC").str.strip()
    if changed := int((text != distinct).sum()):
        notes.append(f"{changed:,} ids had spaces or invisible characters: removed{_collisions(distinct, text)}")
    return text


def _collisions(distinct: pd.Series, text: pd.Series) -> str:
    """Tell which ids fell together when `distinct` became `text`, some of them by their spellings; '' if none."""
    merged = text[(text.duplicated(keep=False) & (text != "")).to_numpy()]
    if merged.empty:
        return ""
    spellings = distinct[merged.index].groupby(merged, sort=False)
    shown = [" = ".join(map(quoted, group)) for _, group in islice(spellings, LISTED)]
    more = ", …" if spellings.ngroups > LISTED else ""
    return f", {len(merged) - spellings.ngroups:,} of them now equal to another id: {', '.join(shown)}{more}"


def _text_of_floats(distinct: pd.Series, where: str) -> pd.Series:
    """Write floats as text: 17850.0 → '17850.0', NaN → ''."""
    if (distinct.abs() >= EXACT_FLOATS).any():
        raise DataError(f"{where}: ids are stored as floats above 2^53, which are not exact: store them as text")
    return pd.Series(["" if np.isnan(value) else repr(float(value)) for value in distinct], dtype="str")


def _without_point_zero(text: pd.Series, where: str, notes: list[str]) -> pd.Series:
    """Turn '101.0' into '101' if every decimal id of the column is whole."""
    whole = text_matches(text, r"[0-9]+\.0+")
    if not whole.any() or text_matches(text, r"[0-9]+\.[0-9]*[1-9][0-9]*").any():
        return text
    repaired = text.mask(whole, text.str.replace(r"\.0+$", "", regex=True))
    clash = repaired[whole & (repaired.duplicated(keep=False) & ~text.duplicated(keep=False)).to_numpy()]
    if len(clash):
        raise DataError(
            f"{where}: {quoted(text[clash.index[0]])} and {quoted(clash.iloc[0])} may be one id or two: "
            "write each id in one way, as text"
        )
    notes.append(f"ids written as '{text[whole].iloc[0]}' read as '{repaired[whole].iloc[0]}'")
    return repaired

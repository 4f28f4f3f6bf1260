"""Numbers as shops write them: '$1,299.00', '1.299,00 €', '4,5'."""

from __future__ import annotations

import numpy as np
import pandas as pd

from embedrec.errors import DataError, quoted
from embedrec.tables.distinct import by_distinct_if_folded, spread, text_matches

MISSING = frozenset({"", "na", "n/a", "#n/a", "nan", "null", "none", "nil", "-", "\\n"})  # compared in lower case
"""Cells of a number, date, category or title column that say "no value". Never applied to ids."""

_PLAIN = r"[+-]?(?:[0-9]+\.?[0-9]*|\.[0-9]+)(?:[eE][+-]?[0-9]+)?"
CURRENCY = r"^(?:[$€£¥₹]|[A-Z]{3}\s)|(?:[$€£¥₹]|\s[A-Z]{3})$"
# '0.500' is not grouped: no thousand begins with 0.
_GROUPED_BY_COMMA = r"[+-]?[1-9][0-9]{0,2}(?:,[0-9]{3})+"
_GROUPED_BY_POINT = r"[+-]?[1-9][0-9]{0,2}(?:\.[0-9]{3})+"


def is_missing(cells: pd.Series) -> np.ndarray:
    """Tell which cells say "no value"."""
    if cells.dtype.kind in "fM":
        return cells.isna().to_numpy()
    codes, distinct = by_distinct_if_folded(cells)
    missing: np.ndarray = distinct.str.strip().str.lower().isin(MISSING).to_numpy()[codes]
    return missing


def parse_numbers(
    cells: pd.Series, where: str, *, scale: str = "", thousands: bool = True
) -> tuple[pd.Series, np.ndarray]:
    """Read numbers; `where` names file and column in messages.

    Currency signs and thousands separators go. A comma or a point that could be either ('1,299') is read as
    the other cells of the column say: those with another number of digits behind it, with both signs, with one sign
    twice, or below one ('0.500'). Whole numbers say nothing: people write '1.299' and '2500' in one column. A program
    that writes three decimals drops their last zeros or meets a number below one or above 999 before long.
    A `scale` such as '/5' may end a cell. Where `thousands` is false, numbers are too small to be grouped and each sign
    is a decimal one.

    Returns (values as float64 with NaN = missing, mask of the filled cells that are no finite number).
    Raises DataError where a comma or a point could be either and no other cell decides it.
    """
    if cells.dtype.kind == "f":
        values = cells.mask(~np.isfinite(cells))
        return values.reset_index(drop=True), np.isinf(cells.to_numpy())
    if cells.dtype.kind == "M":
        return pd.Series(np.nan, index=range(len(cells))), cells.notna().to_numpy()
    codes, distinct = by_distinct_if_folded(cells)
    text = distinct.str.removesuffix(scale).str.strip()
    missing = text.str.lower().isin(MISSING).to_numpy()
    plain = text_matches(text, _PLAIN)
    if not (plain | missing).all() or (thousands and text_matches(text, _GROUPED_BY_POINT).any()):
        weights = np.bincount(codes, minlength=len(text))
        text = _plain_text(text, plain, weights, where, thousands)
        plain = text_matches(text, _PLAIN)
    values = pd.to_numeric(text.where(plain), errors="coerce").astype("float64")
    values = values.mask(~np.isfinite(values))
    bad = ~missing & values.isna().to_numpy()
    return spread(values, codes), bad[codes]


def _plain_text(text: pd.Series, plain: np.ndarray, weights: np.ndarray, where: str, thousands: bool) -> pd.Series:
    """Rewrite numbers with currency signs, thousands separators or decimal commas as plain ones."""
    bare = text.str.replace(CURRENCY, "", regex=True).str.replace(r"[\s'’]", "", regex=True)
    comma, point = bare.str.rfind(","), bare.str.rfind(".")
    grouped_by_comma = text_matches(bare, _GROUPED_BY_COMMA) & thousands
    grouped_by_point = text_matches(bare, _GROUPED_BY_POINT) & thousands
    once = {mark: (bare.str.count("\\" + mark) == 1).to_numpy() for mark in ",."}
    both = ((comma >= 0) & (point >= 0)).to_numpy()
    # What the form alone tells: True where the decimal sign must be a comma, or must be a point.
    comma_decimal = (both & (comma > point)) | (~both & once[","] & ~grouped_by_comma)
    comma_decimal |= grouped_by_point & ~once["."]
    point_decimal = (both & (point > comma)) | (~both & once["."] & ~grouped_by_point)
    point_decimal |= grouped_by_comma & ~once[","]
    votes = int(weights[comma_decimal].sum()) - int(weights[point_decimal].sum())
    unsure = (grouped_by_comma & once[","]) | (grouped_by_point & once["."])
    if votes == 0 and unsure.any():
        example, sign = text[unsure].iloc[0], "comma" if grouped_by_comma[unsure][0] else "point"
        raise DataError(
            f"{where}: {quoted(example)} may be read with a decimal {sign} or a thousands {sign} and no other cell "
            "decides it: write numbers with a decimal point, not before exactly three digits, and no thousands sign, "
            "or ignore the column with data.columns"
        )
    outvoted = unsure & (votes > 0)
    comma_decimal |= outvoted
    as_comma = bare.str.replace(".", "", regex=False).str.replace(",", ".", regex=False)
    as_point = bare.str.replace(",", "", regex=False)
    return bare.where(plain & ~outvoted, as_comma.where(comma_decimal, as_point))

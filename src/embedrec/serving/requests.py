"""Checks of what a caller asks for; every refusal names the argument."""

from __future__ import annotations

import math
import unicodedata
from collections.abc import Iterable, Sequence

from embedrec.errors import RequestError, quoted
from embedrec.models.choice import AGAIN, NEW
from embedrec.tables.ids import clean_id

MAX_K = 1000
MAX_ID = 256  # characters
MAX_AMOUNT = 1e12
MAX_AUDIENCE = 100_000  # customers
MAX_DAYS = 36_500


def check_k(k: int) -> int:
    """Return k if it is a whole number from 1 to 1000."""
    return check_whole("k", k, 1, MAX_K)


def check_whole(field: str, value: int, lowest: int, highest: int) -> int:
    """Return a whole number from lowest to highest."""
    if isinstance(value, bool) or not isinstance(value, int) or not lowest <= value <= highest:
        raise RequestError(field, f"wanted a whole number from {lowest} to {highest}, got {quoted(value)}")
    return value


def check_id(field: str, value: str) -> str:
    """Return a text id if it could be one: 1 to 256 printable characters, not blank."""
    if not isinstance(value, str):
        raise RequestError(field, f"wanted a text id, got {type(value).__name__}")
    if not value.strip() or len(value) > MAX_ID:
        raise RequestError(field, f"wanted an id of 1 to {MAX_ID} characters")
    if any(unicodedata.category(sign) in ("Cc", "Cs", "Zl", "Zp") for sign in value):
        raise RequestError(field, "an id holds no control characters")
    return clean_id(value)


def check_price(price: Sequence[float] | None) -> tuple[float, float] | None:
    """Return (lowest, highest) price, both inclusive, or None for no limit."""
    if price is None:
        return None
    try:
        low, high = (math.nan if isinstance(bound, str | bool) else float(bound) for bound in price)
    except (TypeError, ValueError, OverflowError):
        raise RequestError("price", "wanted two numbers: lowest and highest") from None
    if not (math.isfinite(low) and math.isfinite(high) and 0 <= low <= high):
        raise RequestError("price", "wanted two numbers, lowest first, neither negative nor infinite")
    return low, high


def check_only(only: str | None, exclude_bought: bool) -> str | None:
    """Return which products are wanted, by whether the customer bought them: "new" ones, those "again", None = all."""
    if only not in (None, NEW, AGAIN):
        raise RequestError("only", f'wanted "{NEW}", "{AGAIN}" or nothing, got {quoted(only)}')
    if exclude_bought and only == AGAIN:
        raise RequestError("only", f'"{AGAIN}" asks for what exclude_bought leaves out: give one of them')
    return NEW if exclude_bought else only


def check_share(field: str, value: float) -> float:
    """Return a number from 0 to 1."""
    if isinstance(value, bool) or not isinstance(value, int | float) or not 0 <= value <= 1:
        raise RequestError(field, f"wanted a number from 0 to 1, got {quoted(value)}")
    return float(value)


def check_names(field: str, values: Iterable[str] | None) -> list[str]:
    """Return a list of texts, empty where there are none."""
    names = [] if values is None else list(values) if isinstance(values, Iterable) else [None]
    if isinstance(values, str) or not all(isinstance(name, str) for name in names):
        raise RequestError(field, "wanted a list of texts")
    return [str(name) for name in names]


def check_amount(field: str, value: float | None) -> float:
    """Return a count or duration, NaN where it is not known."""
    if value is None:
        return math.nan
    if isinstance(value, bool) or not isinstance(value, int | float) or not 0 <= value <= MAX_AMOUNT:
        raise RequestError(field, f"wanted a number from 0 to 1e12, got {quoted(value)}")
    return float(value)

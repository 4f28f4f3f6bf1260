"""What may be asked: strict request models, the rule of each field, and strict reading of JSON.

A wrong value is answered by naming the field and its rule. The value itself is never echoed.
"""

from __future__ import annotations

import json
import math
import unicodedata
from collections.abc import Iterable, Mapping
from typing import Annotated, Any, Literal

from pydantic import (
    AfterValidator,
    BaseModel,
    ConfigDict,
    Field,
    StringConstraints,
    ValidationInfo,
    field_validator,
)

from embedrec.serving.requests import MAX_AMOUNT, MAX_AUDIENCE, MAX_DAYS, MAX_ID, MAX_K

LONGEST_LIST = 1000
LONGEST_ANSWER = 50_000  # products in one answer: some 10 MB

RULES = {
    "customer_id": f"text of 1 to {MAX_ID} characters, not blank, without control characters",
    "customer_ids": f"a list of 1 to {LONGEST_LIST} customer ids, with k for each at most {LONGEST_ANSWER:,} products",
    "product_id": f"a product of this shop: text of 1 to {MAX_ID} characters; "
    "an audience is of exactly one of product_id, products and categories",
    "products": f"a list of up to {LONGEST_LIST} product ids of this shop",
    "n": f"a whole number from 1 to {MAX_AUDIENCE}",
    "exclude_recent_days": f"a whole number from 0 to {MAX_DAYS}",
    "history": f"a list of up to {LONGEST_LIST} product ids of this shop",
    "page_views": f"a number from 0 to {MAX_AMOUNT:g}, or null where unknown",
    "time_spent": f"a number from 0 to {MAX_AMOUNT:g}, or null where unknown",
    "k": f"a whole number from 1 to {MAX_K}",
    "exclude_bought": "true or false",
    "categories": "a list of categories of this shop",
    "price": "two numbers of 0 or more, the lowest price and then the highest",
    "only": '"new", "again" or null, and not "again" together with exclude_bought',
    "in_stock": "true or false, and true only where the shop says what is in stock",
    "diversity": "a number from 0 (the likeliest) to 1 (as mixed as can be)",
    "body": "a JSON object, sent as application/json, with no other keys than those of this question",
}


def rule(field: str) -> str:
    """Return the sentence that says what `field` must be."""
    return f"{field} must be {RULES[field]}"


def field_at_fault(errors: Iterable[Mapping[str, Any]]) -> str:
    """Return the first field that a pydantic error list complains about, or `body` for the whole."""
    for error in errors:
        if error["type"] != "extra_forbidden":
            named = [step for step in error["loc"] if step in RULES and step != "body"]
            if named:
                return str(named[0])
    return "body"


def _plain(text: str) -> str:
    """Refuse blank text, control characters, line separators, and halves of surrogate pairs."""
    if not text.strip() or any(unicodedata.category(sign) in {"Cc", "Cs", "Zl", "Zp"} for sign in text):
        raise ValueError("not plain text")
    return text


def _ascending(bounds: list[float]) -> list[float]:
    if bounds[0] > bounds[1]:
        raise ValueError("lowest above highest")
    return bounds


Text = Annotated[str, StringConstraints(min_length=1, max_length=MAX_ID), AfterValidator(_plain)]
Amount = Annotated[float, Field(ge=0, allow_inf_nan=False)]
Bounds = Annotated[list[Amount], Field(min_length=2, max_length=2), AfterValidator(_ascending)]


K = Annotated[int, Field(ge=1, le=MAX_K)]
Size = Annotated[int, Field(ge=1, le=MAX_AUDIENCE)]
Days = Annotated[int, Field(ge=0, le=MAX_DAYS)]


class _Question(BaseModel):
    """What every question shares: exact types, no unknown keys."""

    model_config = ConfigDict(strict=True, extra="forbid", frozen=True)


class _Filters(_Question):
    k: K = 10
    exclude_bought: bool = False
    categories: Annotated[list[Text], Field(max_length=LONGEST_LIST)] = []
    price: Bounds | None = None
    only: Literal["new", "again"] | None = None
    in_stock: bool = False
    diversity: Annotated[float, Field(ge=0, le=1, allow_inf_nan=False)] = 0.0

    def filters(self) -> dict[str, Any]:
        """Return the filters as keyword arguments of a Recommender."""
        return {
            "k": self.k,
            "exclude_bought": self.exclude_bought,
            "categories": self.categories or None,
            "price": (self.price[0], self.price[1]) if self.price else None,
            "only": self.only,
            "in_stock": self.in_stock,
            "diversity": self.diversity,
        }


class CustomerQuestion(_Filters):
    """What will this customer want next?"""

    customer_id: Text


class BatchQuestion(_Filters):
    """What will each of these customers want next?"""

    customer_ids: Annotated[list[Text], Field(min_length=1, max_length=LONGEST_LIST)]

    @field_validator("customer_ids")
    @classmethod
    def _within_reach(cls, ids: list[str], info: ValidationInfo) -> list[str]:
        if len(ids) * info.data.get("k", 1) > LONGEST_ANSWER:
            raise ValueError("the answer would be too long")
        return ids


class NewCustomerQuestion(_Filters):
    """What will someone want whom the model has never seen?"""

    history: Annotated[list[Text], Field(max_length=LONGEST_LIST)] = []
    page_views: Amount | None = None
    time_spent: Amount | None = None


class SimilarQuestion(_Question):
    """Which products are like this one?"""

    product_id: Text
    k: K = 10


class AudienceQuestion(_Question):
    """Which customers are most likely to buy this product, or any of several? Exactly one of the three is asked for."""

    product_id: Text | None = None
    products: Annotated[list[Text], Field(max_length=LONGEST_LIST)] = []
    categories: Annotated[list[Text], Field(max_length=LONGEST_LIST)] = []
    n: Size = 500
    exclude_recent_days: Days = 0


class ExplainQuestion(_Question):
    """Why does this customer get this product?"""

    customer_id: Text
    product_id: Text


def read_json(body: bytes) -> Any:
    """Read UTF-8 JSON; raise ValueError where it is broken or nested too deeply.

    NaN, infinities and overlong whole numbers are read as floats, so that the field's own rule refuses them.
    """
    try:
        return json.loads(body.decode("utf-8"), parse_int=_whole_number)
    except RecursionError:
        raise ValueError("nested too deeply") from None


def _whole_number(digits: str) -> int | float:
    return int(digits) if len(digits) <= 20 else math.copysign(math.inf, -1 if digits[0] == "-" else 1)

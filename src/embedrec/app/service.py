"""Questions in, answers out: the one place where the page's API meets the Recommender.

Plain HTTP and Gradio's own API both call this. A newer bundle is taken into use by setting `Service.shop`.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from datetime import UTC, date, datetime
from typing import TYPE_CHECKING, Any

import pandas as pd
from pydantic import BaseModel

from embedrec import columns
from embedrec.app.questions import (
    AudienceQuestion,
    CustomerQuestion,
    ExplainQuestion,
    NewCustomerQuestion,
    SimilarQuestion,
)

if TYPE_CHECKING:
    from embedrec.serving.recommender import Recommender


class ModelStamp(BaseModel):
    """Which model answered, and the last day of the data it has seen."""

    id: str
    data_until: date | None


class Item(BaseModel):
    """One recommended product; what the shop's tables do not say is null."""

    rank: int
    product_id: str
    category: str | None
    price: float | None
    rating: float | None
    score: float | None
    reason: str


class CustomerAnswer(BaseModel):
    """Products for a customer. `cold_start`: nothing is known of them, these are popular products."""

    customer_id: str | None
    cold_start: bool
    returned: int
    model: ModelStamp
    items: list[Item]


class SimilarAnswer(BaseModel):
    """Products like one product."""

    product_id: str
    returned: int
    model: ModelStamp
    items: list[Item]


class Buyer(BaseModel):
    """One customer of an audience; what is not known is null."""

    rank: int
    customer_id: str
    probability: float | None
    last_purchase: date | None
    bought_before: int
    reason: str


class AudienceAnswer(BaseModel):
    """Customers likely to buy; `expected_buyers` of those returned, within `days` days."""

    products: int
    customers: int
    left_out: int
    returned: int
    expected_buyers: float | None
    days: int | None
    model: ModelStamp
    items: list[Buyer]


class ScorePart(BaseModel):
    """One part of a score, and its average over all products."""

    part: str
    words: str
    value: float
    average: float


class Pull(BaseModel):
    """What a bought product adds to the part "history"."""

    product_id: str
    value: float


class ExplainAnswer(BaseModel):
    """A score taken apart; the values of the parts add up to it."""

    customer_id: str
    product_id: str
    cold_start: bool
    score: float
    probability: float | None
    reason: str
    parts: list[ScorePart]
    purchases: list[Pull]
    model: ModelStamp


class Health(BaseModel):
    """Whether questions can be answered, by which model, and how old its data are."""

    ready: bool
    model: ModelStamp
    data_from: date | None
    age_days: int | None


def _utc_today() -> date:
    return datetime.now(UTC).date()


class Service:
    """Answers the questions of the API from one Recommender. Raises RequestError on a malformed one."""

    def __init__(self, shop: Recommender, today: Callable[[], date] = _utc_today) -> None:
        self.shop = shop
        self._today = today

    def warm_up(self) -> None:
        """Ask one question of each kind, so that no customer waits for the first one; an audience takes its time."""
        first = self.shop.product_ids[0]
        for customer in self.shop.customer_ids[:1]:
            self.recommend(CustomerQuestion(customer_id=customer))
            self.explain(ExplainQuestion(customer_id=customer, product_id=first))
        self.recommend_new(NewCustomerQuestion(history=[first]))
        self.similar(SimilarQuestion(product_id=first))

    def recommend(self, question: CustomerQuestion) -> CustomerAnswer:
        """Recommend to a customer; an unknown one gets popular products, marked `cold_start`."""
        shop = self.shop
        found = shop.recommend(question.customer_id, **question.filters())
        return self._customer_answer(shop, found, question.customer_id)

    def recommend_new(self, question: NewCustomerQuestion) -> CustomerAnswer:
        """Recommend to someone who is described, not known."""
        shop = self.shop
        found = shop.recommend_new(
            history=question.history,
            page_views=question.page_views,
            time_spent=question.time_spent,
            **question.filters(),
        )
        return self._customer_answer(shop, found, None)

    def similar(self, question: SimilarQuestion) -> SimilarAnswer:
        """Find the products most like one product."""
        shop = self.shop
        items = _items(shop.similar(question.product_id, k=question.k))
        return SimilarAnswer(product_id=question.product_id, returned=len(items), model=_stamp(shop), items=items)

    def audience(self, question: AudienceQuestion) -> AudienceAnswer:
        """Find the customers most likely to buy a product, or any of several."""
        shop = self.shop
        found = shop.audience(
            question.product_id,
            question.n,
            products=question.products,
            categories=question.categories or None,
            exclude_recent_days=question.exclude_recent_days,
        )
        items = [Buyer(**{str(name): known(value) for name, value in row.items()}) for row in found.to_dict("records")]
        return AudienceAnswer(
            **{str(name): value for name, value in found.attrs.items()},
            returned=len(items),
            model=_stamp(shop),
            items=items,
        )

    def explain(self, question: ExplainQuestion) -> ExplainAnswer:
        """Take the score of one product for one customer apart."""
        shop = self.shop
        told = shop.explain(question.customer_id, question.product_id)
        return ExplainAnswer(
            customer_id=told.customer_id,
            product_id=told.product_id,
            cold_start=told.cold_start,
            score=told.score,
            probability=told.probability,
            reason=told.reason,
            parts=[ScorePart.model_validate(row) for row in told.parts.to_dict("records")],
            purchases=[Pull.model_validate(row) for row in told.purchases.to_dict("records")],
            model=_stamp(shop),
        )

    def health(self) -> Health:
        """Describe the model in use. Age counts days from the end of its data to today (UTC)."""
        info = self.shop.info
        age = None if info.data_until is None else (self._today() - info.data_until).days
        return Health(ready=True, model=_stamp(self.shop), data_from=info.data_from, age_days=age)

    def _customer_answer(self, shop: Recommender, found: pd.DataFrame, customer: str | None) -> CustomerAnswer:
        items = _items(found)
        return CustomerAnswer(
            customer_id=customer,
            cold_start=bool(found.attrs["cold_start"]),
            returned=len(items),
            model=_stamp(shop),
            items=items,
        )


def _stamp(shop: Recommender) -> ModelStamp:
    return ModelStamp(id=shop.info.id, data_until=shop.info.data_until)


def _items(found: pd.DataFrame) -> list[Item]:
    names = list(columns.RECOMMENDATION)
    rows = zip(*(found[name].tolist() for name in names), strict=True)
    return [Item(**{name: known(value) for name, value in zip(names, row, strict=True)}) for row in rows]


def known(value: Any) -> Any:
    """Return a table's value, or None where it is missing or not a finite number."""
    return None if pd.isna(value) or (isinstance(value, float) and not math.isfinite(value)) else value

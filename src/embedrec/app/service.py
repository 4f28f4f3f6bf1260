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
from embedrec.app.questions import CustomerQuestion, NewCustomerQuestion, SimilarQuestion

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

    def __init__(
        self, shop: Recommender, today: Callable[[], date] = _utc_today, against: Recommender | None = None
    ) -> None:
        self.shop = shop
        self.against = against
        """A second bundle to compare with."""
        self._today = today

    def warm_up(self) -> None:
        """Ask one question of each kind, so that no customer waits for the first one."""
        first = self.shop.product_ids[0]
        for customer in self.shop.customer_ids[:1]:
            self.recommend(CustomerQuestion(customer_id=customer))
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

    def health(self) -> Health:
        """Describe the model in use. Age counts days from the end of its data to today (UTC)."""
        return Health(ready=True, model=_stamp(self.shop), data_from=self.shop.info.data_from, age_days=self.age_days())

    def age_days(self) -> int | None:
        """Count the days from the end of the data to today (UTC); None where the data carry no dates."""
        until = self.shop.info.data_until
        return None if until is None else (self._today() - until).days

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

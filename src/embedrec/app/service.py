"""Questions in, answers out: the one place where the page's API meets the Recommender.

Plain HTTP and Gradio's own API both call this. Its shop never changes: a newer bundle gets a Service of its own, see
`live`.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import UTC, date, datetime
from typing import TYPE_CHECKING, Any

import pandas as pd
from pydantic import BaseModel

from embedrec import columns
from embedrec.app.questions import (
    AudienceQuestion,
    BatchQuestion,
    CustomerQuestion,
    ExplainQuestion,
    NewCustomerQuestion,
    SimilarQuestion,
)
from embedrec.serving.listed import Listed

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
    title: str | None
    category: str | None
    price: float | None
    rating: float | None
    score: float | None
    probability: float | None
    """Chance that this customer buys it within the days that the page names."""
    reason: str


class CustomerAnswer(BaseModel):
    """Products for a customer. `cold_start`: nothing is known of them, these are popular products."""

    customer_id: str | None
    cold_start: bool
    returned: int
    model: ModelStamp
    items: list[Item]


class BatchAnswer(BaseModel):
    """Products for many customers, in the order in which they were asked for."""

    model: ModelStamp
    returned: int
    unknown: list[str]
    """Customers whom the shop does not know; they got popular products."""
    answers: list[CustomerAnswer]


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
    model: ModelStamp | None
    data_from: date | None
    age_days: int | None
    refused: str | None
    """Why a newer bundle in the same place is not in use: file and reason. Null where there is none such."""


def _utc_today() -> date:
    return datetime.now(UTC).date()


class Service:
    """Answers the questions of the API from one Recommender. Raises RequestError on a malformed one."""

    def __init__(
        self,
        shop: Recommender,
        today: Callable[[], date] = _utc_today,
        refused: Callable[[], str | None] = lambda: None,
        against: Recommender | None = None,
    ) -> None:
        self.shop = shop
        self.against = against
        """A second bundle to compare with."""
        self._today, self._refused = today, refused

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
        return self.recommend_many([question])[0]

    def recommend_many(self, questions: Sequence[CustomerQuestion]) -> list[CustomerAnswer]:
        """Answer questions that ask for the same, but of different customers, all from one model."""
        shop = self.shop
        asked = [question.customer_id for question in questions]
        found = shop.recommend_many(asked, **questions[0].filters())
        return [_answer(shop, listed, customer) for listed, customer in zip(found, asked, strict=True)]

    def recommend_batch(self, question: BatchQuestion) -> BatchAnswer:
        """Recommend to many customers; those whom the shop does not know are named."""
        shop, asked = self.shop, question.customer_ids
        found = shop.recommend_many(asked, **question.filters())
        answers = [_answer(shop, listed, customer) for listed, customer in zip(found, asked, strict=True)]
        known_ones = shop.knows(asked)
        unknown = dict.fromkeys(one for one, place in zip(asked, known_ones, strict=True) if place < 0)
        return BatchAnswer(model=_stamp(shop), returned=len(answers), unknown=list(unknown), answers=answers)

    def recommend_new(self, question: NewCustomerQuestion) -> CustomerAnswer:
        """Recommend to someone who is described, not known."""
        shop = self.shop
        found = shop.recommend_new(
            history=question.history,
            page_views=question.page_views,
            time_spent=question.time_spent,
            **question.filters(),
        )
        return _answer(shop, found, None)

    def similar(self, question: SimilarQuestion) -> SimilarAnswer:
        """Find the products most like one product."""
        shop = self.shop
        items = _items(shop, _columns(shop.similar(question.product_id, k=question.k)))
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
        stamp, age, refused = _stamp(self.shop), self.age_days(), self._refused()
        return Health(ready=True, model=stamp, data_from=self.shop.info.data_from, age_days=age, refused=refused)

    def age_days(self) -> int | None:
        """Count the days from the end of the data to today (UTC); None where the data carry no dates."""
        until = self.shop.info.data_until
        return None if until is None else (self._today() - until).days


def _answer(shop: Recommender, found: pd.DataFrame | Listed, customer: str | None) -> CustomerAnswer:
    cold = bool(found.cold_start if isinstance(found, Listed) else found.attrs["cold_start"])
    table = _columns(found)
    # The scores of a cold start count buyers; nobody's chances are among them.
    items = _items(shop, table, None if cold else shop.probability(table[columns.SCORE]))
    return CustomerAnswer(customer_id=customer, cold_start=cold, returned=len(items), model=_stamp(shop), items=items)


def _stamp(shop: Recommender) -> ModelStamp:
    return ModelStamp(id=shop.info.id, data_until=shop.info.data_until)


def _columns(found: pd.DataFrame | Listed) -> Mapping[str, Any]:
    """Return the columns of a list as arrays."""
    return found.columns if isinstance(found, Listed) else {str(name): found[name].to_numpy() for name in found}


def _items(shop: Recommender, table: Mapping[str, Any], chances: Iterable[float] | None = None) -> list[Item]:
    names = list(columns.RECOMMENDATION)
    rows = zip(*(table[name].tolist() for name in names), strict=True)
    told = [dict(zip(names, map(known, row), strict=True)) for row in rows]
    return [
        Item(**one, title=shop.titles.get(one[columns.PRODUCT]), probability=chance)
        for one, chance in zip(told, [None] * len(told) if chances is None else map(known, chances), strict=True)
    ]


def listed(answer: CustomerAnswer) -> pd.DataFrame:
    """Return an answer as a table for a file: customer_id and what each item says, a column each."""
    table = pd.DataFrame([item.model_dump() for item in answer.items], columns=list(Item.model_fields))
    if answer.customer_id is not None:
        table.insert(0, columns.CUSTOMER, answer.customer_id)
    return table


def known(value: Any) -> Any:
    """Return a table's value, or None where it is missing or not a finite number."""
    if isinstance(value, str | int):
        return value
    return None if pd.isna(value) or (isinstance(value, float) and not math.isfinite(value)) else value

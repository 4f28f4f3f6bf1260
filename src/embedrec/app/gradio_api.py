"""The questions under stable names in Gradio's own API, for `gradio_client`.

The answers are those of the plain HTTP routes. A malformed question is an error that names the field.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import gradio as gr
from gradio.events import api
from pydantic import BaseModel, ValidationError

from embedrec.app.questions import (
    AudienceQuestion,
    BatchQuestion,
    CustomerQuestion,
    ExplainQuestion,
    NewCustomerQuestion,
    SimilarQuestion,
    field_at_fault,
    rule,
)
from embedrec.app.service import Service
from embedrec.errors import RequestError


def gradio_api(service: Service) -> None:
    """Add endpoints named as the plain HTTP routes to the current Blocks."""

    def recommend(
        customer_id: str,
        k: int = 10,
        exclude_bought: bool = False,
        categories: list[str] | None = None,
        price: list[float] | None = None,
        only: str | None = None,
        in_stock: bool = False,
        diversity: float = 0.0,
    ) -> dict[str, Any]:
        """Recommend products to a customer of the shop."""
        given = {
            "customer_id": customer_id,
            "k": k,
            "exclude_bought": exclude_bought,
            "categories": categories if categories is not None else [],
            "price": price,
            "only": only,
            "in_stock": in_stock,
            "diversity": diversity,
        }
        return _answer(CustomerQuestion, service.recommend, given)

    def recommend_batch(
        customer_ids: list[str],
        k: int = 10,
        exclude_bought: bool = False,
        categories: list[str] | None = None,
        price: list[float] | None = None,
    ) -> dict[str, Any]:
        """Recommend products to many customers of the shop."""
        given = {
            "customer_ids": customer_ids,
            "k": k,
            "exclude_bought": exclude_bought,
            "categories": categories if categories is not None else [],
            "price": price,
        }
        return _answer(BatchQuestion, service.recommend_batch, given)

    def recommend_new(
        history: list[str] | None = None,
        page_views: float | None = None,
        time_spent: float | None = None,
        k: int = 10,
        exclude_bought: bool = False,
        categories: list[str] | None = None,
        price: list[float] | None = None,
        only: str | None = None,
        in_stock: bool = False,
        diversity: float = 0.0,
    ) -> dict[str, Any]:
        """Recommend products to someone who is described by a basket and behaviour."""
        given = {
            "history": history if history is not None else [],
            "page_views": page_views,
            "time_spent": time_spent,
            "k": k,
            "exclude_bought": exclude_bought,
            "categories": categories if categories is not None else [],
            "price": price,
            "only": only,
            "in_stock": in_stock,
            "diversity": diversity,
        }
        return _answer(NewCustomerQuestion, service.recommend_new, given)

    def similar(product_id: str, k: int = 10) -> dict[str, Any]:
        """Find products like one product."""
        return _answer(SimilarQuestion, service.similar, {"product_id": product_id, "k": k})

    def audience(
        product_id: str | None = None,
        products: list[str] | None = None,
        categories: list[str] | None = None,
        n: int = 500,
        exclude_recent_days: int = 0,
    ) -> dict[str, Any]:
        """Find the customers most likely to buy a product, any of several, or any of some categories."""
        given = {
            "product_id": product_id,
            "products": products if products is not None else [],
            "categories": categories if categories is not None else [],
            "n": n,
            "exclude_recent_days": exclude_recent_days,
        }
        return _answer(AudienceQuestion, service.audience, given)

    def explain(customer_id: str, product_id: str) -> dict[str, Any]:
        """Take the score of one product for one customer apart."""
        given = {"customer_id": customer_id, "product_id": product_id}
        return _answer(ExplainQuestion, service.explain, given)

    for question in (recommend, recommend_batch, recommend_new, similar, audience, explain):
        api(question, api_name=question.__name__)


def _answer(kind: type[Any], ask: Callable[[Any], BaseModel], given: dict[str, Any]) -> dict[str, Any]:
    try:
        return ask(kind(**given)).model_dump(mode="json")
    except ValidationError as error:
        field = field_at_fault(error.errors())
    except RequestError as error:
        field = error.field
    raise gr.Error(rule(field), print_exception=False)

"""The tab *Compare*: one customer's list beside that of a simple rule, or of a second bundle."""

from __future__ import annotations

import random
from typing import TYPE_CHECKING, Any

import gradio as gr
from pydantic import ValidationError

from embedrec.app.compare_views import NOBODY, Side, comparison
from embedrec.app.controls import mending
from embedrec.app.dropdown import dropdown
from embedrec.app.questions import CustomerQuestion
from embedrec.app.service import Service
from embedrec.app.views import model_name
from embedrec.columns import PRODUCT
from embedrec.errors import RequestError

if TYPE_CHECKING:
    from embedrec.serving.recommender import Recommender

SECOND = "the second bundle"
RULES = {
    "personal_frequency": "What they buy most often",
    "popularity_recent": "What sells best now",
    "item_knn": "What goes with what they bought",
    "popularity": "What sold best ever",
}


def compare_tab(service: Service) -> None:
    """Lay out the tab inside the current Blocks."""
    surprises = random.Random(1)  # noqa: S311 - picks an example, guards nothing
    choices = rivals(service)
    with gr.Row(elem_classes="er-ask"):
        wanted = gr.Textbox(
            label="Customer ID", placeholder="Type or paste an ID", elem_id="compare-customer", scale=3, min_width=220
        )
        rival = dropdown(
            choices, value=choices[0][1], label="Compare with", elem_id="compare-with", scale=3, min_width=260
        )
        show = gr.Button("Compare", variant="primary", elem_id="show-comparison", scale=1, min_width=110)
        surprise = gr.Button(
            "Surprise me", scale=1, min_width=120, visible=len(service.shop.customer_ids) > 0, elem_id="compare-any"
        )
    result = gr.HTML(NOBODY, elem_id="comparison", elem_classes="er-bare", apply_default_css=False)

    def answer(customer_id: str, name: str) -> str:
        customer_id = customer_id.strip() if isinstance(customer_id, str) else ""
        if not customer_id:
            return NOBODY
        try:
            asked = CustomerQuestion(customer_id=customer_id).customer_id
            shop, other = service.shop, opponent(service, name)
            sides = Side("A", shop, shop.recommend(asked)), Side("B", other, other.recommend(asked))
            return comparison(*sides, frozenset(shop.purchases(asked)[PRODUCT]))
        except (ValidationError, RequestError) as error:
            return mending(error)

    def surprise_me(name: str) -> tuple[str, str]:
        customer_id = surprises.choice(service.shop.customer_ids)
        return customer_id, answer(customer_id, name)

    quiet: dict[str, Any] = {"api_visibility": "private", "show_progress": "hidden"}
    gr.on(
        [wanted.submit, show.click, rival.input], answer, [wanted, rival], result, trigger_mode="always_last", **quiet
    )
    surprise.click(surprise_me, rival, [wanted, result], **quiet)


def rivals(service: Service) -> list[tuple[str, str]]:
    """Return (label, name) of what a list can be compared with, the second bundle first where there is one."""
    rules = [(RULES[name], name) for name in service.shop.rules]
    if service.against is None:
        return rules
    info = service.against.info
    return [(f"Second bundle: {model_name(info.model)}", SECOND), *rules]


def opponent(service: Service, name: str) -> Recommender:
    """Return what answers with list B; raises RequestError where there is no such rule."""
    if name == SECOND and service.against is not None:
        return service.against
    return service.shop.rival(name)

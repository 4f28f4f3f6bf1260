"""The tab *Products*: what a product is and how it sells, what is like it, and where it lies in the catalogue."""

from __future__ import annotations

from importlib import resources
from typing import Any

import gradio as gr
from pydantic import ValidationError

from embedrec.app.catalogue_picture import marks, picture
from embedrec.app.controls import mending
from embedrec.app.new_customer_tab import find_products
from embedrec.app.products_views import NOTHING_CHOSEN, matches, product_card, similar_products
from embedrec.app.questions import SimilarQuestion
from embedrec.app.service import Service
from embedrec.columns import PRODUCT
from embedrec.errors import RequestError

LIKE_IT = 10
OFFERED = 8  # products offered while somebody types


def products_tab(tab: gr.Tab, service: Service) -> None:
    """Lay out the tab inside `tab`; its picture is worked out and sent when somebody opens it."""
    pointing = resources.files("embedrec.app").joinpath("catalogue_picture.js").read_text(encoding="utf-8")
    bare: dict[str, Any] = {"elem_classes": "er-bare", "apply_default_css": False}
    with gr.Row(elem_classes="er-ask"):
        wanted = gr.Textbox(
            label="Product",
            placeholder="Type a part of its name or ID, or click a dot in the picture",
            elem_id="product",
            scale=4,
            min_width=260,
        )
        go = gr.Button("Show", variant="primary", elem_id="show-product", scale=1, min_width=90)
    offered = gr.HTML(elem_id="offered-products", js_on_load=pointing, **bare)
    drawn = gr.State(None)  # of which bundle the visitor already has the picture
    with gr.Row():
        with gr.Column(scale=2, min_width=280):
            card = gr.HTML(NOTHING_CHOSEN, elem_id="product-card", **bare)
        with gr.Column(scale=5, min_width=320, elem_classes="er-picture"):
            dots = gr.HTML(elem_id="catalogue", js_on_load=pointing, **bare)
            over = gr.HTML(elem_id="catalogue-marks", js_on_load=pointing, **bare)
    similar = gr.HTML(elem_id="similar-products", **bare)

    def show(product: object) -> tuple[Any, ...]:
        """What stands in the box, below it, in the card, over the picture, and in the table."""
        try:
            question = SimilarQuestion(product_id=product, k=LIKE_IT)  # type: ignore[arg-type]  # checked there
            shop, items = service.shop, service.similar(question).items
            profile = shop.product(question.product_id)
        except (ValidationError, RequestError) as error:
            return gr.skip(), "", mending(error), "", ""
        marked = marks(shop, profile.product_id, [item.product_id for item in items])
        card = product_card(profile, len(shop.product_ids))
        return profile.product_id, "", card, marked, similar_products(items, shop.titles)

    def open_tab(typed: str | None, seen: str | None) -> tuple[Any, ...]:
        shop = service.shop
        if seen == shop.info.id:
            return (gr.skip(),) * 7
        best = shop.catalogue_map()[PRODUCT].tolist()[:1] or list(shop.product_ids[:1])
        return shop.info.id, picture(shop), *show(typed if typed in shop.product_ids else best[0])

    def take_typed(typed: str | None) -> tuple[Any, ...]:
        typed = typed.strip() if isinstance(typed, str) else ""
        if not typed:
            return gr.skip(), "", NOTHING_CHOSEN, "", ""
        if typed in service.shop.product_ids:
            return show(typed)
        return show(next((product for _, product in find_products(service, typed, most=1)), typed))

    def take_pointed(event: gr.EventData) -> tuple[Any, ...]:
        return show(getattr(event, "product", None))  # whatever the visitor's browser says it is

    def offer(typed: str | None) -> str:
        typed = typed.strip() if isinstance(typed, str) else ""
        if not typed or typed in service.shop.product_ids:
            return ""
        return matches(find_products(service, typed, most=OFFERED))

    quiet: dict[str, Any] = {"api_visibility": "private", "show_progress": "hidden"}
    shown: list[Any] = [wanted, offered, card, over, similar]
    tab.select(open_tab, [wanted, drawn], [drawn, dots, *shown], **quiet)
    wanted.input(offer, wanted, offered, trigger_mode="always_last", **quiet)
    gr.on([wanted.submit, go.click], take_typed, wanted, shown, trigger_mode="always_last", **quiet)
    for pointed in (offered, dots, over):
        pointed.select(take_pointed, None, shown, trigger_mode="always_last", **quiet)

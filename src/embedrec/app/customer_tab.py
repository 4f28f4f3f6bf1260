"""The tab *Customer*: find someone by ID; who they are, what they bought, what next and why."""

from __future__ import annotations

import random
from typing import Any

import gradio as gr
from pydantic import ValidationError

from embedrec.app import views
from embedrec.app.controls import copy_panel, mending, options, read_options
from embedrec.app.questions import CustomerQuestion
from embedrec.app.service import Service
from embedrec.errors import RequestError

EXAMPLES = 3

_EMPTY = views.notice(
    "Whose next purchase do you want to see?",
    "Type a customer ID and press Enter, take one of the examples, or let yourself be surprised.",
)


def customer_tab(service: Service, needs_login: bool) -> None:
    """Lay out the tab inside the current Blocks."""
    surprises = random.Random(0)  # noqa: S311 - picks an example, guards nothing
    with gr.Row(elem_classes="er-ask"):
        wanted = gr.Textbox(
            label="Customer ID",
            placeholder="Type or paste an ID",
            elem_id="customer-id",
            scale=4,
            min_width=260,
        )
        show = gr.Button("Show", variant="primary", elem_id="show-customer", scale=1, min_width=90)
        surprise = gr.Button(
            "Surprise me",
            elem_id="surprise",
            scale=1,
            min_width=120,
            visible=len(service.shop.customer_ids) > 0,
        )
    examples = _examples(service)
    chosen = options(service, "Leave out what they already bought")
    result = gr.HTML(_EMPTY, elem_id="customer-result", elem_classes="er-bare", apply_default_css=False)
    copied = copy_panel("/recommend", needs_login)

    def answer(request: gr.Request, customer_id: str, *values: Any) -> tuple[Any, ...]:
        customer_id = customer_id.strip() if isinstance(customer_id, str) else ""
        if not customer_id:
            return _EMPTY, gr.skip(), gr.skip()
        try:
            question = CustomerQuestion(customer_id=customer_id, **read_options(service, *values))
            found = service.recommend(question)
            shop = service.shop
            shown = views.customer_result(shop, shop.customer(customer_id), shop.purchases(customer_id), found)
        except (ValidationError, RequestError) as error:
            return mending(error), gr.skip(), gr.skip()
        return shown, *copied.lines(request, question)

    def surprise_me(request: gr.Request, *values: Any) -> tuple[Any, ...]:
        customer_id = surprises.choice(service.shop.customer_ids)
        return customer_id, *answer(request, customer_id, *values)

    outputs: list[Any] = [result, *copied.outputs()]
    gr.on(
        [wanted.submit, show.click, *chosen.changes()],
        answer,
        [wanted, *chosen.inputs()],
        outputs,
        api_visibility="private",
        show_progress="hidden",
        trigger_mode="always_last",
    )
    surprise.click(
        surprise_me,
        chosen.inputs(),
        [wanted, *outputs],
        api_visibility="private",
        show_progress="hidden",
    )
    for button, customer_id in examples:

        def take_example(request: gr.Request, *values: Any, taken: str = customer_id) -> tuple[Any, ...]:
            return taken, *answer(request, taken, *values)

        button.click(
            take_example,
            chosen.inputs(),
            [wanted, *outputs],
            api_visibility="private",
            show_progress="hidden",
        )


def _examples(service: Service) -> list[tuple[gr.Button, str]]:
    """Lay out a few real IDs, spread over the shop's customers."""
    ids = service.shop.customer_ids
    spread = sorted({(2 * i + 1) * len(ids) // (2 * EXAMPLES) for i in range(EXAMPLES)}) if len(ids) else []
    with gr.Row(elem_classes="er-examples", visible=len(ids) > 0):
        gr.HTML('<span class="er-quiet">For example</span>', elem_classes="er-bare", apply_default_css=False)
        return [(gr.Button(ids[i], size="sm", variant="secondary", elem_classes="er-example"), ids[i]) for i in spread]

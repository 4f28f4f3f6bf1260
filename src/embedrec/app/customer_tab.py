"""The tab *Customer*: find someone by ID; who they are, what they bought, what next and why."""

from __future__ import annotations

import random
from typing import Any

import gradio as gr
from pydantic import ValidationError

from embedrec.app import views
from embedrec.app.controls import AGAIN, EVERYTHING, NEW, copy_panel, mending, options, read_options
from embedrec.app.customer_views import customer_result
from embedrec.app.downloads import NOTHING, as_csv, download_button, file_name
from embedrec.app.questions import CustomerQuestion
from embedrec.app.service import CustomerAnswer, Service, listed
from embedrec.errors import RequestError

EXAMPLES = 3
FOUND = 60  # ids sent to the browser at a time
LIKE = 3  # ids named to somebody who typed a part of one
KNOWN = {EVERYTHING: "Everything", NEW: "Only new to them", AGAIN: "Only to buy again"}

_CHOICES, _PAUSE = "customer-ids", 120  # milliseconds without a key, before ids are looked up
# A choice that is taken needs no further key; what is typed or pasted waits for Enter.
_OFFER_CHOICES = f"""() => {{
    const box = document.querySelector("#customer-id input");
    box.setAttribute("list", "{_CHOICES}");
    let waiting;
    const press = (button, after) => {{
        clearTimeout(waiting);
        waiting = setTimeout(() => document.querySelector(button).click(), after);
    }};
    box.addEventListener("input", event => {{
        const taken = event.inputType === "insertReplacementText";
        press(taken ? "#show-customer" : "#find-customers", taken ? 0 : {_PAUSE});
    }});
    box.addEventListener("keydown", event => event.key === "Enter" && clearTimeout(waiting));
}}"""
_EMPTY = views.notice(
    "Whose next purchase do you want to see?",
    "Type a customer ID and press Enter, take one of the examples, or let yourself be surprised.",
)


def customer_tab(page: gr.Blocks, service: Service, needs_login: bool) -> None:
    """Lay out the tab inside `page`."""
    surprises = random.Random(0)  # noqa: S311 - picks an example, guards nothing
    with gr.Row(elem_classes="er-ask"):
        wanted = gr.Textbox(
            label="Customer ID",
            placeholder="Type or paste an ID",
            max_lines=1,
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
    # Gradio's own Dropdown loses its place when its choices change while somebody types; the browser's list does not.
    look = gr.Button("Find", elem_id="find-customers", visible="hidden")
    known = gr.HTML(_choices(service, ""), elem_classes="er-unseen", apply_default_css=False)
    examples = _examples(service)
    chosen = options(service, KNOWN)
    result = gr.HTML(_EMPTY, elem_id="customer-result", elem_classes="er-bare", apply_default_css=False)

    def ask(customer_id: str | None, *values: Any) -> tuple[CustomerQuestion, CustomerAnswer]:
        question = CustomerQuestion(customer_id=(customer_id or "").strip(), **read_options(service, *values))
        return question, service.recommend(question)

    def as_file(customer_id: str | None, *values: Any) -> tuple[str, str]:
        try:
            question, found = ask(customer_id, *values)
        except (ValidationError, RequestError):
            return NOTHING
        return file_name("suggestions", question.customer_id), as_csv(listed(found))

    download_button("Download as CSV", as_file, [wanted, *chosen.inputs()], "save-suggestions")
    copied = copy_panel("/recommend", needs_login)

    def answer(request: gr.Request, customer_id: str | None, *values: Any) -> tuple[Any, ...]:
        if not (customer_id or "").strip():
            return _EMPTY, gr.skip(), gr.skip()
        try:
            question, found = ask(customer_id, *values)
            shop, customer = service.shop, question.customer_id
            profile, purchases = shop.customer(customer), shop.purchases(customer)
            like = find_customers(service, customer)[:LIKE] if profile is None else []
            shown = customer_result(shop, profile, purchases, found, question.only == AGAIN, like)
        except (ValidationError, RequestError) as error:
            return mending(error), gr.skip(), gr.skip()
        return shown, *copied.lines(request, question)

    def surprise_me(request: gr.Request, *values: Any) -> tuple[Any, ...]:
        customer_id = surprises.choice(service.shop.customer_ids)
        return customer_id, *answer(request, customer_id, *values)

    def find(typed: str | None) -> str:
        return _choices(service, typed or "")

    look.click(find, wanted, known, api_visibility="private", show_progress="hidden", trigger_mode="always_last")
    page.load(None, None, None, js=_OFFER_CHOICES, api_visibility="private")
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


def find_customers(service: Service, typed: str = "") -> list[str]:
    """Return up to `FOUND` ids that hold `typed`, those that begin with it first; capitals and small letters alike."""
    wanted, found = typed.strip().casefold(), dict[str, None]()
    for begins in (True, False):
        for id_ in service.shop.customer_ids:
            if len(found) == FOUND:
                break
            place = id_.casefold().find(wanted)
            if place == 0 or (place > 0 and not begins):
                found[id_] = None
    return list(found)


def _choices(service: Service, typed: str) -> str:
    """What the browser offers under the box."""
    return views.choices(_CHOICES, find_customers(service, typed))


def _examples(service: Service) -> list[tuple[gr.Button, str]]:
    """Lay out a few real IDs, spread over the shop's customers."""
    ids = service.shop.customer_ids
    spread = sorted({(2 * i + 1) * len(ids) // (2 * EXAMPLES) for i in range(EXAMPLES)}) if len(ids) else []
    with gr.Row(elem_classes="er-examples", visible=len(ids) > 0):
        gr.HTML('<span class="er-quiet">For example</span>', elem_classes="er-bare", apply_default_css=False)
        return [(gr.Button(ids[i], size="sm", variant="secondary", elem_classes="er-example"), ids[i]) for i in spread]

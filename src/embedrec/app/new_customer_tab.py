"""The tab *New customer*: say a little about someone, and see what they may want."""

from __future__ import annotations

import math
from collections.abc import Iterable
from itertools import islice
from typing import TYPE_CHECKING, Any

import gradio as gr
import numpy as np
from pydantic import ValidationError

from embedrec.app.controls import EVERYTHING, NEW, copy_panel, mending, options, read_options
from embedrec.app.customer_views import new_customer_result
from embedrec.app.downloads import NOTHING, as_csv, download_button, file_name
from embedrec.app.dropdown import dropdown
from embedrec.app.questions import NewCustomerQuestion
from embedrec.app.service import CustomerAnswer, Service, listed
from embedrec.app.slider import slider
from embedrec.errors import RequestError

if TYPE_CHECKING:
    from embedrec.serving.profile import CustomerProfile

KNOWN = {EVERYTHING: "Everything", NEW: "Leave out what is in the basket"}
SAMPLE = 200  # customers looked at for what is usual
SENT_WHOLE = 5000  # up to so many products are sent with the page, and the browser searches them at once
FOUND = 60  # products found by one search of a longer catalogue


def new_customer_tab(page: gr.Blocks, service: Service, needs_login: bool) -> None:
    """Lay out the tab inside `page`; its list is filled when the page opens."""
    profiles = _sample(service)
    with gr.Row():
        page_views = _behaviour([profile.page_views for profile in profiles], "Pages viewed")
        time_spent = _behaviour([profile.time_spent for profile in profiles], "Time on the site")
    sliders = [part for part in (page_views, time_spent) if isinstance(part, gr.Slider)]
    many = len(service.shop.product_ids) > SENT_WHOLE
    basket = dropdown(
        find_products(service, most=FOUND if many else SENT_WHOLE),
        value=[],
        multiselect=True,
        label="In the basket, or bought before",
        info="Type a part of a product's name or ID to find it.",
        elem_id="basket",
    )
    chosen = options(service, KNOWN)
    result = gr.HTML(elem_id="new-customer-result", elem_classes="er-bare", apply_default_css=False)

    def ask(
        views_made: float | None, time: float | None, products: list[str] | None, *values: Any
    ) -> tuple[NewCustomerQuestion, CustomerAnswer]:
        question = NewCustomerQuestion(
            history=products or [],
            page_views=views_made,
            time_spent=time,
            **read_options(service, *values),
        )
        return question, service.recommend_new(question)

    def as_file(*values: Any) -> tuple[str, str]:
        try:
            _, found = ask(*values)
        except (ValidationError, RequestError):
            return NOTHING
        return file_name("suggestions", "new customer"), as_csv(listed(found))

    described = [page_views, time_spent, basket, *chosen.inputs()]
    download_button("Download as CSV", as_file, described, "save-new-suggestions")
    copied = copy_panel("/recommend_new", needs_login)

    def answer(request: gr.Request, *values: Any) -> tuple[Any, ...]:
        try:
            question, found = ask(*values)
            products = [item.product_id for item in found.items]
            drivers = service.shop.drivers(products, question.history, question.page_views, question.time_spent)
        except (ValidationError, RequestError) as error:
            return mending(error), gr.skip(), gr.skip()
        shown = new_customer_result(service.shop, question.history, found, drivers)
        return shown, *copied.lines(request, question)

    if many:

        def find(typed: gr.KeyUpData, picked: list[str] | None) -> Any:
            return gr.update(choices=find_products(service, typed.input_value, picked or []))

        basket.key_up(
            find,
            basket,
            basket,
            api_visibility="private",
            show_progress="hidden",
            trigger_mode="multiple",  # "always_last" asks again for the first key, not for the last
            concurrency_limit=1,  # answers come in the order of the keys
        )
    gr.on(
        [page.load, *(slider.input for slider in sliders), basket.change, *chosen.changes()],
        answer,
        described,
        [result, *copied.outputs()],
        api_visibility="private",
        show_progress="hidden",
        trigger_mode="always_last",
    )


def find_products(
    service: Service, typed: str = "", picked: Iterable[str] = (), most: int = FOUND
) -> list[tuple[str, str]]:
    """Return (label, product id) of `most` products at most whose label holds `typed`, and of those `picked`.

    The label is `title · id`, or the id where there is no title. Capitals and small letters are the same.
    """
    shop, wanted = service.shop, typed.strip().casefold()
    names = ((f"{title} · {id_}" if (title := shop.titles.get(id_)) else id_, id_) for id_ in shop.product_ids)
    found = list(islice(((label, id_) for label, id_ in names if wanted in label.casefold()), most))
    listed = {id_ for _, id_ in found}
    return found + [(shop.titles.get(id_) or id_, id_) for id_ in picked if id_ not in listed]


def _sample(service: Service) -> list[CustomerProfile]:
    """Return some customers, spread over the shop's."""
    ids = service.shop.customer_ids
    found = (service.shop.customer(ids[i]) for i in range(0, len(ids), max(1, len(ids) // SAMPLE)))
    return [profile for profile in found if profile is not None]


def _behaviour(amounts: Iterable[float | None], label: str) -> gr.Slider | gr.State:
    """Lay out a slider from 0 to what hardly a customer exceeds, set to what is usual.

    A shop that does not record this gets no slider, and the amount stays unknown.
    """
    recorded = [float(amount) for amount in amounts if amount is not None]
    if not recorded:
        return gr.State(None)
    usual, high = (float(amount) for amount in np.quantile(recorded, [0.5, 0.95]))
    top = _round_up(high)
    return slider(
        0,
        top,
        value=round(usual),
        step=1 if top > 10 else 0.1,
        label=label,
        info=f"Half of this shop's customers are below {usual:,.0f}.",
    )


def _round_up(amount: float) -> float:
    """Return the next 1, 2 or 5 times a power of ten."""
    scale = 10.0 ** math.floor(math.log10(max(amount, 1.0)))
    return next(step * scale for step in (1, 2, 5, 10) if step * scale >= amount)

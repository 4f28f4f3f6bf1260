"""The tab *Audience*: who is most likely to buy a product, and what next for a list of customers."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any, NamedTuple

import gradio as gr

from embedrec.app import views
from embedrec.app.audience_views import audience_result, file_refused, lists_result
from embedrec.app.controls import WIDE, mending
from embedrec.app.downloads import NOTHING, SAVE, as_csv, download_button, file_name, hidden_file
from embedrec.app.dropdown import dropdown
from embedrec.app.new_customer_tab import FOUND, SENT_WHOLE, find_products
from embedrec.app.service import Service
from embedrec.app.slider import slider
from embedrec.app.uploads import NAME, file_box, received
from embedrec.columns import CUSTOMER, PRODUCT
from embedrec.errors import DataError, RequestError
from embedrec.serving.lists import customer_lists
from embedrec.serving.requests import MAX_AUDIENCE
from embedrec.tables.id_lists import parse_ids_csv

if TYPE_CHECKING:
    from embedrec.serving.recommender import Recommender

PRODUCT_CHOICE, CATEGORY_CHOICE, FILE_CHOICE = "A product", "A category", "A list of products"
USUAL_SIZE, LONGEST_PAUSE = 500, 365  # customers, days
MOST_ROWS = 50_000  # of a file of suggestions; scripts/recommend.py makes longer ones

_EMPTY = views.notice(
    "Who should hear about it?",
    "Choose a product or a category, and see the customers most likely to buy it, the likeliest first.",
)


def audience_tab(service: Service) -> None:
    """Lay out the tab inside the current Blocks."""
    _who_buys(service)
    with gr.Accordion("The other way round: suggestions for a list of customers", open=False):
        _what_next(service)


def _who_buys(service: Service) -> None:
    shop = service.shop
    many = len(shop.product_ids) > SENT_WHOLE
    kinds = [PRODUCT_CHOICE, *([CATEGORY_CHOICE] if len(shop.categories) else []), FILE_CHOICE]
    kind = gr.Radio(kinds, value=PRODUCT_CHOICE, label="What do you want to sell?", elem_id="audience-kind")
    product = dropdown(
        find_products(service, most=FOUND if many else SENT_WHOLE),
        value=None,
        label="Product",
        info="Type a part of its name or ID to find it.",
        elem_id="audience-product",
    )
    category = dropdown(list(shop.categories), value=None, label="Category", visible=False, elem_id="audience-category")
    with gr.Column(visible=False) as by_file:
        box = file_box("products-file", "A CSV file with a column product_id")
    with gr.Row():
        size = slider(
            1, min(MAX_AUDIENCE, max(len(shop.customer_ids), 1)), value=min(USUAL_SIZE, len(shop.customer_ids) or 1),
            step=1, precision=0, label="How many customers", min_width=WIDE,
        )  # fmt: skip
        pause = slider(
            0, LONGEST_PAUSE, value=0, step=1, precision=0, label="Leave out who bought it in the last … days",
            info="0 leaves out nobody.", visible=shop.info.data_until is not None, min_width=WIDE,
        )  # fmt: skip
    asked = [box.sent, kind, product, category, size, pause]

    def answer(
        sent: str,
        kind: str,
        product: str | None,
        category: str | None,
        size: float,
        pause: float,
        progress: gr.Progress = gr.Progress(),  # noqa: B008 - how Gradio hands it over
    ) -> str:
        shop = service.shop
        try:
            chosen = _chosen(shop, sent, kind, product, category)
            if chosen is None:
                return _EMPTY
            audience = shop.audience(**chosen.products, **_limits(size, pause), progress=_told(progress, "customers"))
            return audience_result(
                chosen.name, audience, shop.reach(**chosen.products, progress=_told(progress, "customers"))
            )
        except RequestError as error:
            return mending(error)
        except DataError as error:
            return file_refused(str(error))

    def made(
        sent: str, kind: str, product: str | None, category: str | None, size: float, pause: float
    ) -> tuple[str, str]:
        shop = service.shop
        try:
            chosen = _chosen(shop, sent, kind, product, category)
            if chosen is None:
                return NOTHING
            audience = shop.audience(**chosen.products, **_limits(size, pause))
        except (RequestError, DataError):
            return NOTHING
        return file_name("audience", chosen.name), as_csv(audience)

    with gr.Row(elem_classes="er-ask"):
        find = gr.Button("Find customers", variant="primary", elem_id="find-audience", scale=0, min_width=200)
        download_button("Download as CSV", made, asked, "save-audience", js=box.script())
    result = gr.HTML(_EMPTY, elem_id="audience-result", elem_classes="er-bare", apply_default_css=False)
    find.click(
        answer, asked, result, js=box.script(), api_visibility="private", show_progress="full",
        trigger_mode="once",
    )  # fmt: skip
    kind.change(
        lambda chosen: [gr.update(visible=chosen == one) for one in (PRODUCT_CHOICE, CATEGORY_CHOICE, FILE_CHOICE)],
        kind, [product, category, by_file], api_visibility="private", show_progress="hidden",
    )  # fmt: skip
    if many:

        def search(typed: gr.KeyUpData, picked: str | None) -> Any:
            return gr.update(choices=find_products(service, typed.input_value, [picked] if picked else []))

        product.key_up(
            search, product, product, api_visibility="private", show_progress="hidden", trigger_mode="always_last"
        )


class _Chosen(NamedTuple):
    """What is to be sold: as arguments of `Recommender.audience`, and as people call it."""

    products: dict[str, Any]
    name: str


def _chosen(shop: Recommender, sent: str, kind: str, product: str | None, category: str | None) -> _Chosen | None:
    """Return what was chosen, None where nothing was yet. Raises DataError for a file that is no list of products."""
    if kind == FILE_CHOICE:
        ids, sold = parse_ids_csv(received(sent), NAME, PRODUCT).ids, frozenset(shop.product_ids)
        known = [one for one in ids if one in sold]
        if not known:
            raise DataError(f"{NAME}: none of its products is in the shop: check the column {PRODUCT}")
        missing = f" (of {len(ids):,} in your file)" if len(known) < len(ids) else " of your file"
        return _Chosen({"products": known}, f"{len(known):,} product{'' if len(known) == 1 else 's'}{missing}")
    if kind == CATEGORY_CHOICE:
        return _Chosen({"categories": [category]}, category) if category else None
    return _Chosen({"product_id": product}, shop.titles.get(product) or product) if product else None


def _limits(size: float, pause: float) -> dict[str, Any]:
    return {"n": int(size), "exclude_recent_days": int(pause)}


def _told(progress: gr.Progress, unit: str) -> Callable[[int, int], None]:
    return lambda done, total: progress((done, total), unit=unit)


def _what_next(service: Service) -> None:
    box = file_box("customers-file", "A CSV file with a column customer_id")
    with gr.Row():
        how_many = slider(1, 50, value=10, step=1, precision=0, label="Suggestions for each", min_width=WIDE)
        leave_out = gr.Checkbox(label="Leave out what they already bought", min_width=WIDE)
    make = gr.Button("Make the file", elem_id="make-lists")
    result = gr.HTML(elem_id="lists-result", elem_classes="er-bare", apply_default_css=False)
    name, text = hidden_file("lists")

    def answer(
        sent: str,
        k: float,
        new_only: bool,
        progress: gr.Progress = gr.Progress(),  # noqa: B008
    ) -> tuple[str, str, str]:
        shop = service.shop
        try:
            given = parse_ids_csv(received(sent), NAME, CUSTOMER)
            if len(given.ids) * int(k) > MOST_ROWS:
                raise DataError(
                    f"{NAME}: {len(given.ids):,} customers with {int(k)} suggestions each are more than {MOST_ROWS:,} "
                    "rows: hand over fewer at a time, or ask your engineers for scripts/recommend.py"
                )
            told = _told(progress, "customers")
            lists = customer_lists(shop, given.ids, int(k), {"exclude_bought": new_only}, told)
        except DataError as error:
            return file_refused(str(error)), *NOTHING
        except RequestError as error:
            return mending(error), *NOTHING
        unknown = [one for one in given.ids if shop.customer(one) is None]
        shown = lists_result(len(given.ids), unknown, len(lists), given.account.quarantined)
        return shown, file_name("suggestions"), as_csv(lists)

    make.click(
        answer, [box.sent, how_many, leave_out], [result, name, text], js=box.script(), api_visibility="private",
        show_progress="full", show_progress_on=result, trigger_mode="once",
    ).success(None, [name, text], None, js=SAVE, api_visibility="private")  # fmt: skip

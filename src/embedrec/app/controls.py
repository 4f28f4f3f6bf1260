"""What the tabs share: the options, the panel with lines to copy, and words for what went wrong."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import gradio as gr
from pydantic import BaseModel, ValidationError

from embedrec.app import views
from embedrec.app.dropdown import dropdown
from embedrec.app.questions import field_at_fault
from embedrec.app.service import Service
from embedrec.app.slider import slider
from embedrec.app.snippets import curl_snippet, python_snippet
from embedrec.errors import RequestError

_MENDING = {
    "customer_id": (
        "That is not a customer ID.",
        "An ID is up to 256 letters, digits or signs, on one line.",
    ),
    "product_id": ("That is not a product of this shop.", "Type a part of its name or ID and pick one from the list."),
    "history": ("One of these products is not in the shop.", "Take it out of the basket and pick another."),
    "page_views": ("Pages viewed cannot be less than 0.", "Move the slider, or type another number."),
    "time_spent": ("Time on the site cannot be less than 0.", "Move the slider, or type another number."),
    "k": ("That is not a number of suggestions.", "Choose a whole number from 1 to 50."),
    "categories": ("One of these categories is not in the shop.", "Take it out and pick another."),
    "products": ("None of these products is in the shop.", "Hand over product IDs as the shop writes them."),
    "n": ("That is not a number of customers.", "Choose a whole number of 1 or more."),
    "in_stock": ("This shop does not say what is in stock.", "Take the tick away."),
    "price": ("That price range is empty.", "The lowest price must be 0 or more, and not above the highest."),
}
_OTHERWISE = ("That question could not be answered.", "Reload the page and try again.")


def mending(error: ValidationError | RequestError) -> str:
    """Say what to change, as an HTML fragment that shows nothing of what was typed."""
    field = error.field if isinstance(error, RequestError) else field_at_fault(error.errors())
    return views.notice(*_MENDING.get(field, _OTHERWISE), kind="caution")


EVERYTHING, NEW, AGAIN = "everything", "new", "again"
FEW_REPEATS = 0.1
"""Share of purchases that are repeats, below which what was bought before is left out unless asked for."""
WIDE = 280  # pixels that a control needs; on a phone each has its own row
MIXED = 0.6  # diversity at the end of the slider: beyond it hardly anything likely is left


@dataclass(frozen=True)
class Options:
    """The components under *Options*, in the order in which `read` takes their values."""

    how_many: gr.Slider
    only: gr.Radio
    variety: gr.Slider
    categories: gr.Dropdown
    lowest: gr.Textbox
    highest: gr.Textbox
    in_stock: gr.Checkbox

    def inputs(self) -> list[Any]:
        """Return the components, as inputs of an event."""
        return [self.how_many, self.only, self.variety, self.categories, self.lowest, self.highest, self.in_stock]

    def changes(self) -> list[Any]:
        """Return the events after which the shown list is out of date."""
        prices = [event for box in (self.lowest, self.highest) for event in (box.submit, box.blur)]
        moved = [self.how_many.release, self.variety.release, self.only.input, self.in_stock.input]
        return [*moved, self.categories.change, *prices]


def options(service: Service, known: dict[str, str]) -> Options:
    """Lay out the options; what the shop's tables do not hold (prices, categories, stock) is not offered.

    `known` are the choices about what is known to the customer: label by one of EVERYTHING, NEW, AGAIN.
    """
    shop = service.shop
    start, why = leave_out(shop.info.repeat_share)
    cheapest, dearest = shop.price_range or (0.0, 0.0)
    with gr.Accordion("Options", open=False):
        with gr.Row():
            only = gr.Radio(
                [(label, value) for value, label in known.items()],
                value=start,
                label="Suggest",
                info=why,
                min_width=WIDE,
            )
            variety = slider(
                0,
                MIXED,
                value=0,
                step=MIXED / 4,
                label="Variety",
                info="Left: the likeliest, even if they are similar. Right: a mixed list.",
                elem_classes="er-variety",
                min_width=WIDE,
            )
        with gr.Row():
            categories = dropdown(
                list(shop.categories),
                multiselect=True,
                label="Only these categories",
                info="Leave empty for all.",
                visible=len(shop.categories) > 0,
                min_width=WIDE,
            )
            lowest, highest = (
                # Not gr.Number, which shows and sends 0 where nothing was typed.
                gr.Textbox(
                    label=label,
                    placeholder=f"{bound:,.2f}",
                    info="Leave empty for any.",
                    max_length=20,
                    visible=shop.price_range is not None,
                )
                for label, bound in (("Lowest price", cheapest), ("Highest price", dearest))
            )
        how_many = slider(1, 50, value=10, step=1, precision=0, label="How many suggestions")
        in_stock = gr.Checkbox(
            label="Only what is in stock",
            info="As the product table said when the data were read.",
            visible=shop.tells_stock,
        )
    return Options(how_many, only, variety, categories, lowest, highest, in_stock)


def leave_out(repeats: float | None) -> tuple[str, str | None]:
    """Return where the choice about known products starts, by the measured share of repeats, and a sentence why."""
    if repeats is None:
        return EVERYTHING, None
    measured = f"About {100 * repeats:.0f} % of purchases in this shop are of something bought before"
    if repeats < FEW_REPEATS:
        return NEW, f"{measured}, so it starts without what they already have."
    return EVERYTHING, f"{measured}, so it starts with everything."


def read_options(
    service: Service,
    how_many: float,
    only: str | None,
    variety: float,
    categories: list[str] | None,
    lowest: str | None,
    highest: str | None,
    in_stock: bool,
) -> dict[str, Any]:
    """Return the options as fields of a question, without those at their default.

    Raises RequestError for a price that is not a number.
    """
    chosen: dict[str, Any] = {"k": how_many}
    if only not in (None, EVERYTHING):
        chosen["only"] = only
    if variety:
        chosen["diversity"] = variety
    if in_stock:
        chosen["in_stock"] = True
    if categories:
        chosen["categories"] = categories
    cheapest, dearest = _price(lowest), _price(highest)
    if cheapest is not None or dearest is not None:
        low = cheapest or 0.0
        above_all = max(low, (service.shop.price_range or (0.0, 0.0))[1])
        chosen["price"] = [low, above_all if dearest is None else dearest]
    return chosen


def _price(typed: str | None) -> float | None:
    """Read a price with a decimal point or comma; empty is None."""
    if typed is None or not typed.strip():
        return None
    try:
        return float(typed.strip().replace(",", "."))
    except ValueError:
        raise RequestError("price", "not a number") from None


@dataclass(frozen=True)
class CopyPanel:
    """The panel with the shown question as lines to copy."""

    curl: gr.Code
    python: gr.Code
    route: str
    needs_login: bool

    def outputs(self) -> list[Any]:
        """Return the components, as outputs of an event."""
        return [self.curl, self.python]

    def lines(self, request: gr.Request, question: BaseModel) -> tuple[str, str]:
        """Return the curl and Python lines for `question`, as the visitor's machine reaches us."""
        headers = request.headers
        address = headers.get("origin") or f"http://{headers['host']}"
        asked = question.model_dump(mode="json", exclude_unset=True)
        asked = {**{key: asked.pop(key) for key in ("customer_id", "history") if key in asked}, **asked}
        return (
            curl_snippet(address, self.route, asked, self.needs_login),
            python_snippet(address, self.route, asked, self.needs_login),
        )


def copy_panel(route: str, needs_login: bool) -> CopyPanel:
    """Lay out the panel for `route`; it is filled by the first answer."""
    with gr.Accordion("Use this list in your own program", open=False):
        gr.HTML(
            '<p class="er-quiet">The same question, for a terminal or a Python program. '
            "Copy it with the button in the corner.</p>",
            elem_classes="er-bare",
            apply_default_css=False,
        )
        with gr.Row():
            curl = gr.Code(language="shell", label="curl", interactive=False, show_line_numbers=False, buttons=["copy"])
            python = gr.Code(
                language="python",
                label="Python",
                interactive=False,
                show_line_numbers=False,
                buttons=["copy"],
            )
    return CopyPanel(curl, python, route, needs_login)

"""What the tabs share: the options, the panel with lines to copy, and words for what went wrong."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import gradio as gr
from pydantic import BaseModel, ValidationError

from embedrec.app import views
from embedrec.app.questions import field_at_fault
from embedrec.app.service import Service
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
    "price": ("That price range is empty.", "The lowest price must be 0 or more, and not above the highest."),
}
_OTHERWISE = ("That question could not be answered.", "Reload the page and try again.")


def mending(error: ValidationError | RequestError) -> str:
    """Say what to change, as an HTML fragment that shows nothing of what was typed."""
    field = error.field if isinstance(error, RequestError) else field_at_fault(error.errors())
    return views.notice(*_MENDING.get(field, _OTHERWISE), kind="caution")


@dataclass(frozen=True)
class Options:
    """The components under *Options*, in the order in which `read` takes their values."""

    how_many: gr.Slider
    leave_out: gr.Checkbox
    categories: gr.Dropdown
    lowest: gr.Textbox
    highest: gr.Textbox

    def inputs(self) -> list[Any]:
        """Return the components, as inputs of an event."""
        return [self.how_many, self.leave_out, self.categories, self.lowest, self.highest]

    def changes(self) -> list[Any]:
        """Return the events after which the shown list is out of date."""
        prices = [event for box in (self.lowest, self.highest) for event in (box.submit, box.blur)]
        return [self.how_many.release, self.leave_out.input, self.categories.change, *prices]


def options(service: Service, leave_out_label: str) -> Options:
    """Lay out the options; what the shop's tables do not hold (prices, categories) is not offered."""
    shop = service.shop
    repeats = shop.info.repeat_share
    about_repeats = (
        f"About {100 * repeats:.0f} % of purchases in this shop are of something bought before."
        if repeats is not None
        else None
    )
    cheapest, dearest = shop.price_range or (0.0, 0.0)
    with gr.Accordion("Options", open=False):
        with gr.Row():
            how_many = gr.Slider(1, 50, value=10, step=1, precision=0, label="How many suggestions")
            leave_out = gr.Checkbox(label=leave_out_label, info=about_repeats)
        with gr.Row():
            categories = gr.Dropdown(
                list(shop.categories),
                multiselect=True,
                label="Only these categories",
                info="Leave empty for all.",
                visible=len(shop.categories) > 0,
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
    return Options(how_many, leave_out, categories, lowest, highest)


def read_options(
    service: Service,
    how_many: float,
    leave_out: bool,
    categories: list[str] | None,
    lowest: str | None,
    highest: str | None,
) -> dict[str, Any]:
    """Return the options as fields of a question, without those at their default.

    Raises RequestError for a price that is not a number.
    """
    chosen: dict[str, Any] = {"k": how_many}
    if leave_out:
        chosen["exclude_bought"] = True
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

"""HTML fragments of the page: pure functions from answers to text.

Everything that comes from a shop's tables or from a visitor passes through `_text`, which escapes it.
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import date, datetime
from html import escape
from typing import TYPE_CHECKING

from embedrec.app.service import known

if TYPE_CHECKING:
    from embedrec.serving.profile import ModelInfo

OLD = 90  # days from the end of the data after which the page warns

_MODEL_WORDS = {
    "two_tower": "the trained model",
    "popularity": "the list of most-bought products",
    "popularity_recent": "the list of the last weeks' most-bought products",
    "personal_frequency": "the list of what each customer buys most often",
    "user_knn": "what similar customers buy",
    "item_knn": "what goes with the products bought before",
    "svd": "patterns in who bought what (SVD)",
    "ials": "patterns in who bought what (iALS)",
    "mf_bpr": "learned tastes (MF-BPR)",
    "neural_mf": "learned tastes (neural network)",
    "biased_mf": "predicted ratings",
    "two_tower_ids": "the learned model without product features",
    "two_tower_sequence": "the learned model of the order of purchases",
    "random": "a random choice",
}
_NOTHING = '<span class="er-nothing" title="not in the shop\'s data">–</span>'


def _text(value: object) -> str:
    return escape(str(value), quote=True)


def _day(value: date | datetime) -> str:
    return f"{value.day} {value:%b %Y}" if known(value) is not None else _NOTHING


def _amount(value: float | None) -> str:
    return _NOTHING if known(value) is None else f"{value:,.2f}"


def _count(number: int, word: str) -> str:
    return f"{number:,} {word}" if number == 1 else f"{number:,} {word}s"


def _share(share: float) -> str:
    return f"{100 * share:.0f} %"


def model_words(name: str) -> str:
    """Say in everyday words what a model is, escaped."""
    return _text(_MODEL_WORDS.get(name, f"the model “{name}”"))


def model_name(name: str) -> str:
    """Return the same as plain text with a capital, for where Gradio escapes it."""
    words = _MODEL_WORDS.get(name, f"the model “{name}”")
    return words[:1].upper() + words[1:]


def header(info: ModelInfo, age_days: int | None = None) -> str:
    """Say what the page is for, how good it is, where it comes from, and what asks for care.

    `age_days` counts from the end of the data to today; None where the data carry no dates.
    """
    return (
        '<header class="er-header">'
        "<h1>What will they want next?</h1>"
        '<p class="er-lead">Look up a customer: who they are, what they bought, '
        "what they may buy next, and why.</p>"
        f"{cautions(info, age_days)}"
        f"{_verdict(info)}"
        f'<p class="er-verdict"><strong>Learned from</strong> {_text(info.data_name)}: '
        f"{_count(info.customers, 'customer')}, {_count(info.products, 'product')}{_window(info)}.</p>"
        "</header>"
    )


def _window(info: ModelInfo) -> str:
    if info.data_from is None or info.data_until is None:
        return "; without dates"
    return f", purchases from {_day(info.data_from)} to {_day(info.data_until)}"


def _verdict(info: ModelInfo) -> str:
    """How good the suggestions are: in words that need no statistics, and the run's own sentence for who wants it."""
    asked, told = "<strong>How well does it work?</strong>", _text(info.verdict)
    if info.hit_rate is None:
        return f'<p class="er-verdict">{asked} {told}</p>'
    share = f"{100 * info.hit_rate:.0f} of 100"
    return (
        f'<p class="er-verdict">{asked} In the test, {share} customers bought something from their ten suggestions.</p>'
        f'<details class="er-verdict"><summary>In figures</summary>{told}</details>'
    )


def cautions(info: ModelInfo, age_days: int | None) -> str:
    """Say in a box each what stands against trusting the model: made-up or old data, or a simple method as good."""
    found = []
    if info.synthetic:
        found.append(("A made-up shop", "These customers, products and purchases are generated for demonstration."))
    if age_days is not None and age_days > OLD:
        found.append(
            (
                "The data are old",
                f"They end {_count(age_days, 'day')} ago. What is bought and what is new may have changed since: ask "
                "for a model trained on newer purchases.",
            )
        )
    if info.fallback_from:
        found.append(
            (
                "A simple method is in use",
                f"On this shop’s data {model_words(info.fallback_from)} could not be shown to do better, "
                f"so the suggestions come from {model_words(info.model)}.",
            )
        )
    if info.beaten_by:
        found.append(
            (
                "A simple method does as well or better",
                f"When tested, these suggestions were not shown to beat {model_words(info.beaten_by)}.",
            )
        )
    return "".join(notice(title, text, "caution") for title, text in found)


def choices(name: str, values: Iterable[str]) -> str:
    """A list for a text box to offer, under an id of our own."""
    return f'<datalist id="{name}">' + "".join(f'<option value="{_text(value)}">' for value in values) + "</datalist>"


def notice(title: str, trusted_text: str, kind: str = "hint") -> str:
    """A short message in a box. Both texts are our own words, already safe as HTML."""
    return f'<div class="er-notice er-{kind}" role="status"><strong>{title}</strong> {trusted_text}</div>'

"""HTML fragments of the page: pure functions from answers to text.

Everything that comes from a shop's tables or from a visitor passes through `_text`, which escapes it.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from datetime import date, datetime
from html import escape
from typing import TYPE_CHECKING, Any

import pandas as pd

from embedrec import columns
from embedrec.app.service import CustomerAnswer, Item, known

if TYPE_CHECKING:
    from embedrec.serving.profile import CustomerProfile, ModelInfo
    from embedrec.serving.recommender import Recommender

SHOWN_PURCHASES = 100  # the newest ones; a list beyond this is no longer read

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
        f'<p class="er-verdict"><strong>How well does it work?</strong> {_plain_figure(info)}{_text(info.verdict)}</p>'
        f'<p class="er-verdict"><strong>Learned from</strong> {_text(info.data_name)}: '
        f"{_count(info.customers, 'customer')}, {_count(info.products, 'product')}{_window(info)}.</p>"
        "</header>"
    )


def _window(info: ModelInfo) -> str:
    if info.data_from is None or info.data_until is None:
        return "; without dates"
    return f", purchases from {_day(info.data_from)} to {_day(info.data_until)}"


def _plain_figure(info: ModelInfo) -> str:
    """The hit rate in words that need no statistics."""
    if info.hit_rate is None:
        return ""
    return f"In the test, {100 * info.hit_rate:.0f} of 100 customers bought something from their ten suggestions. "


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


def notice(title: str, trusted_text: str, kind: str = "hint") -> str:
    """A short message in a box. Both texts are our own words, already safe as HTML."""
    return f'<div class="er-notice er-{kind}" role="status"><strong>{title}</strong> {trusted_text}</div>'


def customer_result(
    shop: Recommender, profile: CustomerProfile | None, purchases: pd.DataFrame, answer: CustomerAnswer
) -> str:
    """Who the customer is, what they bought, what next and why."""
    bought = frozenset(purchases[columns.PRODUCT])
    if profile is None:
        return (
            '<div class="er-result">'
            + notice(
                "We do not know this customer yet.",
                "Check the ID for a typing slip. Until they buy something, here is what is popular in the shop.",
            )
            + _suggestions("Popular in the shop", answer.items, shop.titles, bought)
            + "</div>"
        )
    heading = "Popular in the shop" if answer.cold_start else "What next, and why"
    return (
        '<div class="er-result er-known">'
        f"{_portrait(profile)}"
        f"{_suggestions(heading, answer.items, shop.titles, bought)}"
        f"{_history(purchases)}"
        "</div>"
    )


def new_customer_result(shop: Recommender, basket: Collection[str], answer: CustomerAnswer) -> str:
    """What someone unknown may want, from the little that is said of them."""
    heading = "Popular in the shop" if answer.cold_start else "What next, and why"
    hint = "" if basket else notice("Nothing in the basket yet.", "Add a product or two to see the list change.")
    return f'<div class="er-result">{hint}{_suggestions(heading, answer.items, shop.titles, frozenset(basket))}</div>'


def _portrait(profile: CustomerProfile) -> str:
    facts: list[tuple[str, str]] = [
        ("Purchases", f"{profile.purchases:,}"),
        ("Different products", f"{profile.products:,}"),
    ]
    if profile.first_purchase and profile.last_purchase:
        facts += [
            ("First purchase", _day(profile.first_purchase)),
            ("Last purchase", _day(profile.last_purchase)),
        ]
    for label, amount, shown in (
        ("Spent in all", profile.spend, "{:,.2f}"),
        ("Usual price", profile.usual_price, "{:,.2f}"),
        ("Pages viewed", profile.page_views, "{:,.0f}"),
        ("Time on the site", profile.time_spent, "{:,.0f}"),
    ):
        if known(amount) is not None:
            facts.append((label, shown.format(amount)))
    listed = "".join(f"<div><dt>{label}</dt><dd>{value}</dd></div>" for label, value in facts)
    likes = "".join(f"<li>{_text(name)}</li>" for name in profile.favourite_categories)
    favourites = f'<h4>Buys most in</h4><ul class="er-chips">{likes}</ul>' if likes else ""
    return (
        '<section class="er-card er-portrait"><p class="er-eyebrow">Customer</p>'
        f'<h3 class="er-id" dir="auto">{_text(profile.customer_id)}</h3>'
        f'<dl class="er-facts">{listed}</dl>{favourites}</section>'
    )


def _product(product: str, title: str | None, again: bool) -> str:
    notes = [f'<span dir="auto">{_text(product)}</span>'] if title else []
    if again:
        notes.append('<span class="er-tag">bought before</span>')
    below = f'<span class="er-code">{" ".join(notes)}</span>' if notes else ""
    return f'<span class="er-name" dir="auto">{_text(title or product)}</span>{below}'


def _suggestions(heading: str, items: Sequence[Item], titles: Mapping[str, str], bought: Collection[str]) -> str:
    if not items:
        body = notice("No product fits these options.", "Widen the price range or take a category away.")
    else:
        rows = "".join(_suggestion(item, titles.get(item.product_id), item.product_id in bought) for item in items)
        body = (
            '<table class="er-table er-suggestions"><thead><tr><th scope="col">#</th>'
            '<th scope="col">Product</th><th scope="col">Category</th>'
            '<th scope="col" class="er-number">Price</th><th scope="col" class="er-number">Rating</th>'
            '<th scope="col">Why</th></tr></thead>'
            f"<tbody>{rows}</tbody></table>"
        )
    count = f'<p class="er-count" role="status">{_count(len(items), "suggestion")}</p>' if items else ""
    title = f'<div class="er-title"><h3>{heading}</h3>{count}</div>'
    return f'<section class="er-card er-next">{title}{body}</section>'


def _suggestion(item: Item, title: str | None, again: bool) -> str:
    rating = _NOTHING
    if item.rating is not None:
        rating = f'<span class="er-star" aria-hidden="true">★</span> {item.rating:.1f}'
    cells = (
        ("rank", "", str(item.rank)),
        ("product", "", _product(item.product_id, title, again)),
        ("category", "Category", _NOTHING if item.category is None else _text(item.category)),
        ("number er-price", "Price", _amount(item.price)),
        ("number er-rating", "Rating", rating),
        ("why", "Why", _text(item.reason)),
    )
    row = "".join(f'<td class="er-{name}" data-label="{label}">{cell}</td>' for name, label, cell in cells)
    return f"<tr>{row}</tr>"


def _history(purchases: pd.DataFrame) -> str:
    shown = purchases.head(SHOWN_PURCHASES)
    if shown.empty:
        table = '<p class="er-quiet">No purchases yet.</p>'
    else:
        rows = "".join(_purchase(row) for row in shown.to_dict("records"))
        table = (
            '<div class="er-scroll" tabindex="0" role="region" aria-label="What they bought">'
            '<table class="er-table er-bought"><thead><tr><th scope="col">Date</th>'
            '<th scope="col">Product</th><th scope="col" class="er-number">Price</th></tr></thead>'
            f"<tbody>{rows}</tbody></table></div>"
        )
    newest = f"newest {len(shown)} of {len(purchases):,}" if len(shown) < len(purchases) else "newest first"
    return (
        '<section class="er-card er-history"><div class="er-title"><h3>What they bought</h3>'
        f'<p class="er-count">{newest}</p></div>{table}</section>'
    )


def _purchase(row: Mapping[Any, Any]) -> str:
    category = known(row[columns.CATEGORY])
    kind = f'<span class="er-code">{_text(category)}</span>' if category is not None else ""
    name = _text(known(row[columns.TITLE]) or row[columns.PRODUCT])
    return (
        f'<tr><td class="er-date">{_day(row[columns.TIME])}</td>'
        f'<td><span class="er-name" dir="auto">{name}</span>{kind}</td>'
        f'<td class="er-number">{_amount(row[columns.PRICE])}</td></tr>'
    )

"""The list of suggestions as an HTML fragment: a table, on a phone a card each."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass

from embedrec.app.chance import as_odds, in_words, meaning
from embedrec.app.service import Item
from embedrec.app.views import _NOTHING, _amount, _count, _text, notice

NOTHING_FITS = ("No product fits these options.", "Widen the price range or take a category away.")


@dataclass(frozen=True)
class Chances:
    """What the chances of this shop's suggestions mean."""

    days: int | None
    usual: float | None


def suggestions(
    heading: str,
    items: Sequence[Item],
    bought: Collection[str],
    chances: Chances,
    tag: str = "bought before",
    nothing: tuple[str, str] = NOTHING_FITS,
) -> str:
    """List what to suggest and why.

    `tag` marks what is among `bought`; `nothing` says why the list is empty and what to do. Both are our own words.
    """
    told = any(item.probability is not None for item in items)
    if not items:
        body = notice(*nothing)
    else:
        rows = "".join(_suggestion(item, tag if item.product_id in bought else "", chances, told) for item in items)
        chance = '<th scope="col" class="er-number">Chance</th>' if told else ""
        body = (
            '<table class="er-table er-suggestions"><thead><tr><th scope="col">#</th>'
            '<th scope="col">Product</th><th scope="col">Category</th>'
            '<th scope="col" class="er-number">Price</th><th scope="col" class="er-number">Rating</th>'
            f'{chance}<th scope="col">Why</th></tr></thead><tbody>{rows}</tbody></table>'
        )
        body += f'<p class="er-foot">{meaning(chances.days, chances.usual)}</p>' if told else ""
    count = f'<p class="er-count" role="status">{_count(len(items), "suggestion")}</p>' if items else ""
    title = f'<div class="er-title"><h3>{heading}</h3>{count}</div>'
    return f'<section class="er-card er-next">{title}{body}</section>'


def _suggestion(item: Item, tag: str, chances: Chances, told: bool) -> str:
    rating = _NOTHING
    if item.rating is not None:
        rating = f'<span class="er-star" aria-hidden="true">★</span> {item.rating:.1f}'
    cells = [
        ("rank", "", str(item.rank)),
        ("product", "", _product(item.product_id, item.title, tag)),
        ("category", "Category", _NOTHING if item.category is None else _text(item.category)),
        ("number er-price", "Price", _amount(item.price)),
        ("number er-rating", "Rating", rating),
        ("why", "Why", _text(item.reason)),
    ]
    if told:
        cells.insert(-1, ("number er-chance", "Chance", _chance(item.probability, chances)))
    row = "".join(f'<td class="er-{name}" data-label="{label}">{cell}</td>' for name, label, cell in cells)
    return f"<tr>{row}</tr>"


def _chance(probability: float | None, chances: Chances) -> str:
    if probability is None:
        return _NOTHING
    word = in_words(probability, chances.usual)
    said = f'<span class="er-word er-{word}">{word}</span> ' if word else ""
    return f'{said}<span class="er-odds">{as_odds(probability)}</span>'


def _product(product: str, title: str | None, tag: str) -> str:
    notes = [f'<span dir="auto">{_text(product)}</span>'] if title else []
    if tag:
        notes.append(f'<span class="er-tag">{tag}</span>')
    below = f'<span class="er-code">{" ".join(notes)}</span>' if notes else ""
    return f'<span class="er-name" dir="auto">{_text(title or product)}</span>{below}'

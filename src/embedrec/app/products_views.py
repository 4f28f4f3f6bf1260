"""HTML fragments of the tab Products."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from embedrec.app.service import Item
from embedrec.app.tips import tip
from embedrec.app.views import _NOTHING, _amount, _count, _day, _share, _text, notice

if TYPE_CHECKING:
    from embedrec.serving.product import ProductProfile

NOTHING_CHOSEN = notice("Which product do you want to see?", "Type a part of its name or ID above, or click a dot.")
_BAR, _GAP, _TALL = 18, 4, 44  # of the bars of the last weeks


def matches(found: Sequence[tuple[str, str]]) -> str:
    """Buttons for products, given as (label, id), of which a part of the label was typed."""
    if not found:
        return '<p class="er-quiet" role="status">No product has this in its name or ID.</p>'
    buttons = "".join(
        f'<li><button type="button" class="er-group" data-product="{_text(product)}" dir="auto">{_text(label)}</button>'
        "</li>"
        for label, product in found
    )
    return f'<ul class="er-legend er-offered" aria-label="Products found">{buttons}</ul>'


def product_card(profile: ProductProfile, of: int) -> str:
    """What a product is and how it sells, beside `of` products in all."""
    rating = None if profile.rating is None else f'<span class="er-star">★</span> {profile.rating:.1f}'
    facts = [
        ("Category", None if profile.category is None else _text(profile.category)),
        ("Price", None if profile.price is None else _amount(profile.price)),
        ("Rating", rating),
        ("Buyers", f"{profile.buyers:,}"),
        ("Purchases", f"{profile.purchases:,}"),
        ("Best-seller place", f"{profile.place:,} of {of:,}" if profile.buyers else None),
        ("First sold", None if profile.first_sale is None else _day(profile.first_sale)),
        ("Last sold", None if profile.last_sale is None else _day(profile.last_sale)),
    ]
    listed = "".join(f'<div><dt>{label}</dt><dd dir="auto">{value}</dd></div>' for label, value in facts if value)
    code = f'<p class="er-code" dir="auto">{_text(profile.product_id)}</p>' if profile.title else ""
    return (
        '<section class="er-card er-portrait"><p class="er-eyebrow">Product</p>'
        f'<h3 class="er-id" dir="auto">{_text(profile.title or profile.product_id)}</h3>{code}'
        f'<dl class="er-facts">{listed}</dl>{_returning(profile)}{_weeks(profile.weeks)}</section>'
    )


def _returning(profile: ProductProfile) -> str:
    if not profile.buyers:
        return '<p class="er-quiet er-said">Nobody has bought it yet.</p>'
    assert profile.again is not None
    came = tip(f"{_share(profile.again)} of its buyers", "customers who bought it on more than one occasion")
    return f'<p class="er-quiet er-said">{came} came back for it.</p>'


def _weeks(weeks: Sequence[int]) -> str:
    """Bars of the purchases in each of the last weeks, and the same in words."""
    if not any(weeks):
        return '<p class="er-quiet er-said">Not sold in the last twelve weeks of the data.</p>' if weeks else ""
    most = max(weeks)
    bars = "".join(
        f'<rect x="{place * (_BAR + _GAP)}" y="{_TALL - height}" width="{_BAR}" height="{height}" rx="2">'
        f"<title>{_count(count, 'purchase')}</title></rect>"
        for place, count in enumerate(weeks)
        for height in [max(1, round(_TALL * count / most))]
    )
    width = len(weeks) * (_BAR + _GAP) - _GAP
    late, early = sum(weeks[-4:]), sum(weeks[-8:-4])
    return (
        f'<figure class="er-weeks"><svg viewBox="0 0 {width} {_TALL}" role="img" aria-label="Purchases in each of the '
        f'last {len(weeks)} weeks, oldest first: {", ".join(map(str, weeks))}">{bars}</svg>'
        f"<figcaption>Purchases in each of the last {len(weeks)} weeks. "
        f"The last four weeks: {late:,}; the four before: {early:,}.</figcaption></figure>"
    )


def similar_products(items: Sequence[Item], titles: Mapping[str, str]) -> str:
    """The products most like one, numbered as in the picture, and why."""
    if not items:
        return notice("Nothing is known to be like it.", "It has not been bought by anybody who bought other things.")
    head = "".join(
        f'<th scope="col"{kind}>{label}</th>'
        for label, kind in (
            ("#", ""),
            ("Product", ""),
            ("Category", ""),
            ("Price", ' class="er-number"'),
            ("Rating", ' class="er-number"'),
            ("Why", ""),
        )
    )
    rows = "".join(_similar(item, titles.get(item.product_id)) for item in items)
    return (
        '<section class="er-card er-next"><div class="er-title"><h3>Products like it</h3>'
        '<p class="er-count">numbered as in the picture</p></div><table class="er-table er-suggestions">'
        f"<thead><tr>{head}</tr></thead><tbody>{rows}</tbody></table></section>"
    )


def _similar(item: Item, title: str | None) -> str:
    code = f'<span class="er-code" dir="auto">{_text(item.product_id)}</span>' if title else ""
    rating = _NOTHING
    if item.rating is not None:
        rating = f'<span class="er-star" aria-hidden="true">★</span> {item.rating:.1f}'
    cells = (
        ("rank", str(item.rank)),
        ("product", f'<span class="er-name" dir="auto">{_text(title or item.product_id)}</span>{code}'),
        ("category", _NOTHING if item.category is None else _text(item.category)),
        ("number er-price", _amount(item.price)),
        ("number er-rating", rating),
        ("why", _text(item.reason)),
    )
    return "<tr>" + "".join(f'<td class="er-{name}">{cell}</td>' for name, cell in cells) + "</tr>"

"""The picture of the catalogue as HTML: dots by category, and over them marks for the chosen product and its like.

The dots are drawn once for a shop: one path a category, a fraction of a kilobyte a hundred products. Their names travel
beside them as data, which `catalogue_picture.js` shows under the pointer. Marks are few, and buttons: a keyboard
reaches them. All that comes from the shop is escaped.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from embedrec.app.service import known
from embedrec.app.views import _text, notice
from embedrec.columns import CATEGORY, PRICE, PRODUCT

if TYPE_CHECKING:
    from embedrec.serving.recommender import Recommender

DRAWN = 2000  # products, those with the most buyers
NAMED = 8  # categories with a colour of their own
OTHERS, NONE = "other categories", "(none)"
WIDTH, HEIGHT, MARGIN = 1000, 620, 30
CLEAR = 34  # units of the picture between two marks
LITTLE = 0.2  # share of what sets products apart, below which nearness in the picture is a hint at best
WITHIN = " > "  # in a category's name, as in "Drinks > Tea"


class Frame:
    """Where the places of a catalogue map lie in the picture, in its own units."""

    def __init__(self, table: pd.DataFrame) -> None:
        places = table[["x", "y"]].head(DRAWN).to_numpy(float)
        self._low = places.min(axis=0) if len(places) else np.zeros(2)
        reach = places.max(axis=0) - self._low if len(places) else np.ones(2)
        self._reach = np.where(reach > 0, reach, 1.0)
        self._centre = np.where(reach > 0, 0.0, 0.5)

    def place(self, x: float, y: float) -> tuple[int, int]:
        """Return a point, its y downwards; what lies beyond the drawn products stands at the edge."""
        across, up = np.clip(self._centre + (np.array([x, y]) - self._low) / self._reach, 0, 1)
        left, top = across * (WIDTH - 2 * MARGIN), (1 - up) * (HEIGHT - 2 * MARGIN)
        return MARGIN + round(left), MARGIN + round(top)


def picture(shop: Recommender) -> str:
    """Draw the best-sold products, coloured by category, with a legend and what to make of it."""
    table = shop.catalogue_map()
    drawn = table.head(DRAWN)
    if len(drawn) < 3:
        return notice("No picture yet.", "The model knows too few products to draw a map of them.")
    frame, groups = Frame(table), _groups(drawn[CATEGORY].tolist())
    order = [name for name, _ in Counter(groups).most_common() if name not in (OTHERS, NONE)]
    order += [name for name in (OTHERS, NONE) if name in groups]
    colour = {name: {OTHERS: "o", NONE: "n"}.get(name, str(place)) for place, name in enumerate(order)}
    points = [frame.place(x, y) for x, y in zip(drawn["x"], drawn["y"], strict=True)]
    paths = "".join(
        f'<path class="er-dot er-c{colour[name]}" data-group="{place}" d="'
        + "".join(f"M{x} {y}h0" for (x, y), group in zip(points, groups, strict=True) if group == name)
        + '"/>'
        for place, name in reversed(list(enumerate(order)))
    )
    rows = zip(drawn[PRODUCT], _words(shop, drawn), points, groups, strict=True)
    told = [[product, words, x, y, order.index(group)] for product, words, (x, y), group in rows]
    several = len(order) > 1
    legend = "".join(
        f'<li><button type="button" class="er-group" data-group="{place}" aria-pressed="false">'
        f'<span class="er-swatch er-c{colour[name]}" aria-hidden="true"></span>'
        f'<span dir="auto">{_text(_said(name))}</span></button></li>'
        for place, name in enumerate(order)
    )
    return (
        f'<figure class="er-map"><div class="er-plot" data-dots="{_text(json.dumps(told))}">'
        f'<svg viewBox="0 0 {WIDTH} {HEIGHT}" role="img" aria-label="Map of {len(drawn):,} products: those close '
        f'together are alike. The products like the chosen one are also in the table below.">{paths}</svg>'
        '<div class="er-named" hidden></div></div>'
        + (f'<ul class="er-legend" aria-label="Show one category">{legend}</ul>' if several else "")
        + f"<figcaption>{_caption(shop, table)}</figcaption></figure>"
    )


def marks(shop: Recommender, chosen: str, similar: Sequence[str]) -> str:
    """Mark the chosen product and, by their rank, those like it; whoever has no place in the picture has no mark."""
    table = shop.catalogue_map()
    frame = Frame(table)
    ranked = {product: str(rank) for rank, product in enumerate(similar, start=1)}
    found = table[table[PRODUCT].isin([chosen, *similar])]
    places = _apart([frame.place(x, y) for x, y in zip(found["x"], found["y"], strict=True)])
    drawn = {
        product: _mark(product, ranked.get(product, ""), words, place)
        for product, words, place in zip(found[PRODUCT], _words(shop, found), places, strict=True)
    }
    return f'<div class="er-marks">{"".join(drawn.get(one, "") for one in (*reversed(similar), chosen))}</div>'


def _words(shop: Recommender, table: pd.DataFrame) -> list[str]:
    """Title, id, category and price of each product on one line, as far as they are known."""
    rows = zip(table[PRODUCT], table[CATEGORY], table[PRICE], strict=True)
    told = (
        (shop.titles.get(one), one, None if category == NONE else known(category), known(price))
        for one, category, price in rows
    )
    return [
        " · ".join(str(part) for part in (*named, None if price is None else f"{price:,.2f}") if part)
        for *named, price in told
    ]


def _mark(product: str, rank: str, words: str, place: tuple[int, int]) -> str:
    left, top = 100 * place[0] / WIDTH, 100 * place[1] / HEIGHT
    kind, label = ("er-alike", f"{rank}: {words}") if rank else ("er-chosen", f"Chosen: {words}")
    side = " er-leftwards" if left > 60 else ""
    return (
        f'<button type="button" class="er-mark {kind}{side}" data-product="{_text(product)}" '
        f'style="left:{left:.1f}%;top:{top:.1f}%" aria-label="{_text(label)}">{rank or "★"}'
        f'<span class="er-named" aria-hidden="true" dir="auto">{_text(words)}</span></button>'
    )


def _apart(places: Sequence[tuple[int, int]]) -> list[tuple[int, int]]:
    """Push marks that would hide each other a little apart; alike products lie close together."""
    points = np.array(places, float).reshape(-1, 2)
    points += 0.01 * np.arange(len(points))[:, None]  # two in one place part as well
    for _ in range(60):
        gap = points[:, None] - points[None]
        distance = np.hypot(gap[..., 0], gap[..., 1])
        push = np.where((distance > 0) & (distance < CLEAR), (CLEAR - distance) / 2, 0.0)
        points += (gap / np.maximum(distance, 1e-9)[..., None] * push[..., None]).sum(axis=1)
        points = np.clip(points, MARGIN / 2, [WIDTH - MARGIN / 2, HEIGHT - MARGIN / 2])
    return [(round(x), round(y)) for x, y in points]


def _groups(categories: Sequence[str | None]) -> list[str]:
    """Give each product one of at most `NAMED` categories, `OTHERS`, or `NONE`.

    Categories within categories are cut to the first level on which there are several.
    """
    paths = [NONE if known(one) is None else str(one) for one in categories]
    deepest = max(path.count(WITHIN) for path in paths)
    for depth in range(1, deepest + 2):
        cut = [WITHIN.join(path.split(WITHIN)[:depth]) for path in paths]
        if len(set(cut) - {NONE}) > 1:
            break
    counts: Mapping[str, int] = Counter(name for name in cut if name != NONE)
    named = sorted(counts, key=lambda name: (-counts[name], name))
    return [name if name in (NONE, *named[:NAMED]) else OTHERS for name in cut]


def _said(group: str) -> str:
    return {NONE: "no category", OTHERS: "Other categories"}.get(group, group)


def _caption(shop: Recommender, table: pd.DataFrame) -> str:
    shown = table.attrs["shown"]
    which = f"the {DRAWN:,} best sold of {len(table):,} products" if len(table) > DRAWN else f"{len(table):,} products"
    how = (
        "a hint at best: products that look close may still differ, so trust the table"
        if shown < LITTLE
        else "the rest does not fit on paper, so products that look close may still differ a little"
    )
    return (
        f"Each dot is one of {which}. Close together means alike: they appeal to the same customers. "
        f"A flat picture shows {100 * shown:.0f} % of what sets products apart; {how}."
    )

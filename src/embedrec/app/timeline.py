"""Purchases by month as a small picture: plain SVG, readable without seeing it."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from embedrec.serving.profile import Month

WIDTH, HEIGHT, TOP, BASE = 320, 92, 18, 70  # of the drawing; bars stand on BASE and reach up to TOP
GAP = 0.25  # of a month's width, between two bars


def timeline(months: Sequence[Month]) -> str:
    """Draw a bar for each month, as high as what was spent; of purchases where a price is missing.

    Empty where there are no purchases or no dates.
    """
    if not any(month.purchases for month in months):
        return ""
    money = all(month.spend is not None for month in months)
    heights = [float(month.spend or 0.0) if money else float(month.purchases) for month in months]
    most, step = max(heights), WIDTH / len(months)
    highest = months[heights.index(most)]
    bars = "".join(
        f'<g><title>{_said(month)}</title><rect class="er-slot" x="{step * place:.1f}" y="{TOP}" '
        f'width="{step:.1f}" height="{BASE - TOP}"/><rect class="er-bar" x="{step * (place + GAP / 2):.1f}" '
        f'y="{BASE - _tall(height, most):.1f}" width="{step * (1 - GAP):.1f}" height="{_tall(height, most):.1f}" '
        'rx="1.5"/></g>'
        for place, (month, height) in enumerate(zip(months, heights, strict=True))
    )
    top = f"{most:,.2f}" if money else _purchases(int(most))
    active = sum(month.purchases > 0 for month in months)
    told = (
        f"{_purchases(sum(month.purchases for month in months))} in {active} of {len(months)} months, "
        f"most in {_name(highest.first_day)} ({top})"
    )
    return (
        f'<figure class="er-timeline"><svg viewBox="0 0 {WIDTH} {HEIGHT}" role="img" aria-label="Purchases by month">'
        f"<title>Purchases by month</title><desc>{told}</desc>"
        f'<line class="er-axis" x1="0" x2="{WIDTH}" y1="{BASE}" y2="{BASE}"/>{bars}'
        f'<text x="0" y="{HEIGHT - 6}">{_name(months[0].first_day)}</text>'
        f'<text x="{WIDTH}" y="{HEIGHT - 6}" text-anchor="end">{_name(months[-1].first_day)}</text>'
        f"</svg><figcaption>{told}</figcaption></figure>"
    )


def _tall(height: float, most: float) -> float:
    return max((BASE - TOP) * height / most, 2.0) if height > 0 and most > 0 else 0.0


def _said(month: Month) -> str:
    spent = f", {month.spend:,.2f}" if month.spend else ""
    return f"{_name(month.first_day)}: {_purchases(month.purchases)}{spent}"


def _purchases(count: int) -> str:
    return f"{count:,} purchase{'' if count == 1 else 's'}"


def _name(day: date) -> str:
    return f"{day:%b %Y}"

"""HTML fragments of the tab *Audience*."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import pandas as pd

from embedrec.app.chance import as_odds
from embedrec.app.service import known
from embedrec.app.views import _count, _day, _share, _text, notice

if TYPE_CHECKING:
    from embedrec.serving import Reach

SHOWN = 50  # customers; the file has them all
NAMED = 3  # unknown ids
WIDTH, HEIGHT, LEFT, BOTTOM, TOP, RIGHT = 360, 240, 44, 36, 10, 12  # of the picture, in its own units
BEST = 0.10  # share of the customers that the sentence beside the picture speaks of


def audience_result(what: str, audience: pd.DataFrame, reach: Reach) -> str:
    """How many and how good, who, and how well such a list worked in the test. `what` is plain text."""
    return f'<div class="er-result er-audience">{_size(what, audience)}{_reach(reach)}{_customers(audience)}</div>'


def _size(what: str, audience: pd.DataFrame) -> str:
    facts = audience.attrs
    within = f"within {facts['days']} days" if facts["days"] else "in the next weeks"
    expected = known(facts["expected_buyers"])
    told = [("Customers in this list", f"{len(audience):,} of {facts['customers']:,}")]
    if expected is not None:
        told.append((f"Expected to buy {within}", _people(expected)))
        if len(audience) and expected > 0:
            told.append(("On average", as_odds(expected / len(audience))))
    if facts["left_out"]:
        told.append(("Left out, bought it lately", _count(facts["left_out"], "customer")))
    listed = "".join(f"<div><dt>{label}</dt><dd>{value}</dd></div>" for label, value in told)
    products = f'<p class="er-quiet">{_count(facts["products"], "product")}</p>' if facts["products"] > 1 else ""
    return (
        '<section class="er-card er-portrait"><p class="er-eyebrow">Audience</p>'
        f'<h3 class="er-id" dir="auto">{_text(what)}</h3>{products}<dl class="er-facts">{listed}</dl></section>'
    )


def _people(expected: float) -> str:
    return f"about {expected:,.0f}" if expected >= 1.5 else "one or two" if expected >= 0.5 else "hardly anybody"


def _reach(reach: Reach) -> str:
    title = '<div class="er-title"><h3>Would such a list have worked?</h3></div>'
    if reach.curve is None:
        body = notice("Too little to say.", f"{_text(reach.why[:1].upper() + reach.why[1:])}. Try a whole category.")
        return f'<section class="er-card er-reach">{title}{body}</section>'
    best = reach.curve[reach.curve["share_contacted"] <= BEST + 1e-9].iloc[-1]
    sentence = (
        f"In the weeks held back for the test, {_count(reach.buyers, 'customer')} of {reach.customers:,} bought. "
        f"The best {_share(best['share_contacted'])} of the list held {_share(best['share_reached'])} of them: "
        f"{best['lift']:.1f} times as many as {_share(best['share_contacted'])} picked blindly."
    )
    rows = "".join(
        f'<tr><td>{_share(row["share_contacted"])}</td><td class="er-number">{_share(row["share_reached"])}</td>'
        f'<td class="er-number">{row["lift"]:.1f} ×</td></tr>'
        for row in reach.curve.to_dict("records")
    )
    table = (
        '<details class="er-figures" open><summary>The figures</summary><table class="er-table"><thead><tr>'
        '<th scope="col">Contacted, the best first</th><th scope="col" class="er-number">Buyers reached</th>'
        '<th scope="col" class="er-number">Against picking blindly</th></tr></thead>'
        f"<tbody>{rows}</tbody></table></details>"
    )
    return f'<section class="er-card er-reach">{title}<p>{sentence}</p>{curve(reach.curve)}{table}</section>'


def curve(points: pd.DataFrame) -> str:
    """Draw the share of buyers reached over the share of customers contacted, beside that of a blind choice."""

    def place(contacted: float, reached: float) -> tuple[float, float]:
        return (
            LEFT + contacted * (WIDTH - LEFT - RIGHT),
            HEIGHT - BOTTOM - reached * (HEIGHT - BOTTOM - TOP),
        )

    pairs = [(0.0, 0.0), *zip(points["share_contacted"], points["share_reached"], strict=True)]
    line = " ".join("{:.1f},{:.1f}".format(*place(*pair)) for pair in pairs)
    dots = "".join(
        f'<circle cx="{x:.1f}" cy="{y:.1f}" r="3.5"><title>the best {_share(contacted)} of customers hold '
        f"{_share(reached)} of the buyers</title></circle>"
        for contacted, reached in pairs[1:]
        for x, y in [place(contacted, reached)]
    )
    ticks = "".join(
        '<line class="er-grid" x1="{x0:.1f}" x2="{x1:.1f}" y1="{y:.1f}" y2="{y:.1f}"/>'
        '<text x="{at:.1f}" y="{low:.1f}" text-anchor="end">{word}</text>'
        '<text x="{x:.1f}" y="{under:.1f}" text-anchor="{anchor}">{word}</text>'.format(
            x0=place(0, 0)[0], x1=place(1, 0)[0], y=place(0, part)[1], at=LEFT - 6, low=place(0, part)[1] + 4,
            x=place(part, 0)[0], under=HEIGHT - BOTTOM + 15, word=_share(part),
            anchor="middle" if part < 1 else "end",
        )
        for part in (0.0, 0.5, 1.0)
    )  # fmt: skip
    (x0, y0), (x1, y1) = place(0, 0), place(1, 1)
    return (
        f'<svg class="er-curve" viewBox="0 0 {WIDTH} {HEIGHT}" role="img" aria-label="Share of the buyers '
        'reached, over the share of customers contacted; the figures stand below">'
        f'{ticks}<line class="er-blind" x1="{x0:.1f}" y1="{y0:.1f}" x2="{x1:.1f}" y2="{y1:.1f}"/>'
        f'<polyline points="{line}"/>{dots}'
        f'<text x="{(x0 + x1) / 2:.1f}" y="{HEIGHT - 4}" text-anchor="middle">'
        "customers contacted, the best first</text>"
        f'<text class="er-word" x="{x0 + 6:.1f}" y="{TOP + 12}">buyers reached</text>'
        f'<text class="er-word er-blind-word" x="{(x0 + x1) / 2 + 8:.1f}" y="{(y0 + y1) / 2 + 18:.1f}">'
        "picked blindly</text></svg>"
    )


def _customers(audience: pd.DataFrame) -> str:
    if audience.empty:
        body = notice("Nobody is left in this list.", "Leave out fewer recent buyers, or choose another product.")
        return f'<section class="er-card er-next"><div class="er-title"><h3>Who they are</h3></div>{body}</section>'
    shown = audience.head(SHOWN)
    rows = "".join(_customer(row) for row in shown.to_dict("records"))
    count = f"the first {len(shown)} of {len(audience):,}" if len(shown) < len(audience) else f"{len(shown):,}"
    return (
        '<section class="er-card er-next"><div class="er-title"><h3>Who they are</h3>'
        f'<p class="er-count" role="status">{count}</p></div>'
        '<div class="er-scroll" tabindex="0" role="region" aria-label="Who they are">'
        '<table class="er-table er-suggestions er-buyers"><thead><tr><th scope="col">#</th>'
        '<th scope="col">Customer</th><th scope="col">Chance to buy</th><th scope="col">Last purchase</th>'
        '<th scope="col">Why</th></tr></thead>'
        f"<tbody>{rows}</tbody></table></div></section>"
    )


def _customer(row: dict[Any, Any]) -> str:
    chance = known(row["probability"])
    again = f'<span class="er-code"><span class="er-tag">bought {_times(row["bought_before"])}</span></span>'
    cells = (
        ("rank", "", str(row["rank"])),
        ("product", "", f'<span class="er-name" dir="auto">{_text(row["customer_id"])}</span>'
         f"{again if row['bought_before'] else ''}"),
        ("category", "Chance to buy", '<span class="er-nothing">–</span>' if chance is None else as_odds(chance)),
        ("price", "Last purchase", _day(row["last_purchase"])),
        ("why", "Why", _text(row["reason"])),
    )  # fmt: skip
    listed = "".join(f'<td class="er-{name}" data-label="{label}">{cell}</td>' for name, label, cell in cells)
    return f"<tr>{listed}</tr>"


def _times(count: int) -> str:
    return "once" if count == 1 else f"{count:,} times"


def lists_result(customers: int, unknown: Sequence[str], rows: int, not_understood: int) -> str:
    """What became of a list of customers that was handed over."""
    said = notice(
        f"Suggestions for {_count(customers, 'customer')} are in the file.", f"It has {_count(rows, 'row')}.", "hint"
    )
    if unknown:
        names = ", ".join(f'<span dir="auto">{_text(one)}</span>' for one in unknown[:NAMED])
        more = f" and {len(unknown) - NAMED:,} more" if len(unknown) > NAMED else ""
        said += notice(
            f"{_count(len(unknown), 'ID')} we do not know:",
            f"{names}{more}. They get what is popular; the file marks them as cold_start.",
            "caution",
        )
    if not_understood:
        said += notice(
            f"{_count(not_understood, 'row')} could not be understood", "and were left out of the file.", "caution"
        )
    return f'<div class="er-result">{said}</div>'


def file_refused(problem: str) -> str:
    """Say in one sentence what is wrong with a file; the sentence may quote it."""
    return notice("That file cannot be used.", _text(problem), kind="caution")

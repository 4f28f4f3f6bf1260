"""HTML fragments of the tabs Customer and New customer."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from typing import TYPE_CHECKING, Any

import pandas as pd

from embedrec import columns
from embedrec.app.service import CustomerAnswer, known
from embedrec.app.suggestions import NOTHING_FITS, Chances, suggestions
from embedrec.app.timeline import timeline
from embedrec.app.views import _amount, _day, _text, notice

if TYPE_CHECKING:
    from embedrec.serving.profile import CustomerProfile
    from embedrec.serving.recommender import Recommender
    from embedrec.serving.segments import Segment

SHOWN_PURCHASES = 100  # the newest ones; a list beyond this is no longer read
SHOWN_DRIVERS, LEAST_SHARE = 6, 0.01  # of what lifts a list
NOTHING_AGAIN = ("Nothing to buy again.", "Choose “Everything” to see what else fits.")
NEXT, POPULAR = "What next, and why", "Popular in the shop"


def customer_result(
    shop: Recommender,
    profile: CustomerProfile | None,
    purchases: pd.DataFrame,
    answer: CustomerAnswer,
    again: bool = False,
    like: Sequence[str] = (),
) -> str:
    """Who the customer is, what they bought, what next and why.

    `again` = only what they know was asked for; `like` are real ids that an unknown one may stand for.
    """
    bought = frozenset(purchases[columns.PRODUCT])
    heading = POPULAR if answer.cold_start else NEXT
    nothing = NOTHING_AGAIN if again else NOTHING_FITS
    listed = suggestions(heading, answer.items, bought, chances(shop), nothing=nothing)
    if profile is None:
        meant = f" Did you mean {' or '.join(map(_text, like))}?" if like else ""
        unknown = notice(
            "We do not know this customer yet.",
            f"Check the ID for a typing slip.{meant} Until they buy something, here is what is popular in the shop.",
        )
        return f'<div class="er-result">{unknown}{listed}</div>'
    return f'<div class="er-result er-known">{_portrait(profile)}{listed}{_history(profile, purchases)}</div>'


def new_customer_result(
    shop: Recommender, basket: Collection[str], answer: CustomerAnswer, drivers: pd.DataFrame
) -> str:
    """What someone unknown may want, from the little that is said of them, and what of it made the list."""
    heading = POPULAR if answer.cold_start else NEXT
    hint = "" if basket else notice("Nothing in the basket yet.", "Add a product or two to see the list change.")
    listed = suggestions(heading, answer.items, frozenset(basket), chances(shop), tag="in the basket")
    return f'<div class="er-result">{hint}{_drivers(drivers, shop.titles)}{listed}</div>'


def chances(shop: Recommender) -> Chances:
    """Return what the chances of a shop's suggestions mean."""
    return Chances(shop.info.days, shop.usual_probability)


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
        f'{_segment(profile.segment, profile.spend)}<dl class="er-facts">{listed}</dl>{favourites}</section>'
    )


def _segment(segment: Segment | None, spend: float | None) -> str:
    """The kind of customer; opened by mouse, finger or key, it says the rule and the numbers."""
    if segment is None:
        return ""
    days = f"{segment.days_since:,} day{'' if segment.days_since == 1 else 's'} before the data end"
    visits = f"on {segment.visits:,} day{'' if segment.visits == 1 else 's'}"
    places = [
        f"<li>Last purchase {days}: fifth {segment.recency} of 5, 5 is the latest</li>",
        f"<li>Bought {visits}: fifth {segment.frequency} of 5, 5 is the most often</li>",
    ]
    if segment.value is not None:
        places.append(f"<li>Spent {_amount(spend)}: fifth {segment.value} of 5, 5 is the most</li>")
    return (
        f'<details class="er-segment"><summary>{_text(segment.words.capitalize())}</summary>'
        f"<p>This means: {_text(segment.rule)}. Fifths are of this shop’s customers.</p>"
        f"<ul>{''.join(places)}</ul></details>"
    )


def _history(profile: CustomerProfile, purchases: pd.DataFrame) -> str:
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
        f'<p class="er-count">{newest}</p></div>{timeline(profile.months)}{table}</section>'
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


def _drivers(drivers: pd.DataFrame, titles: Mapping[str, str]) -> str:
    """What lifts the shown list above the catalogue, as shares of all that lifts it."""
    lifting = drivers[drivers["lift"] > 0]
    if lifting.empty:
        return ""
    total = float(lifting["lift"].sum())
    shown = lifting[lifting["lift"] >= LEAST_SHARE * total].head(SHOWN_DRIVERS)
    rows = "".join(_driver(row, total, titles) for row in shown.to_dict("records"))
    return (
        '<section class="er-card er-drivers"><h3>What drives this list</h3>'
        '<p class="er-foot">Shares of what lifts these suggestions above the rest of the catalogue.</p>'
        f"<ul>{rows}</ul></section>"
    )


def _driver(row: Mapping[Any, Any], total: float, titles: Mapping[str, str]) -> str:
    product, share = known(row[columns.PRODUCT]), 100 * row["lift"] / total
    if product is None:
        name = f'<span class="er-name">{_text(str(row["words"]).capitalize())}</span>'
    else:
        name = f'In the basket: <span class="er-name" dir="auto">{_text(titles.get(product) or product)}</span>'
    return (
        f'<li><span class="er-driver">{name}</span>'
        f'<span class="er-share" aria-hidden="true"><span style="width:{share:.0f}%"></span></span>'
        f'<span class="er-number">{share:.0f} %</span></li>'
    )

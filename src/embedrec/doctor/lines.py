"""The same words for terminal and page: what was counted, and what each figure is called."""

from __future__ import annotations

from embedrec.columns import PAGE_VIEWS, PRICE, RATING, TIME_SPENT
from embedrec.doctor.facts import Facts
from embedrec.doctor.histograms import Histogram
from embedrec.report import percent

HISTOGRAMS = {
    "purchases_over_time": ("Purchases over time", "", "purchases"),
    "purchases_of_a_customer": ("How much customers buy", "purchases of a customer", "customers"),
    PRICE: ("Prices", "price of a product, in the shop's currency", "products"),
    RATING: ("Ratings", "rating of a product, stars", "products"),
    PAGE_VIEWS: ("Page views", "page views of a customer", "customers"),
    TIME_SPENT: ("Time spent", "time spent by a customer, in the shop's unit", "customers"),
}
"""Title, what lies on the x axis, and what is counted; in the order of the page."""


def joins(facts: Facts) -> list[tuple[str, str]]:
    """Return how far the tables go together, as label and count; what cannot be told is left out."""
    of = facts.joins
    counted = (
        ("purchases of a product without details", of.purchases_unlisted, facts.purchases),
        ("products never bought", of.products_unsold, None),
        ("customers who buy, without behaviour", of.customers_without_behaviour, facts.customers),
        ("customers with behaviour who never buy", of.customers_without_purchase, None),
    )
    return [(label, _of(count, whole)) for label, count, whole in counted if count is not None]


def shape(facts: Facts) -> list[tuple[str, str]]:
    """Return what the purchases look like, as label and figure."""
    lines = [("purchases", f"{facts.purchases:,}")]
    if facts.looks:
        lines.append(("views and carts", f"{facts.looks:,}"))
    lines += [("customers who buy", f"{facts.customers:,}"), ("products sold", f"{facts.products:,}")]
    if span := facts.time:
        lines.append(("from, to", f"{span.first[:10]} to {span.last[:10]}, {span.days:,.0f} days"))
        lines.append(("longest time without a purchase", f"{span.longest_gap_days:,.1f} days"))
    spread = facts.concentration
    lines += [
        (
            "purchases of the top 1 % and 10 % of products",
            f"{percent(spread.top_1_percent)}, {percent(spread.top_10_percent)}",
        ),
        ("Gini of products (0 even, 1 one takes all)", f"{spread.product_gini:.2f}"),
        ("purchases of the largest customer", f"{100 * spread.largest_customer:.1f} %"),
        ("customers with one purchase", percent(spread.customers_once)),
    ]
    if facts.repeat_share is not None:
        lines.append(("purchases of a product bought before", percent(facts.repeat_share)))
    if facts.filled:
        lines.append(("filled", ", ".join(f"{name} {percent(share)}" for name, share in facts.filled.items())))
    return lines


def held_out(facts: Facts) -> list[tuple[str, str]]:
    """Return what the test window asks of a model, as label and figure; nothing where there is none."""
    of = facts.held_out
    if of is None:
        return []
    shares = (
        ("re-purchases among what they buy", None if of.protocol == "random" else of.repeat_share),
        ("purchases of products never sold before", of.cold_share),
        ("customers of the test who are new", of.newcomer_share),
    )
    since = f" from {of.since[:10]} on" if of.since else ""
    return [
        (f"held out ({of.protocol}{since})", f"{of.pairs:,} pairs of customer and product bought"),
        ("known customers to test on, to validate on", f"{of.customers:,}, {of.validation_customers:,}"),
        *((label, percent(share)) for label, share in shares if share is not None),
    ]


def edges(histogram: Histogram) -> list[str]:
    """Write the edges of a histogram as people read them."""
    return [edge if isinstance(edge, str) else f"{edge:,.10g}" for edge in histogram.edges]


def _of(count: int, whole: int | None) -> str:
    return f"{count:,} ({percent(count / whole)})" if whole and count else f"{count:,}"

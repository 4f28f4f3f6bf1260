"""`Facts`: what is in the tables, as numbers; pure functions that know neither models nor pages."""

from __future__ import annotations

from dataclasses import asdict, dataclass, field, replace
from typing import Any

import numpy as np
import pandas as pd

from embedrec.columns import (
    CATEGORY,
    CUSTOMER,
    EVENT,
    KNOWN_FROM,
    PAGE_VIEWS,
    PRICE,
    PRODUCT,
    PURCHASE,
    RATING,
    TIME,
    TIME_SPENT,
)
from embedrec.doctor.held_out import HeldOut
from embedrec.doctor.histograms import Histogram, of_amounts, of_stars, over_time
from embedrec.features import DAY
from embedrec.features.history import seconds
from embedrec.metrics import gini
from embedrec.splits import day
from embedrec.tables import Tables

THIN = 0.01
"""Share of the purchases at either end among which gaps say nothing: many shops begin with a few test orders."""


@dataclass(frozen=True)
class Joins:
    """How far the tables speak of the same ids; None where a table is not there."""

    purchases_unlisted: int | None
    """Purchases of a product that product_details does not list."""
    products_unsold: int | None
    """Listed products that nobody bought."""
    customers_without_behaviour: int | None
    """Customers with a purchase who are not in customer_interactions."""
    customers_without_purchase: int | None
    """Customers of customer_interactions who bought nothing."""


@dataclass(frozen=True)
class Span:
    """From when to when purchases go, and how evenly."""

    first: str
    last: str
    days: float
    longest_gap_days: float
    """The longest time without a purchase, the first and last hundredth of the purchases aside."""
    gap_from: str
    moments: int
    """Different timestamps."""
    same_moment: float
    """Share of the purchases that carry the commonest timestamp."""
    same_day: float
    """Share of the purchases on the busiest day."""
    whole_days: bool
    """No timestamp has a time of day."""


@dataclass(frozen=True)
class Concentration:
    """How unevenly purchases are spread; shares of all purchases."""

    product_gini: float
    top_1_percent: float
    """Of the products sold, rounded up to whole ones."""
    top_10_percent: float
    largest_customer: float
    customers_once: float
    """Share of the customers with a single purchase."""


@dataclass(frozen=True)
class Facts:
    """What is in the tables."""

    purchases: int
    customers: int
    """With a purchase."""
    products: int
    """Sold at least once."""
    looks: int
    """Dated views and carts."""
    joins: Joins
    time: Span | None
    """None without dates."""
    concentration: Concentration
    repeat_share: float | None
    """Share of the purchases of a product that the customer had bought at an earlier moment; None where no order is
    known."""
    filled: dict[str, float]
    """Share of the products or customers, listed or not, with a value in each column; absent tables left out. Prices
    that stand on purchases alone count for the products sold."""
    histograms: dict[str, Histogram] = field(default_factory=dict)
    held_out: HeldOut | None = None
    """None where the purchases cannot be split."""

    def plain(self) -> dict[str, Any]:
        """Return the facts as JSON holds them."""
        return asdict(self)

    def with_held_out(self, held_out: HeldOut) -> Facts:
        """Add what lies after the cut."""
        return replace(self, held_out=held_out)


def facts_of(tables: Tables, dated: bool) -> Facts:
    """Count what is in the tables; `dated` says that the times of the events are real ones."""
    bought = tables.purchases
    sold = bought[PRODUCT].value_counts()
    buyers = bought[CUSTOMER].value_counts()
    return Facts(
        purchases=len(bought),
        customers=len(buyers),
        products=len(sold),
        looks=len(tables.events) - len(bought),
        joins=_joins(tables, sold, buyers),
        time=_span(bought[TIME]) if dated else None,
        concentration=_concentration(sold, buyers),
        repeat_share=_repeat_share(bought) if dated else None,
        filled=_filled(tables, bought),
        histograms=_histograms(tables, bought, buyers, dated),
    )


def listed_apart(tables: Tables) -> bool:
    """Tell whether product details came as a table of their own, not on the purchase lines."""
    return len(tables.products) > 0 and KNOWN_FROM not in tables.products


def _joins(tables: Tables, sold: pd.Series, buyers: pd.Series) -> Joins:
    unlisted = unsold = without_behaviour = without_purchase = None
    if listed_apart(tables):
        listed = set(tables.products[PRODUCT])
        unlisted = int(sold[[one not in listed for one in sold.index]].sum())
        unsold = len(listed - set(sold.index))
    looked = tables.events.loc[tables.events[EVENT] != PURCHASE, CUSTOMER]
    described = set(tables.customers[CUSTOMER]) | set(looked.unique())
    if described:
        without_behaviour = len(set(buyers.index) - described)
        without_purchase = len(described - set(buyers.index))
    return Joins(unlisted, unsold, without_behaviour, without_purchase)


def _span(times: pd.Series) -> Span:
    ordered = np.sort(seconds(times))
    moments, counts = np.unique(ordered, return_counts=True)
    days = np.unique(ordered // DAY, return_counts=True)[1]
    thin = int(THIN * len(ordered))
    body = moments[(moments >= ordered[thin]) & (moments <= ordered[-1 - thin])]
    gaps = np.diff(body, append=body[-1:])
    longest = int(gaps.argmax())
    return Span(
        first=day(int(ordered[0])),
        last=day(int(ordered[-1])),
        days=round(float(ordered[-1] - ordered[0]) / DAY, 2),
        longest_gap_days=round(float(gaps[longest]) / DAY, 2),
        gap_from=day(int(body[longest])),
        moments=len(moments),
        same_moment=float(counts.max() / len(times)),
        same_day=float(days.max() / len(times)),
        whole_days=bool((moments % DAY == 0).all()),
    )


def _concentration(sold: pd.Series, buyers: pd.Series) -> Concentration:
    counts = sold.to_numpy()
    total = counts.sum()
    places = np.repeat(np.arange(len(counts)), counts)[:, None]

    def top(share: float) -> float:
        return float(counts[: int(np.ceil(share * len(counts)))].sum() / total)

    return Concentration(
        product_gini=gini(places, len(counts)),
        top_1_percent=top(0.01),
        top_10_percent=top(0.10),
        largest_customer=float(buyers.iloc[0] / total),
        customers_once=float((buyers == 1).mean()),
    )


def _repeat_share(bought: pd.DataFrame) -> float:
    """Moments of one pair count once each, so that two lines of one basket are no repeat."""
    customers, products = (pd.factorize(bought[column])[0].astype(np.int64) for column in (CUSTOMER, PRODUCT))
    moments = pd.DataFrame({"pair": customers * (products.max() + 1) + products, TIME: seconds(bought[TIME])})
    moments = moments.drop_duplicates()
    return float(moments["pair"].duplicated().mean())


def _filled(tables: Tables, bought: pd.DataFrame) -> dict[str, float]:
    found: dict[str, float] = {}
    for table, columns in ((tables.products, (CATEGORY, PRICE, RATING)), (tables.customers, (PAGE_VIEWS, TIME_SPENT))):
        if len(table):
            found.update({column: float(table[column].notna().mean()) for column in columns})
    if PRICE in found:
        found[PRICE] = float(_prices(tables, bought).notna().mean())
    return found


def _prices(tables: Tables, bought: pd.DataFrame) -> pd.Series:
    """Return the price of each product: the catalogue's, or what was paid where the catalogue gives none at all."""
    listed = tables.products[PRICE]
    return listed if listed.notna().any() else bought.groupby(PRODUCT)[PRICE].median()


def _histograms(tables: Tables, bought: pd.DataFrame, buyers: pd.Series, dated: bool) -> dict[str, Histogram]:
    products, customers = tables.products, tables.customers
    found = {
        "purchases_over_time": over_time(bought[TIME]) if dated else None,
        "purchases_of_a_customer": of_amounts(buyers.to_numpy()),
        PRICE: of_amounts(_prices(tables, bought).to_numpy()),
        RATING: of_stars(products[RATING].to_numpy()),
        PAGE_VIEWS: of_amounts(customers[PAGE_VIEWS].to_numpy()),
        TIME_SPENT: of_amounts(customers[TIME_SPENT].to_numpy()),
    }
    return {name: one for name, one in found.items() if one is not None}

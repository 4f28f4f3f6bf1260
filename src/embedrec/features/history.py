"""The shop as integer-coded arrays: who bought what and when (`History`), and what is for sale (`Catalogue`).

Here text ids become row numbers, once: *user* and *item* number the sorted text ids, so the numbering depends on
nothing but the ids. Legend: U customers, N products, E purchase lines, B a batch of customers, L its purchase lines.
Times are seconds since 1970 (UTC).
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
import pandas as pd

from embedrec.columns import (
    CART,
    CATEGORY,
    CUSTOMER,
    CUSTOMER_RATING,
    EVENT,
    IN_STOCK,
    KNOWN_FROM,
    PAGE_VIEWS,
    PRICE,
    PRODUCT,
    PURCHASE,
    QUANTITY,
    RATING,
    RATING_COUNT,
    TIME,
    TIME_SPENT,
    TITLE,
    VIEW,
)
from embedrec.tables.distinct import by_distinct
from embedrec.tables.ordering import order_of

Ints = npt.NDArray[np.int64]
Floats = npt.NDArray[np.float64]
Bools = npt.NDArray[np.bool_]

DAY = 86_400  # seconds
NEVER = np.iinfo(np.int64).min // 4  # "no earlier purchase", far before any date and safe to subtract


class Ragged(NamedTuple):
    """Rows of different lengths: row b is `values[offsets[b]:offsets[b + 1]]`."""

    offsets: Ints  # [B + 1]
    values: Ints  # [L]

    @property
    def rows(self) -> Ints:
        """[L]: which row each value belongs to."""
        return np.repeat(np.arange(len(self.offsets) - 1), np.diff(self.offsets))


@dataclass(frozen=True)
class History:
    """Purchase lines sorted by (user, time, item), and dated behaviour sorted by (user, time)."""

    customer_ids: pd.Index  # [U] text, sorted
    product_ids: pd.Index  # [N] text, sorted
    users: Ints  # [E]
    items: Ints  # [E]
    times: Ints  # [E] seconds
    spend: Floats  # [E] currency, NaN where no price is known
    prices: Floats  # [E] currency per piece, NaN where the line has none
    stars: Floats  # [E] the customer's own rating, NaN where there is none; an outcome, known only after the purchase
    activity_users: Ints  # [A] dated views and carts
    activity_items: Ints  # [A] -1 where the row names no product that is for sale
    activity_times: Ints  # [A] seconds
    activity_views: Floats  # [A] page views of the row; 0 for a cart
    activity_carts: Bools  # [A] the row is a cart
    activity_seconds: Floats  # [A] time spent, NaN unknown
    total_views: Floats  # [U] undated page views, NaN unknown
    total_time: Floats  # [U] undated time spent, NaN unknown

    @property
    def n_users(self) -> int:
        """Number of customers, U."""
        return len(self.customer_ids)

    @property
    def n_items(self) -> int:
        """Number of products, N."""
        return len(self.product_ids)

    @property
    def end(self) -> int:
        """The first second after the last purchase."""
        return int(self.times.max()) + 1

    def lines(self, users: Ints, since: int, until: int) -> Ragged:
        """Return where the purchase lines of users[B] with since <= time < until stand, oldest first."""
        return _between(self._key, self._origin, self._span, users, since, until)

    def activity(self, users: Ints, until: int) -> Ragged:
        """Return where the dated behaviour rows of users[B] before `until` stand, oldest first."""
        return _between(self._activity_key, self._origin, self._span, users, self._origin, until)

    def targets(self, users: Ints, since: int, until: int) -> Ragged:
        """Return the distinct items that users[B] buy in the window, ascending."""
        lines = self.lines(users, since, until)
        pairs = distinct(lines.rows * self.n_items + self.items[lines.values])
        counts = np.bincount(pairs // self.n_items, minlength=len(users))
        return Ragged(np.concatenate([[0], np.cumsum(counts)]), pairs % self.n_items)

    def buyers(self, since: int, until: int) -> Ints:
        """Return users with at least one purchase in the window, ascending."""
        return distinct(self.users[(self.times >= since) & (self.times < until)])

    def returning_buyers(self, since: int, until: int) -> Ints:
        """Return users with a purchase before `since` and another in [since, until), ascending."""
        users = self.buyers(since, until)
        earlier = self.lines(users, NEVER, since)
        return users[np.diff(earlier.offsets) > 0]

    def distinct_customers(self, since: int, until: int) -> Floats:
        """[N]: how many different customers bought each product in the window."""
        view = self.by_time
        low, high = np.searchsorted(view.times, [since, until])
        first = view.previous[low:high] < since  # count a customer's first line in the window only
        return np.bincount(view.items[low:high][first], minlength=self.n_items).astype(np.float64)

    def of_newcomer(self, items: Ints, spend: Floats, time: int, page_views: float, time_spent: float) -> History:
        """Return the history of one unknown customer who bought items[n] at `time`, over the same products."""
        none, count, order = np.empty(0, np.int64), len(items), np.argsort(items, kind="stable")
        return History(
            customer_ids=pd.Index([""], dtype="str"),
            product_ids=self.product_ids,
            users=np.zeros(count, np.int64),
            items=items[order],
            times=np.full(count, time),
            spend=spend[order],
            prices=np.full(count, np.nan),
            stars=np.full(count, np.nan),
            activity_users=none,
            activity_items=none,
            activity_times=none,
            activity_views=np.empty(0),
            activity_carts=np.empty(0, bool),
            activity_seconds=np.empty(0),
            total_views=np.array([page_views]),
            total_time=np.array([time_spent]),
        )

    @cached_property
    def first_activity(self) -> int:
        """Seconds from which dated behaviour describes customers; never where the shop gave undated totals."""
        if not (np.isnan(self.total_views).all() and np.isnan(self.total_time).all()):
            return int(np.iinfo(np.int64).max)
        return int(self.activity_times.min(initial=np.iinfo(np.int64).max))

    @cached_property
    def by_time(self) -> TimeOrder:
        """The lines in order of time, each with the same customer's previous purchase of the product."""
        pairs = self.users * self.n_items + self.items
        by_pair = np.argsort(pairs, kind="stable")  # the lines of a customer come in order of time
        same = np.flatnonzero(pairs[by_pair[1:]] == pairs[by_pair[:-1]])
        previous = np.full(len(pairs), NEVER)
        previous[by_pair[same + 1]] = self.times[by_pair[same]]
        order = np.argsort(self.times, kind="stable")
        return TimeOrder(self.items[order], self.times[order], previous[order])

    @cached_property
    def _origin(self) -> int:
        return int(min(self.times.min(initial=0), self.activity_times.min(initial=0)))

    @cached_property
    def _span(self) -> int:
        latest = max(self.times.max(initial=0), self.activity_times.max(initial=0))
        return int(latest) - self._origin + 2

    @cached_property
    def _key(self) -> Ints:
        return self.users * self._span + (self.times - self._origin)

    @cached_property
    def _activity_key(self) -> Ints:
        return self.activity_users * self._span + (self.activity_times - self._origin)


class TimeOrder(NamedTuple):
    """Purchase lines by time: item, time, and the time at which the same customer last bought the product."""

    items: Ints
    times: Ints
    previous: Ints  # seconds, NEVER for a first purchase


@dataclass(frozen=True)
class Catalogue:
    """What product_details says of each product, aligned with `History.product_ids`."""

    category: npt.NDArray[np.object_]  # [N] text or None
    price: Floats  # [N] currency, NaN unknown
    rating: Floats  # [N] stars, NaN unknown
    rating_count: Floats  # [N] how many customers rated it, NaN unknown
    title: npt.NDArray[np.object_]  # [N] text or None
    in_stock: Floats  # [N] 1 can be bought, 0 sold out, NaN not said; as of the export, so for no model to read
    listed: Bools  # [N] the product has a row in product_details
    known_from: Ints  # [N] seconds from which the attributes were known, NEVER where they always were


def build_history(customers: pd.DataFrame, products: pd.DataFrame, events: pd.DataFrame) -> tuple[History, Catalogue]:
    """Number the ids and lay the canonical tables out as arrays.

    The frames are those of `embedrec.tables.Tables`; the bundle keeps the same three.
    """
    purchases = (events[EVENT] == PURCHASE).to_numpy()
    bought = events if purchases.all() else events[purchases]
    activity = events[~purchases]
    customer_ids = _sorted_ids(customers[CUSTOMER], events[CUSTOMER])
    product_ids = _sorted_ids(products[PRODUCT], bought[PRODUCT])

    catalogue = _catalogue(products, product_ids)
    users = _numbers(customer_ids, bought[CUSTOMER])
    items = _numbers(product_ids, bought[PRODUCT])
    times = seconds(bought[TIME])
    prices = bought[PRICE].to_numpy(np.float64)
    known = np.where(np.isnan(prices), catalogue.price[items], prices)
    spend = known * bought[QUANTITY].to_numpy(np.float64)
    unrated = np.full(len(bought), np.nan)
    stars = bought[CUSTOMER_RATING].to_numpy(np.float64) if CUSTOMER_RATING in bought else unrated
    moments = users * (times.max(initial=0) + 1 - times.min(initial=0)) + times  # by customer, then by time
    order = order_of((moments, items, spend, prices, stars), len(bought))

    activity_users = _numbers(customer_ids, activity[CUSTOMER])
    activity_times = seconds(activity[TIME])
    activity_seconds = activity[TIME_SPENT].to_numpy(np.float64)
    activity_views = np.where(activity[EVENT] == VIEW, activity[QUANTITY].to_numpy(np.float64), 0.0)
    activity_carts = (activity[EVENT] == CART).to_numpy()
    activity_items = _numbers(product_ids, activity[PRODUCT])
    by_activity = np.lexsort(
        (activity_carts, activity_views, activity_seconds, activity_items, activity_times, activity_users)
    )

    totals = customers.set_index(CUSTOMER).reindex(customer_ids)
    history = History(
        customer_ids=customer_ids,
        product_ids=product_ids,
        users=users[order],
        items=items[order],
        times=times[order],
        spend=spend[order],
        prices=prices[order],
        stars=stars[order],
        activity_users=activity_users[by_activity],
        activity_items=activity_items[by_activity],
        activity_times=activity_times[by_activity],
        activity_views=activity_views[by_activity],
        activity_carts=activity_carts[by_activity],
        activity_seconds=activity_seconds[by_activity],
        total_views=totals[PAGE_VIEWS].to_numpy(np.float64),
        total_time=totals[TIME_SPENT].to_numpy(np.float64),
    )
    return history, catalogue


def seconds(times: pd.Series) -> Ints:
    """Convert a datetime column to seconds since 1970."""
    return times.to_numpy("datetime64[s]").astype(np.int64)


def _numbers(ids: pd.Index, wanted: pd.Series) -> Ints:
    codes, distinct = by_distinct(wanted)
    numbers: Ints = ids.get_indexer(pd.Index(distinct)).astype(np.int64)[codes]
    return numbers


def _sorted_ids(*columns: pd.Series) -> pd.Index:
    # text is sorted by its bytes in UTF-8, that is by code points: the same on every platform and locale
    ids = pd.concat([by_distinct(column.dropna())[1].astype("str") for column in columns])
    return pd.Index(ids).unique().sort_values()


def _catalogue(products: pd.DataFrame, product_ids: pd.Index) -> Catalogue:
    details = products.set_index(PRODUCT).reindex(product_ids)

    known_from = np.full(len(product_ids), NEVER)
    if KNOWN_FROM in details:
        dated = details[KNOWN_FROM].notna().to_numpy()
        known_from[dated] = seconds(details[KNOWN_FROM][dated])

    def text(column: str) -> npt.NDArray[np.object_]:
        values = details[column].astype(object)
        return values.where(values.notna(), None).to_numpy()

    return Catalogue(
        category=text(CATEGORY),
        price=details[PRICE].to_numpy(np.float64),
        rating=details[RATING].to_numpy(np.float64),
        rating_count=details[RATING_COUNT].to_numpy(np.float64),
        title=text(TITLE),
        in_stock=details[IN_STOCK].to_numpy(np.float64) if IN_STOCK in details else np.full(len(product_ids), np.nan),
        listed=(pd.Index(products[PRODUCT]).get_indexer(product_ids) >= 0) & (known_from == NEVER),
        known_from=known_from,
    )


def _between(key: Ints, origin: int, span: int, users: Ints, since: int, until: int) -> Ragged:
    # key = user * span + (time - origin) is sorted, so each customer's window is one binary search at each end
    low = np.searchsorted(key, users * span + min(max(since - origin, 0), span - 1))
    high = np.searchsorted(key, users * span + min(max(until - origin, 0), span - 1))
    lengths = np.maximum(high - low, 0)
    offsets = np.concatenate([[0], np.cumsum(lengths)]).astype(np.int64)
    index = np.arange(offsets[-1]) + np.repeat(low - offsets[:-1], lengths)
    return Ragged(offsets, index)


def distinct(values: Ints) -> Ints:
    """Return the different values, ascending; `np.unique` hashes them, which takes 15 times as long for a million."""
    ordered = np.sort(values)
    first = np.ones(len(ordered), np.bool_)
    np.not_equal(ordered[1:], ordered[:-1], out=first[1:])
    return ordered[first]

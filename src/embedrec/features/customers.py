"""What is known of customers as of one date: their behaviour, their taste, and each product they bought before.

The same function serves training, evaluation and the page. It reads purchase lines strictly before `as_of`, so no
later row can change a value. The one exception is named: undated page_views and time_spent totals are static.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from embedrec.features.history import DAY, Bools, Floats, History, Ints, Ragged, distinct
from embedrec.features.looks import looks_at
from embedrec.features.products import Products
from embedrec.features.schema import CATEGORY_HALF_LIVES, CLIP, REPEAT_HALF_LIVES

RECENT = 28  # days
YEAR = 365.25  # days
TINY = 1e-12  # purchases; of long ago


@dataclass(frozen=True)
class Customers:
    """B customers as of one date, with their L purchase lines, customer by customer.

    Of the products that a customer dealt with, P were bought and Q only looked at or put into a cart.
    """

    history: History  # in which they and their lines are numbered
    as_of: int  # seconds
    users: Ints  # [B] numbers in the History
    row: Ints  # [B] rows of the embedding table, 0 = unknown to the model
    numeric: Floats  # [B, F] standardised, NaN = missing; columns as in CUSTOMER_NUMERIC
    category: Ints  # [B] favourite category row, 0 = none
    price_bucket: Ints  # [B] usual price bucket, 0 = none
    lines: Ragged  # positions of their L purchase lines in the History
    line_items: Ints  # [L]
    line_ages: Floats  # [L] days before as_of
    bought: Ragged  # their P distinct items, ascending within a customer
    repeat: Floats  # [P, R] features of (customer, bought product), NaN = missing; columns as in REPEAT
    looks_at_bought: Floats  # [P, V] and of the looks at it, NaN = missing; columns as in LOOKS
    categories: Ragged  # their C distinct categories bought from, ascending within a customer
    habits: Floats  # [C, H] features of (customer, category); columns as in CATEGORY_HABITS
    seen: Ragged  # their Q distinct items looked at and not bought, ascending within a customer
    looks: Floats  # [Q, V] features of (customer, seen product), NaN = missing; columns as in LOOKS

    @property
    def size(self) -> int:
        """Number of customers, B."""
        return len(self.users)

    def one(self, place: int) -> Customers:
        """Take one of them out (B = 1)."""
        row = slice(place, place + 1)
        of_lines, of_bought, of_categories, of_seen = (
            slice(*part.offsets[place : place + 2]) for part in (self.lines, self.bought, self.categories, self.seen)
        )
        return Customers(
            history=self.history,
            as_of=self.as_of,
            users=self.users[row],
            row=self.row[row],
            numeric=self.numeric[row],
            category=self.category[row],
            price_bucket=self.price_bucket[row],
            lines=_alone(self.lines.values[of_lines]),
            line_items=self.line_items[of_lines],
            line_ages=self.line_ages[of_lines],
            bought=_alone(self.bought.values[of_bought]),
            repeat=self.repeat[of_bought],
            looks_at_bought=self.looks_at_bought[of_bought],
            categories=_alone(self.categories.values[of_categories]),
            habits=self.habits[of_categories],
            seen=_alone(self.seen.values[of_seen]),
            looks=self.looks[of_seen],
        )


def _alone(values: Ints) -> Ragged:
    return Ragged(np.array([0, len(values)]), values)


def raw_numeric(history: History, users: Ints, as_of: int, log_price: Floats, seasonal: bool) -> Floats:
    """Return behaviour features of users[B] as of a date: [B, F], on log scales, NaN = missing."""
    lines = history.lines(users, _start(history), as_of)
    return _numeric(history, users, as_of, lines, log_price, seasonal)


def describe_customers(
    history: History,
    users: Ints,
    as_of: int,
    products: Products,
    *,
    rows: Ints,
    log_price: Floats,
    price_edges: Floats,
    mean: Floats,
    std: Floats,
    seasonal: bool,
) -> Customers:
    """Assemble the state of users[B] as of a date; `FeatureEncoder.customers` fills in what it fitted."""
    size = len(users)
    lines = history.lines(users, _start(history), as_of)
    rows_of_lines, items = lines.rows, history.items[lines.values]
    numeric = _numeric(history, users, as_of, lines, log_price, seasonal)
    level = _mean_by_row(log_price[items], rows_of_lines, size)
    bucket = np.where(np.isnan(level), 0, 1 + np.searchsorted(price_edges, level, side="right"))
    bought, repeat = _repeat(history, lines, as_of, size, products)
    categories, habits = _habits(history, lines, as_of, products)
    looks_at_bought, seen, looks = looks_at(history, users, as_of, bought, products.candidates)
    return Customers(
        history=history,
        as_of=as_of,
        users=users,
        row=rows,
        numeric=np.clip((numeric - mean) / std, -CLIP, CLIP),
        category=_favourite(products.category[items], rows_of_lines, size),
        price_bucket=bucket.astype(np.int64),
        lines=lines,
        line_items=items,
        line_ages=(as_of - history.times[lines.values]) / DAY,
        bought=bought,
        repeat=repeat,
        looks_at_bought=looks_at_bought,
        categories=categories,
        habits=habits,
        seen=seen,
        looks=looks,
    )


def _numeric(history: History, users: Ints, as_of: int, lines: Ragged, log_price: Floats, seasonal: bool) -> Floats:
    size, rows = len(users), lines.rows
    items, times = history.items[lines.values], history.times[lines.values]
    count = np.diff(lines.offsets).astype(np.float64)
    some = count > 0
    spans = np.full((2, size), np.nan)  # days since the last and since the first purchase; lines are oldest first
    spans[0, some] = (as_of - times[lines.offsets[1:][some] - 1]) / DAY
    spans[1, some] = (as_of - times[lines.offsets[:-1][some]]) / DAY
    recency, tenure = spans
    days = np.bincount(rows[_changes(rows, times // DAY)], minlength=size)
    gap = np.divide(tenure - recency, days - 1, out=np.full(size, np.nan), where=days > 1)
    products = np.bincount(distinct(rows * history.n_items + items) // history.n_items, minlength=size)
    recent = np.bincount(rows[times >= as_of - RECENT * DAY], minlength=size)
    views, time_spent = _behaviour(history, users, as_of)
    phase = 2 * np.pi * (as_of / DAY / YEAR % 1)
    season = np.array([np.sin(phase), np.cos(phase)]) if seasonal else np.zeros(2)
    columns = [
        np.log1p(views),
        np.log1p(time_spent),
        np.log1p(count),
        np.log1p(products),
        np.log1p(days),
        np.log1p(recent),
        np.log1p(recency),
        np.log1p(tenure),
        np.log1p(gap),
        np.log1p(_sum_by_row(history.spend[lines.values], rows, size)),
        _mean_by_row(log_price[items], rows, size),
        np.full(size, season[0]),
        np.full(size, season[1]),
    ]
    return np.stack(columns, axis=1)


def _behaviour(history: History, users: Ints, as_of: int) -> tuple[Floats, Floats]:
    """Page views and time spent: the undated totals where the shop gave any, else dated rows before `as_of`."""
    if as_of <= history.first_activity:
        return history.total_views[users], history.total_time[users]
    lines = history.activity(users, as_of)
    spent = _sum_by_row(history.activity_seconds[lines.values], lines.rows, len(users))
    views = np.bincount(lines.rows, history.activity_views[lines.values], minlength=len(users))
    return views.astype(np.float64), spent


def _repeat(history: History, lines: Ragged, as_of: int, size: int, products: Products) -> tuple[Ragged, Floats]:
    """Personal counts of each bought product: how often, how recently, against its usual cycle, and for how much."""
    items, rows = history.items[lines.values], lines.rows
    pair, position = np.unique(rows * history.n_items + items, return_inverse=True)
    bought = pair % history.n_items
    offsets = np.searchsorted(pair, np.arange(size + 1) * history.n_items)
    ages = (as_of - history.times[lines.values]) / DAY
    since = np.full(len(pair), np.inf)
    np.minimum.at(since, position, ages)
    visits, share, missed = _visits(history, lines, position, len(pair))
    owner = pair // history.n_items
    spend = np.log1p(_mean_by_row(history.spend[lines.values], position, len(pair)))
    decayed = [np.bincount(position, 0.5 ** (ages / half_life), minlength=len(pair)) for half_life in REPEAT_HALF_LIVES]
    columns = [
        np.log1p(np.bincount(position, minlength=len(pair))),
        *(np.log1p(value) for value in decayed),
        np.log1p(since),
        np.log1p(since / products.gap[bought]),  # 0.7 = one usual gap ago
        products.repeat_share[bought],
        np.log1p(visits),
        share,
        np.log1p(missed),
        spend - _mean_by_row(spend, owner, size)[owner],
    ]
    return Ragged(offsets.astype(np.int64), bought), np.stack(columns, axis=1)


def _habits(history: History, lines: Ragged, as_of: int, products: Products) -> tuple[Ragged, Floats]:
    """How much, how lately and with what share of their purchases customers buy from each category they know."""
    size = len(lines.offsets) - 1
    category = products.category[history.items[lines.values]]
    told = category > 0
    rows, ages = lines.rows[told], (as_of - history.times[lines.values[told]]) / DAY
    width = int(products.category.max(initial=0)) + 1
    pair, position = np.unique(rows * width + category[told], return_inverse=True)
    owner = pair // width
    offsets = np.searchsorted(owner, np.arange(size + 1))
    weights = [np.ones(len(rows)), *(0.5 ** (ages / half_life) for half_life in CATEGORY_HALF_LIVES)]
    totals = [np.bincount(position, weight, minlength=len(pair)) for weight in weights]
    shares = [total / np.maximum(np.bincount(owner, total, minlength=size), TINY)[owner] for total in totals]
    since = np.full(len(pair), np.inf)
    np.minimum.at(since, position, ages)
    columns = [
        np.log1p(totals[0]),
        shares[0],
        *(np.log1p(total) for total in totals[1:]),
        *shares[1:],
        np.log1p(since),
    ]
    return Ragged(offsets.astype(np.int64), pair % width), np.stack(columns, axis=1)


def _visits(history: History, lines: Ragged, position: Ints, n_pairs: int) -> tuple[Ints, Floats, Ints]:
    """On how many purchase days each bought product was bought, on what share of all, and how many came since.

    position[L] tells to which of the pairs each line belongs.
    """
    day = np.cumsum(_changes(lines.rows, history.times[lines.values] // DAY))  # days of all customers, numbered on
    owner = np.empty(n_pairs, np.int64)
    owner[position] = lines.rows
    last = day[lines.offsets[1:][owner] - 1]  # lines are oldest first
    all_days = last - day[lines.offsets[:-1][owner]] + 1
    latest = np.zeros(n_pairs, np.int64)
    np.maximum.at(latest, position, day)
    visits = np.bincount(distinct(position * (len(day) + 1) + day) // (len(day) + 1), minlength=n_pairs)
    return visits, visits / all_days, last - latest


def _favourite(categories: Ints, rows: Ints, size: int) -> Ints:
    """The category bought most often; of equals the first in the vocabulary; 0 where none is known."""
    known = categories > 0
    width = int(categories.max(initial=0)) + 1
    pair, counts = np.unique(rows[known] * width + categories[known], return_counts=True)
    order = np.lexsort((-pair, counts))  # the last write wins: highest count, then lowest category
    favourite = np.zeros(size, np.int64)
    favourite[pair[order] // width] = pair[order] % width
    return favourite


def _changes(rows: Ints, values: Ints) -> Bools:
    """Mark the first line of each run of equal (row, value); lines are sorted by both."""
    first = np.ones(len(rows), bool)
    first[1:] = (rows[1:] != rows[:-1]) | (values[1:] != values[:-1])
    return first


def _sum_by_row(values: Floats, rows: Ints, size: int) -> Floats:
    """Sum the known values of each row; NaN where none is known."""
    known = ~np.isnan(values)
    total = np.bincount(rows[known], values[known], minlength=size)
    summed: Floats = np.where(np.bincount(rows[known], minlength=size) > 0, total, np.nan)
    return summed


def _mean_by_row(values: Floats, rows: Ints, size: int) -> Floats:
    known = ~np.isnan(values)
    count = np.bincount(rows[known], minlength=size)
    total = np.bincount(rows[known], values[known], minlength=size)
    mean: Floats = np.divide(total, count, out=np.full(size, np.nan), where=count > 0)
    return mean


def _start(history: History) -> int:
    return int(history.times.min(initial=0))

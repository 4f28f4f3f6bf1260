"""The purchase history, or any file of dated event rows: which rows count, and what else stands on them."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd

from embedrec.columns import (
    CART,
    CUSTOMER,
    CUSTOMER_RATING,
    EVENT,
    ORDER,
    PAGE_VIEWS,
    PART,
    PRICE,
    PRODUCT,
    PURCHASE,
    PURCHASES,
    QUANTITY,
    RATING,
    RETURN,
    TIME,
    TIME_SPENT,
    VIEW,
)
from embedrec.errors import quoted
from embedrec.tables.busiest import cap_busiest
from embedrec.tables.config import IGNORE, ColumnsConfig
from embedrec.tables.distinct import repeated
from embedrec.tables.doubts import cancelled_lines, several_currencies
from embedrec.tables.event_names import kinds_of_rows
from embedrec.tables.headers import COLUMNS, find_columns, listing, order_number
from embedrec.tables.ledger import Ledger
from embedrec.tables.numbers import parse_numbers
from embedrec.tables.raw import RawTable
from embedrec.tables.returns import net_returns
from embedrec.tables.values import (
    PRODUCT_ATTRIBUTES,
    date_column,
    empty_rows,
    id_column,
    number_column,
    order_column,
    part_column,
    price_column,
    product_attributes,
    quantity_column,
    rating_column,
)

CUSTOMERS_RATING = 0.2
"""Ratings on purchase lines are the customers' own where they differ in this share of the products rated by several."""


@dataclass(frozen=True)
class EventRows:
    """What a file of dated rows holds.

    events      the rows used, unsorted, as in `Tables.events`
    attributes  product_id, purchase_date and the product columns on the lines, or None where there are none
    behaviour   customer_id, purchase_date, page_views, time_spent on the lines, or None: in a file of
                purchases alone these are totals of the customer; beside view rows they belong to the row
    warnings    sentences for the report and the page
    """

    events: pd.DataFrame
    ledger: Ledger
    attributes: pd.DataFrame | None = None
    behaviour: pd.DataFrame | None = None
    warnings: tuple[str, ...] = ()


def read_event_rows(
    table: str, raw: RawTable, config: ColumnsConfig, *, most: int, default_kind: str = PURCHASE
) -> EventRows:
    """Read dated rows; a row is `default_kind` unless an event column says otherwise.

    Of each customer the last `most` rows are used.

    Raises DataError if a required column is missing.
    """
    is_history = table == PURCHASES
    dated = config.purchase_date != IGNORE
    needed = (CUSTOMER, PRODUCT, TIME) if is_history else (CUSTOMER, TIME)
    required = needed if dated else needed[:-1]
    wanted = [column for column in COLUMNS if column != (ORDER if dated else TIME)]
    columns = find_columns(table, raw.file, raw.headers, wanted, required, config)
    ledger = Ledger(table, raw)
    ledger.set_aside(empty_rows(ledger), "without a single value")
    kinds = kinds_of_rows(ledger, columns.get(EVENT), config, default_kind)
    bought, returned = kinds == PURCHASE, kinds == RETURN
    if not is_history:
        ledger.set_aside(bought, f"of event purchase (purchases are read from {PURCHASES})")
        ledger.set_aside(returned, f"of event return (returns are read from {PURCHASES})")
    quantity = quantity_column(ledger, columns.get(QUANTITY), bought | returned)
    returned |= bought & (quantity < 0).to_numpy()
    bought &= ~returned
    quantity = quantity.mask(returned, quantity.abs()).fillna(1.0)
    customers = id_column(ledger, columns[CUSTOMER])
    ledger.set_aside(customers.isna().to_numpy(), "without a customer")
    products = id_column(ledger, columns[PRODUCT]) if PRODUCT in columns else customers.mask(customers.notna())
    if PRODUCT in columns:
        ledger.quarantine(bought & products.isna().to_numpy(), columns[PRODUCT], "is missing")
        for one in config.not_products:
            ledger.set_aside((products == one).to_numpy(), f"of {quoted(one)}, which is no product,")
    times = date_column(ledger, columns[TIME]) if dated else _without_dates(ledger)
    order = {ORDER: order_column(ledger, columns[ORDER])} if ORDER in columns else {}
    if is_history:
        # before returns are netted, lest one take back a line and leave its copy
        _drop_repeated_lines(ledger, bought | returned)
        moments = order.get(ORDER, times).to_numpy()
        quantity = net_returns(ledger, customers, products, moments, quantity, bought, returned)
    part = {PART: part_column(ledger, columns[PART])} if PART in columns else {}
    warnings = _find_customers_rating(ledger, columns, config, customers, products, bought) if is_history else ()
    stars = rating_column(ledger, columns.get(CUSTOMER_RATING), CUSTOMER_RATING).where(ledger.used & bought)
    rated = {CUSTOMER_RATING: stars} if stars.notna().any() else {}
    by_row = not is_history or bool(((kinds == VIEW) | (kinds == CART)).any())
    views = number_column(ledger, columns.get(PAGE_VIEWS), at_least=0)
    spent = number_column(ledger, columns.get(TIME_SPENT), at_least=0)
    on_lines = is_history and any(column in columns for column in PRODUCT_ATTRIBUTES)
    attributes = product_attributes(ledger, columns) if on_lines else None
    price = attributes[PRICE] if attributes is not None else price_column(ledger, columns.get(PRICE))
    warnings += several_currencies(raw, columns.get(PRICE))
    warnings += cancelled_lines(ledger, columns, bought)
    warnings += cap_busiest(ledger, customers, order.get(ORDER, times), most)
    if by_row:
        quantity = quantity.where(kinds != VIEW, views.fillna(1.0))
    _note_unused(ledger, columns)
    used = ledger.used
    events = pd.DataFrame(
        {
            TIME: times,
            CUSTOMER: customers,
            PRODUCT: products,
            EVENT: pd.Series(kinds),
            QUANTITY: quantity,
            PRICE: price,
            TIME_SPENT: spent if by_row else number_column(ledger, None),
            **rated,
            **part,
            **order,
        },
        copy=False,
    )
    events = events if used.all() else events[used].reset_index(drop=True)
    totals = is_history and not by_row and (PAGE_VIEWS in columns or TIME_SPENT in columns)
    if attributes is not None:
        attributes = pd.DataFrame({TIME: times, PRODUCT: products}).join(attributes)[used & products.notna()]
    behaviour = None
    if totals:
        behaviour = pd.DataFrame({TIME: times, CUSTOMER: customers, PAGE_VIEWS: views, TIME_SPENT: spent})[used]
    return EventRows(events, ledger, attributes, behaviour, warnings)


def _without_dates(ledger: Ledger) -> pd.Series:
    return pd.Series(np.full(len(ledger.raw.cells), "NaT", dtype="datetime64[s]"))


def _find_customers_rating(
    ledger: Ledger,
    columns: dict[str, str],
    config: ColumnsConfig,
    customers: pd.Series,
    products: pd.Series,
    bought: np.ndarray,
) -> tuple[str, ...]:
    """Move a rating on purchase lines in `columns` from product to customer where it is the customer's own.

    It is where the setting says so, or where customers disagree on the same product too often for an attribute.
    """
    if columns.get(RATING) == columns.get(CUSTOMER_RATING):
        columns.pop(RATING, None)
    if RATING not in columns or CUSTOMER_RATING in columns or config.customer_rating == IGNORE:
        return ()
    header = columns[RATING]
    stars, _ = parse_numbers(ledger.raw.cells[header], ledger.where(header), scale="/5", thousands=False)
    lines = pd.DataFrame({PRODUCT: products, CUSTOMER: customers, RATING: stars})[ledger.used & bought]
    each = lines[lines[RATING] > 0].groupby(PRODUCT).nunique()
    several = each[each[CUSTOMER] > 1]
    differ = int((several[RATING] > 1).sum())
    if differ <= CUSTOMERS_RATING * len(several):
        return ()
    columns[CUSTOMER_RATING] = columns.pop(RATING)
    return (
        f"{header} differs between customers for {differ:,} of {len(several):,} products: read as each customer's own "
        f"rating, not as an attribute of products (data.columns.{CUSTOMER_RATING}=- if it is one)",
    )


def _drop_repeated_lines(ledger: Ledger, traded: np.ndarray) -> None:
    """Drop purchases and returns equal to an earlier one in every column of the file.

    Where the file numbers its orders, a line that repeats within one order is a second piece, not a copy.
    """
    rows = np.flatnonzero(ledger.used & traded)
    again = np.zeros(len(traded), dtype=bool)
    again[rows] = repeated(ledger.raw.cells.iloc[rows])
    order = order_number(ledger.raw.headers)
    if order is None:
        ledger.drop_duplicates(again, "equal to an earlier one in every column: counted once")
    elif count := int(again.sum()):
        ledger.note(f"{count:,} lines repeat within their {order}: kept as further pieces of the order")


def _note_unused(ledger: Ledger, columns: dict[str, str]) -> None:
    unused = [header for header in ledger.raw.headers if header not in columns.values()]
    if unused:
        ledger.note(f"columns not used: {listing(unused)}")

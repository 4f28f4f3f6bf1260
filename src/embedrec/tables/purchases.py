"""The purchase history, or any file of dated event rows: which rows count, and what else stands on them."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd

from embedrec.columns import (
    CART,
    CUSTOMER,
    EVENT,
    EVENT_KINDS,
    KNOWN_FROM,
    PAGE_VIEWS,
    PRICE,
    PRODUCT,
    PURCHASE,
    PURCHASES,
    QUANTITY,
    TIME,
    TIME_SPENT,
    VIEW,
)
from embedrec.errors import DataError, quoted
from embedrec.tables.config import IGNORE, ColumnsConfig
from embedrec.tables.distinct import by_distinct
from embedrec.tables.headers import COLUMNS, find_columns, key, listing, order_number
from embedrec.tables.ledger import Ledger
from embedrec.tables.model import EVENT_COLUMNS
from embedrec.tables.raw import RawTable
from embedrec.tables.values import (
    PRODUCT_ATTRIBUTES,
    as_text,
    date_column,
    empty_rows,
    id_column,
    number_column,
    price_column,
    product_attributes,
)

RETURNS = ("return", "returned", "returns", "refund", "cancel")  # event names that begin so are set aside


@dataclass(frozen=True)
class EventRows:
    """What a file of dated rows holds.

    events      the rows used, unsorted, as in `Tables.events`
    attributes  product_id, purchase_date and the product columns on the lines, or None where there are none
    behaviour   customer_id, purchase_date, page_views, time_spent on the lines, or None: in a file of
                purchases alone these are totals of the customer; beside view rows they belong to the row
    """

    events: pd.DataFrame
    ledger: Ledger
    attributes: pd.DataFrame | None = None
    behaviour: pd.DataFrame | None = None


def read_event_rows(table: str, raw: RawTable, config: ColumnsConfig, *, default_kind: str = PURCHASE) -> EventRows:
    """Read dated rows; a row is `default_kind` unless an event column says otherwise.

    Raises DataError if a required column is missing or an event name is unknown.
    """
    is_history = table == PURCHASES
    required = (CUSTOMER, PRODUCT, TIME) if is_history else (CUSTOMER, TIME)
    columns = find_columns(table, raw.file, raw.headers, COLUMNS, required, config)
    ledger = Ledger(table, raw)
    ledger.set_aside(empty_rows(ledger), "without a single value")
    kinds = _kinds(ledger, columns.get(EVENT), config, default_kind)
    bought = kinds == PURCHASE
    if not is_history:
        ledger.set_aside(bought, f"of event purchase (purchases are read from {PURCHASES})")
    quantity = number_column(ledger, columns.get(QUANTITY))
    ledger.set_aside(bought & (quantity < 0).to_numpy(), "with a negative quantity (returns)")
    ledger.set_aside(bought & (quantity == 0).to_numpy(), "with quantity 0")
    customers = id_column(ledger, columns[CUSTOMER])
    ledger.set_aside(customers.isna().to_numpy(), "without a customer")
    products = id_column(ledger, columns[PRODUCT]) if PRODUCT in columns else customers.mask(customers.notna())
    if PRODUCT in columns:
        ledger.quarantine(bought & products.isna().to_numpy(), columns[PRODUCT], "is missing")
    times = date_column(ledger, columns[TIME])
    by_row = not is_history or bool(((kinds == VIEW) | (kinds == CART)).any())
    views = number_column(ledger, columns.get(PAGE_VIEWS), at_least=0)
    spent = number_column(ledger, columns.get(TIME_SPENT), at_least=0)
    on_lines = is_history and any(column in columns for column in PRODUCT_ATTRIBUTES)
    attributes = product_attributes(ledger, columns) if on_lines else None
    price = attributes[PRICE] if attributes is not None else price_column(ledger, columns.get(PRICE))
    if is_history:
        _drop_repeated_lines(ledger, bought)
    if by_row:
        quantity = quantity.where(kinds != VIEW, views)
    _note_unused(ledger, columns)
    used = ledger.used
    events = pd.DataFrame(
        {
            TIME: times,
            CUSTOMER: customers,
            PRODUCT: products,
            EVENT: pd.Series(kinds, dtype="str"),
            QUANTITY: quantity.fillna(1.0),
            PRICE: price,
            TIME_SPENT: spent if by_row else number_column(ledger, None),
        },
        columns=list(EVENT_COLUMNS),
    )[used].reset_index(drop=True)
    totals = is_history and not by_row and (PAGE_VIEWS in columns or TIME_SPENT in columns)
    line = pd.DataFrame({TIME: times, PRODUCT: products, CUSTOMER: customers, PAGE_VIEWS: views, TIME_SPENT: spent})
    return EventRows(
        events,
        ledger,
        attributes=None if attributes is None else line[[TIME, PRODUCT]].join(attributes)[used & products.notna()],
        behaviour=line[[TIME, CUSTOMER, PAGE_VIEWS, TIME_SPENT]][used] if totals else None,
    )


def last_known(rows: pd.DataFrame, by: str) -> pd.DataFrame:
    """Return the last known value by date of each column: one row for each value of `by`, sorted."""
    values = rows.sort_values(TIME, kind="stable").drop(columns=TIME).groupby(by, sort=True).last()
    return values.reset_index()


def first_known(attributes: pd.DataFrame) -> pd.DataFrame:
    """Return the first known value by date of each product's attributes, and the date since which all are known.

    The price on a line is what that line cost, not the catalogue's: it stays with the purchases.
    """
    rows = attributes.sort_values(TIME, kind="stable").drop(columns=PRICE)
    values = rows.drop(columns=TIME).groupby(PRODUCT, sort=True).first()
    dates = [
        rows[rows[column].notna()].groupby(PRODUCT)[TIME].first()
        for column in values.columns
        if values[column].notna().any()
    ]
    since = pd.concat(dates, axis=1).max(axis=1) if dates else rows.groupby(PRODUCT)[TIME].first()
    first_sold = rows.groupby(PRODUCT)[TIME].first()
    values[KNOWN_FROM] = since.reindex(values.index).fillna(first_sold).astype("datetime64[s]")
    values[PRICE] = np.nan
    return values.reset_index()


def _kinds(ledger: Ledger, header: str | None, config: ColumnsConfig, default_kind: str) -> np.ndarray:
    """Return purchase, view, cart or '-' for each row, and set the last aside, counted by name."""
    if header is None:
        return np.full(len(ledger.raw.cells), default_kind, dtype=object)
    codes, names = by_distinct(as_text(ledger.raw.cells[header]))
    known = {key(kind): kind for kind in EVENT_KINDS}
    known |= {key(name): kind for name, kind in config.event_map.items()}
    meaning: list[str] = []
    unknown: list[str] = []
    for name in names:
        left_out = key(name).startswith(RETURNS) or not name.strip()
        kind = known.get(key(name), IGNORE if left_out else "")
        meaning.append(kind)
        if not kind:
            unknown.append(name)
    if unknown:
        raise DataError(
            f"{ledger.where(header)}: unknown event {listing(unknown)}; known are {', '.join(EVENT_KINDS)}: "
            "say what it means with +data.columns.event_map.NAME=purchase (or view, cart, -)"
        )
    for code, (name, kind) in enumerate(zip(names, meaning, strict=True)):
        if kind == IGNORE:
            rule = f"with event {quoted(name.strip())}" if name.strip() else "without an event"
            ledger.set_aside(codes == code, rule)
    return np.asarray(meaning, dtype=object)[codes] if len(codes) else np.empty(0, dtype=object)


def _drop_repeated_lines(ledger: Ledger, bought: np.ndarray) -> None:
    """Drop purchase rows equal to an earlier one in every column of the file.

    Where the file numbers its orders, a line that repeats within one order is a second piece, not a copy.
    """
    rows = np.flatnonzero(ledger.used & bought)
    repeated = np.zeros(len(bought), dtype=bool)
    repeated[rows] = ledger.raw.cells.iloc[rows].duplicated().to_numpy()
    order = order_number(ledger.raw.headers)
    if order is None:
        ledger.drop_duplicates(repeated, "equal to an earlier one in every column: counted once")
    elif count := int(repeated.sum()):
        ledger.note(f"{count:,} lines repeat within their {order}: kept as further pieces of the order")


def _note_unused(ledger: Ledger, columns: dict[str, str]) -> None:
    unused = [header for header in ledger.raw.headers if header not in columns.values()]
    if unused:
        ledger.note(f"columns not used: {listing(unused)}")

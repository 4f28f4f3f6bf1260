"""Finds a column under the header a shop gave it: as configured, by its own name, or by a stated synonym."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence

from embedrec.columns import (
    CATEGORY,
    CUSTOMER,
    CUSTOMER_RATING,
    DETAILS,
    EVENT,
    IN_STOCK,
    INTERACTIONS,
    ORDER,
    PAGE_VIEWS,
    PART,
    PRICE,
    PRODUCT,
    PURCHASES,
    QUANTITY,
    RATING,
    RATING_COUNT,
    TIME,
    TIME_SPENT,
    TITLE,
)
from embedrec.errors import DataError, nearest, quoted
from embedrec.tables.config import IGNORE, ColumnsConfig

COLUMNS = (
    CUSTOMER, PRODUCT, TIME, EVENT, QUANTITY, PRICE, PAGE_VIEWS, TIME_SPENT, CATEGORY, RATING, RATING_COUNT, TITLE,
    IN_STOCK, CUSTOMER_RATING, PART, ORDER,
)  # fmt: skip
ONLY_NAMED = (PART, ORDER)  # never found by name: `order` is often the number of an order

# Compared by `key`, so case, spaces and underscores do not matter. Two matches in one table are an error.
SYNONYMS: Mapping[str, tuple[str, ...]] = {
    CUSTOMER: (
        "customer", "cust id", "customer no", "customer number", "user id", "user", "uid", "client id", "visitor id",
        "customer user id", "kundennummer", "kundennr", "kunden id",
    ),
    PRODUCT: (
        "prod id", "product no", "item id", "item", "pid", "article id", "article no", "article number",
        "artikelnummer", "artikelnr", "artikel id",
    ),
    TIME: (
        "date", "timestamp", "datetime", "purchase time", "purchase timestamp", "purchased at", "order date",
        "invoice date", "transaction date", "transaction time", "event time", "event date", "date of purchase",
        "t dat", "datum", "bestelldatum", "kaufdatum", "rechnungsdatum", "belegdatum",
    ),
    EVENT: ("event type", "event name", "action", "interaction type"),
    QUANTITY: (
        "qty", "units", "number of items", "quantity purchased", "order quantity", "lineitem quantity", "menge",
        "anzahl",
    ),
    PRICE: ("unit price", "product price", "item price", "lineitem price", "preis", "einzelpreis", "stückpreis"),
    PAGE_VIEWS: ("views", "page view", "page view count", "pages viewed", "number of page views"),
    TIME_SPENT: (
        "time spent on website", "time spent on site", "time on site", "time on website",
        "time spent seconds", "time spent minutes", "time spent sec", "time spent min", "session duration",
        "session time", "dwell time",
    ),
    CATEGORY: ("product category", "item category", "category name", "kategorie", "warengruppe"),
    RATING_COUNT: ("rating counts", "ratings count", "number of ratings", "review count", "number of reviews"),
    CUSTOMER_RATING: (),
    RATING: ("ratings", "user rating", "user ratings", "product rating", "product ratings"),
    TITLE: (
        "product title", "product name", "item name", "prod name", "lineitem name", "bezeichnung",
        "artikelbezeichnung", "produktname",
    ),
    IN_STOCK: ("is in stock", "stock status", "auf lager"),
}  # fmt: skip

# A shop's code of a product, used where no id stands beside it.
CODES: Mapping[str, tuple[str, ...]] = {
    PRODUCT: ("product code", "item code", "stock code", "sku", "lineitem sku"),
}
# Only where nothing above is found: a shop may have a cost beside its price, and a mean beside its own rating.
SECOND_CHOICES: Mapping[str, tuple[str, ...]] = {
    CUSTOMER: ("email", "customer email", "billing email"),
    TIME: ("created at", "order time", "order timestamp", "transaction timestamp", "event timestamp", "ts"),
    PRICE: ("cost", "item cost", "list price", "sale price", "selling price", "retail price"),
    CATEGORY: ("category id", "product type", "product type name", "department"),
    RATING: ("rating avg", "avg rating", "average rating", "mean rating", "stars", "star rating"),
    IN_STOCK: (
        "stock", "availability", "available", "is available", "stock level", "stock quantity", "stock qty",
        "quantity in stock", "units in stock", "inventory", "inventory quantity", "variant inventory qty", "bestand",
        "lagerbestand", "verfügbarkeit", "verfügbar", "lieferbar",
    ),
    TITLE: ("description", "product description", "item description"),
}  # fmt: skip
# Likewise, of names that mean this in one table alone.
OWN_NAMES: Mapping[tuple[str, str], tuple[str, ...]] = {
    (PURCHASES, PRODUCT): ("product",),
    (PURCHASES, TIME): ("time",),
    (DETAILS, PRODUCT): ("id",),
}
# A `name` or `product` is a title only in the product table.
TITLES_OF_DETAILS = ("name", "product")

# Names of a table's file, compared likewise; its own name comes first. Two matches in one folder are an error.
FILE_SYNONYMS: Mapping[str, tuple[str, ...]] = {
    PURCHASES: (
        "purchases", "user purchase history", "customer purchase history", "purchase data", "orders", "order history",
        "transactions", "transaction history", "sales", "transactions train", "bestellungen",
    ),
    DETAILS: (
        "products", "product info", "product data", "product catalog", "product catalogue", "items", "articles",
        "artikel",
    ),
    INTERACTIONS: (
        "interactions", "user interactions", "customer behavior", "customer behaviour", "user behavior",
        "user behaviour", "customer activity", "user activity",
    ),
}  # fmt: skip

ORDER_NUMBERS = (
    "order id", "order number", "order no", "invoice", "invoice no", "invoice id", "invoice number",
    "transaction id", "basket id", "receipt id", "receipt number", "belegnr", "belegnummer",
    "bestellnr", "bestellnummer", "rechnungsnr", "rechnungsnummer",
)  # fmt: skip


_UNDATED = f"; for data without dates set data.columns.{TIME}=- and split.protocol=random"


def key(header: str) -> str:
    """Reduce a header to its letters and digits: 'Customer ID', 'customerId' and 'customer_id' are one."""
    return "".join(letter for letter in header.casefold() if letter.isalnum())


def find_columns(
    table: str,
    file: str,
    headers: Sequence[str],
    wanted: Sequence[str],
    required: Collection[str],
    config: ColumnsConfig,
) -> dict[str, str]:
    """Map canonical name → header in this file, for each wanted column that is there.

    Raises DataError where a required column is missing or two headers match one column.
    """
    claimed = {config.header(column) for column in COLUMNS} - {None, IGNORE}
    found: dict[str, str] = {}
    for column in wanted:
        setting = config.header(column)
        if setting == IGNORE:
            if column in required:
                raise DataError(
                    f"data.columns.{column} is '-', but {table} cannot do without {column}: name its header"
                )
            continue
        if setting is not None and (named := _named(setting, headers)):
            found[column] = named
            continue
        if column in ONLY_NAMED:
            continue
        matches = _matches(column, table, [header for header in headers if header not in claimed])
        if len(matches) > 1:
            raise DataError(
                f"{file}: {' and '.join(map(quoted, matches))} could both be {column}: "
                f"set data.columns.{column} to one of them"
            )
        if matches:
            found[column] = matches[0]
        elif column in required:
            raise DataError(
                f"{file}: no column {column}; columns found: {listing(headers)}{nearest(column, headers)} "
                f"(name the right one with data.columns.{column}=HEADER{_UNDATED if column == TIME else ''})"
            )
    return found


def check_configured(config: ColumnsConfig, headers_of: Mapping[str, Sequence[str]]) -> None:
    """Raise DataError if a configured header is in none of the files (file → its headers)."""
    every = [header for headers in headers_of.values() for header in headers]
    for column in COLUMNS:
        setting = config.header(column)
        if setting not in (None, IGNORE) and not _named(str(setting), every):
            raise DataError(
                f"data.columns.{column} names {quoted(setting)}, which is in none of {', '.join(headers_of)}"
                f"{nearest(str(setting), every)}; columns found: {listing(every)}"
            )


def order_number(headers: Iterable[str]) -> str | None:
    """Return the header of the order, invoice or receipt number, if the file has one."""
    known = {key(name) for name in ORDER_NUMBERS}
    return next((header for header in headers if key(header) in known), None)


def listing(headers: Iterable[str], limit: int = 12) -> str:
    """Show headers on one line."""
    unique = list(dict.fromkeys(headers))
    more = f" and {len(unique) - limit} more" if len(unique) > limit else ""
    return (", ".join(map(quoted, unique[:limit])) or "none") + more


def _named(setting: str, headers: Sequence[str]) -> str | None:
    return setting if setting in headers else None


def _matches(column: str, table: str, headers: Sequence[str]) -> list[str]:
    names = {key(name) for name in (column, *SYNONYMS[column])}
    if column == TITLE and table == DETAILS:
        names |= {key(name) for name in TITLES_OF_DETAILS}
    codes = {key(name) for name in CODES.get(column, ())}
    second = {key(name) for name in (*SECOND_CHOICES.get(column, ()), *OWN_NAMES.get((table, column), ()))}
    matches = ([header for header in headers if key(header) in known] for known in (names, codes, second))
    return next(filter(None, matches), [])

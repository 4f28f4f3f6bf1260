"""`read_tables`: from the files of a shop to `Tables`."""

from __future__ import annotations

import itertools
from typing import Literal

import numpy as np
import pandas as pd

from embedrec.columns import (
    CATEGORY,
    CUSTOMER,
    DETAILS,
    EVENT,
    IN_STOCK,
    INTERACTIONS,
    KNOWN_FROM,
    ORDER,
    PAGE_VIEWS,
    PRICE,
    PRODUCT,
    PURCHASE,
    PURCHASES,
    RATING,
    TIME,
    TIME_SPENT,
    VIEW,
)
from embedrec.errors import DataError, printable, quoted
from embedrec.tables.config import IGNORE, ColumnsConfig, DataConfig
from embedrec.tables.details import read_customers, read_products
from embedrec.tables.distinct import by_distinct, in_text_order, stacked
from embedrec.tables.doubts import several_currencies
from embedrec.tables.fingerprint import fingerprint
from embedrec.tables.guarded import refuse_too_large_together
from embedrec.tables.headers import check_configured, find_columns, listing
from embedrec.tables.known import first_known, last_known
from embedrec.tables.ledger import Ledger
from embedrec.tables.locating import locate
from embedrec.tables.model import CUSTOMER_COLUMNS, PRODUCT_COLUMNS, Tables
from embedrec.tables.opening import read_raw
from embedrec.tables.ordering import in_order
from embedrec.tables.progress import Tell, silent
from embedrec.tables.purchases import EventRows, read_event_rows
from embedrec.tables.raw import RawTable
from embedrec.tables.unused import unused_numbers

UNDATED = (
    f"{PAGE_VIEWS} and {TIME_SPENT} carry no date: used as static attributes; "
    "if they were counted after the test window began they leak the future"
)
OWN_CATEGORIES = 0.8
"""Categories for each product with one, above which they look like ids. Drawn evenly, as many categories as products
would show at 1 − 1/e = 63 % of them; 80 % takes more than twice as many categories as products."""
FEWEST_CATEGORISED = 50  # products: in a smaller table each may well be the only one of its kind
RATING_OF_PRODUCT = f"{RATING} is one value per product: predicting it is a table look-up"


def read_tables(config: DataConfig, tell: Tell = silent) -> Tables:
    """Read, type and check the tables of one shop; every row is accounted for. `tell` hears how far it is.

    Raises DataError with one line if a file or required column is missing, more than 5 % of a table's rows
    cannot be understood, most purchases are of products unknown to the details, or no purchase is left.
    """
    paths = locate(config)
    refuse_too_large_together(paths.values())
    raws = {table: read_raw(path, tell) for table, path in paths.items()}
    _refuse_copies(raws)
    check_configured(config.columns, {raw.file: raw.headers for raw in raws.values()})
    if not len(raws[PURCHASES].cells) and not raws[PURCHASES].rejected:
        raise DataError(f"{_without(raws[PURCHASES])}: it needs a header line and at least one purchase")
    warnings = _without_rows(raws)
    tell("checking the tables", 0.0)
    history = read_event_rows(PURCHASES, raws[PURCHASES], config.columns, most=config.max_events_per_customer)
    warnings += history.warnings
    behaviour = _dated_behaviour(raws.get(INTERACTIONS), config)
    warnings += behaviour.warnings if behaviour else ()
    customers, customers_ledger = _customers(history, raws.get(INTERACTIONS), behaviour, config.columns, warnings)
    products, products_ledger = _products(history, raws.get(DETAILS), config.columns, warnings)
    parts = [history] + ([behaviour] if behaviour else [])
    tell("checking the tables", 0.5)
    events = stacked([part.events for part in parts])
    events = in_order(events.assign(**{name: in_text_order(events[name]) for name in (CUSTOMER, PRODUCT, EVENT)}))
    bought = events.loc[events[EVENT] == PURCHASE, [CUSTOMER, PRODUCT]]
    unknown_products = _note_coverage(bought[PRODUCT], products[PRODUCT], products_ledger, "(no details)")
    unknown_customers = _note_coverage(bought[CUSTOMER], customers[CUSTOMER], customers_ledger, "without attributes")
    warnings += filter(None, [unknown_customers])
    ledgers = [part.ledger for part in parts] + [x for x in (customers_ledger, products_ledger) if x is not None]
    accounts = tuple(ledger.account() for ledger in ledgers)
    if bought.empty:
        raise DataError(f"{history.ledger.raw.file}: no purchase is left; {_fates(history.ledger)}")
    if unknown_products:
        raise DataError(f"{unknown_products}, or leave this table out with data.files.{DETAILS}=-")
    return Tables(
        customers=customers,
        products=products,
        events=events,
        accounts=accounts,
        fingerprint=fingerprint([customers, products, events]),
        time=_time(events, config.columns),
        warnings=tuple(map(printable, warnings)),
        quarantine=pd.concat([ledger.quarantined_rows() for ledger in ledgers], ignore_index=True),
        unused={
            table: unused_numbers(table, raws[table], config.columns)
            for table in (DETAILS, INTERACTIONS)
            if table in raws and not (table == INTERACTIONS and behaviour)
        },
    )


def _refuse_copies(raws: dict[str, RawTable]) -> None:
    """Raise DataError if two tables hold the same cells, as a file and its packed copy do."""
    optional_last = sorted(raws.items(), key=lambda item: item[0] != PURCHASES)
    for (table, raw), (other, copy) in itertools.combinations(optional_last, 2):
        if len(raw.cells) and raw.headers == copy.headers and raw.cells.equals(copy.cells):
            raise DataError(
                f"{quoted(raw.file)} for {table} and {quoted(copy.file)} for {other} hold the same table twice: "
                f"give each table its own file, or leave one out with data.files.{other}='-'"
            )


def _time(events: pd.DataFrame, config: ColumnsConfig) -> Literal["dates", "order", "none"]:
    if config.purchase_date != IGNORE:
        return "dates"
    return "order" if ORDER in events else "none"


def _without_rows(raws: dict[str, RawTable]) -> list[str]:
    """Take optional tables without rows out of `raws`; return a warning for each."""
    bare = [table for table in (DETAILS, INTERACTIONS) if table in raws and not len(raws[table].cells)]
    bare = [table for table in bare if not raws[table].rejected]
    return [f"{_without(raws.pop(table))}: read as if it were not there" for table in bare]


def _without(raw: RawTable) -> str:
    return f"{raw.file} has a header but no rows" if raw.headers else f"{raw.file} is empty"


def _dated_behaviour(raw: RawTable | None, config: DataConfig) -> EventRows | None:
    """Read the interactions as events if its rows carry a date; None where they are totals."""
    if raw is None or not find_columns(INTERACTIONS, raw.file, raw.headers, (TIME,), (), config.columns):
        return None
    most = config.max_events_per_customer
    return read_event_rows(INTERACTIONS, raw, config.columns, most=most, default_kind=VIEW)


def _customers(
    history: EventRows,
    raw: RawTable | None,
    dated: EventRows | None,
    config: ColumnsConfig,
    warnings: list[str],
) -> tuple[pd.DataFrame, Ledger | None]:
    """Return the totals of each customer: of their own table, else of the purchase lines, else none."""
    customers, ledger = _empty(CUSTOMER_COLUMNS), None
    if dated is not None:
        return customers, None
    if raw is not None:
        customers, ledger = read_customers(raw, config)
    elif history.behaviour is not None:
        customers = last_known(history.behaviour, CUSTOMER)
    if customers[[PAGE_VIEWS, TIME_SPENT]].notna().to_numpy().any():
        warnings.append(UNDATED)
        if raw is None:
            warnings.append(
                f"{PAGE_VIEWS} and {TIME_SPENT} stand on the purchase lines: the last value of each customer "
                "is used, also where it lies in the test window"
            )
    return customers, ledger


def _products(
    history: EventRows, raw: RawTable | None, config: ColumnsConfig, warnings: list[str]
) -> tuple[pd.DataFrame, Ledger | None]:
    """Return the attributes of each product: of their own table, else of the purchase lines, else none."""
    products, ledger = _empty(PRODUCT_COLUMNS), None
    varying: list[str] = []
    if raw is not None:
        products, ledger = read_products(raw, config)
        price = find_columns(DETAILS, raw.file, raw.headers, (PRICE,), (), config).get(PRICE)
        warnings += several_currencies(raw, price)
    elif history.attributes is not None:
        products = first_known(history.attributes)
        varying = _varying(history.attributes)
        if varying:
            since = "" if config.purchase_date == IGNORE else ", from the day it was known"
            warnings.append(
                f"some products have several values of {' and '.join(varying)} on the purchase lines: "
                f"the first one is used{since}"
            )
    if products[RATING].notna().any() and RATING not in varying:
        warnings.append(RATING_OF_PRODUCT)
    categories = products[CATEGORY].dropna()
    if len(categories) >= FEWEST_CATEGORISED and (own := categories.nunique()) > OWN_CATEGORIES * len(categories):
        warnings.append(
            f"{(ledger or history.ledger).raw.file}: {CATEGORY} has {own:,} values for {len(categories):,} products, "
            f"such as {quoted(categories.iloc[0])}: is this an id? (data.columns.{CATEGORY}=- if it is one)"
        )
    return products[[*PRODUCT_COLUMNS, *(name for name in (IN_STOCK, KNOWN_FROM) if name in products)]], ledger


def _varying(attributes: pd.DataFrame) -> list[str]:
    """Name the attributes that take several values within one product."""
    columns = [column for column in attributes.columns if column not in (TIME, PRODUCT, PRICE)]
    several = attributes.groupby(PRODUCT)[columns].nunique().max() > 1
    return [column for column in columns if several[column]]


def _empty(columns: tuple[str, ...]) -> pd.DataFrame:
    numeric = set(CUSTOMER_COLUMNS[1:]) | set(PRODUCT_COLUMNS[3:])
    kinds = {column: "float64" if column in numeric else "str" for column in columns}
    return pd.DataFrame({column: pd.Series([], dtype=kind) for column, kind in kinds.items()})


def _note_coverage(bought: pd.Series, known: pd.Series, ledger: Ledger | None, kept: str) -> str:
    """Note ids that stand in one table only; return a sentence where most purchases find no row, else ''."""
    if ledger is None:
        return ""
    name = str(known.name)
    codes, distinct = by_distinct(bought)
    purchases = pd.Series(np.bincount(codes), index=distinct).sort_values(ascending=False, kind="stable")
    strangers = purchases[pd.Index(known).get_indexer(purchases.index) < 0]
    missing = int(strangers.sum())
    if missing:
        ledger.note(f"{missing:,} purchases have a {name} that is not in this table: kept {kept}")
    if idle := int((purchases.index.get_indexer(pd.Index(known)) < 0).sum()):
        ledger.note(f"{idle:,} rows have a {name} without a purchase: kept")
    if missing <= len(bought) / 2:
        return ""
    return (
        f"{ledger.raw.file}: {missing / len(bought):.0%} of the purchases have a {name} that is not in this table, "
        f"such as {quoted(strangers.index[0])} where it has {listing(known.head(3))}: "
        "check that both tables use the same ids"
    )


def _fates(ledger: Ledger) -> str:
    account = ledger.account()
    counts = f"{account.read:,} read, {account.set_aside:,} set aside, {account.duplicates:,} duplicates"
    return "; ".join([counts, *(note for note in account.notes if note.endswith("set aside"))][:4])

"""Product details and customer totals: tables with one row for each id."""

from __future__ import annotations

from collections.abc import Collection

import numpy as np
import pandas as pd

from embedrec.columns import CUSTOMER, DETAILS, IN_STOCK, INTERACTIONS, PAGE_VIEWS, PRODUCT, TIME_SPENT
from embedrec.errors import quoted
from embedrec.tables.config import ColumnsConfig
from embedrec.tables.distinct import unfolded
from embedrec.tables.headers import find_columns, listing
from embedrec.tables.ledger import Ledger
from embedrec.tables.raw import RawTable
from embedrec.tables.stock import stock_column
from embedrec.tables.values import (
    PRODUCT_ATTRIBUTES,
    empty_rows,
    id_column,
    number_column,
    product_attributes,
)

LISTED = 5  # values that differed, shown as examples


def read_products(raw: RawTable, config: ColumnsConfig, known: Collection[str] = ()) -> tuple[pd.DataFrame, Ledger]:
    """Read product details: product_id, title, category, price, rating, rating_count, in_stock if told; sorted.

    Rows of `known` products, which have their details from elsewhere, are set aside.
    """
    ledger, columns = _open(DETAILS, raw, (PRODUCT, *PRODUCT_ATTRIBUTES, IN_STOCK), PRODUCT, config)
    products = id_column(ledger, columns[PRODUCT])
    ledger.quarantine(products.isna().to_numpy(), columns[PRODUCT], "is missing")
    ledger.set_aside(products.isin(config.not_products).to_numpy(), "that stand for no product")
    ledger.set_aside(products.isin(known).to_numpy(), "of products that the shop already has, which stay as they are,")
    table = pd.concat([products.rename(PRODUCT), product_attributes(ledger, columns)], axis=1)
    if IN_STOCK in columns:
        table[IN_STOCK] = stock_column(ledger, columns[IN_STOCK])
    return _one_row_each(unfolded(table), PRODUCT, ledger), ledger


def read_customers(raw: RawTable, config: ColumnsConfig) -> tuple[pd.DataFrame, Ledger]:
    """Read customer totals: customer_id, page_views, time_spent, sorted by customer_id."""
    ledger, columns = _open(INTERACTIONS, raw, (CUSTOMER, PAGE_VIEWS, TIME_SPENT), CUSTOMER, config)
    customers = id_column(ledger, columns[CUSTOMER])
    ledger.quarantine(customers.isna().to_numpy(), columns[CUSTOMER], "is missing")
    behaviour = {name: number_column(ledger, columns.get(name), at_least=0) for name in (PAGE_VIEWS, TIME_SPENT)}
    table = pd.DataFrame({CUSTOMER: customers, **behaviour})
    return _one_row_each(unfolded(table), CUSTOMER, ledger), ledger


def _open(
    table: str, raw: RawTable, wanted: tuple[str, ...], required: str, config: ColumnsConfig
) -> tuple[Ledger, dict[str, str]]:
    columns = find_columns(table, raw.file, raw.headers, wanted, (required,), config)
    ledger = Ledger(table, raw)
    ledger.set_aside(empty_rows(ledger), "without a single value")
    unused = [header for header in raw.headers if header not in columns.values()]
    if unused:
        ledger.note(f"columns not used: {listing(unused)}")
    return ledger, columns


def _one_row_each(table: pd.DataFrame, by: str, ledger: Ledger) -> pd.DataFrame:
    """Keep the last row of each id; say how many of the others differed from it, and show some."""
    used = table[ledger.used]
    earlier = used.duplicated(by, keep="last")
    differing = used[earlier & ~used.duplicated(keep="last")]
    drop = np.zeros(len(table), dtype=bool)
    drop[earlier.index[earlier.to_numpy()]] = True
    kept = used[~earlier].set_index(by)
    conflicts = f" ({len(differing):,} of them with other values: {_examples(differing, kept, by)})"
    ledger.drop_duplicates(
        drop, f"for a {by} that comes again later{conflicts if len(differing) else ''}: the last one counts"
    )
    return table[ledger.used].sort_values(by).reset_index(drop=True)


def _examples(differing: pd.DataFrame, kept: pd.DataFrame, by: str) -> str:
    """Show what some rows said and what is kept: "'P1' price '1.0' → '3.0'"."""
    shown = [
        f"{quoted(row[by])} {column} {quoted(row[column])} → {quoted(last)}"
        for _, row in differing.head(LISTED).iterrows()
        for column, last in kept.loc[row[by]].items()
        if row[column] != last and not (pd.isna(row[column]) and pd.isna(last))
    ]
    return ", ".join(shown[:LISTED]) + (", …" if len(differing) > LISTED or len(shown) > LISTED else "")

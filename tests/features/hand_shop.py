"""Three customers and four products, small enough to work every feature out by hand. The date is day 100.

Ann   P1 day 60, P1 day 72, P2 day 80, P2 day 95 (2 pieces at 20)      10 page views, 5.5 spent
Bob   P4 day 70 (2 pieces at 4), P1 day 90                             totals missing
Cid   nothing                                                          3 page views, 1 spent

P1 Books 9 | P2 Garden 19 | P3 listed, without category and price, never sold | P4 sold, not listed
"""

from __future__ import annotations

import numpy as np
import pandas as pd

from embedrec.columns import CATEGORY, CUSTOMER, PAGE_VIEWS, PRICE, PRODUCT, RATING, TIME_SPENT, TITLE
from embedrec.features import Customers, FeatureEncoder, Products
from embedrec.features.schema import CUSTOMER_NUMERIC, PRODUCT_DYNAMIC, PRODUCT_NUMERIC, REPEAT
from embedrec.tables import Tables
from embedrec.tables.model import CUSTOMER_COLUMNS, PRODUCT_COLUMNS
from shops import at_day, frame, history_of, lines, tables_of

ANN, BOB, CID = 0, 1, 2
P1, P2, P3, P4 = 0, 1, 2, 3
NOW = at_day(100)
HALF_HOUR = 0.5 / 24  # days


def hand_tables(*later: pd.DataFrame) -> Tables:
    customers = {CUSTOMER: ["Ann", "Bob", "Cid"], PAGE_VIEWS: [10, np.nan, 3], TIME_SPENT: [5.5, np.nan, 1]}
    products = {
        PRODUCT: ["P1", "P2", "P3"],
        TITLE: pd.Series(["One", "Two", None]),
        CATEGORY: pd.Series(["Books", "Garden", None]),
        PRICE: [9, 19, np.nan],
        RATING: [4, 2, np.nan],
    }
    bought = lines(
        ("Ann", "P1", 60),
        ("Ann", "P1", 72),
        ("Ann", "P2", 80),
        ("Ann", "P2", 95),
        ("Bob", "P4", 70),
        ("Bob", "P1", 90),
        quantity=[1, 1, 1, 2, 2, 1],
        price=[np.nan, np.nan, np.nan, 20, 4, np.nan],
    )
    return tables_of(frame(CUSTOMER_COLUMNS, customers), frame(PRODUCT_COLUMNS, products), pd.concat([bought, *later]))


def encoder_of(tables: Tables, until: int = NOW) -> FeatureEncoder:
    return FeatureEncoder.fit(*history_of(tables), until)


def customer_column(customers: Customers, name: str) -> np.ndarray:
    return customers.numeric[:, CUSTOMER_NUMERIC.index(name)]


def product_column(products: Products, name: str) -> np.ndarray:
    if name in PRODUCT_DYNAMIC:
        return products.dynamic[:, PRODUCT_DYNAMIC.index(name)]
    return products.numeric[:, PRODUCT_NUMERIC.index(name)]


def repeat_columns(customers: Customers) -> dict[tuple[int, int], dict[str, float]]:
    """(place in the batch, item) → repeat features by name."""
    keys = zip(customers.bought.rows.tolist(), customers.bought.values.tolist(), strict=True)
    return {key: dict(zip(REPEAT, row, strict=True)) for key, row in zip(keys, customers.repeat, strict=True)}

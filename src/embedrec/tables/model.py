"""`Tables`: what a shop handed over, read, typed and accounted for."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

import pandas as pd

from embedrec.columns import (
    CATEGORY,
    CUSTOMER,
    CUSTOMER_RATING,
    EVENT,
    IN_STOCK,
    ORDER,
    PAGE_VIEWS,
    PART,
    PRICE,
    PRODUCT,
    PURCHASE,
    QUANTITY,
    RATING,
    RATING_COUNT,
    TIME,
    TIME_SPENT,
    TITLE,
)

CUSTOMER_COLUMNS = (CUSTOMER, PAGE_VIEWS, TIME_SPENT)
PRODUCT_COLUMNS = (PRODUCT, TITLE, CATEGORY, PRICE, RATING, RATING_COUNT)
OPTIONAL_PRODUCT_COLUMNS = (IN_STOCK,)
EVENT_COLUMNS = (TIME, CUSTOMER, PRODUCT, EVENT, QUANTITY, PRICE, TIME_SPENT)
OPTIONAL_EVENT_COLUMNS = (CUSTOMER_RATING, PART, ORDER)
QUARANTINE_COLUMNS = ("table", "file", "line", "column", "reason", "text")


@dataclass(frozen=True)
class TableAccount:
    """Where every row of one table went; `read = used + quarantined + duplicates + set_aside`, always.

    *Set aside* rows left by a stated rule (a return, a line without a customer); *quarantined* ones could not
    be understood. `notes` are sentences for the report: repairs made, columns ignored, warnings.
    """

    table: str
    file: str
    read: int
    used: int
    quarantined: int = 0
    duplicates: int = 0
    set_aside: int = 0
    notes: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        if self.read != self.used + self.quarantined + self.duplicates + self.set_aside:
            raise AssertionError(f"rows lost in {self.table}: {self}")


@dataclass(frozen=True)
class Tables:
    """The shop's tables in canonical form. Ids are text everywhere; in `events` they may be a Categorical of it.

    customers   one row a customer of the interactions table: customer_id, page_views, time_spent (float,
                NaN = missing). These totals carry no date. Empty where behaviour came as events or not.
    products    one row a product of the details table: product_id, title, category (text, NA = missing),
                price (shop currency), rating (stars), rating_count (how many rated it), all float with
                NaN = missing. Only where the shop has it: in_stock (1 = can be bought, 0 = sold out, NaN = not
                said), as of the export and so for no model to read. Where the attributes stood on purchase
                lines, known_from (datetime64[s]) says when they were known; a product then counts as for sale
                from its first purchase on.
    events      one row a dated event, sorted by (purchase_date, customer_id, product_id) and then the other
                columns: customer_id, product_id (NA allowed for views), purchase_date (datetime64[s]), event
                (purchase | view | cart), quantity (float, 1 where not given; of a view row its page views),
                price (per piece, NaN where not given), time_spent (float, NaN). Only where the shop has them:
                customer_rating (stars, NaN), split (train | valid | test, NA), order (float). Undated events have
                NaT as purchase_date.
    time        what tells which event came first: dates, an order, or none.
    quarantine  one row a quarantined row: table, file, line, column ('' = the whole line), reason, text.
    warnings    sentences for the report and the page.
    unused      numbers and dates of the product details, and of undated interactions, that no model reads: table →
                one row an id, float64 columns under the shop's headers (dates in seconds since 1970).
    """

    customers: pd.DataFrame
    products: pd.DataFrame
    events: pd.DataFrame
    accounts: tuple[TableAccount, ...]
    fingerprint: str
    time: Literal["dates", "order", "none"] = "dates"
    warnings: tuple[str, ...] = ()
    quarantine: pd.DataFrame = field(default_factory=lambda: pd.DataFrame(columns=list(QUARANTINE_COLUMNS)))
    unused: Mapping[str, pd.DataFrame] = field(default_factory=dict)

    @property
    def purchases(self) -> pd.DataFrame:
        """The purchase rows of `events`."""
        return self.events[self.events[EVENT] == PURCHASE]

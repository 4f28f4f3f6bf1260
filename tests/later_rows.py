"""Anything that may happen in a shop after a date, for tests that the past does not change by it."""

from __future__ import annotations

import pandas as pd
from hypothesis import Phase, settings
from hypothesis import strategies as st

from embedrec.columns import CUSTOMER, EVENT, EVENT_KINDS, PRICE, PRODUCT, QUANTITY, TIME, TIME_SPENT
from embedrec.features import DAY
from embedrec.tables import Tables
from embedrec.tables.model import EVENT_COLUMNS
from shops import frame

# Shrinking a whole shop takes minutes and shows little more than its seed.
unshrunk = settings(phases=(Phase.reuse, Phase.generate))

# New ids sort before, between and after those of `small_shop`, so that all numbers inside may shift.
NEW_CUSTOMERS = ["A", "C0003x", "Z"]
NEW_PRODUCTS = ["A", "P003x", "Z"]


@st.composite
def later_rows(draw: st.DrawFn, tables: Tables, cut: int, kinds: tuple[str, ...] = EVENT_KINDS) -> pd.DataFrame:
    """Draw event rows at or after `cut` (seconds): of known and new customers and products, the first at the cut."""
    customers = [*tables.customers[CUSTOMER], *tables.events[CUSTOMER].dropna(), *NEW_CUSTOMERS]
    products = [*tables.products[PRODUCT], *NEW_PRODUCTS]
    row = st.fixed_dictionaries(
        {
            TIME: st.integers(0, 3 * DAY).map(lambda wait: cut + wait),
            CUSTOMER: st.sampled_from(sorted(set(customers))),
            PRODUCT: st.sampled_from(sorted(set(products))),
            EVENT: st.sampled_from(kinds),
            QUANTITY: st.integers(1, 5),
            PRICE: st.sampled_from([None, 0.5, 900.0]),
            TIME_SPENT: st.sampled_from([None, 0.0, 1e4]),
        }
    )
    rows = draw(st.lists(row, min_size=1, max_size=8))
    rows[0] = {**rows[0], TIME: cut}
    return frame(EVENT_COLUMNS, pd.DataFrame(rows))

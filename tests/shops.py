"""Small random shops in the canonical form of `Tables`, and the three CSV files they could have come from."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd

from embedrec.columns import (
    CATEGORY,
    CUSTOMER,
    CUSTOMER_RATING,
    DETAILS,
    EVENT,
    INTERACTIONS,
    ORDER,
    PAGE_VIEWS,
    PRICE,
    PRODUCT,
    PURCHASE,
    PURCHASES,
    QUANTITY,
    RATING,
    RATING_COUNT,
    TIME,
    TIME_SPENT,
    TITLE,
    VIEW,
)
from embedrec.features import DAY, Catalogue, History, build_history
from embedrec.tables import Tables
from embedrec.tables.fingerprint import fingerprint
from embedrec.tables.model import CUSTOMER_COLUMNS, EVENT_COLUMNS, OPTIONAL_EVENT_COLUMNS, PRODUCT_COLUMNS

START = int(pd.Timestamp("2024-01-01").timestamp())  # seconds
FAVOURITES = 4  # products a customer comes back for
NUMBERS = {PAGE_VIEWS, TIME_SPENT, PRICE, RATING, RATING_COUNT, QUANTITY, CUSTOMER_RATING, ORDER}


def small_shop(
    seed: int = 0, customers: int = 40, products: int = 30, purchases: int = 600, days: int = 300, views: int = 0
) -> Tables:
    """Make a shop with every gap a real one has.

    One customer in ten never buys and one product in ten is never sold; the first product is sold but not listed in
    product_details; categories, prices, ratings and totals are missing here and there. Each customer has favourites
    that they buy again. With `views` the behaviour comes as that many dated rows instead of totals.
    """
    rng = np.random.default_rng(seed)
    names = np.array([f"C{i:04d}" for i in range(customers)])
    items = np.array([f"P{i:03d}" for i in range(products)])
    buyers, sold = max(1, customers * 9 // 10), max(1, products * 9 // 10)
    favourites = rng.integers(sold, size=(buyers, FAVOURITES))

    draws = 4 * purchases + 50  # some coincide in all three columns; such duplicates a reader would drop
    user = rng.integers(buyers, size=draws)
    popular = (sold * rng.random(draws) ** 2).astype(int)
    loyal = favourites[user, rng.integers(FAVOURITES, size=draws)]
    bought = frame(
        EVENT_COLUMNS,
        {
            TIME: START + rng.integers(days * 24, size=draws) * 3600,
            CUSTOMER: names[user],
            PRODUCT: items[np.where(rng.random(draws) < 0.5, loyal, popular)],
            EVENT: PURCHASE,
            QUANTITY: rng.integers(1, 4, draws),
            PRICE: gaps(rng, np.round(rng.uniform(2, 60, draws), 2), 0.7),
        },
    )
    bought = bought.drop_duplicates([TIME, CUSTOMER, PRODUCT]).head(purchases)
    seen = frame(
        EVENT_COLUMNS,
        {
            TIME: START + rng.integers(days * 24, size=views) * 3600,
            CUSTOMER: names[rng.integers(customers, size=views)],
            PRODUCT: items[rng.integers(products, size=views)],
            EVENT: VIEW,
            QUANTITY: 1,
            TIME_SPENT: gaps(rng, rng.integers(1, 300, views), 0.2),
        },
    ).drop_duplicates([TIME, CUSTOMER, PRODUCT])
    totals = frame(
        CUSTOMER_COLUMNS,
        {
            CUSTOMER: names,
            PAGE_VIEWS: gaps(rng, rng.integers(0, 80, customers), 0.2),
            TIME_SPENT: gaps(rng, np.round(rng.uniform(0, 200, customers), 1), 0.2),
        },
    )
    listed = frame(
        PRODUCT_COLUMNS,
        {
            PRODUCT: items,
            TITLE: pd.Series([f"Thing {i}" for i in range(products)]),
            CATEGORY: pd.Series(rng.choice(["Beauty", "Books", "Garden"], products)).where(rng.random(products) > 0.1),
            PRICE: gaps(rng, np.round(rng.lognormal(3, 1, products), 2), 0.15),
            RATING: gaps(rng, np.round(rng.uniform(1, 5, products), 1), 0.2),
        },
    ).iloc[1:]
    return tables_of(totals.head(0) if views else totals, listed, pd.concat([bought, seen]))


def tables_of(customers: pd.DataFrame, products: pd.DataFrame, events: pd.DataFrame) -> Tables:
    """Sort frames as the reader does and make them `Tables`."""
    frames = [
        customers.sort_values(CUSTOMER, ignore_index=True),
        products.sort_values(PRODUCT, ignore_index=True),
        events.sort_values([*EVENT_COLUMNS], ignore_index=True),
    ]
    return Tables(*frames, accounts=(), fingerprint=fingerprint(frames))


def frame(columns: tuple[str, ...], values: dict[str, object]) -> pd.DataFrame:
    """Make a frame with the canonical columns and types; what is not given is missing, a quantity is 1."""
    data = pd.DataFrame(values)
    if QUANTITY in columns and QUANTITY not in data:
        data[QUANTITY] = 1
    for column in columns:
        given = data[column] if column in data else pd.Series(np.nan, index=data.index)
        if column == TIME:
            data[column] = pd.to_datetime(given, unit="s").astype("datetime64[s]")
        else:
            data[column] = given.astype("float64" if column in NUMBERS else "str")
    return data[list(columns)]


def lines(*rows: tuple[str, str, float], **columns: object) -> pd.DataFrame:
    """Write purchase lines by hand: (customer, product, days since START); further columns by name."""
    customers, products, days = zip(*rows, strict=True) if rows else ((), (), ())
    times = [round(START + day * DAY) for day in days]
    given = {TIME: times, CUSTOMER: customers, PRODUCT: products, EVENT: PURCHASE, **columns}
    return frame((*EVENT_COLUMNS, *(one for one in OPTIONAL_EVENT_COLUMNS if one in columns)), given)


def at_day(day: float) -> int:
    """Seconds since 1970 of a day counted from START."""
    return round(START + day * DAY)


def history_of(tables: Tables) -> tuple[History, Catalogue]:
    """Number the ids of a shop."""
    return build_history(tables.customers, tables.products, tables.events)


def with_events(tables: Tables, *events: pd.DataFrame) -> Tables:
    """Add event rows to a shop."""
    return tables_of(tables.customers, tables.products, pd.concat([tables.events, *events]))


def before(tables: Tables, cut: int) -> Tables:
    """Leave out every event at or after a date (seconds)."""
    known = tables.events[TIME].to_numpy("datetime64[s]").astype(np.int64) < cut
    return tables_of(tables.customers, tables.products, tables.events[known])


def write_shop(folder: Path, tables: Tables) -> Path:
    """Write the CSV files that the reader turns back into `tables`; columns without a value are left out."""
    folder.mkdir(parents=True, exist_ok=True)
    purchase = tables.events[EVENT] == PURCHASE
    bought, seen = tables.events[purchase], tables.events[~purchase]
    lines = [CUSTOMER, PRODUCT, TIME]
    given = [column for column, default in ((QUANTITY, 1.0), (PRICE, np.nan)) if _varies(bought[column], default)]
    given += [column for column in OPTIONAL_EVENT_COLUMNS if column in bought]  # `split` and `order` must be named
    _write(bought[lines + given], folder / f"{PURCHASES}.csv")
    if len(seen):
        _write(seen[[*lines, EVENT, TIME_SPENT]], folder / f"{INTERACTIONS}.csv")
    elif len(tables.customers):
        _write(tables.customers, folder / f"{INTERACTIONS}.csv")
    if len(tables.products):
        _write(tables.products.rename(columns={RATING: "ratings"}), folder / f"{DETAILS}.csv")
    return folder


def gaps(rng: np.random.Generator, values: np.ndarray, share: float) -> np.ndarray:
    """Make a share of the values missing."""
    return np.where(rng.random(len(values)) < share, np.nan, values)


def _varies(values: pd.Series, default: float) -> bool:
    return not np.array_equal(values, np.full(len(values), default), equal_nan=True)


def _write(data: pd.DataFrame, path: Path) -> None:
    data.to_csv(path, index=False, date_format="%Y-%m-%dT%H:%M:%S", lineterminator="\n")

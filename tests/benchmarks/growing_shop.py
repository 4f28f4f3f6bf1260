"""Made-up shops of any size, quick to write: only how much there is of everything matters, not who buys what."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

LINES_EACH = 20  # purchases of a customer, on average
PRODUCTS = 20  # times the square root of the purchases: a shop that sells ten times as much offers three times as much
DAYS = 730
TASTE = 0.8  # share of purchases within a customer's own categories
CATEGORIES = 40


def write_growing_shop(folder: Path, purchases: int, seed: int = 0) -> tuple[int, int]:
    """Write purchase_history and product_details as parquet; return how many customers and products there are."""
    rng = np.random.default_rng(seed)
    customers, products = purchases // LINES_EACH, round(PRODUCTS * purchases**0.5)
    activity = rng.lognormal(sigma=1.0, size=customers)
    customer = rng.choice(customers, purchases, p=activity / activity.sum())
    favourites = rng.integers(CATEGORIES, size=(customers, 3))
    category = favourites[customer, rng.integers(3, size=purchases)]
    elsewhere = rng.random(purchases) > TASTE
    category[elsewhere] = rng.integers(CATEGORIES, size=int(elsewhere.sum()))
    # Zipf within a category; products of one category lie CATEGORIES apart
    each = products // CATEGORIES
    place = np.minimum((each ** rng.random(purchases)).astype(np.int64) - 1, each - 1)
    product = place * CATEGORIES + category
    moment = np.datetime64("2024-01-01", "s") + np.sort(rng.integers(DAYS * 86400, size=purchases))
    folder.mkdir(parents=True, exist_ok=True)
    history = {
        "customer_id": _ids("C", customer, customers),
        "product_id": _ids("P", product, products),
        "purchase_date": pa.array(moment),
        "quantity": pa.array(rng.integers(1, 4, size=purchases)),
        "price": pa.array(np.round(rng.lognormal(2.5, 0.7, size=products)[product], 2)),
    }
    pq.write_table(pa.table(history), folder / "purchase_history.parquet")
    details = {
        "product_id": _ids("P", np.arange(products), products),
        "category": _ids("Category ", np.arange(products) % CATEGORIES, CATEGORIES),
        "price": pa.array(np.round(rng.lognormal(2.5, 0.7, size=products), 2)),
        "rating": pa.array(np.round(rng.uniform(2.5, 5, size=products), 1)),
    }
    pq.write_table(pa.table(details), folder / "product_details.parquet")
    return customers, products


def _ids(prefix: str, numbers: np.ndarray, count: int) -> pa.Array:
    names = pa.array([f"{prefix}{number:08d}" for number in range(count)])
    return names.take(pa.array(numbers))

"""`FeatureSchema`: everything the encoder learned from the training window, as plain data that a bundle can keep."""

from __future__ import annotations

import hashlib
import json
from typing import Any

from pydantic import BaseModel, ConfigDict

CUSTOMER_NUMERIC = (
    "page_views",
    "time_spent",
    "purchases",
    "products",
    "purchase_days",
    "recent_purchases",
    "recency",
    "tenure",
    "gap",
    "spend",
    "price_level",
    "season_sin",
    "season_cos",
)
PRODUCT_NUMERIC = ("price", "relative_price", "rating")
POPULARITY_WINDOWS = (7, 28, 90)  # days
PRODUCT_DYNAMIC = (
    *(f"customers_{days}d" for days in POPULARITY_WINDOWS),
    "customers",
    "age",
    "idle",
    "repeat_share",
)
AGE = PRODUCT_DYNAMIC.index("age")  # NaN where nobody bought the product yet
CATEGORY_HALF_LIVES = (30, 120)  # days
CATEGORY_HABITS = (
    "lines",
    "share",
    *(f"decayed_{days}d" for days in CATEGORY_HALF_LIVES),
    *(f"share_{days}d" for days in CATEGORY_HALF_LIVES),
    "days_since",
)
LOOK_HALF_LIVES = (1, 7, 30)  # days
LOOKS = (
    "views",
    "carts",
    *(f"views_{days}d" for days in LOOK_HALF_LIVES),
    *(f"carts_{days}d" for days in LOOK_HALF_LIVES),
    "days_since_view",
    "days_since_cart",
)
REPEAT_HALF_LIVES = (7, 14, 30, 60, 120, 365)  # days
CLIP = 5.0  # standard deviations: one absurd value must not drown the rest
SALES_CLIP = 20.0  # likewise; bestsellers lie far from the mean of a long tail and must stay apart from each other
REPEAT = (
    "times",
    *(f"decayed_{days}d" for days in REPEAT_HALF_LIVES),
    "days_since",
    "cycle",
    "repeat_share",
    "visits",
    "visit_share",
    "visits_since",
    "spend",
)
COLUMNS = {
    "customer": CUSTOMER_NUMERIC,
    "product": PRODUCT_NUMERIC,
    "sales": PRODUCT_DYNAMIC,
    "habits": CATEGORY_HABITS,
    "looks": LOOKS,
    "repeat": REPEAT,
}
"""What stands in which column of the arrays that a model reads."""


class Scale(BaseModel):
    """Mean and standard deviation of one numeric feature over the training window."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    mean: float
    std: float


class FeatureSchema(BaseModel):
    """Vocabularies and statistics fitted on the training window.

    Row 0 of every vocabulary is the learned state "unknown or missing"; the first name has row 1.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    customers: tuple[str, ...]
    """Customers with a purchase in training."""
    products: tuple[str, ...]
    """Products sold in training."""
    customer_lines: tuple[int, ...]
    """Purchase lines in training of each of the customers."""
    product_lines: tuple[int, ...]
    """Purchase lines in training of each of the products."""
    categories: tuple[str, ...]
    """Those of products and all that they lie in, as `features.hierarchy` reads their names."""
    price_edges: tuple[float, ...]
    """Inner borders of the log-price buckets; bucket 0 is a missing price."""
    category_price: tuple[float, ...]
    """Mean log-price per category row, of all products in it; entry 0 is the mean over all products."""
    rating_mean: float
    """Mean rating of the catalogue, towards which ratings by few customers are shrunk."""
    line_prices: dict[str, float]
    """Median paid price of products for which the catalogue has none."""
    scales: dict[str, Scale]
    seasonal: bool
    """Training covers more than 400 days, so that the time of year means something."""
    dated: bool
    """Purchases carry dates; without them times are made up, and the held-out ones are not later than the others."""

    @property
    def knows_prices(self) -> bool:
        """Training knew the price of at least one product."""
        return bool(self.price_edges)

    @property
    def knows_ratings(self) -> bool:
        """Training knew the rating of at least one product; there is none of 0 stars."""
        return self.rating_mean > 0

    def hash(self) -> str:
        """SHA-256 of the schema's content and of the columns that this version makes of it."""
        content = {"columns": COLUMNS, "schema": self.plain()}
        return hashlib.sha256(json.dumps(content, sort_keys=True).encode()).hexdigest()

    def plain(self) -> dict[str, Any]:
        """Return the schema as plain JSON data."""
        return self.model_dump(mode="json")

"""A shop without a model: the Recommender's interface over a handful of made-up products and customers."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from copy import copy
from dataclasses import dataclass, field, replace
from datetime import date, datetime, timedelta
from typing import Any

import numpy as np
import pandas as pd

from embedrec import columns
from embedrec.bundle import Manifest
from embedrec.errors import RequestError
from embedrec.models import PopularityRecentConfig, TwoTowerConfig

HOSTILE = [
    "<script>window.hacked=1</script>",
    "<img src=x onerror=window.hacked=1>",
    "{{7*7}}",
    "${7*7}",
    "'; DROP TABLE customers; --",
    "../../etc/passwd",
    "javascript:window.hacked=1",
    "مرحبا",
    "cafe\u0301 ☕",
]
CATEGORIES = ["Coffee & Tea", "Garden", "Toys", "Books", "Pet Food", *HOSTILE]
LAST_DAY = date(2025, 12, 31)


@dataclass(frozen=True)
class Profile:
    customer_id: str
    page_views: float | None = 120.0
    time_spent: float | None = 340.0
    purchases: int = 14
    products: int = 9
    first_purchase: date | None = date(2024, 3, 2)
    last_purchase: date | None = date(2025, 12, 19)
    spend: float | None = 412.5
    favourite_categories: list[str] = field(default_factory=lambda: CATEGORIES[:3])
    usual_price: float | None = 12.9


@dataclass(frozen=True)
class Info:
    id: str = "two_tower-1f2e3d"
    model: str = "two_tower"
    data_name: str = "demo"
    data_from: date = date(2024, 1, 1)
    data_until: date = LAST_DAY
    verdict: str = (
        "The trained model finds the next products best: 14 % above what each customer buys most often, "
        "beyond chance (1,012 customers)."
    )
    synthetic: bool = True
    fallback_from: str | None = None
    beaten_by: str | None = None
    repeat_share: float | None = 0.31
    hit_rate: float | None = 0.53
    customers: int = 300
    products: int = 5000


def figure(value: float, spread: float = 0.01, n: int = 1012) -> dict[str, Any]:
    return {"value": value, "low": value - spread, "high": value + spread, "n": n}


def measured_as(hits: float, quality: float, found: float) -> dict[str, Any]:
    view = {"hit_rate@10": figure(hits), "ndcg@10": figure(quality), "recall@10": figure(found)}
    return {"test": {"all": view, "new": {name: figure(one["value"] / 2) for name, one in view.items()}}}


MANIFEST = Manifest(
    id="two_tower-1f2e3d",
    model=TwoTowerConfig(),
    data={"name": "demo", "fingerprint": "cef6a79a959ee259", "dated": True, "from": "2024-01-01", "until": "2025-12-31",
          "synthetic": True, "repeat_share": 0.31, "warnings": ["page_views carry no date"]},
    split={"protocol": "global_time", "valid_from": "2025-08-26", "test_from": "2025-10-29"},
    config={"seed": 0, "loss": {"name": "softmax"}, "trainer": {"max_epochs": 4}},
    metrics={
        "two_tower": {
            **measured_as(0.53, 0.31, 0.4),
            "slices": {
                "history_length": {"1": {"recall@10": figure(0.2, n=120)}, "2-5": {"recall@10": figure(0.41, n=300)}},
                "category": {"<script>window.hacked=1</script>": {"recall@10": figure(0.1, n=90)},
                             "Toys": {"recall@10": figure(0.05, n=3)}},
            },
            "calibration": {"ece": 0.012, "n": 4000, "bins": [{"predicted": 0.02, "observed": 0.02, "n": 2000},
                                                              {"predicted": 0.2, "observed": 0.19, "n": 2000}]},
        },
        "popularity_recent": measured_as(0.3, 0.12, 0.2),
        "personal_frequency": measured_as(0.52, 0.305, 0.39),
    },
    verdict="Two-tower model finds the next products better.",
    files={},
)  # fmt: skip
UNTESTED = MANIFEST.model_copy(update={"model": PopularityRecentConfig(), "metrics": {}})


@dataclass(frozen=True)
class Product:
    product_id: str
    title: str | None = None
    category: str | None = "Toys"
    price: float | None = 4.5
    rating: float | None = 4.2
    buyers: int = 120
    purchases: int = 150
    again: float | None = 0.15
    place: int = 12
    first_sale: date | None = date(2024, 3, 2)
    last_sale: date | None = date(2025, 12, 19)
    weeks: tuple[int, ...] = (1, 0, 2, 3, 1, 1, 4, 5, 2, 1, 0, 3)


class FakeShop:
    """Ranks products by their number; a customer's own purchases first."""

    def __init__(self, products: int = 5000, customers: int = 300, **info: Any) -> None:
        self.product_ids: Sequence[str] = [f"P{i:04d}" for i in range(1, products + 1 - len(HOSTILE))] + HOSTILE
        self.customer_ids: Sequence[str] = [f"C{i:04d}" for i in range(1, customers + 1 - len(HOSTILE))] + HOSTILE
        self.categories: Sequence[str] = CATEGORIES
        self.price_range: tuple[float, float] | None = (1.5, 240.0)
        self.titles = {p: f"Sample product {p[1:]}" for p in self.product_ids[: products // 2]}
        self.info = Info(products=products, customers=customers, **info)
        self._known = frozenset(self.customer_ids)
        self._products = {product: number for number, product in enumerate(self.product_ids)}

    def recommend(
        self,
        customer_id: str,
        k: int = 10,
        *,
        exclude_bought: bool = False,
        categories: Collection[str] | None = None,
        price: tuple[float, float] | None = None,
    ) -> pd.DataFrame:
        bought = self.purchases(customer_id)[columns.PRODUCT].tolist()
        known = customer_id in self._known
        names = [] if exclude_bought else bought[:2]
        because = f"because they bought {bought[0]}" if known else "popular in this shop"
        return self._list([*names, *self.product_ids], k, categories, price, because, not known)

    def recommend_new(
        self,
        history: Sequence[str] = (),
        page_views: float | None = None,
        time_spent: float | None = None,
        k: int = 10,
        *,
        exclude_bought: bool = False,
        categories: Collection[str] | None = None,
        price: tuple[float, float] | None = None,
    ) -> pd.DataFrame:
        for product in history:
            if product not in self._products:
                raise RequestError("history", f"unknown product {product!r}")
        because = f"goes with {history[-1]}" if history else "popular in this shop"
        ranked = [p for p in self.product_ids if p not in history] if exclude_bought else self.product_ids
        return self._list([*reversed(ranked)] if history else ranked, k, categories, price, because, not history)

    def similar(self, product_id: str, k: int = 10) -> pd.DataFrame:
        if product_id not in self._products:
            raise RequestError("product_id", f"unknown product {product_id!r}")
        others = [p for p in self.product_ids if p != product_id]
        return self._list(others, k, None, None, "bought by the same customers", False)

    def customer(self, customer_id: str) -> Profile | None:
        return Profile(customer_id) if customer_id in self._known else None

    def purchases(self, customer_id: str) -> pd.DataFrame:
        bought = [*self._products][10:24] if customer_id in self._known else []
        return pd.DataFrame(
            {
                columns.TIME: [datetime(2025, 12, 19, 10, 30) - timedelta(days=23 * i) for i in range(len(bought))],
                columns.PRODUCT: bought,
                columns.TITLE: [self.titles.get(p) for p in bought],
                columns.CATEGORY: [self._category(p) for p in bought],
                columns.PRICE: [self._price(p) for p in bought],
            }
        )

    rules: Sequence[str] = ("personal_frequency", "popularity_recent", "item_knn")
    manifest = MANIFEST

    def product(self, product_id: str) -> Product:
        if product_id not in self._products:
            raise RequestError("product_id", "no such product")
        return Product(product_id, self.titles.get(product_id), self._category(product_id))

    def catalogue_map(self) -> pd.DataFrame:
        angle = np.arange(len(self.product_ids))
        table = pd.DataFrame({columns.PRODUCT: self.product_ids, "x": np.cos(angle), "y": np.sin(angle) * angle})
        table[columns.CATEGORY] = [self._category(one) for one in self.product_ids]
        table[columns.PRICE] = [self._price(one) for one in self.product_ids]
        table.attrs["shown"] = 0.4
        return table

    def rival(self, name: str) -> FakeShop:
        """The same, in the opposite order."""
        if name not in self.rules:
            raise RequestError("rival", "no such rule")
        rival = copy(self)
        rival.product_ids = [*reversed(self.product_ids)]
        rival.info = replace(self.info, model=name)
        return rival

    def _category(self, product: str) -> str | None:
        number = self._products[product]
        return None if number % 11 == 7 else CATEGORIES[number % len(CATEGORIES)]

    def _price(self, product: str) -> float:
        number = self._products[product]
        return float("nan") if number % 7 == 3 else round(1.5 + (number * 7.31) % 238, 2)

    def _list(
        self,
        ranked: Sequence[str],
        k: int,
        categories: Collection[str] | None,
        price: tuple[float, float] | None,
        reason: str,
        cold_start: bool,
    ) -> pd.DataFrame:
        if categories and not set(categories) <= set(CATEGORIES):
            raise RequestError("categories", "unknown category")
        rows: list[tuple[Any, ...]] = []
        for product in dict.fromkeys(ranked):
            if len(rows) == k:
                break
            category, cost = self._category(product), self._price(product)
            if (categories and category not in categories) or (price and not price[0] <= cost <= price[1]):
                continue
            rating = float("nan") if len(rows) % 5 == 4 else 3.5 + (len(product) % 3) / 2
            rows.append((len(rows) + 1, product, category, cost, rating, 1.0 / (len(rows) + 1), reason))
        found = pd.DataFrame(rows, columns=list(columns.RECOMMENDATION))
        found.attrs["cold_start"] = cold_start
        return found

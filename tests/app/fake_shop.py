"""A shop without a model: the Recommender's interface over a handful of made-up products and customers."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
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
from embedrec.serving import Explained, Reach
from embedrec.serving.listed import Listed
from embedrec.serving.profile import Month
from embedrec.serving.requests import check_only
from embedrec.serving.segments import Segment

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

LOYAL = Segment("loyal, buys often", "shopped on many days", 12, 13, 4, 5, 3)


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
    segment: Segment | None = LOYAL
    months: tuple[Month, ...] = (Month(date(2025, 11, 1), 3, 40.5), Month(date(2025, 12, 1), 1, 12.0))


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
    days: int | None = 30
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
        self.tells_stock = True
        self.usual_probability: float | None = 0.1
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
        only: str | None = None,
        in_stock: bool = False,
        diversity: float = 0.0,
    ) -> pd.DataFrame:
        bought = self.purchases(customer_id)[columns.PRODUCT].tolist()
        known = customer_id in self._known
        check_only(only, exclude_bought)
        names = [] if exclude_bought or only == "new" else bought[:2]
        others = [] if only == "again" else self.product_ids
        because = f"because they bought {bought[0]}" if bought else "popular in this shop"
        return self._list([*names, *others], k, categories, price, because, not known, in_stock, diversity)

    def recommend_many(self, customer_ids: Sequence[str], k: int = 10, **filters: Any) -> list[Listed]:
        tables = [self.recommend(one, k, **filters) for one in customer_ids]
        return [Listed({name: table[name].to_numpy() for name in table}, table.attrs["cold_start"]) for table in tables]

    def knows(self, customer_ids: Sequence[str]) -> list[int]:
        return [0 if one in self._known else -1 for one in customer_ids]

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
        only: str | None = None,
        in_stock: bool = False,
        diversity: float = 0.0,
    ) -> pd.DataFrame:
        for product in history:
            if product not in self._products:
                raise RequestError("history", f"unknown product {product!r}")
        because = f"goes with {history[-1]}" if history else "popular in this shop"
        check_only(only, exclude_bought)
        ranked = [p for p in self.product_ids if (p in history) == (only == "again")] if only else self.product_ids
        return self._list(
            [*reversed(ranked)] if history else ranked, k, categories, price, because, not history, in_stock, diversity
        )

    def similar(self, product_id: str, k: int = 10) -> pd.DataFrame:
        if product_id not in self._products:
            raise RequestError("product_id", f"unknown product {product_id!r}")
        others = [p for p in self.product_ids if p != product_id]
        return self._list(others, k, None, None, "bought by the same customers", False)

    def probability(self, scores: Iterable[float]) -> np.ndarray | None:
        """Return 31 in 100 for the first of a list, less for those after it."""
        return 0.31 * np.asarray(list(scores))

    def drivers(
        self,
        products: Sequence[str],
        history: Sequence[str] = (),
        page_views: float | None = None,
        time_spent: float | None = None,
    ) -> pd.DataFrame:
        rows = [("history", "", product, 3.0) for product in history[-1:]]
        rows += [("popularity", "what sells to everybody", None, 1.0)] if history else []
        return pd.DataFrame(rows, columns=["part", "words", "product_id", "lift"])

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

    def audience(
        self,
        product_id: str | None = None,
        n: int = 500,
        *,
        products: Sequence[str] = (),
        categories: Sequence[str] | None = None,
        exclude_recent_days: int = 0,
        progress: Any = None,
    ) -> pd.DataFrame:
        if (product_id is not None) + bool(products) + bool(categories) != 1:
            raise RequestError("product_id", "exactly one is asked for")
        if not set(categories or ()) <= set(CATEGORIES):
            raise RequestError("categories", "no such category")
        asked = [product_id] if product_id is not None else list(products)
        if not set(asked) <= self._products.keys():
            raise RequestError("product_id" if product_id is not None else "products", "no such product")
        if progress:
            progress(len(self.customer_ids), len(self.customer_ids))
        left_out = 3 if exclude_recent_days else 0
        listed = self.customer_ids[left_out : left_out + n]
        found = pd.DataFrame(
            {
                "rank": range(1, len(listed) + 1),
                "customer_id": listed,
                "probability": [0.4 / (place + 1) for place in range(len(listed))],
                "last_purchase": [LAST_DAY - timedelta(days=place % 90) for place in range(len(listed))],
                "bought_before": [2 if place % 4 == 0 else 0 for place in range(len(listed))],
                "reason": [f"buys often from {CATEGORIES[place % len(CATEGORIES)]}" for place in range(len(listed))],
            }
        )
        found.attrs.update(
            customers=len(self.customer_ids),
            left_out=left_out,
            expected_buyers=float(found["probability"].sum()),
            days=30,
            products=len(asked) or 40,
        )
        return found

    def reach(
        self,
        product_id: str | None = None,
        *,
        products: Sequence[str] = (),
        categories: Sequence[str] | None = None,
        progress: Any = None,
    ) -> Reach:
        if product_id == "P0001":
            return Reach(280, 4, None, "only 4 of 280 customers bought within the test window")
        contacted, reached = (0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1.0), (0.06, 0.11, 0.22, 0.38, 0.56, 0.84, 1.0)
        lift = [a / b for a, b in zip(reached, contacted, strict=True)]
        return Reach(280, 57, pd.DataFrame({"share_contacted": contacted, "share_reached": reached, "lift": lift}))

    def explain(self, customer_id: str, product_id: str) -> Explained:
        if product_id not in self._products:
            raise RequestError("product_id", "no such product")
        known = customer_id in self._known
        score = 1.0 / (1 + self.product_ids.index(product_id))
        parts = {"history": (score + 0.5, 0.1), "popularity": (-0.5, 0.2)} if known else {"popularity": (score, 0.2)}
        bought = self.purchases(customer_id)[columns.PRODUCT].tolist()[:2]
        return Explained(
            customer_id=customer_id,
            product_id=product_id,
            cold_start=not known,
            score=score,
            probability=0.25 if known else None,
            reason=f"Because they bought {bought[0]}" if known else "Popular with other customers",
            parts=pd.DataFrame(
                [(name, f"words of {name}", *values) for name, values in parts.items()],
                columns=["part", "words", "value", "average"],
            ),
            purchases=pd.DataFrame(
                {"product_id": bought, "title": [self.titles.get(one) for one in bought], "value": 0.25}
            ),
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
        in_stock: bool = False,
        diversity: float = 0.0,
    ) -> pd.DataFrame:
        if categories and not set(categories) <= set(CATEGORIES):
            raise RequestError("categories", "unknown category")
        if in_stock:
            if not self.tells_stock:
                raise RequestError("in_stock", "not told")
            ranked = [product for product in ranked if product != "P0001"]
        if diversity:
            ranked = ranked[::2]
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

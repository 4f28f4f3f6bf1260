"""`FeatureEncoder`: fitted on the training window only, it turns the shop into numbers as of any date."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np
import numpy.typing as npt
import pandas as pd

from embedrec.features.calendar import Calendar
from embedrec.features.customers import Customers, describe_customers, raw_numeric
from embedrec.features.hierarchy import nearest_rows, parent_rows, with_parents
from embedrec.features.history import DAY, Catalogue, Floats, History, Ints
from embedrec.features.products import Products, sales
from embedrec.features.schema import (
    CLIP,
    CUSTOMER_NUMERIC,
    PRODUCT_DYNAMIC,
    PRODUCT_NUMERIC,
    SALES_CLIP,
    FeatureSchema,
    Scale,
)
from embedrec.features.vocabulary import rows_of

PRICE_BUCKETS = 20
RATING_PRIOR = 10.0  # ratings: how strongly a product's rating leans on the mean of all
SEASONS_SEEN = 400  # days of training from which the time of year means something
PRICE_ONLY = np.array([name == "price" for name in PRODUCT_NUMERIC])  # known from what was paid, whatever else is not


@dataclass(frozen=True)
class Snapshot:
    """The state of the shop at a date: all a model may know when it answers."""

    encoder: FeatureEncoder
    products: Products

    @property
    def as_of(self) -> int:
        """The date, in seconds since 1970; only purchases before it are known."""
        return self.products.as_of

    @property
    def history(self) -> History:
        """The purchase log; ask it for lines before `as_of` only."""
        return self.encoder.history

    @cached_property
    def calendar(self) -> Calendar:
        """Which products sell this month, and when they are bought again."""
        return Calendar(self.history, self.as_of)

    def customers(self, users: Ints) -> Customers:
        """Describe users[B] at this date."""
        return self.encoder.customers(users, self.products)


class FeatureEncoder:
    """Vocabularies, price buckets and scales of one training window, bound to one shop.

    `products(as_of)` and `customers(users, products)` read only what was known before that date.
    """

    def __init__(self, schema: FeatureSchema, history: History, catalogue: Catalogue) -> None:
        self.schema = schema
        self.history = history
        self.catalogue = catalogue

    @classmethod
    def fit(cls, history: History, catalogue: Catalogue, until: int, *, dated: bool = True) -> FeatureEncoder:
        """Learn every vocabulary and statistic from purchase lines before `until` (seconds)."""
        past = history.times < until
        sold, product_lines = _counted(history.items[past], history.n_items)
        buyers, customer_lines = _counted(history.users[past], history.n_users)
        known = np.zeros(history.n_items, bool)
        known[sold] = True
        known |= catalogue.listed
        told = known & (catalogue.known_from < until)
        categories = with_parents(name for name in catalogue.category[told] if name is not None)
        line_prices = _line_prices(history, past, np.isnan(catalogue.price))
        paid = pd.Series(line_prices, dtype=np.float64).reindex(history.product_ids).to_numpy(np.float64)
        log_price = np.log1p(np.where(np.isnan(catalogue.price), paid, catalogue.price))
        category = np.where(told, nearest_rows(catalogue.category, categories), 0)
        prices = log_price[known & ~np.isnan(log_price)]
        shares = np.arange(1, PRICE_BUCKETS) / PRICE_BUCKETS
        edges: Floats = np.unique(np.quantile(prices, shares)) if len(prices) else np.empty(0)
        span = (until - history.times.min(initial=until)) / DAY
        blank = FeatureSchema(
            customers=tuple(history.customer_ids[buyers]),
            products=tuple(history.product_ids[sold]),
            customer_lines=tuple(customer_lines.tolist()),
            product_lines=tuple(product_lines.tolist()),
            categories=categories,
            price_edges=tuple(float(edge) for edge in edges),
            category_price=_category_means(log_price, category, known, parent_rows(categories)),
            rating_mean=_mean(catalogue.rating[told]),
            line_prices=line_prices,
            scales={},
            seasonal=bool(span > SEASONS_SEEN),
            dated=dated,
        )
        encoder = cls(blank, history, catalogue)
        dynamic, *_ = sales(history, catalogue, until)
        numeric = raw_numeric(history, buyers, until, encoder.log_price, blank.seasonal)
        scales = {
            **_scales("customer", CUSTOMER_NUMERIC, numeric),
            **_scales("product", PRODUCT_NUMERIC, encoder._raw_static[told]),
            **_scales("sales", PRODUCT_DYNAMIC, dynamic[known]),
        }
        return cls(blank.model_copy(update={"scales": scales}), history, catalogue)

    def at(self, as_of: int) -> Snapshot:
        """Return the state of the shop at a date."""
        return Snapshot(self, self.products(as_of))

    def products(self, as_of: int) -> Products:
        """Describe all N products as of a date."""
        dynamic, repeat_share, gap, candidates = sales(self.history, self.catalogue, as_of)
        mean, std = self._scale("sales", PRODUCT_DYNAMIC)
        told = self.catalogue.known_from < as_of
        return Products(
            as_of=as_of,
            row=self._product_rows,
            category=np.where(told, self._category, 0),
            price_bucket=self._price_bucket,
            numeric=np.where(told[:, None] | PRICE_ONLY, self._static, np.nan),
            dynamic=np.clip((dynamic - mean) / std, -SALES_CLIP, SALES_CLIP),
            repeat_share=repeat_share,
            gap=gap,
            candidates=candidates,
        )

    def customers(self, users: Ints, products: Products) -> Customers:
        """Describe users[B] as of the date of `products`."""
        mean, std = self._scale("customer", CUSTOMER_NUMERIC)
        return describe_customers(
            self.history,
            users,
            products.as_of,
            products,
            rows=self.customer_rows[users],
            log_price=self.log_price,
            price_edges=np.array(self.schema.price_edges),
            mean=mean,
            std=std,
            seasonal=self.schema.seasonal,
        )

    def newcomer(
        self, items: Ints, products: Products, page_views: float = np.nan, time_spent: float = np.nan
    ) -> Customers:
        """Describe somebody the shop has never seen, who bought one piece of each of items[n] the day before."""
        return FeatureEncoder(
            self.schema,
            self.history.of_newcomer(items, self.told_price[items], products.as_of - DAY, page_views, time_spent),
            self.catalogue,
        ).customers(np.zeros(1, np.int64), products)

    @cached_property
    def price(self) -> Floats:
        """[N] currency: the catalogue's price, or the median paid in training; NaN where neither is known."""
        paid = pd.Series(self.schema.line_prices, dtype=np.float64).reindex(self.history.product_ids)
        return np.where(np.isnan(self.catalogue.price), paid.to_numpy(np.float64), self.catalogue.price)

    @property
    def told_price(self) -> Floats:
        """[N] currency: the price as models may know it.

        Where training knew no price at all it is missing: no weight was learned for one that comes later.
        """
        return self.price if self.schema.knows_prices else np.full_like(self.price, np.nan)

    @cached_property
    def log_price(self) -> Floats:
        """[N] natural log of 1 + `told_price`."""
        return np.log1p(self.told_price)

    @cached_property
    def customer_rows(self) -> Ints:
        """[U]: row of each customer in the schema, 0 = no purchase in training."""
        return rows_of(self.history.customer_ids.to_numpy(object), self.schema.customers)

    @cached_property
    def _product_rows(self) -> Ints:
        return rows_of(self.history.product_ids.to_numpy(object), self.schema.products)

    @cached_property
    def _category(self) -> Ints:
        return nearest_rows(self.catalogue.category, self.schema.categories)

    @cached_property
    def _price_bucket(self) -> Ints:
        bucket = 1 + np.searchsorted(np.array(self.schema.price_edges), self.log_price, side="right")
        return np.where(np.isnan(self.log_price), 0, bucket).astype(np.int64)

    @cached_property
    def _raw_static(self) -> Floats:
        relative = self.log_price - np.array(self.schema.category_price)[self._category]
        return np.stack([self.log_price, relative, self._rating], axis=1)

    @cached_property
    def _rating(self) -> Floats:
        """[N] stars; a rating given by few customers leans on the catalogue's mean, where the shop tells how many."""
        rating, count = self.catalogue.rating, self.catalogue.rating_count
        if not self.schema.knows_ratings:
            return np.full_like(rating, np.nan)
        shrunk = (count * rating + RATING_PRIOR * self.schema.rating_mean) / (count + RATING_PRIOR)
        return np.where(np.isnan(count), rating, shrunk)

    @cached_property
    def _static(self) -> Floats:
        mean, std = self._scale("product", PRODUCT_NUMERIC)
        return np.clip((self._raw_static - mean) / std, -CLIP, CLIP)

    def _scale(self, kind: str, names: tuple[str, ...]) -> tuple[Floats, Floats]:
        scales = [self.schema.scales[f"{kind}.{name}"] for name in names]
        return np.array([s.mean for s in scales]), np.array([s.std for s in scales])


def _counted(numbers: Ints, size: int) -> tuple[Ints, Ints]:
    """Return the numbers below `size` that occur, ascending, and how often each does."""
    counts = np.bincount(numbers, minlength=size)
    occurring = np.flatnonzero(counts)
    return occurring, counts[occurring]


def _mean(values: Floats) -> float:
    """Mean of the known values, 0 where none is known."""
    known = values[~np.isnan(values)]
    return float(known.mean()) if len(known) else 0.0


def _scales(kind: str, names: tuple[str, ...], values: Floats) -> dict[str, Scale]:
    """Fit mean and spread of each column over its known values; a constant column keeps spread 1."""
    scales = {}
    for name, column in zip(names, values.T, strict=True):
        known = column[~np.isnan(column)]
        mean, std = (float(known.mean()), float(known.std())) if len(known) else (0.0, 1.0)
        scales[f"{kind}.{name}"] = Scale(mean=mean, std=std if std > 1e-9 else 1.0)
    return scales


def _line_prices(history: History, past: npt.NDArray[np.bool_], missing: npt.NDArray[np.bool_]) -> dict[str, float]:
    wanted = past & missing[history.items] & ~np.isnan(history.prices)
    medians = pd.Series(history.prices[wanted]).groupby(history.items[wanted]).median()
    names = history.product_ids[medians.index.to_numpy(np.int64)]
    return {str(name): float(price) for name, price in zip(names, medians, strict=True)}


def _category_means(
    log_price: Floats, category: Ints, known: npt.NDArray[np.bool_], parents: Ints
) -> tuple[float, ...]:
    use = known & ~np.isnan(log_price)
    overall = float(log_price[use].mean()) if use.any() else 0.0
    count = np.zeros(len(parents))
    total = np.zeros(len(parents))
    row, price = category[use], log_price[use]
    while len(row):
        count += np.bincount(row, minlength=len(parents))
        total += np.bincount(row, price, minlength=len(parents))
        row, price = parents[row][parents[row] > 0], price[parents[row] > 0]
    means = np.divide(total, count, out=np.full(len(parents), overall), where=count > 0)
    means[0] = overall
    return tuple(float(mean) for mean in means)

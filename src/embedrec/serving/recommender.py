"""`Recommender`: load a bundle, ask with real ids, get a table that people can read.

It ranks with the same `ranking.top_k`, the same features and the same weights as the evaluation did; loaded with
`as_of` = the test cutoff it gives the very lists that were measured.
"""

from __future__ import annotations

import copy
import dataclasses
from collections.abc import Iterable, Mapping, Sequence
from functools import cached_property
from pathlib import Path
from typing import Self

import numpy as np
import pandas as pd
import torch
from torch import Tensor

from embedrec.bundle import Bundle, Manifest, read_bundle
from embedrec.columns import (
    CATEGORY,
    PRICE,
    PRODUCT,
    RANK,
    REASON,
    RECOMMENDATION,
    SCORE,
    TIME,
    TITLE,
)
from embedrec.errors import RequestError
from embedrec.features import Customers, FeatureEncoder, build_history
from embedrec.features.history import NEVER, Ints
from embedrec.models import load_scorer
from embedrec.models.classic.popularity import PopularityRecentConfig
from embedrec.ranking import top_k
from embedrec.serving.arrivals import Arrivals, columns_of, grown, read_arrivals
from embedrec.serving.catalogue_map import catalogue_map
from embedrec.serving.product import ProductProfile, describe_product
from embedrec.serving.profile import CustomerProfile, ModelInfo, describe, model_info
from embedrec.serving.reasons import popular, reasons, sentence
from embedrec.serving.requests import check_amount, check_id, check_k, check_names
from embedrec.serving.rivals import RULES
from embedrec.serving.shelf import Price, Shelf
from embedrec.splits import parse_date

COLD_START = "cold_start"
IN_BASKET = "Already in the basket"


class Recommender:
    """Answers for one bundle as of one date; make it with `load`."""

    def __init__(self, bundle: Bundle, as_of: int | None = None) -> None:
        self._bundle, self._as_of = bundle, as_of
        history, catalogue = build_history(*(bundle.frames[name] for name in ("customers", "products", "events")))
        encoder = FeatureEncoder(bundle.schema, history, catalogue)
        self._snapshot = encoder.at(history.end if as_of is None else as_of)
        manifest = bundle.manifest
        self._scorer = load_scorer(manifest.model, bundle.schema, bundle.weights).observe(self._snapshot)
        self._popular = PopularityRecentConfig().build(bundle.schema).observe(self._snapshot)
        self._shelf = Shelf(self._snapshot)
        self._candidates = torch.from_numpy(self._snapshot.products.candidates)
        self.info: ModelInfo = model_info(manifest, self._snapshot)
        self._rivals: dict[str, Recommender] = {}
        self.arrivals: tuple[Arrivals, ...] = ()
        """What each `add_products` took in, the latest last."""

    @classmethod
    def load(cls, path: str | Path, as_of: str | None = None) -> Recommender:
        """Read and verify a bundle and rebuild the shop as of a date (the end of its data without one).

        Raises:
            BundleError: a file is missing, damaged or of another format, or the weights do not fit.
            ConfigError: `as_of` is not a date.
        """
        return cls(read_bundle(Path(path)), None if as_of is None else parse_date("as_of", as_of))

    def add_products(self, frame: pd.DataFrame | str | Path) -> Self:
        """Take in new products, to be recommended from now on through their features; nothing is trained.

        The table is checked, repaired and encoded as product_details were for the training. Rows of products that the
        shop already has are set aside and change nothing; one that was looked at, and never sold nor listed, is new.
        The bundle on disk stays as it is. On an error nothing has changed; do not ask from another thread meanwhile.

        Args:
            frame: product_id, and title, category, price, rating, rating_count where known, under the names that a
                shop's product_details may have; in memory, or the path of a CSV or parquet file.

        Returns:
            The Recommender itself; the last of its `arrivals` tells where every row went.

        Raises:
            DataError: the table cannot be read, has no row or no product_id, or over 5 % of it cannot be understood.
            RequestError: it is neither a table nor a path.
        """
        bundle, known = self._bundle, self._snapshot.history.product_ids[self._snapshot.products.candidates]
        arrivals = read_arrivals(frame, known, columns_of(bundle.manifest.config), bundle.schema, self._scorer)
        taken = (*self.arrivals, arrivals)
        if len(arrivals.products):
            products = grown(bundle.frames["products"], arrivals.products)
            frames = {**bundle.frames, "products": products}
            larger = type(self)(dataclasses.replace(bundle, frames=frames), self._as_of)
            self.__dict__ = vars(larger)  # in one step, and what was cached of the smaller shop is gone
        self.arrivals = taken
        return self

    def recommend(
        self,
        customer_id: str,
        k: int = 10,
        *,
        exclude_bought: bool = False,
        categories: Iterable[str] | None = None,
        price: Price | None = None,
    ) -> pd.DataFrame:
        """Return the k products a customer is most likely to buy next.

        An unknown customer, or one who has not bought yet, gets what is popular now; `attrs["cold_start"]` says so.

        Args:
            customer_id: text id as the shop writes it.
            k: 1 to 1000; a smaller catalogue or filter gives a shorter list.
            exclude_bought: leave out what the customer bought before.
            categories: only these; None or none given = all.
            price: (lowest, highest), inclusive; products without a price are then left out.

        Returns:
            rank, product_id, category, price, rating, score, reason; best first.

        Raises:
            RequestError: an argument is malformed or names an unknown category.
        """
        allowed = self._shelf.allowed(categories, price)
        k, customer_id = check_k(k), check_id("customer_id", customer_id)
        user = self._user(customer_id)
        customer = None if user is None else self._snapshot.customers(np.array([user]))
        return self._answer(customer, k, exclude_bought, allowed)

    def recommend_new(
        self,
        history: Iterable[str] = (),
        page_views: float | None = None,
        time_spent: float | None = None,
        k: int = 10,
        *,
        exclude_bought: bool = False,
        categories: Iterable[str] | None = None,
        price: Price | None = None,
    ) -> pd.DataFrame:
        """Recommend to somebody the shop has never seen, from a basket and a few totals.

        With an empty basket the answer is what is popular now, marked as a cold start.

        Raises:
            RequestError: as `recommend`, or the basket names an unknown product.
        """
        allowed = self._shelf.allowed(categories, price)
        basket = check_names("history", history)
        items = np.unique(np.array([self._item("history", product) for product in basket], np.int64))
        views, spent = check_amount("page_views", page_views), check_amount("time_spent", time_spent)
        k = check_k(k)
        customer = self._snapshot.encoder.newcomer(items, self._snapshot.products, views, spent)
        return self._answer(customer, k, exclude_bought, allowed, bought_before=IN_BASKET)

    def similar(self, product_id: str, k: int = 10) -> pd.DataFrame:
        """Return the k products closest to one, in the same columns as `recommend`.

        Raises:
            RequestError: k is out of range or the product is unknown.
        """
        item, k = self._item("product_id", product_id), check_k(k)
        closeness = self._scorer.similar(item).masked_fill(~self._candidates, -torch.inf)
        closeness[item] = -torch.inf
        items, scores = self._best(closeness, k)
        category = self._snapshot.products.category
        alike = self._scorer.likeness
        words = [f"Same category; {alike.lower()}" if category[one] == category[item] > 0 else alike for one in items]
        return self._table(items, scores, words)

    def customer(self, customer_id: str) -> CustomerProfile | None:
        """Return the portrait of a customer, None if the shop does not know the id."""
        user = self._user(check_id("customer_id", customer_id))
        return None if user is None else describe(self._snapshot, user, self._dated)

    def purchases(self, customer_id: str) -> pd.DataFrame:
        """Return what a customer bought before the date, newest first; without times where the data carry none."""
        user = self._user(check_id("customer_id", customer_id))
        history = self._snapshot.history
        none = np.empty(0, np.int64)
        lines = none if user is None else history.lines(np.array([user]), NEVER, self._snapshot.as_of).values[::-1]
        items = history.items[lines]
        times = pd.Series(pd.to_datetime(history.times[lines], unit="s"))
        table = pd.DataFrame({TIME: times if self._dated else pd.NaT, **self._shelf.columns(items)})
        return table[[TIME, PRODUCT, TITLE, CATEGORY, PRICE]]

    def product(self, product_id: str) -> ProductProfile:
        """Return what a product is and how it sold before the date.

        Raises:
            RequestError: the product is unknown.
        """
        return describe_product(self._snapshot, self._shelf, self._item("product_id", product_id), self._dated)

    def catalogue_map(self) -> pd.DataFrame:
        """Return where products lie on a flat picture: product_id, x, y, category, price; those with most buyers first.

        Close ones are alike, as in `similar`; two dimensions show the share `attrs["shown"]` of what sets products
        apart. A product of which the model knows nothing has no place. Worked out once.
        """
        return self._map.copy()

    @cached_property
    def _map(self) -> pd.DataFrame:
        return catalogue_map(self._scorer, self._snapshot, self._shelf)

    def rival(self, name: str) -> Recommender:
        """Return the same shop as of the same date, with a simple rule in the place of the model.

        Args:
            name: one of `rules`.

        Raises:
            RequestError: there is no such rule.
        """
        if name not in RULES:
            raise RequestError("rival", f"no such rule; there are {', '.join(RULES)}")
        if name not in self._rivals:
            rival = copy.copy(self)
            rival._scorer = RULES[name](self._bundle.schema).observe(self._snapshot)
            rival.info = dataclasses.replace(self.info, model=name, fallback_from=None, beaten_by=None)
            rival.__dict__.pop("_map", None)  # the model's own picture
            rival._rivals = {}
            self._rivals[name] = rival
        return self._rivals[name]

    @property
    def rules(self) -> Sequence[str]:
        """Names of the simple rules that `rival` knows, without the model's own."""
        return [name for name in RULES if name != self.info.model]

    @property
    def manifest(self) -> Manifest:
        """What the bundle says of itself: its figures, settings and data."""
        return self._bundle.manifest

    @property
    def _dated(self) -> bool:
        return self.info.data_until is not None

    @cached_property
    def customer_ids(self) -> Sequence[str]:
        """Customers with at least one purchase, sorted."""
        history = self._snapshot.history
        return [str(history.customer_ids[user]) for user in history.buyers(NEVER, self._snapshot.as_of)]

    @cached_property
    def product_ids(self) -> Sequence[str]:
        """Products that may be recommended, sorted."""
        return [str(one) for one in self._snapshot.history.product_ids[self._snapshot.products.candidates]]

    @property
    def categories(self) -> Sequence[str]:
        """Categories of the products and those they lie in, sorted; "(none)" is last, where only some have one."""
        return self._shelf.categories

    @property
    def price_range(self) -> tuple[float, float] | None:
        """Lowest and highest price of the catalogue, None where no price is known."""
        return self._shelf.price_range

    @property
    def titles(self) -> Mapping[str, str]:
        """Titles of products where the shop gave one."""
        return self._shelf.titles

    def _answer(
        self,
        customer: Customers | None,
        k: int,
        exclude_bought: bool,
        allowed: Tensor,
        bought_before: str | None = None,
    ) -> pd.DataFrame:
        cold = customer is None or not len(customer.line_items)
        if customer is None or cold:
            items, scores = self._best(torch.from_numpy(self._popular.score_).masked_fill(~allowed, -torch.inf), k)
            table = self._table(items, scores, [sentence([popular(int(one), self._snapshot)]) for one in items])
        else:
            if exclude_bought:
                allowed = allowed.clone()
                allowed[torch.from_numpy(customer.bought.values)] = False
            items, scores = self._best(self._scorer.score(customer)[0].masked_fill(~allowed, -torch.inf), k)
            words = reasons(
                self._scorer, self._snapshot, customer, items, self._shelf.names, bought_before, self._dated
            )
            table = self._table(items, scores, words)
        table.attrs[COLD_START] = cold
        return table

    def _best(self, scores: Tensor, k: int) -> tuple[Ints, Tensor]:
        best = top_k(scores[None], k)
        filled = best.items[0] >= 0
        return best.items[0][filled].numpy(), best.scores[0][filled]

    def _table(self, items: Ints, scores: Tensor, words: list[str]) -> pd.DataFrame:
        columns = {
            RANK: np.arange(1, len(items) + 1),
            **self._shelf.columns(items),
            SCORE: scores.numpy().astype(np.float64),
            REASON: pd.Series(words, dtype="object"),
        }
        return pd.DataFrame(columns)[list(RECOMMENDATION)]

    def _user(self, customer_id: str) -> int | None:
        place = self._snapshot.history.customer_ids.get_indexer(pd.Index([customer_id]))[0]
        return None if place < 0 else int(place)

    def _item(self, field: str, product_id: str) -> int:
        place = int(self._snapshot.history.product_ids.get_indexer(pd.Index([check_id(field, product_id)]))[0])
        if place < 0 or not self._snapshot.products.candidates[place]:
            raise RequestError(field, "no such product")
        return place

"""`Recommender`: load a bundle, ask with real ids, get a table that people can read.

It ranks with the same `ranking.top_k`, the same features and the same weights as the evaluation did; loaded with
`as_of` = the test cutoff it gives the very lists that were measured.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable, Mapping, Sequence
from functools import cached_property
from pathlib import Path
from typing import Self

import numpy as np
import pandas as pd
import torch
from torch import Tensor

from embedrec.bundle import MANIFEST, Bundle, read_bundle
from embedrec.columns import (
    CATEGORY,
    PRICE,
    PRODUCT,
    RANK,
    REASON,
    SCORE,
    TIME,
    TITLE,
)
from embedrec.errors import BundleError, EmbedrecError, RequestError
from embedrec.features import Customers, FeatureEncoder, build_history
from embedrec.features.history import NEVER, Ints
from embedrec.models import load_scorer
from embedrec.models.classic.popularity import PopularityRecentConfig
from embedrec.ranking import RankedItems, top_k
from embedrec.serving.arrivals import Arrivals, columns_of, grown, read_arrivals
from embedrec.serving.listed import Listed
from embedrec.serving.profile import CustomerProfile, ModelInfo, describe, model_info
from embedrec.serving.reasons import popular, reasons_of, sentence
from embedrec.serving.requests import check_amount, check_id, check_k, check_names
from embedrec.serving.shelf import Price, Shelf
from embedrec.splits import parse_date

AT_ONCE = 32  # customers answered together
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
        self.arrivals: tuple[Arrivals, ...] = ()
        """What each `add_products` took in, the latest last."""

    @classmethod
    def load(cls, path: str | Path, as_of: str | None = None) -> Recommender:
        """Read and verify a bundle and rebuild the shop as of a date (the end of its data without one).

        Raises:
            BundleError: a file is missing, damaged or of another format, or the weights do not fit.
            ConfigError: `as_of` is not a date.
        """
        date, bundle = None if as_of is None else parse_date("as_of", as_of), read_bundle(Path(path))
        try:
            return cls(bundle, date)
        except EmbedrecError:
            raise
        except Exception as error:
            raise BundleError(
                f"{Path(path) / MANIFEST}: the files of the bundle do not fit together ({type(error).__name__}); "
                "export it again"
            ) from error

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
        customer_id = check_id("customer_id", customer_id)
        listed = self.recommend_many(
            [customer_id], k, exclude_bought=exclude_bought, categories=categories, price=price
        )
        return listed[0].table()

    def recommend_many(
        self,
        customer_ids: Sequence[str],
        k: int = 10,
        *,
        exclude_bought: bool = False,
        categories: Iterable[str] | None = None,
        price: Price | None = None,
    ) -> list[Listed]:
        """Answer `recommend` for many customers at once, in their order; much quicker than one after the other.

        Raises:
            RequestError: as `recommend`.
        """
        allowed, k = self._shelf.allowed(categories, price), check_k(k)
        users = self.knows([check_id("customer_id", one) for one in customer_ids])
        answers: list[Listed] = []
        for start in range(0, len(users), AT_ONCE):
            some = users[start : start + AT_ONCE]
            customers = self._snapshot.customers(some[some >= 0])
            told = iter(self._answers(customers, k, exclude_bought, allowed))
            answers += [next(told) if user >= 0 else self._popular_list(k, allowed) for user in some]
        return answers

    def knows(self, customer_ids: Sequence[str]) -> Ints:
        """Return the number [B] of each customer, -1 where the shop does not know the id."""
        places: Ints = self._snapshot.history.customer_ids.get_indexer(pd.Index(list(customer_ids), dtype="str"))
        return places

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
        return self._answers(customer, k, exclude_bought, allowed, bought_before=IN_BASKET)[0].table()

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
        return self._listed(items, scores, words).table()

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

    def _answers(
        self,
        customers: Customers,
        k: int,
        exclude_bought: bool,
        allowed: Tensor,
        bought_before: str | None = None,
    ) -> list[Listed]:
        """Answer for each of B customers."""
        if not customers.size:
            return []
        if exclude_bought:
            allowed = allowed.repeat(customers.size, 1)
            allowed[torch.from_numpy(customers.bought.rows), torch.from_numpy(customers.bought.values)] = False
        best = self._scorer.best(customers, k, allowed)
        lists = [_filled(best, row) for row in range(customers.size)]
        told = self._scorer.explain_many(customers, [items for items, _ in lists])
        answers = []
        for row, ((items, scores), explanation) in enumerate(zip(lists, told, strict=True)):
            customer = customers.one(row)
            if not len(customer.line_items):
                answers.append(self._popular_list(k, allowed[row] if exclude_bought else allowed))
                continue
            words = reasons_of(
                explanation, self._snapshot, customer, items, self._shelf.names, bought_before, self._dated
            )
            answers.append(self._listed(items, scores, words, cold_start=False))
        return answers

    def _popular_list(self, k: int, allowed: Tensor) -> Listed:
        """What anybody gets of whom nothing is known."""
        items, scores = self._best(torch.from_numpy(self._popular.score_).masked_fill(~allowed, -torch.inf), k)
        words = [sentence([popular(int(one), self._snapshot)]) for one in items]
        return self._listed(items, scores, words, cold_start=True)

    def _best(self, scores: Tensor, k: int) -> tuple[Ints, Tensor]:
        return _filled(top_k(scores[None], k))

    def _listed(self, items: Ints, scores: Tensor, words: list[str], cold_start: bool | None = None) -> Listed:
        columns = {
            RANK: np.arange(1, len(items) + 1),
            **self._shelf.columns(items),
            SCORE: scores.numpy().astype(np.float64),
            REASON: np.array(words, dtype=object),
        }
        return Listed(columns, cold_start)

    def _user(self, customer_id: str) -> int | None:
        place = self.knows([customer_id])[0]
        return None if place < 0 else int(place)

    def _item(self, field: str, product_id: str) -> int:
        place = int(self._snapshot.history.product_ids.get_indexer(pd.Index([check_id(field, product_id)]))[0])
        if place < 0 or not self._snapshot.products.candidates[place]:
            raise RequestError(field, "no such product")
        return place


def _filled(best: RankedItems, row: int = 0) -> tuple[Ints, Tensor]:
    """Items and scores of one list, without the places that nothing fills: those are the last ones."""
    items = best.items[row].numpy()
    count = int(np.count_nonzero(items >= 0))
    return items[:count], best.scores[row, :count]

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
from typing import Literal, Self

import numpy as np
import pandas as pd
import torch

from embedrec.bundle import INDEX, MANIFEST, Bundle, Chances, Manifest, read_bundle
from embedrec.columns import (
    CATEGORY,
    PRICE,
    PRODUCT,
    TIME,
    TITLE,
)
from embedrec.errors import BundleError, EmbedrecError, RequestError
from embedrec.evaluation.calibration import PurchaseProbability
from embedrec.evaluation.likelihood import Progress
from embedrec.features import Customers, FeatureEncoder, build_history
from embedrec.features.history import NEVER, Bools, Floats, Ints
from embedrec.models import TwoTowerScorer, load_scorer
from embedrec.models.choice import AGAIN
from embedrec.models.classic.popularity import PopularityRecentConfig
from embedrec.ranking import top_k
from embedrec.serving.arrivals import Arrivals, columns_of, grown, read_arrivals
from embedrec.serving.audience import DAYS
from embedrec.serving.audiences import Audiences
from embedrec.serving.catalogue_map import catalogue_map
from embedrec.serving.drivers import DRIVEN, drivers
from embedrec.serving.everybody import Everybody
from embedrec.serving.explaining import Explained, of_popularity, take_apart
from embedrec.serving.listed import Listed
from embedrec.serving.lister import Lister
from embedrec.serving.product import ProductProfile, describe_product
from embedrec.serving.profile import CustomerProfile, ModelInfo, describe, model_info
from embedrec.serving.reach import Reach
from embedrec.serving.reasons import popular, reasons, sentence
from embedrec.serving.requests import (
    MAX_AUDIENCE,
    MAX_DAYS,
    check_amount,
    check_id,
    check_k,
    check_names,
    check_only,
    check_share,
    check_whole,
)
from embedrec.serving.rivals import RULES
from embedrec.serving.segments import Segments
from embedrec.serving.shelf import Price, Shelf
from embedrec.splits import parse_date

AT_ONCE = 32  # customers answered together
USUAL = 200  # customers who say what is usual
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
        if manifest.index and bundle.index is not None and as_of is None and isinstance(self._scorer, TwoTowerScorer):
            self._scorer.read_index(bundle.index, INDEX, manifest.index.probes)
        self._popular = PopularityRecentConfig().build(bundle.schema).observe(self._snapshot)
        self._shelf = Shelf(self._snapshot)
        self._candidates = torch.from_numpy(self._snapshot.products.candidates)
        self.info: ModelInfo = model_info(manifest, self._snapshot)
        self._lister = Lister(self._scorer, self._popular, self._snapshot, self._shelf, self._dated)
        self._audiences = Audiences(self._scorer, self._snapshot, _map(manifest.audience), self._dated)
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
            grown_bundle = dataclasses.replace(bundle, frames=frames, index=None)  # which knows nothing of the new ones
            larger = type(self)(grown_bundle, self._as_of)
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
        only: Literal["new", "again"] | None = None,
        in_stock: bool = False,
        diversity: float = 0.0,
    ) -> pd.DataFrame:
        """Return the k products a customer is most likely to buy next.

        An unknown customer, or one who has not bought yet, gets what is popular now; `attrs["cold_start"]` says so.

        Args:
            customer_id: text id as the shop writes it.
            k: 1 to 1000; a smaller catalogue or filter gives a shorter list.
            exclude_bought: leave out what the customer bought before; the same as only="new".
            categories: only these; None or none given = all.
            price: (lowest, highest), inclusive; products without a price are then left out.
            only: "new" = nothing that the customer bought before, "again" = nothing else; None = both.
            in_stock: leave out what product_details say is sold out.
            diversity: 0 = the best, however alike, to 1 = as unlike as can be; see `serving.diversity`. Ranks follow
                the choice then, scores stay what they are.

        Returns:
            rank, product_id, category, price, rating, score, reason; best first.

        Raises:
            RequestError: an argument is malformed, names an unknown category, contradicts another, or asks for what
                the shop does not tell.
        """
        customer_id = check_id("customer_id", customer_id)
        found = self.recommend_many(
            [customer_id],
            k,
            exclude_bought=exclude_bought,
            categories=categories,
            price=price,
            only=only,
            in_stock=in_stock,
            diversity=diversity,
        )
        return found[0].table()

    def recommend_many(
        self,
        customer_ids: Sequence[str],
        k: int = 10,
        *,
        exclude_bought: bool = False,
        categories: Iterable[str] | None = None,
        price: Price | None = None,
        only: str | None = None,
        in_stock: bool = False,
        diversity: float = 0.0,
    ) -> list[Listed]:
        """Answer `recommend` for many customers at once, in their order; much quicker than one after the other.

        Raises:
            RequestError: as `recommend`.
        """
        allowed = self._shelf.allowed(categories, price, in_stock)
        wanted, diversity, k = check_only(only, exclude_bought), check_share("diversity", diversity), check_k(k)
        users = self.knows([check_id("customer_id", one) for one in customer_ids])
        answers: list[Listed] = []
        if (users < 0).any():  # all whom the shop does not know get the same list
            anybodys = allowed if wanted != AGAIN else torch.zeros_like(allowed)
            strangers = self._lister.popular(k, anybodys, diversity)
        for start in range(0, len(users), AT_ONCE):
            some = users[start : start + AT_ONCE]
            customers = self._snapshot.customers(some[some >= 0])
            told = iter(self._lister.lists(customers, k, wanted, allowed, diversity))
            answers += [next(told) if user >= 0 else strangers for user in some]
        return answers

    def everybody(
        self,
        k: int = 10,
        *,
        exclude_bought: bool = False,
        only: Literal["new", "again"] | None = None,
        in_stock: bool = False,
    ) -> Everybody:
        """Return what answers `recommend` for all customers, without reasons: thousands at a time.

        Raises:
            RequestError: as `recommend`.
        """
        allowed = self._shelf.allowed(None, None, in_stock)
        wanted, k = check_only(only, exclude_bought), check_k(k)
        return Everybody(self._scorer, self._lister, self._snapshot, allowed, k, wanted)

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
        only: Literal["new", "again"] | None = None,
        in_stock: bool = False,
        diversity: float = 0.0,
    ) -> pd.DataFrame:
        """Recommend to somebody the shop has never seen, from a basket and a few totals.

        With an empty basket the answer is what is popular now, marked as a cold start.

        Raises:
            RequestError: as `recommend`, or the basket names an unknown product.
        """
        allowed = self._shelf.allowed(categories, price, in_stock)
        wanted, diversity = check_only(only, exclude_bought), check_share("diversity", diversity)
        customer, k = self._newcomer(history, page_views, time_spent), check_k(k)
        return self._lister.lists(customer, k, wanted, allowed, diversity, bought_before=IN_BASKET)[0].table()

    def drivers(
        self,
        products: Iterable[str],
        history: Iterable[str] = (),
        page_views: float | None = None,
        time_spent: float | None = None,
    ) -> pd.DataFrame:
        """Tell what lifts a list of products for somebody the shop has never seen; see `serving.drivers`.

        Returns:
            part, words, product_id (of the basket, or None), lift; the strongest first. The lifts add up to how far
            the list's mean score lies above the catalogue's. Empty for an empty basket or an empty list.

        Raises:
            RequestError: as `recommend_new`, or one of the products is unknown.
        """
        customer = self._newcomer(history, page_views, time_spent)
        items = np.array([self._item("products", one) for one in check_names("products", products)], np.int64)
        if not len(items) or not len(customer.line_items):
            return pd.DataFrame(columns=list(DRIVEN))
        return drivers(self._scorer, customer, items, self._snapshot.history.product_ids)

    def similar(self, product_id: str, k: int = 10) -> pd.DataFrame:
        """Return the k products closest to one, in the same columns as `recommend`.

        Raises:
            RequestError: k is out of range or the product is unknown.
        """
        item, k = self._item("product_id", product_id), check_k(k)
        closeness = self._scorer.similar(item).masked_fill(~self._candidates, -torch.inf)
        closeness[item] = -torch.inf
        items, scores = self._lister.best(closeness, k)
        category = self._snapshot.products.category
        alike = self._scorer.likeness
        words = [f"Same category; {alike.lower()}" if category[one] == category[item] > 0 else alike for one in items]
        return self._lister.listed(items, scores, words).table()

    def probability(self, scores: Floats | Sequence[float]) -> Floats | None:
        """Return the chance that a recommended product with each of scores[n] is bought within `info.days` days.

        None where the bundle has no map: nobody bought anything while it could have been fitted. The scores are those
        of known customers, not of a cold start.
        """
        chance = _map(self._bundle.manifest.probability)
        return None if chance is None else chance(scores)

    def explain(self, customer_id: str, product_id: str) -> Explained:
        """Take the score of one product for one customer apart.

        For an unknown customer, or one who has not bought yet, it is the score of popular products (`cold_start`).

        Raises:
            RequestError: an id is malformed or the product is unknown.
        """
        customer_id, item = check_id("customer_id", customer_id), self._item("product_id", product_id)
        user, snapshot = self._user(customer_id), self._snapshot
        customer = None if user is None else snapshot.customers(np.array([user]))
        if customer is None or not len(customer.line_items):
            cold, why, probability = True, [sentence([popular(item, snapshot, self._dated)])], None
            score, parts, purchases = of_popularity(self._popular.score_, item)
        else:
            cold = False
            items = np.array([item])
            score = float(self._scorer.score(customer, items)[0, 0])
            told = self._scorer.explain(customer, items)
            parts, purchases = take_apart(told, score, snapshot)
            why = reasons(told, snapshot, customer, items, self._shelf.names, dated=self._dated)
            probability = self.probability([score])
        chance = None if probability is None else float(probability[0])
        name = str(snapshot.history.product_ids[item])
        return Explained(customer_id, name, cold, score, chance, why[0], parts, purchases)

    def audience(
        self,
        product_id: str | None = None,
        n: int = 500,
        *,
        products: Iterable[str] = (),
        categories: Iterable[str] | None = None,
        exclude_recent_days: int = 0,
        progress: Progress | None = None,
    ) -> pd.DataFrame:
        """Return the n customers most likely to buy a product, or any of several, of those who ever bought.

        The first question makes all customers ready and takes as long as scoring the catalogue for them does; later
        ones are quick.

        Args:
            product_id: one product; or `products`, or `categories`, exactly one of the three.
            n: 1 to 100,000; a smaller shop gives a shorter list.
            products: any of these.
            categories: any product of these.
            exclude_recent_days: leave out who bought any of the products within so many days.
            progress: told (done, total), of customers made ready and then of products.

        Returns:
            rank, customer_id, probability (of buying within `info.days` days, NaN where the bundle cannot tell),
            last_purchase (date of anything, None where undated), bought_before (purchase lines of the products),
            reason. `attrs`: customers (looked at), left_out, expected_buyers (of those returned, None where unknown),
            days, products (how many).

        Raises:
            RequestError: an argument is malformed, or names an unknown product or category.
        """
        wanted = self._wanted(product_id, products, categories)
        n = check_whole("n", n, 1, MAX_AUDIENCE)
        days = check_whole("exclude_recent_days", exclude_recent_days, 0, MAX_DAYS)
        table = self._audiences.of(wanted, n, days, product_id is None, progress)
        table.attrs[DAYS] = self.info.days
        return table

    def reach(
        self,
        product_id: str | None = None,
        *,
        products: Iterable[str] = (),
        categories: Iterable[str] | None = None,
        progress: Progress | None = None,
    ) -> Reach:
        """Return how many of the real buyers of the test window such an audience would have held.

        The customers are ranked as of the beginning of the window, before which all weights were fitted.

        Raises:
            RequestError: as `audience`.
        """
        wanted = self._wanted(product_id, products, categories)
        return self._before_test._audiences.reach(wanted, progress)

    def customer(self, customer_id: str) -> CustomerProfile | None:
        """Return the portrait of a customer, None if the shop does not know the id."""
        user = self._user(check_id("customer_id", customer_id))
        return None if user is None else describe(self._snapshot, user, self._dated, self._segments)

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

    @cached_property
    def usual_probability(self) -> float | None:
        """The mean `probability` of the ten best products of a customer, over 200 customers; None without a map."""
        buyers = self._snapshot.history.buyers(NEVER, self._snapshot.as_of)
        sample = buyers[:: max(1, len(buyers) // USUAL)]
        if not len(sample):
            return None
        scores = self._scorer.score(sample).masked_fill(~self._candidates, -torch.inf)
        found = self.probability(top_k(scores, 10).scores.flatten().numpy())
        return None if found is None else float(np.nanmean(found))

    @cached_property
    def _segments(self) -> Segments:
        return Segments(self._snapshot)

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
            for own in ("_map", "usual_probability", "_before_test"):  # what was worked out of the model
                rival.__dict__.pop(own, None)
            chances = {"probability": None, "audience": None}  # the model's as well
            rival._bundle = dataclasses.replace(self._bundle, manifest=self._bundle.manifest.model_copy(update=chances))
            rival._lister = Lister(rival._scorer, self._popular, self._snapshot, self._shelf, self._dated)
            rival._audiences = Audiences(rival._scorer, self._snapshot, None, self._dated)
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
    def tells_stock(self) -> bool:
        """Whether the shop says what is in stock, so that `in_stock` can be asked for."""
        return self._shelf.tells_stock

    @property
    def titles(self) -> Mapping[str, str]:
        """Titles of products where the shop gave one."""
        return self._shelf.titles

    @cached_property
    def _before_test(self) -> Recommender:
        """The same bundle as of the beginning of its test window."""
        return type(self)(self._bundle, parse_date("test_from", self._bundle.manifest.split["test_from"]))

    def _wanted(self, product_id: str | None, products: Iterable[str], categories: Iterable[str] | None) -> Bools:
        """[N]: the products of an audience."""
        several, kinds = check_names("products", products), check_names("categories", categories)
        if (product_id is not None) + bool(several) + bool(kinds) != 1:
            raise RequestError("product_id", "wanted exactly one of product_id, products and categories")
        if kinds:
            return self._shelf.allowed(kinds, None).numpy()
        wanted = np.zeros(len(self._candidates), np.bool_)
        if product_id is not None:
            wanted[self._item("product_id", product_id)] = True
        for one in several:
            wanted[self._item("products", one)] = True
        return wanted

    def _newcomer(self, history: Iterable[str], page_views: float | None, time_spent: float | None) -> Customers:
        basket = check_names("history", history)
        items = np.unique(np.array([self._item("history", product) for product in basket], np.int64))
        views, spent = check_amount("page_views", page_views), check_amount("time_spent", time_spent)
        return self._snapshot.encoder.newcomer(items, self._snapshot.products, views, spent)

    def _user(self, customer_id: str) -> int | None:
        place = self.knows([customer_id])[0]
        return None if place < 0 else int(place)

    def _item(self, field: str, product_id: str) -> int:
        place = int(self._snapshot.history.product_ids.get_indexer(pd.Index([check_id(field, product_id)]))[0])
        if place < 0 or not self._snapshot.products.candidates[place]:
            raise RequestError(field, "no such product")
        return place


def _map(chances: Chances | None) -> PurchaseProbability | None:
    """Return the map that a bundle keeps."""
    if chances is None:
        return None
    return PurchaseProbability(np.array(chances.scores), np.array(chances.probabilities), float("nan"))

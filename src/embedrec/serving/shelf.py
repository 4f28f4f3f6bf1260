"""What people see of the products: their titles, categories and prices, and what a filter lets through."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from functools import cached_property
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from embedrec.columns import CATEGORY, PRICE, PRODUCT, RATING, TITLE
from embedrec.errors import RequestError, nearest
from embedrec.features import Snapshot
from embedrec.features.hierarchy import upwards, with_parents
from embedrec.features.history import Ints
from embedrec.serving.requests import check_names, check_price

NO_CATEGORY = "(none)"
"""The category of products without one, so that people can see and choose them; the model knows them as missing."""
Price = Sequence[float]


class Shelf:
    """The N products of a snapshot, in the shop's own words."""

    def __init__(self, snapshot: Snapshot) -> None:
        self._snapshot = snapshot

    def columns(self, items: Ints) -> dict[str, npt.NDArray[Any]]:
        """Return product_id, title, category, price and rating of items[n]."""
        catalogue = self._snapshot.encoder.catalogue
        return {
            PRODUCT: self._ids[items],
            TITLE: catalogue.title[items],
            CATEGORY: self._category[items],
            PRICE: self._snapshot.encoder.price[items],
            RATING: catalogue.rating[items],
        }

    def allowed(self, categories: Iterable[str] | None, price: Price | None, in_stock: bool = False) -> Tensor:
        """[N]: candidates in one of the categories, or of those that lie in them, and within (lowest, highest).

        With `in_stock` those are left out that the shop says are sold out; of what it does not say, none.

        Raises:
            RequestError: a filter is malformed, names an unknown category, or asks for what the shop does not tell.
        """
        allowed = self._snapshot.products.candidates.copy()
        wanted = set(check_names("categories", categories))
        if unknown := sorted(wanted - set(self.categories)):
            raise RequestError("categories", f"no such category{nearest(unknown[0], self.categories)}")
        if wanted:
            chosen = [not wanted.isdisjoint(upwards(name)) for name in self._own_categories]
            allowed &= np.array([*chosen, False])[self._place]
        if (limits := check_price(price)) is not None:
            prices = self._snapshot.encoder.price
            allowed &= (prices >= limits[0]) & (prices <= limits[1])
        if not isinstance(in_stock, bool):
            raise RequestError("in_stock", "wanted true or false")
        if in_stock:
            if not self.tells_stock:
                raise RequestError("in_stock", "this shop's product_details do not say what is in stock")
            allowed &= self._snapshot.encoder.catalogue.in_stock != 0
        return torch.from_numpy(allowed)

    @cached_property
    def tells_stock(self) -> bool:
        """Whether the shop says of any product that it is in stock or sold out."""
        return bool((~np.isnan(self._snapshot.encoder.catalogue.in_stock)).any())

    @cached_property
    def categories(self) -> Sequence[str]:
        """Categories of the products and those they lie in, sorted; "(none)" is last, where only some have one."""
        return sorted(with_parents(self._own_categories), key=lambda name: (name == NO_CATEGORY, name))

    @cached_property
    def price_range(self) -> tuple[float, float] | None:
        """Lowest and highest price, None where no price is known."""
        prices = self._snapshot.encoder.price
        return (float(np.nanmin(prices)), float(np.nanmax(prices))) if (~np.isnan(prices)).any() else None

    @cached_property
    def titles(self) -> Mapping[str, str]:
        """Titles by product_id, where the shop gave one."""
        catalogue, ids = self._snapshot.encoder.catalogue, self._snapshot.history.product_ids
        return {str(one): str(title) for one, title in zip(ids, catalogue.title, strict=True) if title is not None}

    @cached_property
    def names(self) -> Sequence[str]:
        """[N]: the title of each product, or its id."""
        return [self.titles.get(str(one), str(one)) for one in self._snapshot.history.product_ids]

    @cached_property
    def _ids(self) -> npt.NDArray[np.object_]:
        return self._snapshot.history.product_ids.to_numpy(object)

    @cached_property
    def _category(self) -> npt.NDArray[np.object_]:
        """[N] what people call the category of each product; None where the shop has no categories."""
        names = self._snapshot.encoder.catalogue.category
        missing = np.array([name is None for name in names])
        return names if missing.all() else np.where(missing, NO_CATEGORY, names)

    @cached_property
    def _own_categories(self) -> Sequence[str]:
        return sorted({str(name) for name in self._category if name is not None})

    @cached_property
    def _place(self) -> Ints:
        """[N] of each product's category among them, -1 without."""
        place = {name: place for place, name in enumerate(self._own_categories)}
        return np.array([place.get(name, -1) for name in self._category], dtype=np.int64)

"""What a reader wants to know of one product: what it is, and how it sells."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date
from typing import Any

import numpy as np
import pandas as pd

from embedrec.columns import CATEGORY, PRICE, PRODUCT, RATING, TITLE
from embedrec.features import DAY, Snapshot
from embedrec.features.history import NEVER
from embedrec.serving.profile import to_date
from embedrec.serving.shelf import Shelf

WEEKS = 12  # looked back on


@dataclass(frozen=True)
class ProductProfile:
    """A product as of the date of the Recommender. Money in the shop's currency, None = not known."""

    product_id: str
    title: str | None
    category: str | None
    price: float | None
    rating: float | None
    buyers: int
    """Distinct customers."""
    purchases: int
    """Lines; one customer may have several."""
    again: float | None
    """Share of the buyers who came back for it; None without buyers."""
    place: int
    """1 for the product with the most buyers; equal ones share a place."""
    first_sale: date | None
    last_sale: date | None
    weeks: tuple[int, ...]
    """Purchases in each of the last twelve weeks, the latest last; none where the data carry no dates."""


def describe_product(snapshot: Snapshot, shelf: Shelf, item: int, dated: bool) -> ProductProfile:
    """Draw the portrait of one product from what is known before the snapshot's date."""
    row = pd.DataFrame(shelf.columns(np.array([item]))).iloc[0]
    shown = {name: _known(value) for name, value in row.items()}
    history, until = snapshot.history, snapshot.as_of
    lines = np.flatnonzero((history.items == item) & (history.times < until))
    times = history.times[lines]
    visitors, _ = np.unique(np.stack([history.users[lines], times]), axis=1)  # two lines at once are one visit
    _, visits = np.unique(visitors, return_counts=True)
    buyers = history.distinct_customers(NEVER + 1, until)[snapshot.products.candidates]
    weeks_ago = (until - 1 - times) // (7 * DAY)
    recent = np.bincount(weeks_ago[weeks_ago < WEEKS], minlength=WEEKS)[::-1]
    told = dated and len(lines) > 0
    return ProductProfile(
        product_id=shown[PRODUCT],
        title=shown[TITLE],
        category=shown[CATEGORY],
        price=shown[PRICE],
        rating=shown[RATING],
        buyers=len(visits),
        purchases=len(lines),
        again=float((visits > 1).mean()) if len(visits) else None,
        place=1 + int((buyers > len(visits)).sum()),
        first_sale=to_date(times.min()) if told else None,
        last_sale=to_date(times.max()) if told else None,
        weeks=tuple(recent.tolist()) if dated else (),
    )


def _known(value: Any) -> Any:
    return None if pd.isna(value) else float(value) if isinstance(value, float) else value

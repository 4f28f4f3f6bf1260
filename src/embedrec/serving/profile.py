"""What a reader wants to know of a customer and of the model, as plain values."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date

import numpy as np
import pandas as pd

from embedrec.bundle import Manifest
from embedrec.features import Snapshot
from embedrec.features.history import Ints
from embedrec.serving.segments import Segment, Segments

FAVOURITES = 3  # categories named in a portrait
MONTHS = 24  # shown of a history, at most


@dataclass(frozen=True)
class Month:
    """What a customer bought in one month of the calendar."""

    first_day: date
    purchases: int
    spend: float | None
    """None where the month has purchases and no price of them is known."""


@dataclass(frozen=True)
class CustomerProfile:
    """A customer as of the date of the Recommender. Money in the shop's currency, None = not known."""

    customer_id: str
    page_views: float | None
    time_spent: float | None
    purchases: int
    products: int
    first_purchase: date | None
    last_purchase: date | None
    spend: float | None
    favourite_categories: list[str]
    usual_price: float | None
    segment: Segment | None
    """None for a customer without purchases, and where the data carry no dates."""
    months: tuple[Month, ...]
    """The shop's last months, at most 24, oldest first; none where the data carry no dates."""


@dataclass(frozen=True)
class ModelInfo:
    """What answers: the model, the data it saw, and how far to trust it."""

    id: str
    model: str
    data_name: str
    data_from: date | None
    """First purchase; None where the data carry no dates."""
    data_until: date | None
    """Last purchase; None where the data carry no dates."""
    verdict: str
    synthetic: bool
    fallback_from: str | None
    beaten_by: str | None
    repeat_share: float | None
    hit_rate: float | None
    """Share of test customers who bought at least one of their ten recommendations."""
    days: int | None
    """Within how many days a probability means a purchase; None where the data carry no dates."""
    customers: int
    products: int


def describe(snapshot: Snapshot, user: int, dated: bool = True, segments: Segments | None = None) -> CustomerProfile:
    """Draw the portrait of one customer from what is known before the snapshot's date."""
    history, encoder = snapshot.history, snapshot.encoder
    lines = history.lines(np.array([user]), int(history.times.min()), snapshot.as_of).values
    items = history.items[lines]
    categories = [name for name in encoder.catalogue.category[items] if name is not None]
    counts = pd.Series(categories, dtype="object").value_counts()
    favourites = sorted(counts.index, key=lambda name: (-counts[name], name))[:FAVOURITES]
    if snapshot.as_of > history.first_activity:
        activity = history.activity(np.array([user]), snapshot.as_of).values
        views, spent = float(history.activity_views[activity].sum()), _total(history.activity_seconds[activity])
    else:
        views, spent = history.total_views[user], history.total_time[user]
    prices = encoder.price[items]
    return CustomerProfile(
        customer_id=str(history.customer_ids[user]),
        page_views=_known(views),
        time_spent=_known(spent),
        purchases=len(lines),
        products=len(np.unique(items)),
        first_purchase=to_date(history.times[lines[0]]) if len(lines) and dated else None,
        last_purchase=to_date(history.times[lines[-1]]) if len(lines) and dated else None,
        spend=_known(_total(history.spend[lines])),
        favourite_categories=[str(name) for name in favourites],
        usual_price=_known(float(np.nanmedian(prices)) if (~np.isnan(prices)).any() else np.nan),
        segment=segments.of(user) if segments and dated else None,
        months=_months(snapshot, lines) if dated else (),
    )


def model_info(manifest: Manifest, snapshot: Snapshot) -> ModelInfo:
    """Summarise the manifest of a bundle."""
    data = manifest.data
    return ModelInfo(
        id=manifest.id,
        model=manifest.model.name,
        data_name=data["name"],
        data_from=pd.Timestamp(data["from"]).date() if data["dated"] else None,
        data_until=pd.Timestamp(data["until"]).date() if data["dated"] else None,
        verdict=manifest.verdict,
        synthetic=data["synthetic"],
        fallback_from=manifest.fallback_from,
        beaten_by=manifest.beaten_by,
        repeat_share=data["repeat_share"],
        hit_rate=_hit_rate(manifest),
        days=manifest.days,
        customers=snapshot.history.n_users,
        products=int(snapshot.products.candidates.sum()),
    )


def _months(snapshot: Snapshot, lines: Ints) -> tuple[Month, ...]:
    """Add up purchase lines by month, to the month of the last day before the date."""
    history, end = snapshot.history, pd.Timestamp(snapshot.as_of - 1, unit="s").to_period("M")
    begin = max(pd.Timestamp(int(history.times.min()), unit="s").to_period("M"), end - (MONTHS - 1))
    of_line = pd.PeriodIndex(pd.to_datetime(history.times[lines], unit="s"), freq="M")
    by_month = pd.Series(history.spend[lines], dtype="float64").groupby(of_line)
    counts, spend = by_month.size(), by_month.sum(min_count=1)
    return tuple(
        Month(month.to_timestamp().date(), int(counts.get(month, 0)), _known(float(spend.get(month, 0.0))))
        for month in pd.period_range(begin, end, freq="M")
    )


def _hit_rate(manifest: Manifest) -> float | None:
    figures = manifest.metrics.get(manifest.model.name)
    return figures["test"]["all"]["hit_rate@10"]["value"] if figures else None


def to_date(time: int) -> date:
    """Convert seconds since 1970 to a date."""
    return pd.Timestamp(int(time), unit="s").date()


def _known(value: float) -> float | None:
    return None if np.isnan(value) else float(value)


def _total(values: np.ndarray) -> float:
    return float(np.nansum(values)) if (~np.isnan(values)).any() else float("nan")

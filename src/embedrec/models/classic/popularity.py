"""Popularity: everybody gets what most customers bought, ever or of late; ties go to the all-time favourite."""

from __future__ import annotations

from typing import Literal, Self

import numpy as np
import torch
from pydantic import BaseModel, ConfigDict, Field
from torch import Tensor

from embedrec.features import DAY, Customers, FeatureSchema, Snapshot
from embedrec.features.history import NEVER, Floats, Ints
from embedrec.models.base import Scorer
from embedrec.models.crowd import VectorCrowd, no_vectors


class PopularityConfig(BaseModel):
    """Distinct customers per product, over the whole past."""

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True)
    name: Literal["popularity"] = "popularity"

    def build(self, schema: FeatureSchema) -> Popularity:
        """Make the model."""
        return Popularity(days=None)


class PopularityRecentConfig(BaseModel):
    """Distinct customers per product, over the last days."""

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True)
    name: Literal["popularity_recent"] = "popularity_recent"
    days: int = Field(28, ge=1, le=3650)
    """Length of the window."""

    def build(self, schema: FeatureSchema) -> Popularity:
        """Make the model."""
        return Popularity(days=self.days)


class Popularity(Scorer):
    """Score = distinct customers in the window, then (below 1) the all-time rank of the product."""

    def __init__(self, days: int | None) -> None:
        self.days = days

    def observe(self, snapshot: Snapshot) -> Self:
        """Count the buyers of every product before the date."""
        self.score_ = popularity(snapshot, self.days)
        return super().observe(snapshot)

    def score_parts(self, customers: Customers) -> dict[str, Tensor]:
        """Return the same list for each of the B customers."""
        return {"popularity": torch.from_numpy(self.score_).expand(customers.size, -1)}

    def crowd(self, users: Ints) -> VectorCrowd:
        """Nobody differs."""
        return VectorCrowd(*no_vectors(len(users), len(self.score_)), torch.from_numpy(self.score_))


def popularity(snapshot: Snapshot, days: int | None) -> Floats:
    """[N]: distinct customers within `days` before the date; the fraction below 1 breaks ties by all-time count."""
    history, until = snapshot.history, snapshot.as_of
    ever = history.distinct_customers(NEVER + 1, until)
    if days is None:
        return ever
    return history.distinct_customers(until - days * DAY, until) + ever / (np.max(ever, initial=0) + 1)

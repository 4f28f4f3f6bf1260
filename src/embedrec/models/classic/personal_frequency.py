"""Personal frequency: what a customer bought often and lately, they buy again; then what is popular this month.

Score = sum over the customer's purchase lines of the product of 0.5^(age / half-life)
        + a millionth for each distinct customer who bought it in the last 28 days.

A buyer of this month thus weighs as much as an own purchase 20 half-lives ago: popularity orders ties and the products
never bought, and what a customer bought once, many years ago, gives way to what sells. It is the strongest simple rival
where customers re-purchase (see A. Li et al., "A Next Basket Recommendation Reality Check", TOIS 2023, "P-TopFreq").
"""

from __future__ import annotations

from typing import Literal, Self

import numpy as np
import torch
from pydantic import BaseModel, ConfigDict, Field
from torch import Tensor

from embedrec.features import Customers, FeatureSchema, Snapshot
from embedrec.features.history import Ints
from embedrec.models.base import Scorer
from embedrec.models.classic.popularity import popularity
from embedrec.models.crowd import Cells, VectorCrowd, no_vectors

TIE_DAYS = 28
BUYER = 1e-6  # weight of another customer's purchase this month, beside 1 for an own purchase now


class PersonalFrequencyConfig(BaseModel):
    """Decayed count of a customer's own purchases."""

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True)
    name: Literal["personal_frequency"] = "personal_frequency"
    half_life: float = Field(60.0, ge=0.5, le=36500)
    """Days after which a purchase counts half."""

    def build(self, schema: FeatureSchema) -> PersonalFrequency:
        """Make the model."""
        return PersonalFrequency(self.half_life)


class PersonalFrequency(Scorer):
    """Own decayed counts, and faintly what others buy."""

    def __init__(self, half_life: float) -> None:
        self.half_life = half_life

    def observe(self, snapshot: Snapshot) -> Self:
        """Count this month's buyers of every product."""
        self.buyers_ = torch.from_numpy(BUYER * popularity(snapshot, TIE_DAYS))
        return super().observe(snapshot)

    def score_parts(self, customers: Customers) -> dict[str, Tensor]:
        """Return {"repeat", "popularity"}, each [B, N]."""
        shape = customers.size, len(self.buyers_)
        pair = customers.lines.rows * shape[1] + customers.line_items
        own = np.bincount(pair, np.exp2(-customers.line_ages / self.half_life), minlength=shape[0] * shape[1])
        return {"repeat": torch.from_numpy(own).double().view(shape), "popularity": self.buyers_.expand(shape)}

    def crowd(self, users: Ints) -> VectorCrowd:
        """Keep the decayed counts of users[B]."""
        customers = self.snapshot_.customers(users)
        lines = torch.from_numpy(customers.lines.rows), torch.from_numpy(customers.line_items)
        counts = torch.from_numpy(np.exp2(-customers.line_ages / self.half_life))
        return VectorCrowd(*no_vectors(customers.size, len(self.buyers_)), self.buyers_, added=Cells.of(*lines, counts))

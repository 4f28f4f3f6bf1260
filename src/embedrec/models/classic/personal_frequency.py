"""Personal frequency: what a customer bought often and lately, they buy again; then what is popular this month.

Score of a product bought before = sum over the customer's purchase lines of 0.5^(age / half-life). All other products
rank below by popularity of the last 28 days, which also breaks ties. It is the strongest simple rival where
customers re-purchase (see A. Li et al., "A Next Basket Recommendation Reality Check", TOIS 2023, "P-TopFreq").
"""

from __future__ import annotations

from typing import Literal, Self

import numpy as np
import torch
from pydantic import BaseModel, ConfigDict, Field
from torch import Tensor

from embedrec.features import Customers, FeatureSchema, Snapshot
from embedrec.models.base import Scorer
from embedrec.models.classic.popularity import popularity

TIE_DAYS = 28


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
    """log2 of the decayed count, so that purchases of many years ago still rank above products never bought."""

    LONGEST = 50_000  # days, some 137 years: no purchase is older

    def __init__(self, half_life: float) -> None:
        self.half_life = half_life
        # lifts log2 of the oldest count to 1, just above the tie-break; any higher would cost the ties their precision
        self.floor = 1 + self.LONGEST / half_life
        # what a tenth of a second of age makes: the tie-break must stay below any difference a reader would call real
        self.tie_weight = 1e-6 / half_life

    def observe(self, snapshot: Snapshot) -> Self:
        """Rank products by recent popularity for the places that own purchases leave open."""
        recent = popularity(snapshot, TIE_DAYS)
        self.tie_ = recent / (np.max(recent, initial=0) + 1)  # in [0, 1)
        return super().observe(snapshot)

    def score_parts(self, customers: Customers) -> dict[str, Tensor]:
        """Return {"repeat", "popularity"}, each [B, N]."""
        n_items = len(self.tie_)
        # log2 sum 0.5^(age/h), computed from the youngest line so that old purchases do not underflow
        pair, position = np.unique(customers.lines.rows * n_items + customers.line_items, return_inverse=True)
        exponent = -customers.line_ages / self.half_life
        top = np.full(len(pair), -np.inf)
        np.maximum.at(top, position, exponent)
        total = np.bincount(position, np.exp2(exponent - top[position]), minlength=len(pair))
        repeat = torch.zeros(customers.size * n_items, dtype=torch.float64)
        repeat[torch.from_numpy(pair)] = torch.from_numpy(self.floor + top + np.log2(total))
        own = repeat.view(customers.size, n_items)
        tie = torch.from_numpy(self.tie_).expand_as(own)
        return {"repeat": own, "popularity": torch.where(own > 0, tie * self.tie_weight, tie)}

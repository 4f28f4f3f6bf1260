"""Random: the floor under every other model. Each customer gets an order of their own, the same for the same seed."""

from __future__ import annotations

from typing import Literal

import numpy as np
import torch
from pydantic import BaseModel, ConfigDict, Field
from torch import Tensor

from embedrec.features import Customers, FeatureSchema
from embedrec.models.base import Scorer


class RandomConfig(BaseModel):
    """Uniform random scores."""

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True)
    name: Literal["random"] = "random"
    seed: int = Field(0, ge=0)

    def build(self, schema: FeatureSchema) -> Random:
        """Make the model."""
        return Random(self.seed)


class Random(Scorer):
    """Scores drawn from a stream per customer, so that batch size and row order change nothing."""

    def __init__(self, seed: int) -> None:
        self.seed = seed

    def score_parts(self, customers: Customers) -> dict[str, Tensor]:
        """Return {"random": [B, N]} in [0, 1)."""
        n_items = len(self.snapshot_.products.row)
        rows = [np.random.default_rng([self.seed, int(user)]).random(n_items) for user in customers.users]
        return {"random": torch.from_numpy(np.stack(rows) if rows else np.empty((0, n_items)))}

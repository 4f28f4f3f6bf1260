"""Settings of training; each explained under it."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field


class SoftmaxConfig(BaseModel):
    """Softmax cross-entropy over the catalogue or a sample of it."""

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True)
    name: Literal["softmax"] = "softmax"
    temperature: float = Field(1.0, gt=0, le=100)
    """Divides the scores; below 1 sharpens."""
    negatives: Annotated[int, Field(ge=1)] | Literal["all"] = 4096
    """Products drawn uniformly for each batch and shared by it; `all`, or a smaller catalogue, scores every product."""
    first_time_weight: float = Field(1.0, ge=0, le=100)
    """Weight of the same loss over first-time purchases only, with bought products left out."""


class TrainerConfig(BaseModel):
    """How long and how fast to learn."""

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True)
    max_epochs: int = Field(6, ge=1, le=10_000)
    """Upper bound; the learning-rate schedule is laid out for it."""
    patience: int = Field(3, ge=1, le=10_000)
    """Epochs without a better validation NDCG@10 after which training stops."""
    batch_size: int = Field(128, ge=1, le=1_000_000)
    """Customers per step."""
    learning_rate: float = Field(1e-3, gt=0, le=10)
    weight_decay: float = Field(0.3, ge=0, le=10)
    """Of AdamW, per unit of learning rate."""
    warmup_steps: int = Field(50, ge=0)
    """Steps over which the learning rate rises from zero."""
    gradient_clip: float = Field(5.0, gt=0)
    """Largest norm of a gradient."""
    cuts: int = Field(30, ge=1, le=1000)
    """Past dates from which to learn, two fifths of a test window apart, latest first."""
    accelerator: Literal["auto", "cpu", "gpu"] = "cpu"
    """Where to train."""

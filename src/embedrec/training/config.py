"""Settings of training; each explained under it. What a config file leaves at null, the model's recipe decides."""

from __future__ import annotations

from typing import Annotated, ClassVar, Literal

from pydantic import BaseModel, ConfigDict, Field

from embedrec.data.sampling import Draw

Negatives = Annotated[int, Field(ge=1)] | Literal["all"]


class _Loss(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", strict=True)


class SoftmaxConfig(_Loss):
    """Softmax cross-entropy over the catalogue or a sample of it."""

    name: Literal["softmax"] = "softmax"
    temperature: float = Field(1.0, gt=0, le=100)
    """Divides the scores; below 1 sharpens."""
    negatives: Negatives = 4096
    """Products drawn for each batch and shared by it; `all`, or a smaller catalogue, scores every product."""
    draw: Draw = "uniform"
    """How: `uniform`, by `popularity` (then as many on average), or half of them either way (`mixed`); weights make up
    for it."""
    first_time_weight: float = Field(1.0, ge=0, le=100)
    """Weight of the same loss over first-time purchases only, with bought products left out."""


class InBatchConfig(_Loss):
    """Softmax over what the customers of the batch buy, each weighed by how often it turns up in a batch."""

    name: Literal["in_batch"] = "in_batch"
    negatives: ClassVar[Literal["in_batch"]] = "in_batch"  # no setting: what the others call by this name is given
    temperature: float = Field(1.0, gt=0, le=100)
    """Divides the scores; below 1 sharpens."""
    first_time_weight: float = Field(1.0, ge=0, le=100)
    """Weight of the same loss over first-time purchases only, with bought products left out."""


class BasketSoftmaxConfig(_Loss):
    """Softmax over whole baskets, each against products drawn for all customers of the batch (models of baskets)."""

    name: Literal["basket_softmax"] = "basket_softmax"
    temperature: float = Field(0.11, ge=1e-3, le=100)
    """Divides the scores, which are cosines."""
    negatives: Annotated[int, Field(ge=1)] = 4096
    """Products drawn uniformly for each batch and shared by it."""
    push: float = Field(1.22, ge=1e-3, le=100)
    """Weight of products not bought against those bought."""


class BslConfig(_Loss):
    """The bilateral softmax: purchases of a basket are weighed by a softmax too, which makes light of stray ones."""

    name: Literal["bsl"] = "bsl"
    temperature: float = Field(0.11, ge=1e-3, le=100)
    """Divides the scores of products not bought; scores are cosines."""
    positive_temperature: float = Field(1.0, ge=1e-3, le=100)
    """Divides the scores of products bought; the greater, the more alike they count."""
    negatives: Annotated[int, Field(ge=1)] = 4096
    """Products drawn uniformly for each batch and shared by it."""
    push: float = Field(1.22, ge=1e-3, le=100)
    """Weight of products not bought against those bought."""


class BprConfig(_Loss):
    """Pairwise ranking: a bought product above others."""

    name: Literal["bpr"] = "bpr"
    negatives: Negatives = 256
    """Products drawn uniformly: for each purchase (models of pairs), or for each batch and shared by it."""


class BceConfig(_Loss):
    """Binary cross-entropy: bought or not."""

    name: Literal["bce"] = "bce"
    negatives: Negatives = 256
    """Products drawn uniformly: for each purchase (models of pairs), or for each batch and shared by it."""


class MseConfig(_Loss):
    """Squared error: of ratings (models of pairs), or of 1 for bought and 0 for not."""

    name: Literal["mse"] = "mse"
    negatives: Negatives = 256
    """Products drawn uniformly for each batch and shared by it; ratings need none."""


LossConfig = Annotated[
    SoftmaxConfig | InBatchConfig | BasketSoftmaxConfig | BslConfig | BprConfig | BceConfig | MseConfig,
    Field(discriminator="name"),
]


class TrainerConfig(BaseModel):
    """How long and how fast to learn; the values here are those of the two-tower model."""

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True)
    max_epochs: int = Field(4, ge=1, le=10_000)
    """Upper bound; the learning-rate schedule is laid out for it."""
    patience: int = Field(3, ge=1, le=10_000)
    """Validations without a better figure after which training stops; there is one an epoch, and ten in all at most."""
    batch_size: int = Field(128, ge=1, le=1_000_000)
    """Per step: customers, or pairs for models that learn from pairs."""
    learning_rate: float = Field(1e-2, gt=0, le=10)
    weight_decay: float = Field(0.05, ge=0, le=10)
    """Of AdamW, per unit of learning rate; where tables are updated by rows, of the rows that a step touches."""
    warmup_steps: int = Field(50, ge=0)
    """Steps over which the learning rate rises from zero."""
    gradient_clip: float = Field(5.0, gt=0)
    """Largest norm of a gradient; of tables updated by rows none is clipped."""
    cuts: int = Field(30, ge=1, le=1000)
    """Past dates from which to learn, two fifths of a test window apart, latest first; not used by models of pairs."""
    precision: Literal["float32", "bfloat16"] = "float32"
    """Of matrix products while training; bfloat16 is faster on processors that have it, and the sums stay float32."""
    accelerator: Literal["auto", "cpu", "gpu"] = "cpu"
    """Where to train."""
    processes: int = Field(1, ge=1, le=256)
    """Of this machine, or of Ray, which share every batch; torchrun, where it starts them, has its own number."""
    engine: Literal["here", "ray"] = "here"
    """Who runs the processes: this command, or Ray, on any machine of its cluster; it replaces those that die."""

"""How a model is trained unless the user says otherwise: each has its own loss and its own pace."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Literal, NamedTuple


class Recipe(NamedTuple):
    """Written beside a model; `experiment.config` fills the settings that were left open with it."""

    examples: Literal["cuts", "pairs", "ratings", "baskets", "sequences"]
    """What it learns from: the shop as of past dates, or the past as (customer, product) pairs, as pairs with the
    rating that the customer gave, as whole baskets, or as purchases in their order."""
    loss: Mapping[str, Any]
    trainer: Mapping[str, Any]
    losses: tuple[str, ...] = ("softmax", "in_batch", "bpr", "bce", "mse")
    """Losses it can be trained with."""
    unread: tuple[str, ...] = ()
    """Settings of these losses that play no part in its training; `experiment.config` refuses them."""

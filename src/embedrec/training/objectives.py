"""From a batch to its loss: which scores are set against which, for the pure functions of `losses`."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, assert_never

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from embedrec.data.baskets import BasketBatch
from embedrec.data.batches import Batch
from embedrec.data.pairs import PairBatch
from embedrec.data.parts import AnyBatch, Part
from embedrec.data.sequences import SequenceBatch
from embedrec.losses import (
    basket_softmax_loss,
    bce_loss,
    bpr_loss,
    log_mean_exp,
    mse_loss,
    sampled_softmax_loss,
    softmax_loss,
)
from embedrec.training.config import (
    BasketSoftmaxConfig,
    BceConfig,
    BprConfig,
    BslConfig,
    InBatchConfig,
    LossConfig,
    MseConfig,
    SoftmaxConfig,
)

NEGATIVES_PER_PURCHASE = 4.0
"""How much the products not bought weigh together against one purchase, as in He et al. 2017, section 4.1."""

Share = Callable[[Callable[[Any], float]], float]
"""`Part.share`: each loss says how many things it is a mean of."""

BASKET_POWER = 0.5
"""A basket weighs as the root of its size: between every purchase alike (1) and every customer alike (0)."""


def loss_of(network: nn.Module, batch: AnyBatch | Part, config: LossConfig) -> Tensor:
    """Score a batch and return its loss, a scalar; that of the whole is the mean of those of its parts."""
    part = batch if isinstance(batch, Part) else Part(batch, batch, parts=1)
    own = part.own
    if isinstance(own, BasketBatch):
        return part.share(lambda one: float(_weight(one).sum())) * _of_baskets(network, own, config)
    if isinstance(own, SequenceBatch):
        return part.share(lambda one: one.size) * _of_sequences(network, own, config)
    if isinstance(own, PairBatch):
        return part.share(lambda one: one.size) * _of_pairs(network, own, config)
    return _of_customers(network(own.customers, own.products, own.items), own, config, part.share)


def _of_pairs(network: nn.Module, batch: PairBatch, config: LossConfig) -> Tensor:
    positive = network(batch.users, batch.items)
    if isinstance(config, MseConfig):
        return mse_loss(positive, batch.values)
    negative = network(batch.users[:, None], batch.negatives)
    if isinstance(config, BprConfig):
        return bpr_loss(positive, negative, batch.weight / batch.weight.sum(1, keepdim=True).clamp(min=1.0))
    assert isinstance(config, BceConfig), config.name
    return bce_loss(positive, negative, batch.weight)


def _of_baskets(network: nn.Module, batch: BasketBatch, config: LossConfig) -> Tensor:
    assert isinstance(config, BasketSoftmaxConfig | BslConfig), config.name
    users, items = network(batch.users, batch.items)
    lengths = _lengths(batch)
    if isinstance(config, BslConfig):
        rows = torch.repeat_interleave(torch.arange(batch.size, device=lengths.device), lengths)
        scores = (F.embedding(rows, users) * F.embedding(batch.bought, items)).sum(1)
        positive = log_mean_exp(scores, rows, lengths, config.positive_temperature)
    else:
        positive = (users * F.embedding_bag(batch.bought, items, batch.offsets, mode="mean")).sum(1)
    weight = _weight(batch)
    own, drawn = (batch.own_rows, batch.own_columns), F.embedding(batch.drawn, items)
    return basket_softmax_loss(users, drawn, positive, own, weight / weight.sum(), config.temperature, config.push)


def _lengths(batch: BasketBatch) -> Tensor:
    """[B]: products in the basket of each customer."""
    return batch.offsets.diff(append=batch.offsets.new_tensor([len(batch.bought)]))


def _weight(batch: BasketBatch) -> Tensor:
    """[B]: how much each basket counts beside the others."""
    return _lengths(batch) ** BASKET_POWER


def _of_sequences(network: nn.Module, batch: SequenceBatch, config: LossConfig) -> Tensor:
    assert isinstance(config, SoftmaxConfig), config.name
    order, items = network(batch.items, batch.tokens, batch.kinds, batch.gaps)
    users = order[batch.rows, batch.columns]
    positive = (users * F.embedding(batch.wanted, items)).sum(1)
    own = batch.own_rows, batch.own_columns
    return sampled_softmax_loss(
        users.float(), F.embedding(batch.drawn, items), positive.float(), own, batch.pool, config.temperature
    )


def _of_customers(scores: Tensor, batch: Batch, config: LossConfig, share: Share) -> Tensor:
    assert not isinstance(config, BasketSoftmaxConfig | BslConfig), config.name
    if isinstance(config, SoftmaxConfig | InBatchConfig):
        return _softmax(scores, batch, config.temperature, config.first_time_weight, share)
    return share(lambda one: len(one.rows)) * _of_purchases(scores, batch, config)


def _of_purchases(scores: Tensor, batch: Batch, config: BprConfig | BceConfig | MseConfig) -> Tensor:
    positive, negative = scores[batch.rows, batch.columns], scores[batch.rows]
    weight = _shared_weight(batch, negative)
    if isinstance(config, BprConfig):
        return bpr_loss(positive, negative, weight)
    if isinstance(config, BceConfig):
        return bce_loss(positive, negative, NEGATIVES_PER_PURCHASE * weight)
    if isinstance(config, MseConfig):
        others = (weight * negative.square()).sum(1).mean() if len(weight) else negative.sum()
        return mse_loss(positive, torch.ones_like(positive)) + NEGATIVES_PER_PURCHASE * others
    assert_never(config)


def _softmax(scores: Tensor, batch: Batch, temperature: float, first_time_weight: float, share: Share) -> Tensor:
    loss = share(lambda one: len(one.rows.unique())) * softmax_loss(
        scores, batch.log_weight, batch.rows, batch.columns, temperature
    )
    if not first_time_weight:
        return loss
    unseen = batch.log_weight.index_put(
        (batch.bought_rows, batch.bought_columns), batch.log_weight.new_tensor(-torch.inf)
    )
    first = batch.first_time
    of_first = softmax_loss(scores, unseen, batch.rows[first], batch.columns[first], temperature)
    return loss + first_time_weight * share(lambda one: len(one.rows[one.first_time].unique())) * of_first


def _shared_weight(batch: Batch, negative: Tensor) -> Tensor:
    """[P, K]: how much each product counts as not bought by the customer of a purchase; adds up to 1, or 0."""
    unwanted = batch.log_weight.index_put((batch.rows, batch.columns), batch.log_weight.new_tensor(-torch.inf))
    weight = unwanted.exp()[batch.rows]
    total = weight.sum(1, keepdim=True)
    return (weight / total.clamp(min=torch.finfo(weight.dtype).tiny)).to(negative.dtype)

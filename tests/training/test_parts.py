"""The parts of a batch: what several processes learn together is what one would learn from the whole."""

from __future__ import annotations

from typing import Any, get_args

import pytest
import torch
from torch import nn

from embedrec.data.baskets import BasketBatches
from embedrec.data.batches import Batches, Snapshots
from embedrec.data.cuts import training_cuts
from embedrec.data.pairs import PairBatches, Pairs
from embedrec.data.parts import AnyBatch, Parts, part_of
from embedrec.data.sequences import SequenceBatches, Sequences
from embedrec.features import DAY, FeatureEncoder
from embedrec.models import (
    BiasedMfConfig,
    LearnedConfig,
    MfBprConfig,
    NeuralMfConfig,
    TwoTowerConfig,
    TwoTowerIdsConfig,
    TwoTowerSequenceConfig,
)
from embedrec.models.inputs import product_inputs
from embedrec.training import SoftmaxConfig
from embedrec.training.config import (
    BasketSoftmaxConfig,
    BceConfig,
    BprConfig,
    BslConfig,
    InBatchConfig,
    LossConfig,
    MseConfig,
)
from embedrec.training.objectives import loss_of
from shops import at_day, history_of, small_shop

NOW, SIZE = at_day(250), 14
SNAPSHOT = FeatureEncoder.fit(*history_of(small_shop(3, views=200)), NOW).at(NOW)
PAIRS = Pairs.bought(SNAPSHOT)


def of_cuts(negatives: Any) -> AnyBatch:
    cuts = training_cuts(SNAPSHOT.history, NOW, 30 * DAY, 2)
    return next(iter(Batches(Snapshots(SNAPSHOT.encoder), cuts, SIZE, negatives, seed=1, epoch=0)))


def of_sequences() -> AnyBatch:
    return next(iter(SequenceBatches(Sequences(SNAPSHOT, events=6), SIZE, 8, seed=1, epoch=0)))


TWO_TOWER = TwoTowerConfig(dim=6, patterns=0, history_dropout=0.0)
CASES: list[tuple[Any, AnyBatch, Any]] = [
    (TWO_TOWER, of_cuts(8), SoftmaxConfig(first_time_weight=0.5)),
    (TWO_TOWER, of_cuts("all"), SoftmaxConfig(negatives="all")),
    (TWO_TOWER, of_cuts("in_batch"), InBatchConfig()),
    (TWO_TOWER, of_cuts(8), BprConfig()),
    (TWO_TOWER, of_cuts(8), BceConfig()),
    (TWO_TOWER, of_cuts(8), MseConfig()),
    (TwoTowerIdsConfig(dim=6, patterns=4), next(iter(BasketBatches(PAIRS, SIZE, 8, 1, 0))), BasketSoftmaxConfig()),
    (TwoTowerIdsConfig(dim=6, patterns=4), next(iter(BasketBatches(PAIRS, SIZE, 8, 1, 0))), BslConfig()),
    (TwoTowerSequenceConfig(dim=8, events=6), of_sequences(), SoftmaxConfig()),
    (MfBprConfig(dim=6), next(iter(PairBatches(PAIRS, SIZE, 3, 1, 0))), BprConfig()),
    (NeuralMfConfig(dim=6), next(iter(PairBatches(PAIRS, SIZE, 3, 1, 0))), BceConfig()),
    (BiasedMfConfig(dim=6), next(iter(PairBatches(PAIRS, SIZE, 0, 1, 0))), MseConfig()),
]


def network_of(config: Any) -> nn.Module:
    torch.manual_seed(0)
    network: nn.Module = config.build(SNAPSHOT.encoder.schema)
    for weight in network.parameters():
        nn.init.normal_(weight, std=0.3)
    if isinstance(config, TwoTowerSequenceConfig):
        network.keep_products(product_inputs(SNAPSHOT.products))  # type: ignore[operator]
    return network.double().eval()  # no dropout, and no rounding to speak of


def in_double(value: Any) -> Any:
    if isinstance(value, torch.Tensor):
        return value.double() if value.is_floating_point() else value
    return type(value)(*map(in_double, value)) if isinstance(value, tuple) else value


def learned(network: nn.Module, loss: torch.Tensor) -> list[torch.Tensor]:
    network.zero_grad()
    loss.backward()
    return [torch.zeros_like(w) if w.grad is None else w.grad.to_dense().clone() for w in network.parameters()]


@pytest.mark.parametrize("parts", [2, 3, SIZE + 2], ids=["two", "three", "more than customers"])
@pytest.mark.parametrize(("config", "batch", "loss"), CASES, ids=lambda one: getattr(one, "name", ""))
def test_parts_teach_what_the_whole_does(config: Any, batch: AnyBatch, loss: Any, parts: int) -> None:
    """The mean over the parts of the loss, and of every gradient, as DDP takes it."""
    network, batch = network_of(config), in_double(batch)
    whole = loss_of(network, batch, loss)
    wanted = learned(network, whole)
    losses = [loss_of(network, part_of(batch, place, parts), loss) for place in range(parts)]
    torch.testing.assert_close(torch.stack(losses).mean(), whole)
    found = [learned(network, one) for one in losses]
    for gradients, gradient in zip(zip(*found, strict=True), wanted, strict=True):
        torch.testing.assert_close(torch.stack(gradients).mean(0), gradient)


def test_every_loss_and_model_has_a_case() -> None:
    assert {type(loss) for _, _, loss in CASES} == set(get_args(get_args(LossConfig)[0]))
    assert {type(config) for config, _, _ in CASES} == set(get_args(LearnedConfig))


def test_an_epoch_of_parts() -> None:
    """As many steps, the figures of the whole batch, and each purchase in one part."""
    epoch = PairBatches(PAIRS, SIZE, 3, seed=1, epoch=0)
    first, second = (list(Parts(epoch, place, 2)) for place in (0, 1))
    for whole, one, other in zip(epoch, first, second, strict=True):
        assert one.size == other.size == whole.size
        assert torch.equal(torch.cat([one.own.users, other.own.users]), whole.users)  # type: ignore[union-attr]
        assert torch.equal(torch.cat([one.own.items, other.own.items]), whole.items)  # type: ignore[union-attr]

"""Training killed at any step and continued ends with the same bits as training that nobody disturbed."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import pytest
import torch

from embedrec.data.baskets import BasketBatches
from embedrec.data.batches import Batches, Snapshots
from embedrec.data.cuts import training_cuts
from embedrec.data.datamodule import TrainingData
from embedrec.data.pairs import PairBatches, Pairs
from embedrec.data.sequences import SequenceBatches, Sequences
from embedrec.features import DAY, FeatureEncoder
from embedrec.models import Network, NeuralMfConfig, TwoTowerConfig, TwoTowerIdsConfig, TwoTowerSequenceConfig
from embedrec.models.inputs import product_inputs
from embedrec.training import Fit, SoftmaxConfig, TrainerConfig, fit
from embedrec.training.config import BasketSoftmaxConfig, BceConfig, LossConfig
from shops import history_of, small_shop
from stops import Killed, stopping

TRAINER = TrainerConfig(max_epochs=3, patience=2, warmup_steps=2, cuts=4, batch_size=16)
FIGURES = {3: [0.1, 0.5, 0.3], 2: [0.5, 0.3], 1: [0.3]}  # by epochs left
Make = Callable[[], tuple[Network, TrainingData, LossConfig]]


@pytest.fixture(scope="module", params=["cuts", "pairs", "baskets", "sequences"])
def make(request: pytest.FixtureRequest) -> Make:
    """Return a function that makes a fresh network and its data."""
    encoder = FeatureEncoder.fit(*history_of(small_shop(2)), history_of(small_shop(2))[0].end)
    history = encoder.history

    def cuts() -> tuple[Network, TrainingData, LossConfig]:
        torch.manual_seed(0)
        network = TwoTowerConfig(dim=4, history_dropout=0.3).build(encoder.schema)
        dates = training_cuts(history, history.end, 30 * DAY, TRAINER.cuts)
        batches = partial(Batches, Snapshots(encoder), dates, TRAINER.batch_size, "all")
        return network, TrainingData(dates, batches, 0), SoftmaxConfig()

    def pairs() -> tuple[Network, TrainingData, LossConfig]:
        torch.manual_seed(0)
        network = NeuralMfConfig(dim=4).build(encoder.schema)
        bought = Pairs.bought(encoder.at(history.end))
        return network, TrainingData(bought, partial(PairBatches, bought, 64, 2), 0), BceConfig(negatives=2)

    def baskets() -> tuple[Network, TrainingData, LossConfig]:
        torch.manual_seed(0)
        network = TwoTowerIdsConfig(dim=4, patterns=0).build(encoder.schema)
        bought = Pairs.bought(encoder.at(history.end))
        return network, TrainingData(bought, partial(BasketBatches, bought, 7, 6), 0), BasketSoftmaxConfig()

    def sequences() -> tuple[Network, TrainingData, LossConfig]:
        torch.manual_seed(0)
        network = TwoTowerSequenceConfig(dim=4, events=9).build(encoder.schema)
        network.order.gap.weight.requires_grad_(False)  # as where times are made up
        network.keep_products(product_inputs(encoder.at(history.end).products))
        ordered = Sequences(encoder.at(history.end), 9)
        return network, TrainingData(ordered, partial(SequenceBatches, ordered, 7, 6), 0), SoftmaxConfig()

    made: Make = {"cuts": cuts, "pairs": pairs, "baskets": baskets, "sequences": sequences}[request.param]
    return made


class Trained:
    """A training in a folder, and what it left there."""

    def __init__(self, make: Make, folder: Path, **how: Any) -> None:
        self.network, data, loss = make()
        self.result: Fit = fit(self.network, data, loss, TRAINER, folder=folder, progress=False, **how)
        self.left = {path.name: torch.load(path, weights_only=True) for path in sorted(folder.iterdir())}

    def assert_same(self, other: Trained) -> None:
        assert self.result == other.result
        assert_same(self.network.state_dict(), other.network.state_dict())
        assert self.left.keys() == other.left.keys()
        for name, content in self.left.items():
            for part in ("state_dict", "optimizer_states", "lr_schedulers", "epoch", "global_step"):
                assert_same(content.get(part), other.left[name].get(part))


def assert_same(one: Any, other: Any) -> None:
    if isinstance(one, torch.Tensor):
        assert one.dtype == other.dtype
        assert torch.equal(one, other)
    elif isinstance(one, dict):
        assert one.keys() == other.keys()
        for key, value in one.items():
            assert_same(value, other[key])
    elif isinstance(one, list):
        assert len(one) == len(other)
        for value, another in zip(one, other, strict=True):
            assert_same(value, another)
    else:
        assert one == other


class Validate:
    """Gives the figure of an epoch, found by the learning curve's length."""

    def __init__(self, folder: Path) -> None:
        last = folder / "last.ckpt"
        self.done = torch.load(last, weights_only=True)["callbacks"]["LearningCurve"]["epochs"] if last.exists() else []
        self.left = FIGURES[3][len(self.done) :]

    def __call__(self, network: Network) -> float:
        return self.left.pop(0)


def how(folder: Path, refit: bool) -> dict[str, Any]:
    return {"epochs": 2} if refit else {"validate": Validate(folder)}


def epoch_of(make: Make) -> int:
    """Steps of an epoch."""
    return len(make()[1].epoch(0))  # type: ignore[arg-type]


STOPS = {
    "first step": lambda n: 0,
    "second step": lambda n: 1,
    "within the first epoch": lambda n: n // 2,
    "last of the first epoch": lambda n: n - 1,
    "first of the second epoch": lambda n: n,
    "within the second epoch": lambda n: n + 2,
    "last step": lambda n: 2 * n - 1,
}


@pytest.mark.parametrize("refit", [False, True], ids=["select", "refit"])
def test_stopped_and_continued(make: Make, tmp_path: Path, refit: bool) -> None:
    every = 3
    undisturbed = Trained(make, tmp_path / "undisturbed", **how(tmp_path / "undisturbed", refit))
    n = epoch_of(make)
    assert n > 5
    for name, stop in STOPS.items():
        folder = tmp_path / name
        with stopping(stop(n), every) as before, pytest.raises(Killed):
            Trained(make, folder, **how(folder, refit))
        with stopping(every=every) as after:
            resumed = Trained(make, folder, **how(folder, refit))
        resumed.assert_same(undisturbed)
        steps = (2 if refit else 3) * n
        assert 0 <= before.taken + after.taken - steps < every + 1, f"{name}: more than an interval was lost"


def test_stopped_at_every_turn(make: Make, tmp_path: Path) -> None:
    """Killed after every second step, again and again."""
    undisturbed = Trained(make, tmp_path / "undisturbed", **how(tmp_path / "undisturbed", False))
    folder, kills = tmp_path / "run", 0
    while True:
        try:
            with stopping(2):
                resumed = Trained(make, folder, **how(folder, False))
            break
        except Killed:
            kills += 1
    assert kills == -(-3 * epoch_of(make) // 2) - 1
    resumed.assert_same(undisturbed)

"""`fit`: which epoch wins, when training stops, and what a resumed run may not change."""

from __future__ import annotations

import dataclasses
import math
import shutil
import signal
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor

from embedrec.data.batches import Batch, Batches, Snapshots
from embedrec.data.cuts import training_cuts
from embedrec.data.datamodule import TrainingData
from embedrec.errors import TrainingError
from embedrec.features import DAY, FeatureEncoder
from embedrec.models import TwoTower, TwoTowerConfig
from embedrec.training import Fit, SoftmaxConfig, TrainerConfig, fit, module
from embedrec.training import checkpoints as checkpoint_module
from embedrec.training.fit import load_weights
from embedrec.training.objectives import loss_of
from shops import history_of, small_shop
from stops import Killed, stopping

MODEL = TwoTowerConfig(dim=4)
TRAINER = TrainerConfig(max_epochs=6, patience=2, warmup_steps=2, learning_rate=0.01, cuts=4, batch_size=16)
Weights = dict[str, Tensor]


@pytest.fixture(autouse=True)
def every_epoch(monkeypatch: pytest.MonkeyPatch) -> None:
    """Write a checkpoint after each epoch, however short; training rations them by time."""
    monkeypatch.setattr(checkpoint_module, "SHARE", math.inf)


@pytest.fixture(scope="module")
def encoder() -> FeatureEncoder:
    history, catalogue = history_of(small_shop(2))
    return FeatureEncoder.fit(history, catalogue, history.end)


@dataclasses.dataclass
class Outcome:
    result: Fit
    network: TwoTower

    @property
    def weights(self) -> Weights:
        return weights_of(self.network)


class Scripted:
    """A validator whose figures are given, and which keeps the weights it was shown."""

    def __init__(self, values: Sequence[float]) -> None:
        self.values, self.seen = list(values), list[Weights]()

    def __call__(self, network: TwoTower) -> float:
        self.seen.append(weights_of(network))
        return self.values[len(self.seen) - 1]


Train = Callable[..., Outcome]


@pytest.fixture
def train(encoder: FeatureEncoder, tmp_path: Path) -> Train:
    """Return a function that trains a fresh network on the small shop."""

    def trained(
        folder: str = "run",
        config: TrainerConfig = TRAINER,
        seed: int = 0,
        batches: type[Batches] = Batches,
        **how: Any,
    ) -> Outcome:
        torch.manual_seed(seed)
        network = MODEL.build(encoder.schema)
        cuts = training_cuts(encoder.history, encoder.history.end, 30 * DAY, config.cuts)
        data = TrainingData(cuts, partial(batches, Snapshots(encoder), cuts, config.batch_size, "all"), seed)
        how = {"progress": False, **how}
        return Outcome(fit(network, data, SoftmaxConfig(), config, folder=tmp_path / folder, **how), network)

    return trained


def weights_of(network: TwoTower) -> Weights:
    return {name: value.detach().clone() for name, value in network.state_dict().items()}


def same(one: Weights, other: Weights) -> bool:
    return one.keys() == other.keys() and all(torch.equal(value, other[name]) for name, value in one.items())


def learning_rate(checkpoint: Path) -> float:
    content = torch.load(checkpoint, weights_only=True)
    return float(content["lr_schedulers"][0]["_last_lr"][0])


# How long


def test_exactly_the_epochs_asked_for(train: Train, tmp_path: Path) -> None:
    outcome = train(epochs=3)
    assert outcome.result.epochs == 3
    assert [point["epoch"] for point in outcome.result.curve] == [1, 2, 3]
    assert all(point["valid_ndcg"] is None for point in outcome.result.curve)
    assert torch.load(tmp_path / "run" / "last.ckpt", weights_only=True)["epoch"] == 2
    assert not (tmp_path / "run" / "best.ckpt").exists()


def test_fewer_epochs_do_not_shorten_the_schedule(train: Train, tmp_path: Path) -> None:
    """The refit sees the learning rates that the chosen epoch saw, not a schedule squeezed into fewer epochs."""
    train("whole", epochs=TRAINER.max_epochs)
    train("part", epochs=2)
    watched = Scripted([0.1 * epoch for epoch in range(1, 7)])
    chosen = train("selected", validate=watched)
    assert learning_rate(tmp_path / "whole" / "last.ckpt") == pytest.approx(0.0, abs=1e-9)
    assert learning_rate(tmp_path / "part" / "last.ckpt") > 0.3 * TRAINER.learning_rate
    assert chosen.result.epochs == 6
    assert same(train("part again", epochs=2).weights, watched.seen[1])


def test_training_learns(train: Train) -> None:
    losses = [point["train_loss"] for point in train(epochs=6).result.curve]
    assert losses[0] is not None
    assert losses[-1] is not None
    assert losses[-1] < losses[0]


def test_the_same_seed_gives_the_same_weights(train: Train) -> None:
    first, again, other = train("a", epochs=2), train("b", epochs=2), train("c", epochs=2, seed=1)
    assert same(first.weights, again.weights)
    assert first.result == again.result
    assert not same(first.weights, other.weights)


def test_validation_leaves_no_trace(train: Train) -> None:
    """Drawing random numbers while validating must not change what is learned."""

    def validate(network: TwoTower) -> float:
        return float(torch.rand(()))

    calm = train("calm", epochs=4)
    curve = train("noisy", TrainerConfig(**{**TRAINER.model_dump(), "patience": 100}), validate=validate).result.curve
    assert [point["train_loss"] for point in curve[:4]] == [point["train_loss"] for point in calm.result.curve]


def test_every_epoch_has_its_own_batches(train: Train) -> None:
    drawn: dict[int, list[int]] = {}

    class Watched(Batches):
        def __init__(self, *settings: Any) -> None:
            super().__init__(*settings)
            self.epoch = settings[5]

        def __iter__(self) -> Iterator[Batch]:
            drawn[self.epoch] = []
            for batch in super().__iter__():
                drawn[self.epoch] += batch.customers.row.tolist()
                yield batch

    with pytest.raises(Killed):
        train(batches=Watched, validate=dies_after(1, RISE_AND_FALL))
    assert list(drawn) == [0, 1]
    train(batches=Watched, validate=Scripted(RISE_AND_FALL[1:]))
    assert list(drawn) == [0, 1, 2, 3], "a resumed run draws what the undisturbed one would"
    assert len({tuple(rows) for rows in drawn.values()}) == len(drawn)
    assert len({tuple(sorted(rows)) for rows in drawn.values()}) == 1


# Which epoch


def test_the_best_epoch_wins_and_patience_ends_training(train: Train) -> None:
    validate = Scripted([0.1, 0.5, 0.3, 0.2, 0.9, 0.9])
    outcome = train(validate=validate)
    assert len(validate.seen) == 4
    assert outcome.result.epochs == 2
    assert [point["valid_ndcg"] for point in outcome.result.curve] == [0.1, 0.5, 0.3, 0.2]
    assert same(outcome.weights, validate.seen[1])
    assert not same(outcome.weights, validate.seen[3])


def test_of_equal_epochs_the_first_wins(train: Train) -> None:
    validate = Scripted([0.1, 0.4, 0.4, 0.4, 0.4, 0.4])
    outcome = train(validate=validate)
    assert outcome.result.epochs == 2
    assert len(validate.seen) == 4
    assert same(outcome.weights, validate.seen[1])


def test_the_last_epoch_may_be_the_best(train: Train) -> None:
    validate = Scripted([0.1, 0.2, 0.3, 0.4, 0.5, 0.6])
    outcome = train(validate=validate)
    assert outcome.result.epochs == 6
    assert same(outcome.weights, validate.seen[5])


def test_a_figure_of_zero_is_a_figure(train: Train) -> None:
    validate = Scripted([0.0, 0.0, 0.0])
    outcome = train(validate=validate)
    assert outcome.result.epochs == 1
    assert same(outcome.weights, validate.seen[0])


# Resuming


def dies_after(epochs: int, values: Sequence[float]) -> Callable[[TwoTower], float]:
    calls = iter(range(len(values)))

    def validate(network: TwoTower) -> float:
        call = next(calls)
        if call == epochs:
            raise Killed
        return values[call]

    return validate


RISE_AND_FALL = [0.1, 0.5, 0.3, 0.2, 0.9, 0.9]


@pytest.mark.parametrize("epochs", [1, 2, 3])
def test_a_killed_run_goes_on_to_the_same_result(train: Train, epochs: int) -> None:
    undisturbed = train("undisturbed", validate=Scripted(RISE_AND_FALL))
    with pytest.raises(Killed):
        train("killed", validate=dies_after(epochs, RISE_AND_FALL))
    resumed = train("killed", validate=Scripted(RISE_AND_FALL[epochs:]))
    assert resumed.result == undisturbed.result
    assert same(resumed.weights, undisturbed.weights)


def test_a_run_that_stopped_early_stays_stopped(train: Train) -> None:
    first = train(validate=Scripted(RISE_AND_FALL))
    again = train(validate=Scripted([]))
    assert again.result == first.result
    assert same(again.weights, first.weights)


def test_a_finished_refit_stays_finished(train: Train) -> None:
    first = train(epochs=2)
    again = train(epochs=2)
    assert again.result == first.result
    assert same(again.weights, first.weights)


def test_a_run_at_its_last_epoch_stays_finished(train: Train) -> None:
    first = train(epochs=TRAINER.max_epochs)
    assert same(train(epochs=TRAINER.max_epochs).weights, first.weights)


def test_a_run_may_be_continued_elsewhere(train: Train, tmp_path: Path) -> None:
    """The best value is remembered, so a worse epoch after the move does not overwrite the best one."""
    undisturbed = train("undisturbed", validate=Scripted(RISE_AND_FALL))
    with pytest.raises(Killed):
        train("killed", validate=dies_after(2, RISE_AND_FALL))
    shutil.move(tmp_path / "killed", tmp_path / "moved")
    resumed = train("moved", validate=Scripted(RISE_AND_FALL[2:]))
    assert resumed.result == undisturbed.result
    assert same(resumed.weights, undisturbed.weights)


def test_checkpoints_are_plain_data(train: Train, tmp_path: Path) -> None:
    train(validate=Scripted(RISE_AND_FALL))
    best, last = (torch.load(tmp_path / "run" / name, weights_only=True) for name in ("best.ckpt", "last.ckpt"))
    assert {"state_dict", "optimizer_states", "lr_schedulers", "epoch"} <= last.keys()
    assert "optimizer_states" not in best, "only the weights of the best epoch are wanted"
    assert sorted(path.name for path in (tmp_path / "run").iterdir()) == ["best.ckpt", "last.ckpt"]


def test_the_best_checkpoint_holds_the_best_weights(train: Train, tmp_path: Path, encoder: FeatureEncoder) -> None:
    validate = Scripted(RISE_AND_FALL)
    train(validate=validate)
    network = MODEL.build(encoder.schema)
    load_weights(network, tmp_path / "run" / "best.ckpt")
    assert same(weights_of(network), validate.seen[1])


# What goes wrong


def root_of_nothing(network: torch.nn.Module) -> Tensor:
    """Zero, with gradients that are no numbers."""
    return torch.sqrt(0 * next(network.parameters()).sum())


SPOILED = {
    "the loss became nan": lambda loss, network: loss * torch.nan,
    "the loss became inf": lambda loss, network: loss * torch.inf,
    "the gradients became nan": lambda loss, network: loss + root_of_nothing(network),
}


@pytest.mark.parametrize("what", SPOILED)
def test_what_is_not_finite_ends_training_within_the_step(
    train: Train, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, what: str
) -> None:
    """In the fourth step of the second epoch; what was reached before stays."""
    steps = []

    def spoiled(network: torch.nn.Module, *given: Any) -> Tensor:
        steps.append(network)
        loss = loss_of(network, *given)
        return SPOILED[what](loss, network) if len(steps) == n + 4 else loss

    with stopping() as before:
        reference = train("reference", epochs=2)
    n = before.taken // 2
    monkeypatch.setattr(module, "loss_of", spoiled)
    with stopping() as after, pytest.raises(TrainingError, match=rf"{what} in epoch 1, step 3; lower trainer\.learn"):
        train(epochs=2)
    assert after.taken == n + 4
    last = torch.load(tmp_path / "run" / "last.ckpt", weights_only=True)
    assert last["global_step"] == n + 3
    assert all(bool(value.isfinite().all()) for value in last["state_dict"].values() if value.is_floating_point())
    monkeypatch.undo()
    assert same(train(epochs=2).weights, reference.weights)


@pytest.mark.parametrize("value", [float("nan"), float("inf")])
def test_a_figure_that_is_not_finite_is_never_the_best(train: Train, tmp_path: Path, value: float) -> None:
    validate = Scripted([0.1, value])
    with pytest.raises(TrainingError, match=f"valid_ndcg_at_10 became {value} in epoch 1"):
        train(validate=validate)
    for name in ("best.ckpt", "last.ckpt"):
        assert torch.load(tmp_path / "run" / name, weights_only=True)["epoch"] == 0


def test_a_weight_that_is_not_finite_is_never_stored(train: Train, tmp_path: Path) -> None:
    def spoil(network: TwoTower) -> float:
        figures.append(0.1 * len(figures))
        if len(figures) == 2:
            torch.nn.init.constant_(network.norm.weight, float("nan"))
        return figures[-1]

    figures: list[float] = []
    with pytest.raises(TrainingError, match="a weight became inf or nan in epoch 1"):
        train(validate=spoil)
    for name in ("best.ckpt", "last.ckpt"):
        assert torch.load(tmp_path / "run" / name, weights_only=True)["epoch"] == 0


def test_a_checkpoint_that_cannot_be_written(train: Train, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(Killed):
        train(validate=dies_after(2, RISE_AND_FALL))
    last = tmp_path / "run" / "last.ckpt"
    before = last.read_bytes()

    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patch, pytest.raises(TrainingError, match="No space left on device"):
        patch.setattr(checkpoint_module.torch, "save", full)
        train(validate=Scripted(RISE_AND_FALL[2:]))
    assert last.read_bytes() == before
    undisturbed = train("undisturbed", validate=Scripted(RISE_AND_FALL))
    assert same(train(validate=Scripted(RISE_AND_FALL[2:])).weights, undisturbed.weights)


def test_a_damaged_checkpoint_is_named(train: Train, tmp_path: Path) -> None:
    train(epochs=1)
    (tmp_path / "run" / "last.ckpt").write_bytes(b"damaged")
    with pytest.raises(TrainingError, match="last.ckpt cannot be read"):
        train(epochs=1)


def test_a_checkpoint_of_another_model(train: Train, tmp_path: Path, encoder: FeatureEncoder) -> None:
    train(epochs=1)
    wider = TwoTowerConfig(dim=8).build(encoder.schema)
    with pytest.raises(TrainingError, match="last.ckpt belongs to another model"):
        load_weights(wider, tmp_path / "run" / "last.ckpt")


def test_training_does_not_go_on_from_another_model(train: Train, encoder: FeatureEncoder, tmp_path: Path) -> None:
    train(epochs=1)
    wider, same_again = (TwoTowerConfig(dim=dim).build(encoder.schema) for dim in (8, MODEL.dim))
    checkpoint = torch.load(tmp_path / "run" / "last.ckpt", weights_only=True)
    module.RecommenderModule(same_again, SoftmaxConfig(), TRAINER).on_load_checkpoint(checkpoint)
    with pytest.raises(TrainingError, match="another version of embedrec .*customers.category.weight differs"):
        module.RecommenderModule(wider, SoftmaxConfig(), TRAINER).on_load_checkpoint(checkpoint)


def test_an_interrupt_is_an_interrupt_and_can_be_resumed(train: Train) -> None:
    calls = iter(range(10))

    def interrupted(network: TwoTower) -> float:
        if (call := next(calls)) == 2:
            raise KeyboardInterrupt
        return RISE_AND_FALL[call]

    handler = signal.getsignal(signal.SIGINT)
    try:
        with pytest.raises(KeyboardInterrupt):
            train(validate=interrupted)
        assert signal.getsignal(signal.SIGINT) is not signal.SIG_IGN
    finally:
        signal.signal(signal.SIGINT, handler)
    undisturbed = train("undisturbed", validate=Scripted(RISE_AND_FALL))
    assert same(train(validate=Scripted(RISE_AND_FALL[2:])).weights, undisturbed.weights)


# A long training


def test_a_long_training_is_validated_ten_times_at_most(train: Train) -> None:
    """Of 13 epochs every second one and the last; between them nothing can be the best, or use up patience."""
    longer = TRAINER.model_copy(update={"max_epochs": 13, "patience": 3})
    validate = Scripted([0.1, 0.5, 0.2, 0.3, 0.1])
    outcome = train(config=longer, validate=validate)
    told = {point["epoch"]: point["valid_ndcg"] for point in outcome.result.curve}
    assert told == {epoch: None if epoch % 2 else validate.values[epoch // 2 - 1] for epoch in range(1, 11)}
    assert outcome.result.epochs == 4
    assert same(outcome.weights, validate.seen[1])
    last = Scripted([0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7])
    outcome = train("whole", config=longer, validate=last)
    assert [point["epoch"] for point in outcome.result.curve if point["valid_ndcg"]] == [2, 4, 6, 8, 10, 12, 13]
    assert outcome.result.epochs == 13

"""The tower that reads an order: what it starts with, and when it minds the gaps between purchases."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch

from embedrec.experiment.config import parse_config
from embedrec.experiment.runner import Runner
from embedrec.experiment.shop import open_shop
from embedrec.features import FeatureEncoder, Snapshot
from embedrec.models import TwoTowerSequenceConfig, scorer_of
from embedrec.models.inputs import product_inputs
from embedrec.models.two_tower_sequence import TwoTowerSequenceScorer
from shops import at_day, history_of, small_shop, write_shop

NOW = at_day(200)


@pytest.fixture(scope="module")
def snapshot() -> Snapshot:
    return FeatureEncoder.fit(*history_of(small_shop(5)), NOW).at(NOW)


@pytest.mark.parametrize("features", [True, False])
def test_training_reads_the_products_that_answers_are_made_of(snapshot: Snapshot, features: bool) -> None:
    network = TwoTowerSequenceConfig(dim=4, features=features).build(snapshot.encoder.schema).double().eval()
    weights = set(network.state_dict())
    network.keep_products(product_inputs(snapshot.products, torch.float64))
    assert set(network.state_dict()) == weights, "what a shop knows of its products is no weight"
    items = torch.tensor([2, 5, 11])
    _, vectors = network(items, torch.tensor([[0, 2]]), torch.tensor([[0, 0]]), torch.zeros(1, 2).double())
    scorer = scorer_of(network).observe(snapshot)
    assert isinstance(scorer, TwoTowerSequenceScorer)
    assert torch.equal(vectors, scorer.vectors_[items])


@pytest.mark.parametrize(("protocol", "dated"), [("global_time", True), ("leave_last_out", False)])
def test_made_up_days_between_purchases_are_not_learned_from(tmp_path: Path, protocol: str, dated: bool) -> None:
    """Days that a protocol makes up are 1 in training and 1.5 before the test, whatever happened."""
    plain = {
        "data": {"name": "t", "path": str(write_shop(tmp_path / "shop", small_shop(3)))},
        "split": {"protocol": protocol},
        "model": {"name": "two_tower_sequence", "dim": 4},
        "trainer": {"max_epochs": 1, "batch_size": 8},
    }
    config = parse_config(plain)
    outcome = Runner(open_shop(config.data, config.split), progress=False).measure(config, tmp_path / "run", test=True)
    assert outcome is not None
    assert bool(outcome.scorer.weights()["order.gap.weight"].any()) == dated


def test_what_was_bought_pulls_and_what_was_bought_long_ago_does_not(snapshot: Snapshot) -> None:
    torch.manual_seed(3)
    network = TwoTowerSequenceConfig(dim=8, events=4).build(snapshot.encoder.schema)
    for weight in network.parameters():
        torch.nn.init.normal_(weight, std=0.3)
    scorer = scorer_of(network).observe(snapshot)
    customer = snapshot.customers(np.bincount(snapshot.history.users).argmax()[None])
    assert len(customer.bought.values) > 4
    new = np.setdiff1d(np.arange(snapshot.history.n_items), customer.bought.values)
    told = scorer.explain(customer, new)
    read = np.isin(told.bought, customer.line_items[-4:])
    assert (told.pull[:, read].abs().amax(0) > 1e-3).all()
    assert not told.pull[:, ~read].any()

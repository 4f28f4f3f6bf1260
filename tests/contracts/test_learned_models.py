"""Every learned model under the one contract."""

from __future__ import annotations

from typing import Any, get_args

import numpy as np
import pytest
import torch
from model_contract import SHOP, ModelContract, snapshot_of

from embedrec.errors import BundleError
from embedrec.models import (
    BiasedMfConfig,
    LearnedConfig,
    MfBprConfig,
    NeuralMfConfig,
    PairNetwork,
    TwoTowerConfig,
    TwoTowerIdsConfig,
    TwoTowerSequenceConfig,
    load_scorer,
    scorer_of,
)
from embedrec.models.classic.collaborative import faint_popularity


class TestTwoTower(ModelContract):
    config = TwoTowerConfig(dim=12)


class TestTwoTowerWithoutHeads(ModelContract):
    config = TwoTowerConfig(dim=12, repeat=False, popularity=False)


class TestTwoTowerSequence(ModelContract):
    config = TwoTowerSequenceConfig(dim=12, events=7)


class TestTwoTowerSequenceFromIdsAlone(ModelContract):
    config = TwoTowerSequenceConfig(dim=12, events=7, features=False)


class TestTwoTowerIds(ModelContract):
    config = TwoTowerIdsConfig(dim=12)


class TestMfBpr(ModelContract):
    config = MfBprConfig(dim=6)


class TestNeuralMf(ModelContract):
    config = NeuralMfConfig(dim=6)


class TestBiasedMf(ModelContract):
    config = BiasedMfConfig(dim=6)


def test_no_learned_model_is_left_out() -> None:
    tested = {type(suite.config) for suite in ModelContract.__subclasses__()}
    assert set(get_args(LearnedConfig)) <= tested


PAIRS = (MfBprConfig(dim=6), NeuralMfConfig(dim=6), BiasedMfConfig(dim=6))


@pytest.mark.parametrize("config", PAIRS, ids=lambda config: config.name)
def test_pairs_and_whole_rows_get_the_same_score(config: MfBprConfig | NeuralMfConfig | BiasedMfConfig) -> None:
    network = config.build(snapshot_of(SHOP).encoder.schema)
    assert isinstance(network, PairNetwork)
    for weight in network.parameters():
        torch.nn.init.normal_(weight)
    users, items = torch.tensor([0, 3, 5]), torch.tensor([2, 0, 7])
    rows = torch.stack(list(network.parts(users).values())).sum(0)
    torch.testing.assert_close(network(users, items), rows[torch.arange(3), items])
    torch.testing.assert_close(network(users[:, None], items[None].expand(3, 3)), rows[:, items])


@pytest.mark.parametrize(("config", "bias"), [(PAIRS[0], "bias"), (PAIRS[2], "item_bias")])
def test_a_customer_nobody_knows_gets_what_all_share(config: MfBprConfig | BiasedMfConfig, bias: str) -> None:
    network = config.build(snapshot_of(SHOP).encoder.schema)
    with torch.no_grad():
        network.get_parameter(bias).normal_()
    parts = network.parts(torch.tensor([0]))
    assert not parts.pop("identity").any()
    (shared,) = parts.values()
    assert shared.std() > 0.1


IDS = (TwoTowerIdsConfig(dim=6), TwoTowerSequenceConfig(dim=6, features=False))


@pytest.mark.parametrize("config", IDS, ids=lambda config: config.name)
@pytest.mark.parametrize("seed", range(3))
def test_from_ids_alone_what_training_never_saw_comes_last(config: Any, seed: int) -> None:
    """Whatever the weights, and in the order of what sells of late; for those who have bought nothing as well."""
    snapshot = snapshot_of(SHOP)
    torch.manual_seed(seed)
    network = config.build(snapshot.encoder.schema)
    with torch.no_grad():
        for weight in network.parameters():
            weight.normal_(std=2.0)
    scores = scorer_of(network).observe(snapshot).score(np.arange(snapshot.history.n_users))
    cold = torch.from_numpy(snapshot.products.row == 0)
    assert 0 < int(cold.sum()) < len(cold)
    assert (scores[:, cold].amax(1) < scores[:, ~cold].amin(1)).all()
    popular = torch.from_numpy(faint_popularity(snapshot))[cold]
    assert (scores[:, cold][:, popular.argsort()].diff() >= 0).all()


def test_a_bundle_gives_the_same_scores() -> None:
    snapshot = snapshot_of(SHOP)
    users = np.arange(snapshot.history.n_users)
    for config in (*PAIRS, TwoTowerIdsConfig(dim=6), TwoTowerSequenceConfig(dim=6)):
        torch.manual_seed(1)
        scorer = scorer_of(config.build(snapshot.encoder.schema)).observe(snapshot)
        again = load_scorer(config, snapshot.encoder.schema, scorer.weights()).observe(snapshot)
        assert torch.equal(scorer.score(users), again.score(users))
        with pytest.raises(BundleError):
            load_scorer(config, snapshot.encoder.schema, {})

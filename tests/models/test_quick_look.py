"""The quick look in float32 that chooses an epoch sees what is measured in the end."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from embedrec.features import FeatureEncoder, Snapshot
from embedrec.models import MfBprConfig, TwoTowerConfig, TwoTowerIdsConfig, TwoTowerSequenceConfig, scorer_of
from shops import at_day, history_of, small_shop


@pytest.fixture(scope="module")
def snapshot() -> Snapshot:
    return FeatureEncoder.fit(*history_of(small_shop(3)), at_day(240)).at(at_day(240))


@pytest.mark.parametrize(
    "config",
    [TwoTowerConfig(dim=8), TwoTowerIdsConfig(dim=8, patterns=4), TwoTowerSequenceConfig(dim=8), MfBprConfig(dim=8)],
    ids=lambda config: config.name,
)
def test_scores_agree(config: TwoTowerConfig, snapshot: Snapshot) -> None:
    torch.manual_seed(1)
    network = config.build(snapshot.encoder.schema)
    for weight in network.parameters():
        torch.nn.init.normal_(weight, std=0.3)
    users = np.arange(snapshot.history.n_users)
    exact, quick = (
        scorer_of(network, dtype).observe(snapshot).score(users) for dtype in (torch.float64, torch.float32)
    )
    assert exact.dtype == quick.dtype == torch.float32
    torch.testing.assert_close(quick, exact, rtol=1e-3, atol=1e-4)

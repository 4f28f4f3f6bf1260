"""The tower that reads an order: what it starts with, and when it minds the gaps between purchases."""

from __future__ import annotations

from pathlib import Path

import pytest

from embedrec.experiment.config import parse_config
from embedrec.experiment.runner import Runner
from embedrec.experiment.shop import open_shop
from shops import small_shop, write_shop


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

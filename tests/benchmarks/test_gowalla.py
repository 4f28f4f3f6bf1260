"""Gowalla's published split: two rows that others have published, measured again with this code."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
import torch
import yaml

from embedrec.evaluation.ranking import Truth, rank
from embedrec.experiment.shop import Shop, open_shop
from embedrec.features import FeatureEncoder
from embedrec.models import ClassicConfig, IalsConfig
from embedrec.models.classic.popularity import PopularityConfig
from embedrec.splits import SplitConfig
from embedrec.tables import DataConfig

pytestmark = [
    pytest.mark.benchmark,
    pytest.mark.timeout(1800),
    pytest.mark.skipif(not os.environ.get("EMBEDREC_DATA"), reason="EMBEDREC_DATA is not set: Gowalla is read there"),
]


@pytest.fixture(scope="module")
def gowalla() -> Shop:
    conf = Path(__file__).parents[2] / "conf" / "data" / "gowalla.yaml"
    settings = yaml.safe_load(conf.read_text(encoding="utf-8"))
    settings.pop("defaults")
    return open_shop(DataConfig(**settings), SplitConfig())


def recall_and_ndcg(shop: Shop, config: ClassicConfig) -> tuple[float, float]:
    """Fit on the whole published train part; R@20 and N@20 of the test part, products seen in train masked."""
    torch.set_num_threads(2)
    try:
        snapshot = FeatureEncoder.fit(shop.history, shop.catalogue, shop.split.test_from).at(shop.split.test_from)
        truth = Truth.of_window(snapshot, shop.split.end)
        scorer = config.build(snapshot.encoder.schema).fit(snapshot)
        view = rank(scorer, snapshot, truth, ("new",))["new"]
    finally:
        torch.set_num_threads(1)
    assert len(view.users) == 29_858
    return float(view.metric("recall", 20).mean()), float(view.metric("ndcg", 20).mean())


def test_popularity(gowalla: Shop) -> None:
    recall, ndcg = recall_and_ndcg(gowalla, PopularityConfig())
    print(f"\nGowalla, popularity: R@20 {recall:.4f} (published .0416), N@20 {ndcg:.4f}")
    assert recall == pytest.approx(0.0416, abs=0.0005)


def test_ials(gowalla: Shop) -> None:
    """Settings chosen on 10 % of each customer's train part (the first 1,500 customers); CHANGELOG has the figures."""
    pytest.importorskip("implicit")
    recall, ndcg = recall_and_ndcg(gowalla, IalsConfig(dim=256, alpha=20.0, regularization=30.0))
    print(f"\nGowalla, iALS of 256 dimensions: R@20 {recall:.4f} (wanted .168), N@20 {ndcg:.4f}")
    assert recall >= 0.168

"""The simple rivals on Online Retail, against figures measured independently with the same protocol."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
import yaml

from embedrec.evaluation.ranking import Truth, rank
from embedrec.experiment.shop import open_shop
from embedrec.features import FeatureEncoder
from embedrec.models import RIVALS
from embedrec.splits import SplitConfig, day
from embedrec.tables import DataConfig

# NDCG@10: last 10 % of purchases by time, full catalogue, 1,012 customers in view `all`
ELSEWHERE = {
    ("popularity", "all"): 0.0704,
    ("popularity", "new"): 0.0267,
    ("popularity_recent", "all"): 0.1384,
    ("popularity_recent", "new"): 0.0693,
    ("personal_frequency", "all"): 0.3347,
}

pytestmark = pytest.mark.skipif(
    not os.environ.get("EMBEDREC_DATA"), reason="EMBEDREC_DATA is not set: Online Retail is read from there"
)


def test_rivals_agree_with_figures_measured_elsewhere() -> None:
    conf = Path(__file__).parents[2] / "conf" / "data" / "online_retail.yaml"
    settings = yaml.safe_load(conf.read_text(encoding="utf-8"))
    settings.pop("defaults")
    shop = open_shop(DataConfig(**settings), SplitConfig())
    assert day(shop.split.test_from) == "2011-11-21T09:11:00"
    snapshot = FeatureEncoder.fit(shop.history, shop.catalogue, shop.split.test_from).at(shop.split.test_from)
    truth = Truth.of_window(snapshot, shop.split.end)
    assert len(truth.users) == 1012
    found = {}
    for config in RIVALS:
        for view, ranked in rank(config.build(snapshot.encoder.schema).fit(snapshot), snapshot, truth).items():
            found[config.name, view] = float(ranked.metric("ndcg", 10).mean())
    assert {key: found[key] for key in ELSEWHERE} == pytest.approx(ELSEWHERE, rel=0.02)

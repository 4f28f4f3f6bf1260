"""The classic rivals on three public shops, against figures measured independently with the same protocol.

Train is everything before the date, test the rest; the full catalogue is ranked; customers bought before the date.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import NamedTuple

import pytest
import yaml

from embedrec.evaluation.ranking import Truth, rank
from embedrec.experiment.shop import open_shop
from embedrec.features import FeatureEncoder, Snapshot
from embedrec.models import ClassicConfig, IalsConfig, ItemKnnConfig, PopularityRecentConfig
from embedrec.models.classic.personal_frequency import PersonalFrequencyConfig
from embedrec.models.classic.popularity import PopularityConfig
from embedrec.splits import SplitConfig
from embedrec.tables import DataConfig

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(not os.environ.get("EMBEDREC_DATA"), reason="EMBEDREC_DATA is not set: shops are read there"),
]


class Published(NamedTuple):
    """Recall (capped) and NDCG at 10 in the views `all` and `new`, and how far ours may lie from them."""

    model: ClassicConfig
    figures: tuple[float, ...]
    slack: float = 0.03


POPULARITY, RECENT, PERSONAL = PopularityConfig(), PopularityRecentConfig(), PersonalFrequencyConfig()
ITEM_KNN, IALS = ItemKnnConfig(), IalsConfig()
RANDOM_START = 0.13  # the random start of iALS alone moves a figure by so much from seed to seed
# Its many products with one or two customers make neighbours equally close: drawn by lot, which of them are among the
# 200 moves NDCG between .0102 and .0120.
MANY_TIES = 0.12

ONLINE_RETAIL = [
    Published(POPULARITY, (0.0688, 0.0704, 0.0306, 0.0267)),
    Published(RECENT, (0.1308, 0.1384, 0.0674, 0.0693)),
    Published(PERSONAL, (0.3335, 0.3347)),
    Published(ITEM_KNN, (0.1464, 0.1455, 0.0480, 0.0440)),
    Published(IALS, (0.2464, 0.2441, 0.0857, 0.0781), RANDOM_START),
]
# Measured there with the 416 lines of quantity 0 that are no purchases here, and so on four customers more.
COMPLETE_JOURNEY = [
    Published(POPULARITY, (0.0445, 0.0380, 0.0354, 0.0294)),
    Published(RECENT, (0.0476, 0.0385, 0.0375, 0.0289)),
    Published(PERSONAL, (0.0452, 0.0347)),
    Published(ITEM_KNN, (0.0169, 0.0118, 0.0035, 0.0036), MANY_TIES),
    Published(IALS, (0.0435, 0.0370, 0.0177, 0.0133), RANDOM_START),
]
GROCERY = [
    Published(POPULARITY, (0.0018, 0.0019, 0.0018, 0.0019)),
    Published(RECENT, (0.0254, 0.0177, 0.0267, 0.0187)),
    Published(PERSONAL, (0.0083, 0.0033)),
    Published(ITEM_KNN, (0.0120, 0.0077, 0.0163, 0.0108)),
    Published(IALS, (0.0267, 0.0166, 0.0336, 0.0231), RANDOM_START),
]


@pytest.mark.parametrize(
    ("shop", "test_from", "customers", "table"),
    [
        ("online_retail", "2011-11-21T09:11:00", 1012, ONLINE_RETAIL),
        ("completejourney", "2017-11-26T19:09:31", 1622, COMPLETE_JOURNEY),
        ("amazon_grocery", "2014-01-27", 2990, GROCERY),
    ],
)
def test_figures_measured_elsewhere(shop: str, test_from: str, customers: int, table: list[Published]) -> None:
    snapshot, truth = opened(shop, test_from)
    assert len(truth.users) == customers
    far = []
    for row in table:
        found = figures(row.model, snapshot, truth)
        print(f"\n{shop} {row.model.name:20}", *(f"{ours:.4f}" for ours in found))
        for ours, theirs in zip(found, row.figures, strict=False):
            if ours != pytest.approx(theirs, rel=row.slack, abs=5e-5):  # they are given to four places
                far.append(f"{row.model.name}: {ours:.4f}, {theirs:.4f} elsewhere")
    assert not far


def opened(name: str, test_from: str) -> tuple[Snapshot, Truth]:
    conf = Path(__file__).parents[2] / "conf" / "data" / f"{name}.yaml"
    settings = yaml.safe_load(conf.read_text(encoding="utf-8"))
    settings.pop("defaults")
    shop = open_shop(DataConfig(**settings), SplitConfig(test_from=test_from))
    moment = shop.split.test_from
    snapshot = FeatureEncoder.fit(shop.history, shop.catalogue, moment).at(moment)
    return snapshot, Truth.of_window(snapshot, shop.split.end)


def figures(model: ClassicConfig, snapshot: Snapshot, truth: Truth) -> list[float]:
    views = rank(model.build(snapshot.encoder.schema).fit(snapshot), snapshot, truth, ("all", "new"))
    return [float(one.metric(name, 10).mean()) for one in views.values() for name in ("recall_capped", "ndcg")]

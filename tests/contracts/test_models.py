"""Every model under the one contract."""

from __future__ import annotations

import numpy as np
from model_contract import ModelContract, with_new_products

from embedrec.features import Snapshot
from embedrec.models import RIVALS, PopularityRecentConfig
from embedrec.models.classic.ials import IalsConfig
from embedrec.models.classic.item_knn import ItemKnnConfig
from embedrec.models.classic.personal_frequency import PersonalFrequencyConfig
from embedrec.models.classic.popularity import PopularityConfig
from embedrec.models.classic.random import RandomConfig
from embedrec.models.classic.svd import SvdConfig
from embedrec.models.classic.user_knn import UserKnnConfig


class TestRandom(ModelContract):
    config = RandomConfig()

    def test_new_products_are_scored_and_change_no_other_score(self, snapshot: Snapshot, everybody: np.ndarray) -> None:
        """Here they change the others: each customer's order is drawn for the whole catalogue at once."""
        _, larger = with_new_products(snapshot)
        scores = self.make(snapshot).observe(larger).score(everybody)
        assert scores.shape == (len(everybody), snapshot.history.n_items + 3)
        assert ((scores >= 0) & (scores < 1)).all()


class TestPopularity(ModelContract):
    config = PopularityConfig()


class TestPopularityRecent(ModelContract):
    config = PopularityRecentConfig()


class TestPersonalFrequency(ModelContract):
    config = PersonalFrequencyConfig()


class TestUserKnn(ModelContract):
    config = UserKnnConfig(neighbours=5, shrinkage=1.0)


class TestItemKnn(ModelContract):
    config = ItemKnnConfig(neighbours=5, shrinkage=1.0)


class TestSvd(ModelContract):
    config = SvdConfig(dim=8)


class TestSvdOfFullRank(ModelContract):
    config = SvdConfig()


class TestIals(ModelContract):
    config = IalsConfig(dim=8, iterations=3)


def test_no_rival_is_left_out() -> None:
    tested = {type(suite.config) for suite in ModelContract.__subclasses__()}
    assert {type(rival) for rival in RIVALS} <= tested

"""Every model under the one contract."""

from __future__ import annotations

from model_contract import ModelContract

from embedrec.models import RIVALS, PopularityRecentConfig, TwoTowerConfig
from embedrec.models.classic.personal_frequency import PersonalFrequencyConfig
from embedrec.models.classic.popularity import PopularityConfig
from embedrec.models.classic.random import RandomConfig


class TestRandom(ModelContract):
    config = RandomConfig()


class TestPopularity(ModelContract):
    config = PopularityConfig()


class TestPopularityRecent(ModelContract):
    config = PopularityRecentConfig()


class TestPersonalFrequency(ModelContract):
    config = PersonalFrequencyConfig()


class TestTwoTower(ModelContract):
    config = TwoTowerConfig(dim=12)


def test_no_rival_is_left_out() -> None:
    tested = {type(suite.config) for suite in ModelContract.__subclasses__()}
    assert {type(rival) for rival in RIVALS} <= tested

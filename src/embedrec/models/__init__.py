"""Every model behind one scoring contract; a config names one and builds it."""

from typing import Annotated

from pydantic import Field

from embedrec.models.base import Explanation, Scorer
from embedrec.models.classic.personal_frequency import PersonalFrequencyConfig
from embedrec.models.classic.popularity import PopularityConfig, PopularityRecentConfig
from embedrec.models.classic.random import RandomConfig
from embedrec.models.learned import TwoTowerScorer
from embedrec.models.loading import load_scorer
from embedrec.models.two_tower import TwoTower, TwoTowerConfig

ClassicConfig = RandomConfig | PopularityConfig | PopularityRecentConfig | PersonalFrequencyConfig
LearnedConfig = TwoTowerConfig
ModelConfig = Annotated[ClassicConfig | LearnedConfig, Field(discriminator="name")]

# The simple rivals that every run is measured against.
RIVALS: tuple[ClassicConfig, ...] = (
    RandomConfig(),
    PopularityConfig(),
    PopularityRecentConfig(),
    PersonalFrequencyConfig(),
)

__all__ = [
    "RIVALS",
    "ClassicConfig",
    "Explanation",
    "LearnedConfig",
    "ModelConfig",
    "PopularityRecentConfig",
    "Scorer",
    "TwoTower",
    "TwoTowerConfig",
    "TwoTowerScorer",
    "load_scorer",
]

"""Every model behind one scoring contract; a config names one and builds it."""

from typing import Annotated

from pydantic import Field

from embedrec.models.base import Explanation, Scorer
from embedrec.models.biased_mf import BiasedMfConfig
from embedrec.models.classic.ials import IalsConfig
from embedrec.models.classic.item_knn import ItemKnnConfig
from embedrec.models.classic.personal_frequency import PersonalFrequencyConfig
from embedrec.models.classic.popularity import PopularityConfig, PopularityRecentConfig
from embedrec.models.classic.random import RandomConfig
from embedrec.models.classic.svd import SvdConfig
from embedrec.models.classic.user_knn import UserKnnConfig
from embedrec.models.learned import TwoTowerScorer
from embedrec.models.loading import Network, load_scorer, scorer_of
from embedrec.models.mf_bpr import MfBprConfig
from embedrec.models.neural_mf import NeuralMfConfig
from embedrec.models.pairs import PairNetwork, PairScorer
from embedrec.models.recipe import Recipe
from embedrec.models.two_tower import TwoTower, TwoTowerConfig
from embedrec.models.two_tower_ids import TwoTowerIds, TwoTowerIdsConfig
from embedrec.models.two_tower_sequence import TwoTowerSequence, TwoTowerSequenceConfig

ClassicConfig = (
    RandomConfig
    | PopularityConfig
    | PopularityRecentConfig
    | PersonalFrequencyConfig
    | UserKnnConfig
    | ItemKnnConfig
    | SvdConfig
    | IalsConfig
)
LearnedConfig = (
    TwoTowerConfig | TwoTowerIdsConfig | TwoTowerSequenceConfig | NeuralMfConfig | MfBprConfig | BiasedMfConfig
)
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
    "BiasedMfConfig",
    "ClassicConfig",
    "Explanation",
    "IalsConfig",
    "ItemKnnConfig",
    "LearnedConfig",
    "MfBprConfig",
    "ModelConfig",
    "Network",
    "NeuralMfConfig",
    "PairNetwork",
    "PairScorer",
    "PopularityRecentConfig",
    "RandomConfig",
    "Recipe",
    "Scorer",
    "SvdConfig",
    "TwoTower",
    "TwoTowerConfig",
    "TwoTowerIds",
    "TwoTowerIdsConfig",
    "TwoTowerScorer",
    "TwoTowerSequence",
    "TwoTowerSequenceConfig",
    "UserKnnConfig",
    "load_scorer",
    "scorer_of",
]

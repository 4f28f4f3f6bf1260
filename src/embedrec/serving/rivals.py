"""The simple rules that can answer in a model's place, from the same shop: nothing of them is trained or stored."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from embedrec.features import FeatureSchema
from embedrec.models import PopularityRecentConfig, Scorer
from embedrec.models.classic.companions import Companions
from embedrec.models.classic.personal_frequency import PersonalFrequencyConfig
from embedrec.models.classic.popularity import PopularityConfig

RULES: Mapping[str, Callable[[FeatureSchema], Scorer]] = {
    "personal_frequency": PersonalFrequencyConfig().build,
    "popularity_recent": PopularityRecentConfig().build,
    "item_knn": lambda _: Companions(),
    "popularity": PopularityConfig().build,
}
"""By the name under which a comparison measures them, the strongest where customers come back first."""

"""From a bundle to recommendations with real ids."""

from embedrec.serving.profile import CustomerProfile, ModelInfo
from embedrec.serving.recommender import Recommender

__all__ = ["CustomerProfile", "ModelInfo", "Recommender"]

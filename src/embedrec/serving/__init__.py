"""From a bundle to recommendations with real ids."""

from embedrec.serving.arrivals import Arrivals
from embedrec.serving.profile import CustomerProfile, ModelInfo
from embedrec.serving.recommender import Recommender

__all__ = ["Arrivals", "CustomerProfile", "ModelInfo", "Recommender"]

"""From a bundle to recommendations with real ids."""

from embedrec.serving.arrivals import Arrivals
from embedrec.serving.explaining import Explained
from embedrec.serving.profile import CustomerProfile, ModelInfo
from embedrec.serving.reach import Reach
from embedrec.serving.recommender import Recommender

__all__ = ["Arrivals", "CustomerProfile", "Explained", "ModelInfo", "Reach", "Recommender"]

"""From the shop's tables to numbers, every value as of its own moment."""

from embedrec.features.customers import Customers
from embedrec.features.encoder import FeatureEncoder, Snapshot
from embedrec.features.history import DAY, Catalogue, History, build_history
from embedrec.features.products import Products
from embedrec.features.schema import FeatureSchema

__all__ = [
    "DAY",
    "Catalogue",
    "Customers",
    "FeatureEncoder",
    "FeatureSchema",
    "History",
    "Products",
    "Snapshot",
    "build_history",
]

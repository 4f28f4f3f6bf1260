"""How the figures came about and what they mean, in words for people who do not read metrics."""

from __future__ import annotations

from collections.abc import Mapping

# By the name of `split.protocol`.
SPLITS: Mapping[str, str] = {
    "global_time": "The models learned from the past and were tested on what came after one date, the same "
    "for everybody: as in daily use, nothing of the test period was known to them.",
    "given": "The models were tested on the split that came with the data.",
    "leave_last_out": "The last purchase of each customer was held back. Caution: the models knew other "
    "customers' later purchases, so the figures are higher than in daily use.",
    "random": "A random part of each customer's purchases was held back, for data without dates. Caution: "
    "the figures say little about the future.",
}
RULES = (
    "Every model ranked the full catalogue for every test customer. A bought product that the models could "
    "not know counts as missed. Settings were chosen on an earlier period, never on the test. Of two equal "
    "scores, the product that stands first in the catalogue wins. Intervals are 95 % bootstrap intervals "
    "over customers."
)
TERMS: Mapping[str, str] = {
    "NDCG@10": "Quality of the first 10 places, 0 to 1: a product the customer then bought counts, and the "
    "higher it stands the more it counts. The verdict goes by this figure.",
    "Recall@10": "Share of what a customer bought that stood among the 10 recommended products.",
    "Hit rate@10": "Share of customers who bought at least one of the 10 recommended products.",
    "MRR@10": "How early the first right product stands: 1 for the first place, 1/2 for the second, 1/3 for "
    "the third, and so on.",
    "MAP@10": "Precision averaged over the places of the right products: rewards several of them early.",
    "Coverage@10": "Share of the catalogue that is recommended to somebody.",
    "95 % interval": "The range in which a figure would mostly fall with other customers of the same kind.",
    "Beyond chance": "The difference between two models, customer by customer, is too large for luck.",
    "Quarantined": "Rows that could not be understood; kept aside with the reason, and not used.",
    "Set aside": "Rows left out by a stated rule, such as returns and lines without a customer.",
}

"""How the figures came about and what they mean, in words for people who do not read metrics."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Literal

from embedrec.metrics import POPULARITY_BANDS

# By the name of `split.protocol`.
SPLITS: Mapping[str, str] = {
    "global_time": "The models learned from the past and were tested on what came after one date, the same "
    "for everybody: as in daily use, nothing of the test period was known to them.",
    "given": "The models were tested on the split that came with the data.",
    "leave_last_out": "The last purchase of each customer was held back. Caution: the models knew other "
    "customers' later purchases, so the figures are higher than in daily use.",
    "random": "A random part of each customer's products was held back, as for data without dates. Caution: "
    "the figures say little about the future.",
}
RULES = (
    "Every model ranked the full catalogue for every test customer. A bought product that the models could "
    "not know counts as missed. Settings were chosen on an earlier period, never on the test. Of two equal "
    "scores, the product that stands first in the catalogue wins. Intervals are 95 % bootstrap intervals "
    "over customers."
)
VIEWS: Mapping[str, str] = {
    "all": "All purchases count, those of products bought before included",
    "new": "Only products the customer never bought before count and are recommended",
    "repeat": "Only products the customer bought before count and are ranked: what is bought again",
    "cold_item": "Only products that were never sold before count",
}
PICTURED: Mapping[str, str] = {"all": "All purchases", "new": "New products only"}
COLUMNS: Mapping[str, str] = {
    "ndcg@10": "NDCG@10",
    "recall@10": "Recall@10",
    "hit_rate@10": "Hit rate@10",
    "mrr@10": "MRR@10",
    "map@10": "MAP@10",
    "auc": "AUC",
    "coverage@10": "Coverage@10",
}
BANDS = tuple(
    f"{'top' if low == 0 else 'next' if high < 1 else 'last'} {high - low:.0%}".replace("%", " %")
    for low, high in zip((0.0, *POPULARITY_BANDS), POPULARITY_BANDS, strict=False)
)
# Series of a learning curve: key, label, caption, and which end is the better one.
LEARNING: tuple[tuple[str, str, str, Literal["highest", "lowest"] | None], ...] = (
    ("valid_ndcg", "validation NDCG@10", "Learning: quality on the validation period.", "highest"),
    ("valid_rmse", "validation RMSE", "Learning: error of predicted ratings on the validation period.", "lowest"),
    ("train_loss", "training loss", "Learning: what training minimises.", None),
)
# Groups of `slices.slices` that share a table.
SLICED: Mapping[tuple[str, ...], str] = {
    (
        "history_length",
        "customer",
        "item_popularity",
    ): "By what the customer bought before, and by popularity of the product",
    ("category",): "By category of the product",
}
_SLICES: Mapping[str, Mapping[str, str]] = {
    "item_popularity": {"head": "Bestsellers", "tail": "Long tail", "cold": "Never sold"},
    "customer": {"warm": "Known customers", "cold": "First-time customers"},
}
LISTS: Mapping[str, str] = {
    "coverage@10": "Coverage@10",
    "gini@10": "Gini@10",
    "novelty@10": "Novelty@10",
    "diversity@10": "Diversity@10",
    "mean_popularity@10": "Mean popularity@10",
}
CALIBRATION: Mapping[str, str] = {
    "brier": "Brier score",
    "brier_base": "Brier of saying the average",
    "ece": "ECE",
}
ERRORS: Mapping[str, str] = {"rmse": "RMSE", "mse": "MSE", "mae": "MAE"}
REFERENCES: Mapping[str, str] = {
    "global_mean": "the mean rating for everything",
    "means": "means of product and customer",
}

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
AUC_TERM: Mapping[str, str] = {
    "AUC": "How often a product the customer bought stands above one they did not buy, over the whole "
    "catalogue: 1 is always, 0.5 is a coin toss.",
}
LIST_TERMS: Mapping[str, str] = {
    "Gini@10": "How unevenly the places are given out: 0 if every product is shown equally often, 1 if "
    "one product takes them all.",
    "Novelty@10": "How unknown the recommended products are: each point more means half as many buyers.",
    "Diversity@10": "Share of pairs on one customer's list that come from different categories.",
    "Mean popularity@10": "How many customers had bought a recommended product before, on average.",
}
SLICE_TERMS: Mapping[str, str] = {
    "Bestsellers and long tail": "Bestsellers (the head) are the fifth of the catalogue with the most buyers; the "
    "long tail is everything else that was ever sold. Bestsellers are easy; the tail shows what a model has learned.",
    "Cold start": "A customer or a product with no purchase so far: nothing is known but what the shop says of them.",
}
CALIBRATION_TERMS: Mapping[str, str] = {
    "Calibration": "Whether stated probabilities come true: of the products said to be bought with 10 %, one in "
    "ten should be bought.",
    "Brier score": "Mean squared distance between the stated probability and what happened (1 bought, 0 not); "
    "lower is better, and it should lie below that of saying the same average for every product.",
    "ECE": "Expected calibration error: how far stated and observed shares lie apart on average; 0 is perfect.",
}
SIGNIFICANCE_TERMS: Mapping[str, str] = {
    "p-value": "How often luck alone would bring a difference at least this large, if the models were equally good: "
    "0.03 is 3 times in 100.",
    "Holm": "Who compares many models finds a lucky one. Holm's correction raises the p-values so that one "
    "false alarm among all of them stays as rare as in a single comparison.",
    "Wilcoxon": "A second test that asks how many customers are served better, and by rank how much; a few extreme "
    "customers cannot sway it.",
}
RATING_TERMS: Mapping[str, str] = {
    "RMSE, MSE and MAE": "Errors of predicted ratings; lower is better. MAE is the mean distance in stars, MSE the "
    "mean squared distance, which weighs large errors more, and RMSE its root, in stars again.",
}
BACKTEST_TERMS: Mapping[str, str] = {
    "Backtest": "The same comparison repeated at several earlier dates, each time knowing only what came before: a "
    "model that wins every time wins by more than a good week.",
}


def slice_name(group: str, name: str) -> str:
    """Return what a slice of `slices.slices` is called in a table."""
    if group == "history_length":
        return f"{name.replace('-', '–')} bought before"
    return _SLICES.get(group, {}).get(name, name)

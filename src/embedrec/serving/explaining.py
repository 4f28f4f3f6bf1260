"""Why a customer gets a product, number by number: a score taken apart into what it is made of."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd
import torch

from embedrec.columns import PRODUCT, TITLE
from embedrec.features import Snapshot
from embedrec.features.history import Floats
from embedrec.models import Explanation

PART, WORDS, VALUE, AVERAGE = "part", "words", "value", "average"
PART_WORDS = {
    "history": "goes with what they bought",
    "repeat": "their own earlier purchases of it",
    "identity": "their own taste",
    "taste": "what everybody likes",
    "activity": "how often and how much they shop",
    "category": "their favourite category",
    "price": "their usual price level",
    "order": "the order in which they bought",
    "looks": "what they looked at or put in the cart",
    "habits": "new, from a category they buy",
    "popularity": "how well it sells",
    "newness": "new in the shop",
    "esteem": "how it is rated",
    "random": "drawn at random",
}
"""What each part of any model's score stands for, as a heading."""


@dataclass(frozen=True)
class Explained:
    """The score of one product for one customer, taken apart."""

    customer_id: str
    product_id: str
    cold_start: bool
    """Nothing is known of the customer: the score is that of popular products."""
    score: float
    probability: float | None
    """That the product is bought within `info.days` days, were it recommended; None where the bundle cannot tell."""
    reason: str
    parts: pd.DataFrame
    """part, words, value, average (over all products); values add up to the score, those that lift most come first."""
    purchases: pd.DataFrame
    """product_id, title, value: what each bought product adds to the part "history", the most first."""


def take_apart(told: Explanation, score: float, snapshot: Snapshot) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Return parts and purchases of an `Explained` from the explanation of one score."""
    values = {name: float(part[0]) for name, part in told.parts.items()}
    pull = told.pull[0].to(torch.float64).numpy()
    order = np.argsort(-pull, kind="stable")
    order = order[pull[order] != 0]
    bought = told.bought[order]
    purchases = pd.DataFrame(
        {
            PRODUCT: snapshot.history.product_ids[bought].to_numpy(object),
            TITLE: snapshot.encoder.catalogue.title[bought],
            VALUE: pull[order],
        }
    )
    return table_of(values, told.average, score), purchases


def of_popularity(popularity: Floats, item: int) -> tuple[float, pd.DataFrame, pd.DataFrame]:
    """Return the same for somebody of whom nothing is known; popularity[N] is the score of all products."""
    score = float(popularity[item])
    none = pd.DataFrame({PRODUCT: pd.Series(dtype="object"), TITLE: pd.Series(dtype="object"), VALUE: np.empty(0)})
    return score, table_of({"popularity": score}, {"popularity": float(popularity.mean())}, score), none


def table_of(values: dict[str, float], average: dict[str, float], score: float) -> pd.DataFrame:
    """Lay the parts out so that they add up to the score; parts that are 0 for every product say nothing.

    A learned score is rounded to float32 and its parts are not: the largest part takes what was rounded away.
    """
    largest = max(values, key=lambda name: abs(values[name]))
    values = {**values, largest: values[largest] + score - sum(values.values())}
    shown = [name for name in values if values[name] or average[name]] or [largest]
    shown.sort(key=lambda name: average[name] - values[name])
    return pd.DataFrame(
        {
            PART: pd.Series(shown, dtype="object"),
            WORDS: pd.Series([PART_WORDS[name] for name in shown], dtype="object"),
            VALUE: [values[name] for name in shown],
            AVERAGE: [average[name] for name in shown],
        }
    )

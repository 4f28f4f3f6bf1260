"""Errors of predicted ratings, where each customer rates, and the averages that a model has to beat.

n ratings, each by a customer (number) for a product (number), in stars.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike

from embedrec.evaluation.intervals import bootstrap_ratios
from embedrec.evaluation.summary import Figures, finite
from embedrec.features.history import Floats, Ints

# Ratings of a product, and of a customer, at which its own mean and the rest weigh the same.
PRODUCT_PRIOR = 25.0
CUSTOMER_PRIOR = 10.0


def rating_errors(predicted: ArrayLike, given: ArrayLike, customers: ArrayLike, seed: int) -> Figures:
    """Return {"rmse", "mse", "mae"} of predicted[n] against given[n], each {value, low, high, n}; null without ratings.

    n counts the ratings. Customers are resampled with all their ratings, which are alike (a cluster bootstrap); the
    interval of RMSE is that of MSE under the root, as percentile intervals allow (Efron and Tibshirani 1993, ch. 13).
    """
    guess, truth = np.asarray(predicted, dtype=np.float64), np.asarray(given, dtype=np.float64)
    numbers = np.asarray(customers, dtype=np.int64)
    assert guess.shape == truth.shape == numbers.shape, f"{guess.shape}, {truth.shape}, {numbers.shape}"
    assert np.isfinite(guess).all(), "a predicted rating is not a number"
    assert np.isfinite(truth).all(), "a given rating is not a number"
    owner = np.unique(numbers, return_inverse=True)[1]
    gaps = guess - truth
    errors = np.stack([np.bincount(owner, gaps**2), np.bincount(owner, np.abs(gaps))], axis=1)
    counts = np.repeat(np.bincount(owner)[:, None], 2, axis=1)
    means = bootstrap_ratios(errors, counts, seed)
    rows = {
        "rmse": [np.sqrt(part[0]) for part in means],
        "mse": [part[0] for part in means],
        "mae": [part[1] for part in means],
    }
    return {
        name: {"value": finite(value), "low": finite(low), "high": finite(high), "n": len(gaps)}
        for name, (value, low, high) in rows.items()
    }


@dataclass(frozen=True)
class MeanRatings:
    """Global mean plus shrunken offsets of product and customer: the reference that a rating model has to beat.

        offset(product)  = Σ (rating − mean) / (PRODUCT_PRIOR + its ratings)
        offset(customer) = Σ (rating − mean − offset(product)) / (CUSTOMER_PRIOR + their ratings)

    Koren, "Factor in the neighbors: scalable and accurate collaborative filtering", TKDD 2010, section 2.1, with the
    priors given there. Whoever has no rating, unknown numbers and -1 included, has offset 0. `mean` alone for every
    rating is the floor below it.
    """

    mean: float
    product_offset: Floats
    customer_offset: Floats
    scale: tuple[float, float]
    """The lowest and the highest rating given; no prediction leaves it."""

    @classmethod
    def fit(cls, customers: Ints, products: Ints, ratings: Floats) -> MeanRatings:
        """Average the ratings of the training window, at least one; the same n rows in all three."""
        assert len(ratings), "no ratings to average"
        mean = float(ratings.mean())
        of_product = _shrunk_sum(products, ratings - mean, PRODUCT_PRIOR)
        of_customer = _shrunk_sum(customers, ratings - mean - of_product[products], CUSTOMER_PRIOR)
        return cls(mean, of_product, of_customer, (float(ratings.min()), float(ratings.max())))

    def predict(self, customers: Ints, products: Ints) -> Floats:
        """Return the expected rating of each pair, [n]."""
        total = self.mean + _look_up(self.product_offset, products) + _look_up(self.customer_offset, customers)
        return np.clip(total, *self.scale)


def _shrunk_sum(numbers: Ints, gaps: Floats, prior: float) -> Floats:
    return np.bincount(numbers, gaps) / (prior + np.bincount(numbers))


def _look_up(offsets: Floats, numbers: Ints) -> Floats:
    known = (numbers >= 0) & (numbers < len(offsets))
    return np.where(known, offsets[np.where(known, numbers, 0)], 0.0)

"""How sure a model is: the probability that a recommended product is bought within the window.

Scores only order products, so a monotone map from score to probability is fitted on the validation lists and measured
on the test lists: every filled place of the first 20, view `all`. These lists should belong to customers who bought
something before the window, whether they buy in it or not (`Truth.of_everybody`): among buyers alone every probability
would come out too high. The map carries over as far as the scores of the refitted model mean what they meant on
validation, and the two windows are of similar length.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from embedrec.evaluation.ranking import RankedView
from embedrec.features.history import Floats

BINS = 10


@dataclass(frozen=True)
class PurchaseProbability:
    """A monotone map from scores to probabilities: straight lines between knots, flat outside.

    Zadrozny and Elkan, "Transforming classifier scores into accurate multiclass probability estimates", KDD 2002.
    That fit alone calls certain what has only always happened so far. So one place more counts at each end: one not
    bought at the highest score, one bought at the lowest. These are the cautious ends of what Vovk and Petej,
    "Venn-Abers predictors", UAI 2014, say of a next place there; no probability is 0 or 1.
    """

    scores: Floats  # [m] ascending
    probabilities: Floats  # [m] not descending
    base: float
    """Share of the fitted places that were bought: the probability of a model that cannot tell them apart."""

    @classmethod
    def fit(cls, valid: RankedView) -> PurchaseProbability | None:
        """Fit by isotonic regression on validation lists; None where they are all empty."""
        return cls.of(*_places(valid))

    @classmethod
    def of(cls, scores: Floats, bought: NDArray[Any]) -> PurchaseProbability | None:
        """Fit by isotonic regression on scores[n] and whether each was bought; None where there are none."""
        from scipy.optimize import isotonic_regression

        if not len(scores):
            return None
        values, place, counts = np.unique(scores, return_inverse=True, return_counts=True)
        hits = np.bincount(place, bought)
        hits[0], counts[0] = hits[0] + 1, counts[0] + 1
        counts[-1] += 1
        level = isotonic_regression(hits / counts, weights=counts).x
        step = level[1:] != level[:-1]
        ends = np.concatenate([[True], step]) | np.concatenate([step, [True]])  # of the runs of one level
        return cls(values[ends], level[ends], float(bought.mean()))

    def __call__(self, scores: ArrayLike) -> Floats:
        """Return the probability of each score."""
        return np.interp(np.asarray(scores, dtype=np.float64), self.scores, self.probabilities)


def calibration(fitted: PurchaseProbability | None, tested: RankedView) -> dict[str, Any]:
    """Measure fitted probabilities on test lists, as metrics.json holds it; null where there is nothing to measure.

    brier       mean squared distance of probability and outcome (Brier 1950), and of the constant `base`
    brier_base  the same for the constant base rate of validation
    ece         expected calibration error, Σ n_b / n · |mean probability − share bought| over the bins
    n           places of the lists
    bins        {"predicted", "observed", "n"} each, for a reliability plot
    """
    if fitted is None or not len(tested.users):
        return {"brier": None, "brier_base": None, "ece": None, "n": 0, "bins": []}
    scores, bought = _places(tested)
    predicted = fitted(scores)
    bins = reliability(predicted, bought)
    return {
        "brier": float(np.mean((predicted - bought) ** 2)),
        "brier_base": float(np.mean((fitted.base - bought) ** 2)),
        "ece": sum(part["n"] * abs(part["predicted"] - part["observed"]) for part in bins) / len(scores),
        "n": len(scores),
        "bins": bins,
    }


def reliability(predicted: Floats, bought: Floats, bins: int = BINS) -> list[dict[str, Any]]:
    """Sort n predictions into at most ten bins of about equal size and compare them with what happened.

    Equal predictions stay together, in the bin of their middle rank, so that the order of rows changes nothing; a bin
    that receives none is left out. Naeini et al., "Obtaining well calibrated probabilities using Bayesian binning",
    AAAI 2015, sort and part the predictions like this; Guo et al., "On calibration of modern neural networks", ICML
    2017, made the measure common with bins of equal width.
    """
    values, place, counts = np.unique(predicted, return_inverse=True, return_counts=True)
    middle = np.cumsum(counts) - counts / 2
    chosen = np.floor(bins * middle / max(len(predicted), 1)).astype(np.int64)
    found = np.bincount(place, bought, minlength=len(values))
    parts = []
    for one in np.unique(chosen):
        inside = chosen == one
        n = int(counts[inside].sum())
        mean = float((values * counts)[inside].sum() / n)
        parts.append({"predicted": mean, "observed": float(found[inside].sum() / n), "n": n})
    return parts


def _places(view: RankedView) -> tuple[Floats, Floats]:
    """Score and outcome, 1 for bought and 0 for not, of every filled place."""
    filled = view.top >= 0
    return view.scores[filled].astype(np.float64), view.hits[filled].astype(np.float64)

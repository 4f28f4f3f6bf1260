"""The purchase probability: monotone, the best of its kind, honest about what it cannot tell."""

from __future__ import annotations

import itertools
import json
import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from embedrec.evaluation.calibration import PurchaseProbability, calibration, reliability
from embedrec.evaluation.ranking import RankedView
from embedrec.features.history import Ragged


def view_of(scores: np.ndarray, hits: np.ndarray) -> RankedView:
    """Lists of which only scores and hits matter; NaN is an empty place."""
    filled = ~np.isnan(scores)
    n = len(scores)
    return RankedView(
        users=np.arange(n),
        top=np.where(filled, 0, -1),
        scores=np.where(filled, scores, -np.inf).astype(np.float32),
        hits=hits & filled,
        wanted=Ragged(np.arange(n + 1), np.zeros(n, np.int64)),
        auc=np.full(n, np.nan),
        buyers=np.where(filled, 1, -1),
        categories=np.where(filled, 1, -1),
        n_buyers=1,
    )


def drawn(n: int, seed: int, shift: float = 0.0) -> RankedView:
    """Lists of 20 whose places are bought with probability sigmoid(score − 2 + shift)."""
    random = np.random.default_rng(seed)
    scores = -np.sort(-random.standard_normal((n, 20)), axis=1)
    return view_of(scores, random.random((n, 20)) < 1 / (1 + np.exp(2 - shift - scores)))


def fit(view: RankedView) -> PurchaseProbability:
    fitted = PurchaseProbability.fit(view)
    assert fitted is not None
    return fitted


outcomes = st.lists(st.tuples(st.sampled_from([-2.0, 0.0, 0.5, 1.0, 7.0]), st.booleans()), min_size=1, max_size=14)


@given(outcomes)
def test_no_other_monotone_map_fits_better(rows: list[tuple[float, bool]]) -> None:
    """Isotonic regression by its min-max formula: max over lower ends of min over upper ends of the mean between.

    One place more counts at each end: one bought at the lowest score, one not bought at the highest.
    """
    scores, bought = (np.array(column, dtype=float) for column in zip(*rows, strict=True))
    fitted = fit(view_of(scores[:, None], bought[:, None].astype(bool)))
    base, values = bought.mean(), np.unique(scores)
    scores, bought = np.append(scores, [values[0], values[-1]]), np.append(bought, [1, 0])

    def mean(low: float, high: float) -> float:
        return bought[(scores >= low) & (scores <= high)].mean()

    expected = [
        max(min(mean(low, high) for high in values if high >= one) for low in values if low <= one) for one in values
    ]
    np.testing.assert_allclose(fitted(values), expected, rtol=1e-9, atol=1e-12)
    assert (np.diff(fitted.probabilities) >= 0).all()
    assert (np.diff(fitted.scores) > 0).all()
    assert fitted([-99.0, 99.0]).tolist() == [fitted.probabilities[0], fitted.probabilities[-1]]
    between = fitted(np.linspace(-3, 8, 50))
    assert (np.diff(between) >= -1e-12).all()
    assert 0 < fitted.probabilities[0] <= fitted.probabilities[-1] < 1
    assert fitted.base == pytest.approx(base)


def test_what_always_happened_so_far_is_not_certain() -> None:
    """Four lists of one place: the two lower ones were not bought, the two higher ones were."""
    fitted = fit(view_of(np.array([[0.0], [1.0], [2.0], [3.0]]), np.array([[False], [False], [True], [True]])))
    np.testing.assert_allclose(fitted([0.0, 1.0, 2.0, 3.0]), [1 / 3, 1 / 3, 2 / 3, 2 / 3])


def test_a_model_that_orders_well_is_calibrated_on_new_lists() -> None:
    found = calibration(fit(drawn(400, 0)), drawn(400, 1))
    assert found["n"] == 8000
    assert found["ece"] < 0.02
    assert found["brier"] < 0.95 * found["brier_base"]
    predicted = [part["predicted"] for part in found["bins"]]
    assert predicted == sorted(predicted)
    assert sum(part["n"] for part in found["bins"]) == 8000
    assert json.loads(json.dumps(found)) == found


def test_a_window_with_more_purchases_shows_as_error() -> None:
    assert calibration(fit(drawn(400, 0)), drawn(400, 1, shift=1.0))["ece"] > 0.08


def test_scores_that_say_nothing_are_worth_the_base_rate() -> None:
    random = np.random.default_rng(0)
    valid, tested = (view_of(np.zeros((300, 20)), random.random((300, 20)) < 0.1) for _ in range(2))
    found = calibration(fit(valid), tested)
    assert found["brier"] == pytest.approx(found["brier_base"], rel=1e-4)
    assert len(found["bins"]) == 1
    assert found["ece"] == pytest.approx(abs(valid.hits.mean() - tested.hits.mean()), abs=2e-4)


def test_figures_by_hand() -> None:
    fitted = PurchaseProbability(np.array([0.0, 1.0]), np.array([0.0, 0.5]), base=0.25)
    tested = view_of(np.array([[1.0, 0.5, 0.0, math.nan]]), np.array([[True, False, False, False]]))
    found = calibration(fitted, tested)
    assert found["brier"] == pytest.approx((0.5**2 + 0.25**2 + 0) / 3)
    assert found["brier_base"] == pytest.approx((0.75**2 + 2 * 0.25**2) / 3)
    assert found["ece"] == pytest.approx((0.5 + 0.25 + 0) / 3)
    assert found["bins"][-1] == {"predicted": 0.5, "observed": 1.0, "n": 1}


@given(st.lists(st.tuples(st.integers(0, 30), st.booleans()), min_size=1, max_size=80), st.randoms())
def test_bins(rows: list[tuple[int, bool]], random) -> None:
    def binned(pairs: list[tuple[int, bool]]) -> list[dict]:
        predicted, bought = (np.array(column, dtype=float) for column in zip(*pairs, strict=True))
        return reliability(predicted / 32, bought)

    bins = binned(rows)
    assert 1 <= len(bins) <= 10
    assert sum(part["n"] for part in bins) == len(rows)
    assert sum(part["n"] * part["observed"] for part in bins) == pytest.approx(sum(hit for _, hit in rows))
    assert sum(part["n"] * part["predicted"] for part in bins) == pytest.approx(sum(one for one, _ in rows) / 32)
    assert all(a["predicted"] < b["predicted"] for a, b in itertools.pairwise(bins))
    shuffled = random.sample(rows, len(rows))
    assert binned(shuffled) == bins, "the order of rows changes nothing"


def test_bins_of_distinct_predictions_are_of_equal_size() -> None:
    assert [part["n"] for part in reliability(np.arange(200) / 200, np.zeros(200))] == [20] * 10


def test_tied_predictions_fall_into_the_bin_of_their_middle_rank() -> None:
    """Twenty in bins of two: the middle of the first three is rank 1.5, of the fourth 3.5."""
    predicted = np.array([0, 0, 0, *range(3, 20)]) / 20
    assert [part["n"] for part in reliability(predicted, np.zeros(20))] == [3, 1, *[2] * 8]


def test_nothing_to_fit_or_to_measure() -> None:
    nobody = view_of(np.zeros((0, 20)), np.zeros((0, 20), bool))
    nothing = {"brier": None, "brier_base": None, "ece": None, "n": 0, "bins": []}
    assert PurchaseProbability.fit(nobody) is None
    assert calibration(None, drawn(5, 0)) == nothing
    assert calibration(fit(drawn(5, 0)), nobody) == nothing

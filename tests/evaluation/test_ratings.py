"""Rating errors against their definitions and torchmetrics, and the averages by hand."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torchmetrics.functional import mean_absolute_error, mean_squared_error

from embedrec.evaluation.ratings import CUSTOMER_PRIOR, PRODUCT_PRIOR, MeanRatings, rating_errors


def drawn(customers: int = 120, products: int = 30, seed: int = 0) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Ratings by customers of different number and kindness, in no order."""
    random = np.random.default_rng(seed)
    owner = np.repeat(np.arange(customers), random.integers(1, 12, customers))
    item = random.integers(0, products, len(owner))
    kind, good = random.normal(0, 0.8, customers), random.normal(0, 0.6, products)
    given = np.clip(np.round(3.5 + kind[owner] + good[item] + random.normal(0, 0.5, len(owner))), 1, 5)
    order = random.permutation(len(owner))
    return owner[order], item[order], given[order]


def test_errors_are_those_of_torchmetrics() -> None:
    owner, _, given = drawn()
    predicted = np.random.default_rng(1).uniform(1, 5, len(given))
    found = rating_errors(predicted, given, owner, seed=0)
    pair = torch.from_numpy(predicted), torch.from_numpy(given)
    assert found["mse"]["value"] == pytest.approx(float(mean_squared_error(*pair)))
    assert found["rmse"]["value"] == pytest.approx(float(mean_squared_error(*pair, squared=False)))
    assert found["mae"]["value"] == pytest.approx(float(mean_absolute_error(*pair)))
    for entry in found.values():
        assert entry["low"] < entry["value"] < entry["high"]
        assert entry["n"] == len(given)
    assert found["rmse"]["low"] == pytest.approx(np.sqrt(found["mse"]["low"]))


def test_customers_are_resampled_whole() -> None:
    """The same errors under one owner each promise less uncertainty than where a customer's errors are alike."""
    owner = np.repeat(np.arange(60), 20)
    given = np.full(1200, 3.0)
    predicted = given + np.repeat(np.random.default_rng(0).normal(0, 1, 60), 20)
    whole = rating_errors(predicted, given, owner, seed=0)["mse"]
    apart = rating_errors(predicted, given, np.arange(1200), seed=0)["mse"]
    assert whole["value"] == pytest.approx(apart["value"])
    assert whole["high"] - whole["low"] > 3 * (apart["high"] - apart["low"])


def test_the_order_of_ratings_changes_nothing() -> None:
    owner, _, given = drawn()
    order = np.random.default_rng(2).permutation(len(given))
    one = rating_errors(np.full(len(given), 3.2), given, owner, seed=0)
    other = rating_errors(np.full(len(given), 3.2), given[order], owner[order], seed=0)
    for name in one:
        assert one[name] == pytest.approx(other[name], rel=1e-9)


def test_no_ratings_is_null() -> None:
    nothing = {"value": None, "low": None, "high": None, "n": 0}
    assert rating_errors([], [], [], seed=0) == {"rmse": nothing, "mse": nothing, "mae": nothing}


def test_a_prediction_that_is_no_number_is_our_bug() -> None:
    with pytest.raises(AssertionError, match="not a number"):
        rating_errors([np.nan], [3.0], [0], seed=0)


def test_means_by_hand() -> None:
    """Product 0: 5 and 4, product 1: 3; the mean is 4."""
    fitted = MeanRatings.fit(np.array([0, 1, 0]), np.array([0, 0, 1]), np.array([5.0, 4.0, 3.0]))
    assert fitted.mean == 4.0
    product = [1 / (PRODUCT_PRIOR + 2), -1 / (PRODUCT_PRIOR + 1)]
    customer = [(0 - sum(product)) / (CUSTOMER_PRIOR + 2), (0 - product[0]) / (CUSTOMER_PRIOR + 1)]
    assert fitted.product_offset == pytest.approx(product)
    assert fitted.customer_offset == pytest.approx(customer)
    known = fitted.predict(np.array([1, 0]), np.array([1, 0]))
    assert known == pytest.approx([4 + product[1] + customer[1], 4 + product[0] + customer[0]])


def test_the_unknown_get_what_is_known() -> None:
    fitted = MeanRatings.fit(np.array([0, 2]), np.array([0, 2]), np.array([5.0, 2.0]))
    unknown = np.array([-1, 1, 99])
    assert fitted.predict(unknown, unknown).tolist() == [3.5] * 3
    assert fitted.predict(np.array([0]), np.array([99])) == pytest.approx([3.5 + fitted.customer_offset[0]])
    assert fitted.predict(np.array([99]), np.array([2])) == pytest.approx([3.5 + fitted.product_offset[2]])


@given(st.integers(0, 50))
def test_predictions_stay_on_the_scale(seed: int) -> None:
    owner, item, given = drawn(customers=6, products=4, seed=seed)
    predicted = MeanRatings.fit(owner, item, given).predict(owner, item)
    assert ((predicted >= given.min()) & (predicted <= given.max())).all()


def test_offsets_beat_the_mean_on_ratings_held_back() -> None:
    owner, item, given = drawn(customers=400)
    train = np.random.default_rng(5).random(len(given)) < 0.8
    fitted = MeanRatings.fit(owner[train], item[train], given[train])
    held = owner[~train], item[~train]
    ours = rating_errors(fitted.predict(*held), given[~train], held[0], seed=0)
    floor = rating_errors(np.full(len(held[0]), fitted.mean), given[~train], held[0], seed=0)
    assert ours["rmse"]["high"] < floor["rmse"]["low"]

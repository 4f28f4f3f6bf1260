"""A customer's own rating stays with the purchase it was given for."""

from __future__ import annotations

import numpy as np
from hand_shop import ANN, NOW, hand_tables

from embedrec.features import FeatureEncoder
from shops import history_of, lines, small_shop, with_events


def test_stars_are_aligned_with_the_lines() -> None:
    rated = lines(
        ("Bob", "P2", 40), ("Ann", "P4", 65), ("Ann", "P4", 65), customer_rating=[5, 1, 3], quantity=[1, 2, 1]
    )
    history, _ = history_of(hand_tables(rated))
    known = ~np.isnan(history.stars)
    assert len(history.stars) == len(history.users) == 9
    found = zip(history.customer_ids[history.users[known]], history.product_ids[history.items[known]], strict=True)
    ours = {(*ids, float(stars)) for ids, stars in zip(found, history.stars[known], strict=True)}
    assert ours == {("Bob", "P2", 5.0), ("Ann", "P4", 1.0), ("Ann", "P4", 3.0)}


def test_a_shop_without_ratings_has_none() -> None:
    history, _ = history_of(small_shop())
    assert np.isnan(history.stars).all()
    assert len(history.stars) == len(history.times)


def test_a_newcomer_has_rated_nothing() -> None:
    history, catalogue = history_of(hand_tables())
    encoder = FeatureEncoder.fit(history, catalogue, NOW)
    newcomer = history.of_newcomer(np.array([1, 0]), encoder.price[[1, 0]], NOW, 1.0, 2.0)
    assert np.isnan(newcomer.stars).tolist() == [True, True]


def test_stars_are_an_outcome_and_no_feature() -> None:
    """The rating of a past purchase changes nothing that a model sees."""
    plain, rated = (
        FeatureEncoder.fit(*history_of(with_events(hand_tables(), lines(("Ann", "P4", 50), **more))), NOW)
        for more in ({}, {"customer_rating": [1.0]})
    )
    assert plain.schema == rated.schema
    users = np.array([ANN])
    before, after = (encoder.customers(users, encoder.products(NOW)) for encoder in (plain, rated))
    np.testing.assert_array_equal(before.numeric, after.numeric)
    np.testing.assert_array_equal(before.repeat, after.repeat)

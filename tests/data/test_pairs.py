"""Pairs of the past: each once, nothing of the future, and negatives that were not bought."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from embedrec.data.pairs import PairBatches, Pairs, draw_negatives
from embedrec.features import FeatureEncoder, Snapshot
from shops import at_day, history_of, small_shop

NOW = at_day(200)


@pytest.fixture(scope="module")
def snapshot() -> Snapshot:
    return FeatureEncoder.fit(*history_of(small_shop(3)), NOW).at(NOW)


def named(pairs: Pairs, snapshot: Snapshot) -> set[tuple[str, str]]:
    schema = snapshot.encoder.schema
    return {
        (schema.customers[user - 1], schema.products[item - 1])
        for user, item in zip(pairs.users, pairs.items, strict=True)
    }


def test_every_pair_of_the_past_once(snapshot: Snapshot) -> None:
    pairs, history = Pairs.bought(snapshot), snapshot.history
    past = history.times < NOW
    expected = {
        (str(history.customer_ids[user]), str(history.product_ids[item]))
        for user, item in zip(history.users[past], history.items[past], strict=True)
    }
    assert named(pairs, snapshot) == expected
    assert len(pairs) == len(expected) < past.sum()
    assert (np.diff(pairs.key) > 0).all()
    assert (pairs.values == 1).all()


def test_the_last_rating_counts(snapshot: Snapshot) -> None:
    history = snapshot.history
    stars = np.arange(len(history.times)) % 5 + 1.0
    stars[::3] = np.nan
    rated = dataclasses.replace(history, stars=stars)
    moment = FeatureEncoder.fit(rated, snapshot.encoder.catalogue, NOW).at(NOW)
    pairs, schema = Pairs.rated(moment), moment.encoder.schema
    for user, item, value in zip(pairs.users, pairs.items, pairs.values, strict=True):
        lines = (history.customer_ids[history.users] == schema.customers[user - 1]) & (
            history.product_ids[history.items] == schema.products[item - 1]
        )
        lines &= (history.times < NOW) & ~np.isnan(stars)
        latest = history.times[lines].max()
        assert value in stars[lines & (history.times == latest)]
    assert 0 < len(pairs) < len(Pairs.bought(moment))


def test_no_ratings_no_pairs(snapshot: Snapshot) -> None:
    assert len(Pairs.rated(snapshot)) == 0


def test_an_epoch_holds_every_pair_and_is_its_own(snapshot: Snapshot) -> None:
    pairs = Pairs.bought(snapshot)

    def epoch(seed: int, number: int, size: int = 16) -> list[np.ndarray]:
        batches = list(PairBatches(pairs, size, 2, seed, number))
        assert len(batches) == len(PairBatches(pairs, size, 2, seed, number))
        return [np.concatenate([np.asarray(batch[column]) for batch in batches]) for column in range(5)]

    first, again, other = epoch(0, 0), epoch(0, 0), epoch(0, 1)
    assert all(np.array_equal(one, two) for one, two in zip(first, again, strict=True))
    assert not np.array_equal(first[0], other[0])
    for drawn in (first, other, epoch(0, 0, size=1000)):
        key = np.sort(drawn[0] * (pairs.n_products + 1) + drawn[1])
        assert np.array_equal(key, pairs.key)
    assert np.array_equal(first[0], epoch(0, 0, size=7)[0])


@given(st.data(), st.integers(1, 6), st.integers(1, 8), st.integers(1, 4))
def test_negatives_were_not_bought_or_do_not_count(data: st.DataObject, users: int, products: int, count: int) -> None:
    bought = data.draw(
        st.sets(st.tuples(st.integers(1, users), st.integers(1, products)), min_size=1, max_size=users * products)
    )
    user, item = np.array(sorted(bought)).T
    pairs = Pairs(user, item, np.ones(len(user)), products)
    negatives, weight = draw_negatives(pairs, pairs.users, count, np.random.default_rng(0))
    assert negatives.shape == weight.shape == (len(user), count)
    assert negatives.min() >= 1
    assert negatives.max() <= products
    for row, owner in enumerate(pairs.users):
        for product, counts in zip(negatives[row], weight[row], strict=True):
            assert counts == ((int(owner), int(product)) not in bought)

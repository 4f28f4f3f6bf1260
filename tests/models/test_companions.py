"""What goes with the basket, counted when asked: the very sums of item-kNN, without its lists."""

from __future__ import annotations

import numpy as np
import pytest

from embedrec.features import FeatureEncoder, Snapshot
from embedrec.models.classic.companions import Companions
from embedrec.models.classic.item_knn import ItemKnnConfig
from shops import history_of, small_shop


@pytest.fixture(scope="module")
def snapshot() -> Snapshot:
    history, catalogue = history_of(small_shop(seed=4))
    return FeatureEncoder.fit(history, catalogue, history.end).at(history.end)


def test_it_is_item_knn_with_every_product_a_neighbour(snapshot: Snapshot) -> None:
    users = np.arange(snapshot.history.n_users)
    fitted = ItemKnnConfig(neighbours=10_000).build(snapshot.encoder.schema).fit(snapshot).score(users)
    counted = Companions().observe(snapshot).score(users)
    np.testing.assert_allclose(counted, fitted, rtol=1e-5, atol=1e-12)
    assert (counted > 0).any(dim=1).sum() == 36  # the customers who bought something


def test_reasons_add_up(snapshot: Snapshot) -> None:
    scorer, every = Companions().observe(snapshot), np.arange(snapshot.history.n_items)
    customer = snapshot.customers(np.array([3]))
    told = scorer.explain(customer, every)
    np.testing.assert_allclose(told.pull.sum(1), told.parts["history"], atol=1e-9)
    np.testing.assert_allclose(sum(told.parts.values()), scorer.score(np.array([3]))[0], atol=1e-9)


def test_a_product_is_no_neighbour_of_itself(snapshot: Snapshot) -> None:
    scorer = Companions().observe(snapshot)
    for item in range(snapshot.history.n_items):
        assert scorer.affinity(np.array([item]), 0)[item] == 0

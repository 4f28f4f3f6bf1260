"""Towers from ids: where they start, who stands in for a stranger, and what comes last."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from embedrec.features import FeatureEncoder, Snapshot
from embedrec.models import TwoTowerIdsConfig, scorer_of
from embedrec.models.base import Scorer
from embedrec.models.classic.collaborative import basket_matrix
from embedrec.tables import Tables
from embedrec.tables.model import CUSTOMER_COLUMNS, PRODUCT_COLUMNS
from shops import at_day, frame, history_of, lines, tables_of

FITTED, NOW = at_day(50), at_day(90)


def two_circles() -> Tables:
    """Customers a buy products p, customers b products q; p0 and q0 are everybody's favourites within their circle.

    After day 50 comes a stranger who buys p1, and a product that nobody bought before.
    """
    bought = [
        (f"{circle}{person}", f"{product}{number}", 1 + person)
        for circle, product in (("a", "p"), ("b", "q"))
        for person in range(8)
        for number in {0, 1 + person % 3, 1 + (person + 1) % 3}
    ]
    return tables_of(
        frame(CUSTOMER_COLUMNS, {}),
        frame(PRODUCT_COLUMNS, {}),
        lines(*bought, ("new", "p1", 60), ("b0", "fresh", 60)),
    )


@pytest.fixture(scope="module")
def snapshot() -> Snapshot:
    return FeatureEncoder.fit(*history_of(two_circles()), FITTED).at(NOW)


def scores(snapshot: Snapshot, **settings: float) -> dict[str, dict[str, float]]:
    """What each customer's score of each product is before training."""
    torch.manual_seed(0)
    network = TwoTowerIdsConfig(dim=8, **settings).build(snapshot.encoder.schema)
    network.start(basket_matrix(snapshot.encoder.at(FITTED)))
    scorer: Scorer = scorer_of(network).observe(snapshot)
    history = snapshot.history
    every = scorer.score(np.arange(history.n_users)).tolist()
    return {
        user: dict(zip(history.product_ids, row, strict=True))
        for user, row in zip(history.customer_ids, every, strict=True)
    }


@pytest.mark.parametrize(
    "settings", [{"patterns": 0}, {"patterns": 4}, {"patterns": 4, "pattern_weight": 1.0}], ids=str
)
def test_it_starts_with_what_the_same_customers_buy(snapshot: Snapshot, settings: dict[str, float]) -> None:
    for user, row in scores(snapshot, **settings).items():
        own, other = ("p", "q") if user[0] in "an" else ("q", "p")
        assert sum(row[f"{own}{n}"] for n in range(4)) > sum(row[f"{other}{n}"] for n in range(4)) + 0.1, user


def test_what_nobody_bought_in_training_comes_last(snapshot: Snapshot) -> None:
    for row in scores(snapshot, patterns=4).values():
        assert min(row, key=row.__getitem__) == "fresh"


def test_more_dimensions_than_the_shop_has_directions(snapshot: Snapshot) -> None:
    assert all(np.isfinite(list(row.values())).all() for row in scores(snapshot, patterns=300).values())

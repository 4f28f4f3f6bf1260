"""Patterns of what is bought together: against plain linear algebra, and blind to what comes later."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from embedrec.features import DAY, History
from embedrec.features.patterns import FADED, KINDS, PatternSettings, _orthonormal, patterns
from embedrec.tables import Tables
from embedrec.tables.model import CUSTOMER_COLUMNS, PRODUCT_COLUMNS
from shops import at_day, before, frame, history_of, lines, small_shop, tables_of

NOW = at_day(250)
ALL_TIME, ALL_TIME_NORMALISED, RECENT, RECENT_NORMALISED = range(KINDS)


@pytest.fixture(scope="module")
def history() -> History:
    return history_of(small_shop(5))[0]


def shop_of(bought: pd.DataFrame) -> Tables:
    """A shop of which only the purchases are known."""
    return tables_of(frame(CUSTOMER_COLUMNS, {}), frame(PRODUCT_COLUMNS, {}), bought)


def purchases(history: History, half_life: float | None) -> np.ndarray:
    """Customers × products, dense."""
    matrix = np.zeros((history.n_users, history.n_items))
    past = history.times < NOW
    for user, item, time in zip(history.users[past], history.items[past], history.times[past], strict=True):
        weight = 0.5 ** ((NOW - time) / DAY / half_life) if half_life else 1.0
        matrix[user, item] = matrix[user, item] + weight if half_life else weight
    return matrix


@pytest.mark.parametrize("kind", range(KINDS))
def test_they_span_the_strongest_directions(history: History, kind: int) -> None:
    half_life = 40.0
    found = patterns(history, NOW, PatternSettings(4, half_life))[:, kind]
    matrix = purchases(history, half_life if kind in (RECENT, RECENT_NORMALISED) else None)
    root = np.sqrt(np.maximum(matrix.sum(0), FADED))
    if kind in (ALL_TIME_NORMALISED, RECENT_NORMALISED):
        matrix = matrix / np.sqrt(np.maximum(matrix.sum(1, keepdims=True), FADED)) / root
        found = found * root[:, None]
    strongest = np.linalg.svd(matrix)[2][:4]
    np.testing.assert_allclose(found @ found.T, strongest.T @ strongest, atol=2e-3)


def test_products_of_the_same_customers_point_the_same_way() -> None:
    """Two circles of customers that share nothing."""
    bought = [(f"a{n}", f"p{n % 3}", 10 + n) for n in range(9)] + [
        (f"a{n}", f"p{(n + 1) % 3}", 20 + n) for n in range(9)
    ]
    bought += [(f"b{n}", f"q{n % 3}", 10 + n) for n in range(6)] + [
        (f"b{n}", f"q{(n + 1) % 3}", 20 + n) for n in range(6)
    ]
    history, _ = history_of(shop_of(lines(*bought)))
    found = patterns(history, at_day(100), PatternSettings(2, 30.0))
    unit = found / np.linalg.norm(found, axis=-1, keepdims=True)
    alike = np.einsum("ikd,jkd->kij", unit, unit)
    same = np.array([[one[0] == other[0] for one in history.product_ids] for other in history.product_ids])
    np.testing.assert_allclose(alike, np.broadcast_to(same, alike.shape), atol=1e-4)


def test_what_was_not_sold_yet_says_nothing(history: History) -> None:
    early = at_day(30)
    found = patterns(history, early, PatternSettings(3, 30.0))
    sold = np.isin(np.arange(history.n_items), history.items[history.times < early])
    assert 0 < sold.sum() < history.n_items
    assert not found[~sold].any()
    assert found[sold].any(axis=(1, 2)).all()


def test_what_comes_later_changes_nothing() -> None:
    shop, cut = small_shop(5), at_day(120)
    past, whole = (history_of(tables)[0] for tables in (before(shop, cut), shop))
    wanted = PatternSettings(3, 30.0)
    np.testing.assert_array_equal(patterns(past, cut, wanted), patterns(whole, cut, wanted))


def test_few_products_leave_the_rest_of_a_vector_empty() -> None:
    history, _ = history_of(shop_of(lines(("Ann", "P1", 1), ("Bob", "P1", 2), ("Bob", "P2", 2))))
    found = patterns(history, at_day(3), PatternSettings(5, 10.0))
    assert found.shape == (2, KINDS, 5)
    assert np.isfinite(found).all()
    assert not found[:, :, 2:].any()


def test_a_purchase_of_long_ago_does_not_shout() -> None:
    """What has faded to almost nothing would, divided by its own root, outweigh everything bought of late."""
    old = [("Ann", "old", 1), ("Bob", "old", 1)]
    new = [(name, product, 3000) for name in ("Ann", "Bob", "Cid") for product in ("P1", "P2")]
    history, _ = history_of(shop_of(lines(*old, *new)))
    found = patterns(history, at_day(3001), PatternSettings(2, 10.0))
    size = dict(zip(history.product_ids, np.abs(found[:, RECENT_NORMALISED]).max(axis=1), strict=True))
    assert size["old"] <= size["P1"]


@pytest.mark.parametrize("spread", [1.0, 1e-2, 1e-6, 0.0], ids=lambda spread: f"last column {spread:g} apart")
def test_columns_become_orthogonal_however_nearly_dependent(spread: float) -> None:
    rng = np.random.default_rng(0)
    columns = rng.standard_normal((200, 5)).astype(np.float32)
    columns[:, 4] = columns[:, 0] + spread * columns[:, 4]
    basis = _orthonormal(columns.copy())
    np.testing.assert_allclose(basis.T @ basis, np.eye(5), atol=1e-5)
    np.testing.assert_allclose(basis @ (basis.T @ columns), columns, atol=1e-4)

"""Views and carts of single products, against numbers worked by hand."""

from __future__ import annotations

from math import log1p

import numpy as np
import pandas as pd
import pytest
from hand_shop import ANN, BOB, CID, NOW, P1, P2, encoder_of, hand_tables

from embedrec.columns import CART, CUSTOMER, EVENT, PRODUCT, QUANTITY, TIME, VIEW
from embedrec.features import Customers, FeatureEncoder
from embedrec.features.schema import CATEGORY_HABITS, LOOKS
from embedrec.tables.model import EVENT_COLUMNS
from shops import at_day, frame

EVERYBODY = np.array([ANN, BOB, CID])


def looks(*rows: tuple[str, float, str, str, float]) -> pd.DataFrame:
    """Views and carts by hand: (customer, day, product, kind, page views)."""
    customers, days, products, kinds, views = zip(*rows, strict=True)
    times = [at_day(day) for day in days]
    return frame(EVENT_COLUMNS, {TIME: times, CUSTOMER: customers, PRODUCT: products, EVENT: kinds, QUANTITY: views})


@pytest.fixture(scope="module")
def encoder() -> FeatureEncoder:
    return encoder_of(
        hand_tables(
            looks(
                ("Bob", 93, "P2", VIEW, 2),
                ("Bob", 99, "P2", VIEW, 0),  # a row of a view says that there was one
                ("Bob", 98, "P2", CART, 1),
                ("Ann", 99, "P1", VIEW, 1),  # she bought it
                ("Cid", 60, "P2", CART, 1),
                ("Cid", 100, "P1", VIEW, 1),  # on the date itself
                ("Cid", 70, "P9", VIEW, 1),  # no product of the shop
            )
        )
    )


@pytest.fixture(scope="module")
def customers(encoder: FeatureEncoder) -> Customers:
    return encoder.customers(EVERYBODY, encoder.products(NOW))


def test_products_looked_at_and_not_bought(customers: Customers) -> None:
    assert customers.seen.offsets.tolist() == [0, 0, 1, 2]
    assert customers.seen.values.tolist() == [P2, P2]


def test_looks_by_hand(customers: Customers) -> None:
    found = dict(zip(LOOKS, customers.looks[0], strict=True))
    assert found == pytest.approx(
        {
            "views": log1p(3),
            "carts": log1p(1),
            **{f"views_{days}d": log1p(2 * 0.5 ** (7 / days) + 0.5 ** (1 / days)) for days in (1, 7, 30)},
            **{f"carts_{days}d": log1p(0.5 ** (2 / days)) for days in (1, 7, 30)},
            "days_since_view": log1p(1),
            "days_since_cart": log1p(2),
        }
    )
    of_cid = dict(zip(LOOKS, customers.looks[1], strict=True))
    assert (of_cid["views"], of_cid["carts"]) == (0, log1p(1))
    assert np.isnan(of_cid["days_since_view"])


def test_looks_at_what_was_bought_stand_beside_the_purchases(customers: Customers) -> None:
    assert customers.looks_at_bought.shape == (len(customers.bought.values), len(LOOKS))
    views = customers.looks_at_bought[:, LOOKS.index("views")]
    assert customers.bought.values.tolist()[0] == P1
    assert views.tolist() == [log1p(1), 0, 0, 0]
    assert np.isnan(customers.looks_at_bought[1:, LOOKS.index("days_since_view")]).all()


def test_a_shop_without_views() -> None:
    encoder = encoder_of(hand_tables())
    customers = encoder.customers(EVERYBODY, encoder.products(NOW))
    assert customers.seen.offsets.tolist() == [0, 0, 0, 0]
    assert customers.looks.shape == (0, len(LOOKS))


def test_habits_by_hand(encoder: FeatureEncoder, customers: Customers) -> None:
    """Ann bought Books on days 60 and 72, Garden on days 80 and 95; Bob Books on day 90, and P4 has no category."""
    assert customers.categories.offsets.tolist() == [0, 2, 3, 3]
    assert [encoder.schema.categories[row - 1] for row in customers.categories.values] == ["Books", "Garden", "Books"]
    found = dict(zip(CATEGORY_HABITS, customers.habits[0], strict=True))
    half, books, garden = 0.5, (40, 28), (20, 5)

    def decayed(ages: tuple[int, ...], days: int) -> float:
        return sum(half ** (age / days) for age in ages)

    assert found == pytest.approx(
        {
            "lines": log1p(2),
            "share": 1 / 2,
            **{f"decayed_{days}d": log1p(decayed(books, days)) for days in (30, 120)},
            **{f"share_{days}d": decayed(books, days) / decayed(books + garden, days) for days in (30, 120)},
            "days_since": log1p(28),
        }
    )
    assert customers.habits[2, CATEGORY_HABITS.index("share")] == 1

"""What is known of a product, against numbers worked by hand."""

from __future__ import annotations

from math import exp, log, log1p

import numpy as np
import pandas as pd
import pytest
from hand_shop import NOW, P1, P2, P3, P4, encoder_of, hand_tables, product_column

from embedrec.columns import CATEGORY, CUSTOMER, PRICE, PRODUCT, RATING, RATING_COUNT
from embedrec.features import FeatureEncoder
from embedrec.features.encoder import PRICE_BUCKETS
from embedrec.features.products import sales
from embedrec.features.schema import CUSTOMER_NUMERIC, PRODUCT_DYNAMIC
from embedrec.tables.model import CUSTOMER_COLUMNS, PRODUCT_COLUMNS
from shops import at_day, frame, history_of, lines, small_shop, tables_of

SHOP_GAP = (log(12) + log(15)) / 2
BY_HAND = {
    # log1p of buyers less its mean over P1, P2 and P4, the products that were ever sold
    "customers_7d": np.array([0, log(2), 0, 0]) - log(2) / 3,
    "customers_28d": np.array([log(3), log(2), 0, 0]) - (log(3) + log(2)) / 3,
    "customers_90d": np.array([log(3), log(2), 0, log(2)]) - (log(3) + 2 * log(2)) / 3,
    "customers": np.array([log(3), log(2), 0, log(2)]) - (log(3) + 2 * log(2)) / 3,
    "age": [log1p(40), log1p(20), np.nan, log1p(30)],
    "idle": [log1p(10), log1p(5), np.nan, log1p(30)],
    "repeat_share": [(1 + 10 / 3) / 13, (1 + 10 / 3) / 12, 1 / 3, (10 / 3) / 11],
}


@pytest.fixture(scope="module")
def encoder() -> FeatureEncoder:
    return encoder_of(hand_tables())


@pytest.mark.parametrize("name", PRODUCT_DYNAMIC)
def test_sales_by_hand(encoder: FeatureEncoder, name: str) -> None:
    dynamic, *_ = sales(encoder.history, encoder.catalogue, NOW)
    np.testing.assert_allclose(dynamic[:, PRODUCT_DYNAMIC.index(name)], BY_HAND[name], rtol=1e-12, atol=1e-15)


def test_usual_days_between_purchases_lean_on_the_shop(encoder: FeatureEncoder) -> None:
    gaps = encoder.products(NOW).gap
    by_hand = [exp((log(12) + 10 * SHOP_GAP) / 11), exp((log(15) + 10 * SHOP_GAP) / 11), exp(SHOP_GAP), exp(SHOP_GAP)]
    np.testing.assert_allclose(gaps, by_hand)


def test_before_anybody_came_back_a_year_is_assumed(encoder: FeatureEncoder) -> None:
    products = encoder.products(at_day(71))
    np.testing.assert_allclose(products.gap, 365)
    np.testing.assert_allclose(products.repeat_share, 0)


def test_before_the_first_sale(encoder: FeatureEncoder) -> None:
    dynamic, share, gap, candidates = sales(encoder.history, encoder.catalogue, at_day(60))
    assert np.isnan(dynamic[:, [PRODUCT_DYNAMIC.index("age"), PRODUCT_DYNAMIC.index("idle")]]).all()
    assert not dynamic[:, PRODUCT_DYNAMIC.index("customers")].any()
    assert np.isfinite([share, gap]).all()
    assert candidates.tolist() == [True, True, True, False]


def test_a_product_may_be_recommended_once_listed_or_sold(encoder: FeatureEncoder) -> None:
    assert encoder.products(at_day(70)).candidates.tolist() == [True, True, True, False]
    assert encoder.products(at_day(70) + 1).candidates.tolist() == [True, True, True, True]


def test_two_lines_of_one_moment_are_no_repeat() -> None:
    encoder = encoder_of(hand_tables(lines(("Cid", "P4", 99), ("Cid", "P4", 99))))
    dynamic, share, *_ = sales(encoder.history, encoder.catalogue, NOW)
    np.testing.assert_allclose(share[P4], (0 + 10 * 2 / 8) / (3 + 10))
    sevens = dynamic[:, PRODUCT_DYNAMIC.index("customers_7d")]
    np.testing.assert_allclose(sevens[P4] - sevens[P1], log1p(1))  # one customer, however many lines


def test_price_category_price_and_rating_by_hand(encoder: FeatureEncoder) -> None:
    schema = encoder.schema
    np.testing.assert_allclose(schema.category_price, [(log(10) + log(20) + log(5)) / 3, log(10), log(20)])
    assert schema.line_prices == {"P4": 4.0}
    products = encoder.products(NOW)
    price = np.array([log(10), log(20), log(5)])
    by_hand = (price - price.mean()) / price.std()
    np.testing.assert_allclose(product_column(products, "price")[[P1, P2, P4]], by_hand)
    relative = np.array([0, 0, log(5) - price.mean()])  # P4 has no category and is compared with all
    by_hand = (relative - relative.mean()) / relative.std()
    np.testing.assert_allclose(product_column(products, "relative_price")[[P1, P2, P4]], by_hand, atol=1e-12)
    np.testing.assert_allclose(product_column(products, "rating")[[P1, P2]], [1, -1])
    assert np.isnan(products.numeric[P3]).all()
    assert np.isnan(product_column(products, "rating")[P4])


def test_what_is_missing_has_row_0(encoder: FeatureEncoder) -> None:
    products = encoder.products(NOW)
    assert products.category.tolist() == [1, 2, 0, 0]
    assert products.row.tolist() == [1, 2, 0, 3]  # P3 was never sold
    assert products.price_bucket[P3] == 0
    assert (products.price_bucket[[P1, P2, P4]] > 0).all()


def test_price_buckets_hold_equal_shares() -> None:
    count = 5 * PRICE_BUCKETS
    prices = np.random.default_rng(0).permutation(np.geomspace(1, 1000, count))
    names = [f"P{i:03d}" for i in range(count)]
    listed = frame(PRODUCT_COLUMNS, {PRODUCT: names, CATEGORY: pd.Series(["A"] * count), PRICE: prices})
    bought = lines(("Ann", "P000", 0), ("Ann", "P001", 1))
    encoder = encoder_of(tables_of(frame(CUSTOMER_COLUMNS, {CUSTOMER: ["Ann"]}), listed, bought))
    buckets = encoder.products(NOW).price_bucket
    assert np.bincount(buckets).tolist() == [0] + [5] * PRICE_BUCKETS
    assert (np.diff(buckets[np.argsort(prices)]) >= 0).all()


def test_one_price_for_all_is_one_bucket() -> None:
    tables = hand_tables()
    encoder = encoder_of(tables_of(tables.customers, tables.products.assign(price=5.0), tables.events))
    buckets = encoder.products(NOW).price_bucket
    assert len(set(buckets[:3])) == 1
    assert buckets.max() <= len(encoder.schema.price_edges) + 1


def test_a_category_that_training_never_saw_has_row_0() -> None:
    tables = hand_tables()
    encoder = encoder_of(tables)
    renamed = tables.products.assign(category=pd.Series(["Books", "Toys", None], dtype="str"))
    moved = FeatureEncoder(encoder.schema, *history_of(tables_of(tables.customers, renamed, tables.events)))
    assert moved.products(NOW).category.tolist() == [1, 0, 0, 0]


def test_years_of_training_make_the_season_count() -> None:
    assert not encoder_of(hand_tables()).schema.seasonal
    assert encoder_of(hand_tables(lines(("Bob", "P1", 500))), until=at_day(501)).schema.seasonal


def test_training_numbers_are_centred_and_of_spread_1() -> None:
    history, catalogue = history_of(small_shop(3))
    encoder = FeatureEncoder.fit(history, catalogue, history.end)
    numeric, dynamic = encoder.products(history.end).numeric, encoder.products(history.end).dynamic
    for column in np.concatenate([numeric, dynamic], axis=1).T:
        known = column[~np.isnan(column)]
        assert np.abs(known.mean()) < 0.05  # clipping may move it a little
        assert known.std() == pytest.approx(1, abs=0.05)


def test_a_rating_by_few_leans_on_the_mean_of_all() -> None:
    tables = hand_tables()
    ratings = {PRODUCT: ["P1", "P2", "P4"], RATING: [5.0, 5.0, 2.0], RATING_COUNT: [0.0, np.nan, 10.0]}
    listed = frame(PRODUCT_COLUMNS, ratings)
    encoder = encoder_of(tables_of(customers=tables.customers, products=listed, events=tables.events))
    place = [list(encoder.history.product_ids).index(name) for name in ratings[PRODUCT]]
    mean = (5 + 5 + 2) / 3
    np.testing.assert_allclose(encoder._rating[place], [mean, 5.0, (10 * 2 + 10 * mean) / 20])


def test_what_training_never_knew_is_missing_when_it_comes_later() -> None:
    """Where there were no prices and ratings no weight was learned for them: later ones would meet a random one."""
    bare = hand_tables()
    products = bare.products.assign(price=np.nan, rating=np.nan)
    events = bare.events.assign(price=np.nan)
    schema = FeatureEncoder.fit(*history_of(tables_of(bare.customers, products, events)), NOW).schema
    assert not schema.knows_prices
    assert not schema.knows_ratings
    later = frame(PRODUCT_COLUMNS, {PRODUCT: ["P5"], CATEGORY: ["Books"], PRICE: [9.0], RATING: [5.0]})
    tables = tables_of(bare.customers, pd.concat([products, later]), events)
    encoder = FeatureEncoder(schema, *history_of(tables))
    after = encoder.products(NOW)
    assert np.isnan(after.numeric).all()
    assert not after.price_bucket.any()
    assert encoder.price[-1] == 9.0, "people still see it"
    buyer = encoder.newcomer(np.array([len(after.row) - 1]), after)
    assert buyer.price_bucket.tolist() == [0]
    assert np.isnan(buyer.numeric[0, [CUSTOMER_NUMERIC.index(name) for name in ("spend", "price_level")]]).all()

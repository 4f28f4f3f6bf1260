"""What is known of a customer, against numbers worked by hand."""

from __future__ import annotations

from math import log, log1p

import numpy as np
import pytest
from hand_shop import (
    ANN,
    BOB,
    CID,
    HALF_HOUR,
    NOW,
    P1,
    P2,
    P4,
    customer_column,
    encoder_of,
    hand_tables,
    repeat_columns,
)

from embedrec.columns import CATEGORY, CUSTOMER, EVENT, PRODUCT, TIME, TIME_SPENT, VIEW
from embedrec.features import FeatureEncoder
from embedrec.features.customers import raw_numeric
from embedrec.features.schema import CLIP, CUSTOMER_NUMERIC, REPEAT_HALF_LIVES
from embedrec.tables.model import CUSTOMER_COLUMNS, EVENT_COLUMNS, PRODUCT_COLUMNS
from shops import at_day, frame, history_of, lines, small_shop, tables_of

EVERYBODY = np.array([ANN, BOB, CID])
NAN = np.nan


@pytest.fixture(scope="module")
def encoder() -> FeatureEncoder:
    return encoder_of(hand_tables())


def raw(name: str, encoder: FeatureEncoder, as_of: int = NOW, seasonal: bool = False) -> np.ndarray:
    values = raw_numeric(encoder.history, EVERYBODY, as_of, encoder.log_price, seasonal)
    return values[:, CUSTOMER_NUMERIC.index(name)]


BY_HAND = {
    "page_views": [log1p(10), NAN, log1p(3)],
    "time_spent": [log1p(5.5), NAN, log1p(1)],
    "purchases": [log1p(4), log1p(2), 0],
    "products": [log1p(2), log1p(2), 0],
    "purchase_days": [log1p(4), log1p(2), 0],
    "recent_purchases": [log1p(3), log1p(1), 0],  # Ann's of day 72 is 28 days old and still counts
    "recency": [log1p(5), log1p(10), NAN],
    "tenure": [log1p(40), log1p(30), NAN],
    "gap": [log1p(35 / 3), log1p(20), NAN],
    "spend": [log1p(9 + 9 + 19 + 2 * 20), log1p(2 * 4 + 9), NAN],
    "price_level": [(2 * log(10) + 2 * log(20)) / 4, (log(5) + log(10)) / 2, NAN],  # P4: the 4 paid for it
    "season_sin": [0, 0, 0],
    "season_cos": [0, 0, 0],
}


@pytest.mark.parametrize("name", CUSTOMER_NUMERIC)
def test_behaviour_by_hand(encoder: FeatureEncoder, name: str) -> None:
    np.testing.assert_allclose(raw(name, encoder), BY_HAND[name], rtol=1e-12)


def test_time_of_year(encoder: FeatureEncoder) -> None:
    # a quarter of a year of 365.25 days after the first second of 1970
    quarter = round(365.25 / 4 * 86_400)
    assert raw("season_sin", encoder, quarter, seasonal=True) == pytest.approx([1, 1, 1])
    assert raw("season_cos", encoder, quarter, seasonal=True) == pytest.approx([0, 0, 0], abs=1e-9)


def test_two_purchases_of_one_day_have_no_gap() -> None:
    encoder = encoder_of(hand_tables(lines(("Cid", "P1", 50), ("Cid", "P2", 50 + HALF_HOUR))))
    assert np.isnan(raw("gap", encoder)[CID])
    assert raw("purchase_days", encoder)[CID] == log1p(1)


def test_numbers_are_standardised_over_the_buyers_of_training(encoder: FeatureEncoder) -> None:
    customers = encoder.customers(EVERYBODY, encoder.products(NOW))
    # of two buyers one stands a standard deviation above the mean and one below; Cid did not take part
    np.testing.assert_allclose(customer_column(customers, "recency")[[ANN, BOB]], [-1, 1])
    # log1p of 3, 1 and 0 recent purchases is 2, 1 and 0 times log 2: mean 1.5, spread 0.5
    np.testing.assert_allclose(customer_column(customers, "recent_purchases"), [1, -1, -3])
    # both bought two products: a column without spread is only centred
    np.testing.assert_allclose(customer_column(customers, "products"), [0, 0, -log1p(2)])
    assert np.isnan(customer_column(customers, "recency")[CID])
    assert np.isnan(customer_column(customers, "page_views")[BOB])


def test_one_absurd_value_is_clipped() -> None:
    tables = small_shop(0)
    totals = tables.customers.assign(page_views=10.0)
    buyers = totals[CUSTOMER].isin(tables.purchases[CUSTOMER].unique())
    totals.loc[buyers.idxmax(), "page_views"] = 1e12
    totals.loc[~buyers, "page_views"] = 0.0
    history, catalogue = history_of(tables_of(totals, tables.products, tables.events))
    encoder = FeatureEncoder.fit(history, catalogue, history.end)
    views = customer_column(encoder.customers(np.arange(history.n_users), encoder.products(history.end)), "page_views")
    assert views.max() == CLIP
    assert np.isfinite(views).all()


def test_favourite_category_and_ties(encoder: FeatureEncoder) -> None:
    customers = encoder.customers(EVERYBODY, encoder.products(NOW))
    # Ann bought Books and Garden twice each: the first in the vocabulary; P4 of Bob has no category; Cid has nothing
    assert encoder.schema.categories == ("Books", "Garden")
    assert customers.category.tolist() == [1, 1, 0]
    once_more = encoder_of(hand_tables(lines(("Ann", "P2", 99))))
    assert once_more.customers(EVERYBODY, once_more.products(NOW)).category.tolist() == [2, 1, 0]


def test_usual_price_bucket(encoder: FeatureEncoder) -> None:
    schema = encoder.schema.model_copy(update={"price_edges": (log(8), log(15))})
    cut = FeatureEncoder(schema, encoder.history, encoder.catalogue)
    # Ann's mean log level is log sqrt(10 * 20) = log 14.1, Bob's log sqrt(5 * 10) = log 7.1
    assert cut.customers(EVERYBODY, cut.products(NOW)).price_bucket.tolist() == [2, 1, 0]
    on_the_edge = schema.model_copy(update={"price_edges": (log(2), float(encoder.log_price[P1]))})
    cut = FeatureEncoder(on_the_edge, encoder.history, encoder.catalogue)
    only_p1_and_p4_so_far = cut.products(at_day(80))
    assert cut.customers(EVERYBODY, only_p1_and_p4_so_far).price_bucket.tolist() == [3, 2, 0]


def test_repeat_features_by_hand(encoder: FeatureEncoder) -> None:
    products = encoder.products(NOW)
    found = repeat_columns(encoder.customers(EVERYBODY, products))
    assert set(found) == {(ANN, P1), (ANN, P2), (BOB, P1), (BOB, P4)}
    half = 0.5
    shop_gap = (log(12) + log(15)) / 2  # Ann came back to P1 after 12 days and to P2 after 15
    gap_of_p1 = np.exp((log(12) + 10 * shop_gap) / 11)
    assert found[ANN, P1] == pytest.approx(
        {
            "times": log1p(2),
            **{f"decayed_{days}d": log1p(half ** (40 / days) + half ** (28 / days)) for days in REPEAT_HALF_LIVES},
            "days_since": log1p(28),
            "cycle": log1p(28 / gap_of_p1),
            "repeat_share": (1 + 10 / 3) / 13,  # one of three lines, with ten lines at the shop's two in six
            "visits": log1p(2),
            "visit_share": 2 / 4,
            "visits_since": log1p(2),  # both for P2
            "spend": (log1p(9) - log1p((19 + 40) / 2)) / 2,  # against the mean of P1 and P2
        }
    )
    assert found[BOB, P4] == pytest.approx(
        {
            "times": log1p(1),
            **{f"decayed_{days}d": log1p(half ** (30 / days)) for days in REPEAT_HALF_LIVES},
            "days_since": log1p(30),
            "cycle": log1p(30 / np.exp(shop_gap)),  # never bought twice: the shop's cycle
            "repeat_share": (10 / 3) / 11,
            "visits": log1p(1),
            "visit_share": 1 / 2,
            "visits_since": log1p(1),
            "spend": (log1p(8) - log1p(9)) / 2,
        }
    )


def test_lines_are_oldest_first_with_their_age_in_days(encoder: FeatureEncoder) -> None:
    customers = encoder.customers(EVERYBODY, encoder.products(NOW))
    assert customers.lines.offsets.tolist() == [0, 4, 6, 6]
    assert customers.line_items.tolist() == [P1, P1, P2, P2, P4, P1]
    assert customers.line_ages.tolist() == [40, 28, 20, 5, 30, 10]
    assert customers.bought.offsets.tolist() == [0, 2, 4, 4]
    assert customers.bought.values.tolist() == [P1, P2, P1, P4]


def test_the_date_itself_is_not_the_past(encoder: FeatureEncoder) -> None:
    products = encoder.products(at_day(95))
    assert encoder.customers(EVERYBODY, products).line_items.tolist() == [P1, P1, P2, P4, P1]
    assert raw("recency", encoder, at_day(95))[ANN] == log1p(15)


def test_everybody_before_the_first_purchase_is_nobody(encoder: FeatureEncoder) -> None:
    products = encoder.products(at_day(60))
    customers = encoder.customers(EVERYBODY, products)
    assert not len(customers.line_items)
    assert not len(customers.bought.values)
    assert not customers.category.any()
    assert raw("purchases", encoder, at_day(60)).tolist() == [0, 0, 0]
    assert np.isnan(raw("spend", encoder, at_day(60))).all()


def test_ids_the_training_never_saw_have_row_0() -> None:
    encoder = encoder_of(hand_tables(), until=at_day(65))  # Ann bought P1; all else came later
    assert encoder.schema.customers == ("Ann",)
    assert encoder.schema.products == ("P1",)
    assert encoder.customers(EVERYBODY, encoder.products(NOW)).row.tolist() == [1, 0, 0]


def test_customers_may_be_asked_in_any_order_and_twice(encoder: FeatureEncoder) -> None:
    products = encoder.products(NOW)
    once, again = encoder.customers(EVERYBODY, products), encoder.customers(np.array([CID, BOB, ANN, BOB]), products)
    places = [2, 1, 0, 1]
    for name in ("row", "numeric", "category", "price_bucket"):
        np.testing.assert_array_equal(getattr(again, name), getattr(once, name)[places])
    expected, found = repeat_columns(once), repeat_columns(again)
    assert found == {(b, item): expected[places[b], item] for b, item in found}
    assert again.line_items.tolist() == [P4, P1, P1, P1, P2, P2, P4, P1]


def test_equal_lines_count_as_two_purchases_of_one_day() -> None:
    twice = encoder_of(hand_tables(lines(("Cid", "P2", 99), ("Cid", "P2", 99))))
    customers = twice.customers(EVERYBODY, twice.products(NOW))
    found = repeat_columns(customers)[CID, P2]
    assert found["times"] == pytest.approx(log1p(2))
    assert found["days_since"] == pytest.approx(log1p(1))
    assert raw("purchase_days", twice)[CID] == log1p(1)


def views(*rows: tuple[str, float, float]) -> object:
    """Dated views by hand: (customer, day, seconds spent)."""
    customers, days, spent = zip(*rows, strict=True)
    times = [at_day(day) for day in days]
    return frame(EVENT_COLUMNS, {TIME: times, CUSTOMER: customers, EVENT: VIEW, TIME_SPENT: spent})


def test_dated_views_are_counted_before_the_date_only() -> None:
    seen = views(("Ann", 50, 30), ("Ann", 80, NAN), ("Ann", 99, 12), ("Ann", 100, 7), ("Bob", 90, NAN))
    tables = hand_tables(seen)
    undated = frame(CUSTOMER_COLUMNS, {CUSTOMER: list(tables.customers[CUSTOMER])})
    encoder = encoder_of(tables_of(customers=undated, products=tables.products, events=tables.events))
    np.testing.assert_allclose(raw("page_views", encoder), [log1p(3), log1p(1), 0])
    np.testing.assert_allclose(raw("time_spent", encoder), [log1p(42), NAN, NAN])
    np.testing.assert_allclose(raw("page_views", encoder, at_day(80)), [log1p(1), 0, 0])


def test_where_the_shop_gave_totals_they_stand() -> None:
    encoder = encoder_of(hand_tables(views(("Ann", 50, 7))))
    np.testing.assert_allclose(raw("page_views", encoder), BY_HAND["page_views"])


@pytest.mark.parametrize("gone", ["products", "customers"])
def test_tables_that_are_not_there(gone: str) -> None:
    tables = hand_tables()
    empty = {
        "products": frame(PRODUCT_COLUMNS, {PRODUCT: [], CATEGORY: []}),
        "customers": frame(CUSTOMER_COLUMNS, {CUSTOMER: []}),
    }[gone]
    frames = {"customers": tables.customers, "products": tables.products, "events": tables.events, gone: empty}
    encoder = encoder_of(tables_of(**frames))
    customers = encoder.customers(np.arange(encoder.history.n_users), encoder.products(NOW))
    if gone == "products":
        assert encoder.history.product_ids.tolist() == ["P1", "P2", "P4"]
        assert not customers.category.any()
        assert encoder.price.tolist()[1:] == [20, 4]  # what was paid
    else:
        assert encoder.history.customer_ids.tolist() == ["Ann", "Bob"]
        assert np.isnan(customer_column(customers, "page_views")).all()

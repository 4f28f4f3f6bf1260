"""Audiences: who is likeliest to buy, how sure that is, and what it would have been worth."""

from __future__ import annotations

from datetime import date
from typing import Any

import numpy as np
import pandas as pd
import pytest

from embedrec import Recommender
from embedrec.bundle import read_bundle
from embedrec.columns import CUSTOMER, PRODUCT, RANK, REASON, TIME
from embedrec.errors import RequestError
from embedrec.evaluation.calibration import PurchaseProbability
from embedrec.evaluation.likelihood import Likelihood
from embedrec.serving.audience import AUDIENCE, rank_customers
from embedrec.serving.reach import reach_of
from runs import Trained


@pytest.fixture(scope="module")
def shop(trained: Trained) -> Recommender:
    return Recommender.load(trained.bundle)


@pytest.fixture(scope="module")
def bought(trained: Trained) -> pd.DataFrame:
    """Purchase lines, newest last."""
    events = read_bundle(trained.bundle).frames["events"]
    return events[events["event"] == "purchase"].sort_values(TIME)


@pytest.fixture(scope="module")
def product(bought: pd.DataFrame) -> str:
    """The product with the most buyers."""
    return str(bought.groupby(PRODUCT)[CUSTOMER].nunique().idxmax())


# The table


def test_the_audience_of_a_product(shop: Recommender, product: str, bought: pd.DataFrame) -> None:
    table = shop.audience(product, n=100_000)
    assert tuple(table.columns) == AUDIENCE
    assert table[RANK].tolist() == list(range(1, len(table) + 1))
    assert sorted(table[CUSTOMER]) == list(shop.customer_ids)
    assert table["probability"].is_monotonic_decreasing
    assert table["probability"].between(0, 1).all()
    own = bought[bought[PRODUCT] == product].groupby(CUSTOMER)
    assert table["bought_before"].tolist() == [len(own.groups.get(one, ())) for one in table[CUSTOMER]]
    last = bought.groupby(CUSTOMER)[TIME].max()
    assert table["last_purchase"].tolist() == [last[one].date() for one in table[CUSTOMER]]
    assert table.attrs == {
        "customers": len(shop.customer_ids),
        "left_out": 0,
        "expected_buyers": pytest.approx(table["probability"].sum()),
        "days": shop.info.days,
        "products": 1,
    }


def test_its_first_rows_are_a_smaller_audience(shop: Recommender, product: str) -> None:
    everybody, few = shop.audience(product, n=300), shop.audience(product, n=7)
    pd.testing.assert_frame_equal(few, everybody.head(7), check_exact=True)
    assert few.attrs["expected_buyers"] == pytest.approx(everybody["probability"].head(7).sum())
    assert few.attrs["customers"] == everybody.attrs["customers"]


def test_reasons(shop: Recommender, product: str, bought: pd.DataFrame) -> None:
    table = shop.audience(product, n=1000)
    own = bought[bought[PRODUCT] == product].groupby(CUSTOMER)[TIME].agg(["size", "max"])
    for row in table.itertuples():
        if row.customer_id in own.index:
            times, last = own.loc[row.customer_id]
            often = f"{times} times" if times > 1 else "once"
            assert row.reason == f"Bought it {often}, last on {last.day} {last:%b %Y}"
        else:
            assert row.reason.startswith(("Buys often from ", "Bought from ", "Shops "))
    assert table[REASON].nunique() > 20


def test_several_products_reach_more(shop: Recommender, product: str) -> None:
    other = next(one for one in shop.product_ids if one != product)
    alone = shop.audience(product, n=1000).set_index(CUSTOMER)["probability"]
    both = shop.audience(products=[other, product, other], n=1000)
    assert both.attrs["products"] == 2
    together = both.set_index(CUSTOMER)["probability"][alone.index]
    beside = shop.audience(other, n=1000).set_index(CUSTOMER)["probability"][alone.index]
    np.testing.assert_allclose(together, 1 - np.exp(-(alone + beside)))
    assert both[REASON].str.startswith("Bought from these").any()


def test_a_category_is_its_products(shop: Recommender) -> None:
    category = shop.categories[0]
    listed = shop.recommend("nobody", k=1000, categories=[category])[PRODUCT].tolist()
    table = shop.audience(categories=[category], n=50)
    pd.testing.assert_frame_equal(table, shop.audience(products=listed, n=50))
    assert table.attrs["products"] == len(listed)


def test_recent_buyers_are_left_out(shop: Recommender, product: str, bought: pd.DataFrame) -> None:
    since = bought[TIME].max() + pd.Timedelta(seconds=1) - pd.Timedelta(days=60)
    recent = set(bought[(bought[PRODUCT] == product) & (bought[TIME] >= since)][CUSTOMER])
    assert recent
    everybody = shop.audience(product, n=1000)
    table = shop.audience(product, n=1000, exclude_recent_days=60)
    assert table.attrs["left_out"] == len(recent)
    assert table.attrs["customers"] == len(everybody)
    assert table[CUSTOMER].tolist() == [one for one in everybody[CUSTOMER] if one not in recent]


def test_a_shop_without_dates_shows_none(trained: Trained, product: str) -> None:
    bundle = read_bundle(trained.bundle)
    undated = bundle.manifest.model_copy(update={"data": {**bundle.manifest.data, "dated": False}, "audience": None})
    table = Recommender(type(bundle)(undated, bundle.weights, bundle.schema, bundle.frames)).audience(product, n=20)
    assert table["last_purchase"].tolist() == [None] * 20
    assert not table[REASON].str.contains("last on").any()
    assert table["probability"].isna().all()
    assert table.attrs["expected_buyers"] is None


def test_progress_is_told(trained: Trained, product: str) -> None:
    told: list[tuple[int, int]] = []
    shop = Recommender.load(trained.bundle)
    shop.audience(product, progress=lambda done, total: told.append((done, total)))
    customers = len(shop.customer_ids)
    assert told == [(customers, customers), (1, 1)]
    shop.audience(product, progress=lambda done, total: told.append((done, total)))
    assert told[2:] == [(1, 1)], "customers are made ready once"


def test_a_date_in_the_past_knows_no_later_purchase(trained: Trained, product: str, bought: pd.DataFrame) -> None:
    cutoff = trained.manifest["split"]["test_from"]
    table = Recommender.load(trained.bundle, as_of=cutoff).audience(product, n=1000)
    before = bought[bought[TIME] < pd.Timestamp(cutoff)]
    assert sorted(table[CUSTOMER]) == sorted(set(before[CUSTOMER]))
    assert table["bought_before"].sum() == (before[PRODUCT] == product).sum()
    assert table["last_purchase"].max() <= pd.Timestamp(cutoff).date()
    assert isinstance(table["last_purchase"][0], date)


# Refusals


@pytest.mark.parametrize(
    ("asked", "field"),
    [
        ({}, "product_id"),
        ({"product_id": "P001", "products": ["P002"]}, "product_id"),
        ({"products": ["P001"], "categories": ["x"]}, "product_id"),
        ({"products": [], "categories": []}, "product_id"),
        ({"product_id": "P999999"}, "product_id"),
        ({"products": ["P001", "P999999"]}, "products"),
        ({"products": "P001"}, "products"),
        ({"categories": ["no such"]}, "categories"),
        ({"product_id": "P001", "n": 0}, "n"),
        ({"product_id": "P001", "n": 100_001}, "n"),
        ({"product_id": "P001", "n": True}, "n"),
        ({"product_id": "P001", "exclude_recent_days": -1}, "exclude_recent_days"),
        ({"product_id": "P001", "exclude_recent_days": 2.5}, "exclude_recent_days"),
    ],
)
def test_refusals(shop: Recommender, asked: dict[str, Any], field: str) -> None:
    with pytest.raises(RequestError) as caught:
        shop.audience(**asked)
    assert caught.value.field == field


# Reach


def test_reach_counts_the_buyers_of_the_test_window(
    trained: Trained, shop: Recommender, product: str, bought: pd.DataFrame
) -> None:
    cutoff, some = trained.manifest["split"]["test_from"], list(shop.product_ids[:60])
    later = bought[bought[TIME] >= pd.Timestamp(cutoff)]
    then = Recommender.load(trained.bundle, as_of=cutoff).audience(products=some, n=100_000)
    hits = then[CUSTOMER].isin(set(later[later[PRODUCT].isin(some)][CUSTOMER])).to_numpy()
    assert 10 < hits.sum() < len(hits)
    reach = shop.reach(products=some)
    assert (reach.customers, reach.buyers) == (len(then), hits.sum())
    assert reach.curve is not None
    pd.testing.assert_frame_equal(reach.curve, reach_of(hits).curve)

    few = shop.reach(product)
    assert few.curve is None
    assert few.buyers == then[CUSTOMER].isin(set(later[later[PRODUCT] == product][CUSTOMER])).sum()


def test_the_curve_of_ten_buyers_among_a_thousand() -> None:
    bought = np.zeros(1000, bool)
    bought[[0, 1, 2, 3, 15, 40, 90, 150, 400, 999]] = True
    reach = reach_of(bought)
    assert reach.curve is not None
    assert reach.curve["share_contacted"].tolist() == [0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1.0]
    assert reach.curve["share_reached"].tolist() == [0.4, 0.5, 0.6, 0.7, 0.8, 0.9, 1.0]
    assert reach.curve["lift"].tolist() == pytest.approx([40, 25, 12, 7, 4, 1.8, 1])


def test_too_few_buyers_give_no_curve() -> None:
    reach = reach_of(np.array([True] * 9 + [False] * 91))
    assert reach.curve is None
    assert (reach.customers, reach.buyers) == (100, 9)
    assert reach.why == "only 9 of 100 customers bought within the test window; a curve needs at least 10"


# The map and the order


def test_the_bundle_keeps_maps_from_validation(trained: Trained, shop: Recommender) -> None:
    manifest = trained.manifest
    split = manifest["split"]
    window = pd.Timestamp(split["test_from"]) - pd.Timestamp(split["valid_from"])
    assert shop.info.days == round(window / pd.Timedelta(days=1))
    for name in ("probability", "audience"):
        knots = manifest[name]
        assert len(knots["scores"]) == len(knots["probabilities"]) > 1
        assert knots["scores"] == sorted(knots["scores"])
        assert knots["probabilities"] == sorted(knots["probabilities"])
    chances = shop.probability(manifest["probability"]["scores"])
    assert chances is not None
    assert chances.tolist() == manifest["probability"]["probabilities"]


def test_equal_customers_come_in_the_order_of_their_ids() -> None:
    class Made:
        users = np.arange(4)

        def of(self, items: np.ndarray) -> np.ndarray:
            return np.array([[1.0], [3.0], [1.0], [2.0]])[:, : len(items)]

    flat = PurchaseProbability(np.array([0.0]), np.array([0.25]), 0.25)
    order, probability = rank_customers(Made(), np.array([0]), flat)  # type: ignore[arg-type]
    assert order.tolist() == [1, 3, 0, 2]
    assert probability.tolist() == [0.25] * 4
    order, probability = rank_customers(Made(), np.array([0]), None)  # type: ignore[arg-type]
    assert order.tolist() == [1, 3, 0, 2]
    assert np.isnan(probability).all()


def test_the_likelihood_is_its_formula(shop: Recommender) -> None:
    """Every product is in the sample of so small a shop, so that the places at the marks are exact."""
    snapshot, scorer = shop._snapshot, shop._scorer
    users = snapshot.history.buyers(-(2**60), snapshot.as_of)
    items = np.flatnonzero(snapshot.products.candidates)
    found = Likelihood(scorer, snapshot, users).of(items)
    scores = scorer.score(users).float().numpy()[:, items]
    place = (scores[:, None, :] > scores[:, :, None]).sum(2)
    history = snapshot.history
    worth = 0.5 ** ((snapshot.as_of - history.times) / 86_400 / 120)
    own = np.zeros((history.n_users, history.n_items))
    np.add.at(own, (history.users, history.items), worth)
    purchases = own.sum(1)[users, None]
    first = place < 5  # at the head of a list all places are marks
    expected = (purchases + 0.1) * (1 + 5 * own[users][:, items]) / (place + 5)
    np.testing.assert_allclose(found[first], expected[first], rtol=1e-4)
    np.testing.assert_allclose(found, expected, rtol=0.35)

"""One product's portrait, and the simple rules that stand beside a model."""

from __future__ import annotations

from datetime import date

import pandas as pd
import pytest

from embedrec import Recommender
from embedrec.columns import CATEGORY, CUSTOMER, PRODUCT, TIME
from embedrec.errors import RequestError
from embedrec.experiment.shop import open_shop
from runs import Trained


@pytest.fixture(scope="module")
def shop(trained: Trained) -> Recommender:
    return Recommender.load(trained.bundle)


@pytest.fixture(scope="module")
def bought(trained: Trained) -> pd.DataFrame:
    return open_shop(trained.config.data, trained.config.split).tables.purchases


def test_a_product_is_described_as_counted_by_hand(shop: Recommender, bought: pd.DataFrame) -> None:
    buyers = bought.groupby(PRODUCT)[CUSTOMER].nunique()
    for product in shop.product_ids[:12]:
        lines, told = bought[bought[PRODUCT] == product], shop.product(product)
        visits = lines.groupby(CUSTOMER)[TIME].nunique()
        assert (told.product_id, told.purchases, told.buyers) == (product, len(lines), len(visits))
        assert told.again == pytest.approx((visits > 1).mean())
        assert told.place == 1 + (buyers > len(visits)).sum()
        assert (told.first_sale, told.last_sale) == (lines[TIME].min().date(), lines[TIME].max().date())
        end = bought[TIME].max() + pd.Timedelta(seconds=1)
        weeks = [
            int(lines[TIME].between(end - pd.Timedelta(weeks=w + 1), end - pd.Timedelta(weeks=w), "left").sum())
            for w in reversed(range(12))
        ]
        assert told.weeks == tuple(weeks)


def test_a_past_date_knows_no_later_sales(trained: Trained, shop: Recommender) -> None:
    middle = Recommender.load(trained.bundle, as_of="2024-12-01")
    best = shop.catalogue_map()[PRODUCT][0]
    assert 0 < middle.product(best).purchases < shop.product(best).purchases
    assert middle.product(best).last_sale < date(2024, 12, 1)


def test_a_stranger_is_no_product(shop: Recommender) -> None:
    with pytest.raises(RequestError, match="^product_id: no such product"):
        shop.product("P999")


def test_rules_are_those_that_are_measured(shop: Recommender, simple: Trained) -> None:
    """Where a rule is in the bundle itself, it gives the same list as in a model's place."""
    own = Recommender.load(simple.bundle)
    assert "personal_frequency" not in own.rules
    assert shop.rules == ["personal_frequency", "popularity_recent", "item_knn", "popularity"]
    for customer in shop.customer_ids[:20]:
        expected = own.recommend(customer)
        pd.testing.assert_frame_equal(shop.rival("personal_frequency").recommend(customer), expected)


def test_a_rival_is_another_list_for_the_same_customer(shop: Recommender) -> None:
    customer = shop.customer_ids[3]
    own = shop.recommend(customer)
    lists = {rule: shop.rival(rule).recommend(customer)[PRODUCT].tolist() for rule in shop.rules}
    assert len({tuple(one) for one in [own[PRODUCT], *lists.values()]}) == 5
    popular = shop.catalogue_map()[PRODUCT].head(10).tolist()
    assert lists["popularity"] == popular
    assert shop.rival("item_knn").info.model == "item_knn"
    pd.testing.assert_frame_equal(shop.recommend(customer), own)  # the model itself answers as before
    assert shop.rival("item_knn").similar(shop.product_ids[0])[CATEGORY].notna().any()


def test_new_products_reach_the_rules(trained: Trained) -> None:
    shop = Recommender.load(trained.bundle)
    shop.rival("popularity"), shop.catalogue_map()
    shop.add_products(pd.DataFrame({"product_id": ["NEW1"], "category": [shop.categories[0]]}))
    assert "NEW1" in shop.catalogue_map()[PRODUCT].tolist()
    assert len(shop.rival("popularity").recommend(shop.customer_ids[0], 1000)) == len(shop.product_ids)


def test_an_unknown_rule_is_refused(shop: Recommender) -> None:
    with pytest.raises(RequestError, match="^rival: no such rule"):
        shop.rival("random")

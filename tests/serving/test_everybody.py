"""The lists of everybody are the lists of `recommend`, product for product and score for score."""

from __future__ import annotations

import pandas as pd
import pytest

from embedrec.errors import RequestError
from embedrec.models import in_bulk
from embedrec.serving import Recommender
from fresh_bundle import write_fresh_bundle

K = 20


@pytest.fixture(scope="module", params=[0, 4000], ids=["totals", "views"])
def shop(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Recommender:
    bundle = tmp_path_factory.mktemp("everybody") / "bundle"
    write_fresh_bundle(bundle, 1, customers=200, products=600, purchases=3000, views=request.param, dim=8)
    return Recommender.load(bundle)


def asked_one_by_one(shop: Recommender, customers: list[str], only: str | None) -> pd.DataFrame:
    tables = []
    for customer, listed in zip(customers, shop.recommend_many(customers, K, only=only), strict=True):
        table = listed.table()[["rank", "product_id", "score"]]
        table.insert(0, "customer_id", customer)
        table.insert(1, "cold_start", listed.cold_start)
        tables.append(table)
    return pd.concat(tables, ignore_index=True)


@pytest.mark.parametrize("only", [None, "new", "again"])
@pytest.mark.parametrize("spare", [in_bulk.SPARE, 0], ids=["quick", "no list stands at once"])
def test_the_lists_of_recommend(
    shop: Recommender, only: str | None, spare: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(in_bulk, "SPARE", spare)
    found = shop.everybody(K, only=only).lists(0, 200).to_pandas()  # type: ignore[arg-type]
    wanted = asked_one_by_one(shop, [f"C{number:04d}" for number in range(200)], only)
    assert wanted["cold_start"].any() == (only != "again")  # who never bought has nothing to buy again
    pd.testing.assert_frame_equal(found, wanted, check_exact=True, check_dtype=False)


def test_the_lists_of_a_model_without_a_way_of_its_own(shop: Recommender) -> None:
    rule = shop.rival("popularity")
    found = rule.everybody(K, exclude_bought=True).lists(50, 100).to_pandas()
    wanted = asked_one_by_one(rule, [f"C{number:04d}" for number in range(50, 100)], "new")
    pd.testing.assert_frame_equal(found, wanted, check_exact=True, check_dtype=False)


def test_more_places_than_products(shop: Recommender) -> None:
    lists = shop.everybody(1000).lists(0, 2).to_pandas()
    one = shop.recommend("C0000", 1000)
    assert lists[lists["customer_id"] == "C0000"]["product_id"].tolist() == one["product_id"].tolist()


def test_what_is_refused(shop: Recommender) -> None:
    with pytest.raises(RequestError, match="k: wanted a whole number"):
        shop.everybody(0)
    with pytest.raises(RequestError, match="do not say what is in stock"):
        shop.everybody(in_stock=True)
    with pytest.raises(RequestError, match="asks for what exclude_bought leaves out"):
        shop.everybody(exclude_bought=True, only="again")

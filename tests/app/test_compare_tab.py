"""The tab Compare: two lists for one customer, what differs and why, and which was measured better."""

from __future__ import annotations

from dataclasses import replace

import pytest
from fake_shop import HOSTILE, MANIFEST, UNTESTED, FakeShop, figure

from embedrec.app.compare_tab import SECOND, opponent, rivals
from embedrec.app.compare_views import Side, comparison, measured
from embedrec.app.service import Service
from embedrec.columns import PRODUCT
from embedrec.errors import RequestError


def compared(shop: FakeShop, other: FakeShop, customer: str = "C0042") -> str:
    sides = Side("A", shop, shop.recommend(customer)), Side("B", other, other.recommend(customer))
    return comparison(*sides, frozenset(shop.purchases(customer)[PRODUCT]))


def test_what_differs_is_said_and_tagged():
    shop = FakeShop(products=100)
    html = compared(shop, shop.rival("item_knn"))
    ours, theirs = (one.recommend("C0042")[PRODUCT].tolist() for one in (shop, shop.rival("item_knn")))
    both = set(ours) & set(theirs)
    assert f"{len(both)} products on both lists, {10 - len(both)} only on A, {10 - len(both)} only on B." in html
    assert html.count("only here") == 2 * (10 - len(both))
    assert "Why only on A: goes with what they bought" in html
    assert "What goes with the products bought before" in html


def test_places_on_the_other_list_are_told():
    class Turned(FakeShop):
        def recommend(self, customer_id, k=10, **filters):
            table = super().recommend(customer_id, k, **filters)
            table[PRODUCT] = table[PRODUCT].tolist()[::-1]
            return table

    html = compared(FakeShop(products=100), Turned(products=100))
    assert "10 products on both lists, 0 only on A, 0 only on B." in html
    assert "is number 1 on A and number 10 on B." in html
    assert "9 on B" in html
    assert "same place" not in html


def test_the_same_list_twice_differs_in_nothing():
    html = compared(FakeShop(products=100), FakeShop(products=100))
    assert "Nothing: the two lists are the same, in the same order." in html
    assert html.count("same place") == 20


def test_an_unknown_customer_is_said_to_be_one_and_not_echoed():
    shop = FakeShop(products=100)
    html = compared(shop, shop.rival("item_knn"), "nobody-we-know")
    assert "We do not know this customer yet." in html
    assert "nobody-we-know" not in html


def test_the_better_measured_one_is_named():
    shop = FakeShop(products=100)
    assert "In the test A was clearly better: of 100 customers, 53 bought" in measured(
        shop, shop.rival("popularity_recent")
    )
    assert "In the test B was clearly better" in measured(shop.rival("popularity_recent"), shop)
    assert "no clear difference" in measured(shop, shop.rival("personal_frequency"))
    assert "Nobody has measured what goes with the products bought before" in measured(shop, shop.rival("item_knn"))


def test_figures_of_other_data_are_not_compared():
    shop, other = FakeShop(products=100), FakeShop(products=100)
    for change in (
        {"data": {**MANIFEST.data, "fingerprint": "other"}},
        {"split": {**MANIFEST.split, "test_from": "x"}},
    ):
        other.manifest = MANIFEST.model_copy(update=change)
        assert "cannot be compared" in measured(shop, other)
    other.manifest = UNTESTED
    assert "Nobody has measured" in measured(shop, other)


def test_figures_without_a_value_are_no_figures():
    shop = FakeShop(products=100)
    gone = {"two_tower": {"test": {"all": {"ndcg@10": {**figure(0), "value": None}}}}}
    shop.manifest = MANIFEST.model_copy(update={"metrics": gone})
    assert "Nobody has measured" in measured(shop, shop.rival("popularity_recent"))


@pytest.mark.parametrize("hostile", HOSTILE)
def test_hostile_names_stay_text(hostile):
    shop = FakeShop(products=30, data_name=hostile)
    shop.titles = dict.fromkeys(shop.product_ids, hostile)
    html = compared(shop, shop.rival("item_knn"), hostile)
    assert "<script" not in html
    assert "<img" not in html


def test_a_second_bundle_comes_first_and_answers():
    shop, second = FakeShop(products=50), FakeShop(products=50, id="second")
    service = Service(shop, against=second)
    assert [name for _, name in rivals(service)] == [SECOND, *shop.rules]
    assert opponent(service, SECOND) is second
    assert "· bundle second</p>" in compared(shop, second)
    assert "· bundle" not in compared(shop, shop.rival("item_knn"))
    assert opponent(service, "item_knn").info == replace(shop.info, model="item_knn")
    assert [name for _, name in rivals(Service(shop))] == [*shop.rules]
    for name in (SECOND, "no such rule"):
        with pytest.raises(RequestError):
            opponent(Service(shop), name)

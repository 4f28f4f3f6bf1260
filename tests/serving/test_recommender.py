"""The public face: every argument does what it says, and every answer is one that people can read."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from embedrec import Recommender
from embedrec.bundle import read_bundle
from embedrec.columns import CATEGORY, PRICE, PRODUCT, RANK, RATING, REASON, RECOMMENDATION, SCORE, TIME, TITLE
from embedrec.errors import ConfigError, RequestError
from embedrec.experiment.shop import Shop, open_shop
from runs import Trained


@pytest.fixture(scope="module")
def shop(trained: Trained) -> Recommender:
    return Recommender.load(trained.bundle)


@pytest.fixture(scope="module")
def source(trained: Trained) -> Shop:
    """The tables as the run read them."""
    return open_shop(trained.config.data, trained.config.split)


@pytest.fixture(scope="module")
def regular(shop: Recommender) -> str:
    """The customer with the most purchases."""
    return max(shop.customer_ids, key=lambda one: len(shop.purchases(one)))


@pytest.fixture(scope="module")
def popular(source: Shop) -> list[str]:
    """Products by distinct customers of the last 28 days, then of all times, then by id: counted by hand."""
    bought = source.tables.purchases
    since = bought[TIME].max() + pd.Timedelta(seconds=1) - pd.Timedelta(days=28)
    recent = bought[bought[TIME] >= since].groupby(PRODUCT)["customer_id"].nunique()
    ever = bought.groupby(PRODUCT)["customer_id"].nunique()
    products = sorted(set(bought[PRODUCT]) | set(source.tables.products[PRODUCT]))
    return sorted(products, key=lambda one: (-recent.get(one, 0), -ever.get(one, 0), one))


# The table


def test_columns_ranks_and_order(shop: Recommender) -> None:
    for customer in [*shop.customer_ids[:30], "nobody"]:
        shown = shop.recommend(customer, k=15)
        assert tuple(shown.columns) == RECOMMENDATION
        assert shown[RANK].tolist() == list(range(1, 16))
        assert shown[PRODUCT].is_unique
        assert np.isfinite(shown[SCORE]).all()
        assert shown[SCORE].is_monotonic_decreasing
        assert shown[REASON].map(lambda reason: isinstance(reason, str) and bool(reason)).all()


def test_products_are_described_as_in_the_catalogue(shop: Recommender, source: Shop, regular: str) -> None:
    details = source.tables.products.set_index(PRODUCT)
    shown = shop.recommend(regular, k=1000).set_index(PRODUCT)
    known = details.index.intersection(shown.index)
    assert len(known) == len(details)
    for column in (PRICE, RATING):
        given = details.loc[known, column]
        filled = given.notna()
        np.testing.assert_array_equal(shown.loc[known, column][filled], given[filled])
    for product in known:
        category = details.loc[product, CATEGORY]
        assert shown.loc[product, CATEGORY] == ("(none)" if pd.isna(category) else category)


def test_the_default_is_ten(shop: Recommender, regular: str) -> None:
    assert len(shop.recommend(regular)) == 10
    assert len(shop.recommend_new(["P001"])) == 10
    assert len(shop.similar("P001")) == 10


def test_k_above_the_catalogue_is_a_shorter_list(shop: Recommender, regular: str) -> None:
    assert len(shop.product_ids) < 1000
    assert sorted(shop.recommend(regular, k=1000)[PRODUCT]) == list(shop.product_ids)
    assert len(shop.similar("P001", k=1000)) == len(shop.product_ids) - 1


def test_answers_are_the_callers_own(shop: Recommender, regular: str) -> None:
    first = shop.recommend(regular)
    kept = first.copy()
    first.loc[:, SCORE] = 0.0
    first.loc[:, CATEGORY] = "spoiled"
    pd.testing.assert_frame_equal(shop.recommend(regular), kept)


# Refusals


@pytest.mark.parametrize("k", [0, -1, 1001, 5.5, True, "1_0", float("nan")])
@pytest.mark.parametrize("question", ["recommend", "similar"])
def test_k_is_refused(shop: Recommender, question: str, k: Any) -> None:
    with pytest.raises(RequestError, match="^k: "):
        getattr(shop, question)("P001", k=k)


@pytest.mark.parametrize("k", [0, 1001, 2.0])
def test_k_is_refused_for_a_newcomer(shop: Recommender, k: Any) -> None:
    with pytest.raises(RequestError, match="^k: "):
        shop.recommend_new(["P001"], k=k)


@pytest.mark.parametrize("name", ["", "  ", "a\x00b", "a\nb", "x" * 257, "\ud800", None, 7, {"path": "x"}])
def test_ids_are_refused(shop: Recommender, name: Any) -> None:
    questions: dict[str, Callable[[Any], object]] = {
        "customer_id": shop.recommend,
        "product_id": shop.similar,
    }
    for field, question in questions.items():
        with pytest.raises(RequestError, match=f"^{field}: "):
            question(name)
    for lookup in (shop.customer, shop.purchases):
        with pytest.raises(RequestError, match="^customer_id: "):
            lookup(name)
    with pytest.raises(RequestError, match="^history: "):
        shop.recommend_new([name])


def test_an_unknown_category_brings_the_nearest(shop: Recommender, regular: str) -> None:
    category = shop.categories[0]
    with pytest.raises(RequestError, match=f"^categories: .*did you mean '{category}'"):
        shop.recommend(regular, categories=[category, category[:-1] + "x"])
    with pytest.raises(RequestError, match="^categories: no such category$"):
        shop.recommend(regular, categories=["<script>alert(1)</script>"])


@pytest.mark.parametrize("categories", ["Beauty", [5], [None], 3])
def test_categories_of_another_type(shop: Recommender, regular: str, categories: Any) -> None:
    with pytest.raises(RequestError, match="^categories: "):
        shop.recommend(regular, categories=categories)


@pytest.mark.parametrize("price", [(40, 5), (-1, 5), (float("nan"), 5), (0, float("inf")), (1,), "12"])
def test_prices_are_refused(shop: Recommender, regular: str, price: Any) -> None:
    with pytest.raises(RequestError, match="^price: "):
        shop.recommend(regular, price=price)
    with pytest.raises(RequestError, match="^price: "):
        shop.recommend_new(price=price)


def test_unknown_products_are_refused(shop: Recommender) -> None:
    with pytest.raises(RequestError, match="^product_id: no such product"):
        shop.similar("P999999")
    with pytest.raises(RequestError, match="^history: no such product"):
        shop.recommend_new(["P001", "P999999"])


@pytest.mark.parametrize("amount", [-1, float("nan"), float("inf"), True, "25"])
def test_amounts_are_refused(shop: Recommender, amount: Any) -> None:
    for field in ("page_views", "time_spent"):
        with pytest.raises(RequestError, match=f"^{field}: "):
            shop.recommend_new(["P001"], **{field: amount})


def test_a_category_holds_those_that_lie_in_it(trained: Trained, regular: str) -> None:
    bundle = read_bundle(trained.bundle)
    products = bundle.frames["products"]
    kinds = [["Drinks", "Drinks > Tea", "Drinks > Tea > Green", "Food"][place % 4] for place in range(len(products))]
    bundle.frames["products"] = products.assign(category=pd.Series(kinds, dtype="str"))
    shop = Recommender(bundle)
    assert list(shop.categories) == ["Drinks", "Drinks > Tea", "Drinks > Tea > Green", "Food"]
    tea = set(shop.recommend(regular, k=1000, categories=["Drinks > Tea"])[CATEGORY])
    assert tea == {"Drinks > Tea", "Drinks > Tea > Green"}
    assert "Food" not in set(shop.recommend(regular, k=1000, categories=["Drinks"])[CATEGORY])


def test_a_date_that_is_none(trained: Trained) -> None:
    with pytest.raises(ConfigError, match="as_of='soon' is not a date"):
        Recommender.load(trained.bundle, as_of="soon")


# Filters


def test_categories_filter(shop: Recommender, regular: str) -> None:
    wanted = list(shop.categories[:2])
    everything = shop.recommend(regular, k=1000)
    shown = shop.recommend(regular, k=1000, categories=wanted)
    expected = everything[everything[CATEGORY].isin(wanted)]
    assert shown[PRODUCT].tolist() == expected[PRODUCT].tolist()
    assert 0 < len(shown) < len(everything)
    assert shown[RANK].tolist() == list(range(1, len(shown) + 1))


def test_products_without_a_category_can_be_chosen(shop: Recommender, source: Shop, regular: str) -> None:
    assert "(none)" in shop.categories
    shown = shop.recommend(regular, k=1000, categories=["(none)"])
    details = source.tables.products.set_index(PRODUCT)[CATEGORY]
    without = {product for product in shop.product_ids if pd.isna(details.get(product))}
    assert 0 < len(without) < len(shop.product_ids)
    assert set(shown[PRODUCT]) == without
    assert set(shown[CATEGORY]) == {"(none)"}


@pytest.mark.parametrize("nothing", [None, [], ()])
def test_no_categories_are_all(shop: Recommender, regular: str, nothing: Any) -> None:
    assert len(shop.recommend(regular, k=1000, categories=nothing)) == len(shop.product_ids)


def test_price_filter_is_inclusive(shop: Recommender, regular: str) -> None:
    everything = shop.recommend(regular, k=1000)
    prices = everything[PRICE].dropna().sort_values()
    low, high = float(prices.iloc[10]), float(prices.iloc[40])
    shown = shop.recommend(regular, k=1000, price=(low, high))
    expected = everything[everything[PRICE].between(low, high)]
    assert shown[PRODUCT].tolist() == expected[PRODUCT].tolist()
    assert {low, high} <= set(shown[PRICE])
    assert everything[PRICE].isna().any(), "the shop has a product without a price"


def test_bought_products_are_left_out_on_demand(shop: Recommender, regular: str) -> None:
    bought = set(shop.purchases(regular)[PRODUCT])
    everything = shop.recommend(regular, k=1000)
    fresh = shop.recommend(regular, k=1000, exclude_bought=True)
    assert bought <= set(everything[PRODUCT])
    assert fresh[PRODUCT].tolist() == [one for one in everything[PRODUCT] if one not in bought]


def test_filters_combine_and_may_leave_nothing(shop: Recommender, regular: str) -> None:
    everything = shop.recommend(regular, k=1000)
    category, bought = shop.categories[1], set(shop.purchases(regular)[PRODUCT])
    shown = shop.recommend(regular, k=1000, exclude_bought=True, categories=[category], price=(0, 20))
    keep = (everything[CATEGORY] == category) & (everything[PRICE] <= 20) & ~everything[PRODUCT].isin(bought)
    assert shown[PRODUCT].tolist() == everything[PRODUCT][keep].tolist()

    nothing = shop.recommend(regular, price=(1e9, 2e9))
    assert tuple(nothing.columns) == RECOMMENDATION
    assert nothing.empty


def test_filters_hold_for_popular_products_too(shop: Recommender, popular: list[str]) -> None:
    category = shop.categories[0]
    shown = shop.recommend("nobody", k=1000, categories=[category])
    assert set(shown[CATEGORY]) == {category}
    assert shown[PRODUCT].tolist() == [one for one in popular if one in set(shown[PRODUCT])]


# People without purchases


@pytest.mark.parametrize("customer", ["nobody", "🙂", "' OR 1=1 --", "../../etc/passwd"])
def test_an_unknown_customer_gets_what_is_popular(shop: Recommender, popular: list[str], customer: str) -> None:
    shown = shop.recommend(customer, k=25)
    assert shown.attrs["cold_start"] is True
    assert shown[PRODUCT].tolist() == popular[:25]
    lately = (shown[REASON] == "Popular this month").sum()
    assert 0 < lately < 25
    assert shown[REASON].tolist() == ["Popular this month"] * lately + ["Popular with other customers"] * (25 - lately)


def test_a_customer_who_never_bought_gets_what_is_popular(shop: Recommender, source: Shop, popular: list[str]) -> None:
    silent = sorted(set(source.tables.customers["customer_id"]) - set(source.tables.purchases["customer_id"]))
    assert silent, "the shop has a customer who never bought"
    shown = shop.recommend(silent[0], k=25)
    assert shown.attrs["cold_start"] is True
    assert shown[PRODUCT].tolist() == popular[:25]


def test_a_known_customer_is_no_cold_start(shop: Recommender, regular: str) -> None:
    assert shop.recommend(regular).attrs["cold_start"] is False
    assert shop.recommend(f" {regular} ")[PRODUCT].tolist() == shop.recommend(regular)[PRODUCT].tolist()


def test_an_empty_basket_gets_what_is_popular(shop: Recommender, popular: list[str]) -> None:
    shown = shop.recommend_new([], page_views=25, time_spent=120, k=25)
    assert shown.attrs["cold_start"] is True
    assert shown[PRODUCT].tolist() == popular[:25]


def test_a_basket_changes_the_answer(shop: Recommender, popular: list[str]) -> None:
    first, second = shop.product_ids[3], shop.product_ids[70]
    lists = [shop.recommend_new(basket, k=20) for basket in ([first], [second], [first, second])]
    for shown in lists:
        assert shown.attrs["cold_start"] is False
        assert tuple(shown.columns) == RECOMMENDATION
        assert shown[PRODUCT].tolist() != popular[:20]
    assert len({tuple(shown[PRODUCT]) for shown in lists}) == len(lists)


def test_a_basket_is_a_set(shop: Recommender) -> None:
    first, second = shop.product_ids[3], shop.product_ids[70]
    once = shop.recommend_new([first, second])
    pd.testing.assert_frame_equal(shop.recommend_new(iter([second, first, second])), once)


def test_a_basket_can_be_left_out(shop: Recommender) -> None:
    basket = list(shop.product_ids[:5])
    assert not set(basket) & set(shop.recommend_new(basket, k=1000, exclude_bought=True)[PRODUCT])


def test_totals_matter_to_a_newcomer(shop: Recommender) -> None:
    basket = list(shop.product_ids[:2])
    quiet, busy = (shop.recommend_new(basket, page_views=views, time_spent=views * 5, k=50) for views in (0, 80))
    assert quiet[SCORE].tolist() != busy[SCORE].tolist()


# Similar products, portraits, histories


def test_similar(shop: Recommender) -> None:
    for product in shop.product_ids[::20]:
        shown = shop.similar(product, k=12)
        assert tuple(shown.columns) == RECOMMENDATION
        assert product not in set(shown[PRODUCT])
        assert shown[SCORE].is_monotonic_decreasing
        assert shown[SCORE].between(-1.0001, 1.0001).all()
        category = shop.recommend("nobody", k=1000).set_index(PRODUCT)[CATEGORY]
        for row in shown.itertuples():
            same = category[product] is not None and category[product] == row.category
            assert row.reason.startswith("Same category") == same


def test_purchases_come_newest_first(shop: Recommender, source: Shop, regular: str) -> None:
    bought = source.tables.purchases
    for customer in [regular, *shop.customer_ids[:5]]:
        shown = shop.purchases(customer)
        assert list(shown.columns) == [TIME, PRODUCT, TITLE, CATEGORY, PRICE]
        assert shown[TIME].is_monotonic_decreasing
        own = bought[bought["customer_id"] == customer]
        assert sorted(zip(shown[TIME], shown[PRODUCT], strict=True)) == sorted(
            zip(own[TIME], own[PRODUCT], strict=True)
        )


def test_purchases_of_nobody_are_none(shop: Recommender) -> None:
    assert shop.purchases("nobody").empty
    assert shop.customer("nobody") is None


def test_portrait(shop: Recommender, source: Shop, regular: str) -> None:
    bought = source.tables.purchases.merge(source.tables.products, on=PRODUCT, how="left", suffixes=("", "_listed"))
    own = bought[bought["customer_id"] == regular]
    portrait = shop.customer(regular)
    assert portrait is not None
    assert portrait.customer_id == regular
    assert (portrait.purchases, portrait.products) == (len(own), own[PRODUCT].nunique())
    assert (portrait.first_purchase, portrait.last_purchase) == (own[TIME].min().date(), own[TIME].max().date())
    counts = own[CATEGORY].value_counts()
    assert portrait.favourite_categories == sorted(counts.index, key=lambda name: (-counts[name], name))[:3]
    totals = source.tables.customers.set_index("customer_id")
    if regular in totals.index and pd.notna(totals.loc[regular, "page_views"]):
        assert portrait.page_views == totals.loc[regular, "page_views"]


def test_a_date_in_the_past_knows_no_later_purchase(trained: Trained, shop: Recommender) -> None:
    cutoff = trained.manifest["split"]["test_from"]
    earlier = Recommender.load(trained.bundle, as_of=cutoff)
    for customer in shop.customer_ids[:40]:
        now, then = shop.purchases(customer), earlier.purchases(customer)
        known = now[now[TIME] < pd.Timestamp(cutoff)]
        assert then[[TIME, PRODUCT]].to_numpy().tolist() == known[[TIME, PRODUCT]].to_numpy().tolist()
    assert set(earlier.customer_ids) <= set(shop.customer_ids)


def test_lists_of_what_there_is(shop: Recommender, source: Shop) -> None:
    tables = source.tables
    assert list(shop.customer_ids) == sorted(set(tables.purchases["customer_id"]))
    assert list(shop.product_ids) == sorted(set(tables.purchases[PRODUCT]) | set(tables.products[PRODUCT]))
    assert list(shop.categories) == [*sorted(set(tables.products[CATEGORY].dropna())), "(none)"]
    assert shop.price_range == (tables.products[PRICE].min(), tables.products[PRICE].max())


def test_info(shop: Recommender, trained: Trained, source: Shop) -> None:
    info, manifest = shop.info, trained.manifest
    assert (info.id, info.model, info.verdict) == (manifest["id"], "two_tower", manifest["verdict"])
    assert info.synthetic is True
    assert info.fallback_from is None
    assert info.products == len(shop.product_ids)
    assert info.data_from == source.tables.purchases[TIME].min().date()
    assert info.data_until == source.tables.purchases[TIME].max().date()
    assert info.repeat_share is not None
    assert 0 < info.repeat_share < 1


def test_a_bundle_may_move(trained: Trained, shop: Recommender, tmp_path: Path, regular: str) -> None:
    moved = shutil.copytree(trained.bundle, tmp_path / "elsewhere")
    pd.testing.assert_frame_equal(Recommender.load(str(moved)).recommend(regular), shop.recommend(regular))

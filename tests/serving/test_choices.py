"""Only new, only again, only what is in stock; and what drives the list of somebody new."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from embedrec import Recommender
from embedrec.bundle import read_bundle
from embedrec.columns import IN_STOCK, PRODUCT
from embedrec.errors import RequestError
from runs import Trained


@pytest.fixture(scope="module", params=["trained", "simple"])
def shop(request: pytest.FixtureRequest) -> Recommender:
    run: Trained = request.getfixturevalue(request.param)
    return Recommender.load(run.bundle)


@pytest.fixture(scope="module")
def stocked(trained: Trained) -> Recommender:
    """The shop, had it said that every third product is sold out and nothing of every third."""
    bundle = read_bundle(trained.bundle)
    products = bundle.frames["products"]
    bundle.frames["products"] = products.assign(**{IN_STOCK: np.resize([0.0, 1.0, np.nan], len(products))})
    return Recommender(bundle)


def test_new_and_again_part_the_catalogue(shop: Recommender) -> None:
    customer = max(shop.customer_ids, key=lambda one: len(shop.purchases(one)))
    whole, bought = shop.recommend(customer, k=1000)[PRODUCT], set(shop.purchases(customer)[PRODUCT])
    new, again = (shop.recommend(customer, k=1000, only=only)[PRODUCT].tolist() for only in ("new", "again"))
    assert new == [one for one in whole if one not in bought]
    assert again == [one for one in whole if one in bought]
    assert new == shop.recommend(customer, k=1000, exclude_bought=True)[PRODUCT].tolist()
    assert new == shop.recommend(customer, k=1000, exclude_bought=True, only="new")[PRODUCT].tolist()


def test_who_bought_nothing_has_nothing_to_buy_again(shop: Recommender) -> None:
    assert shop.recommend("nobody", only="again").empty
    assert shop.recommend("nobody", only="new")[PRODUCT].tolist() == shop.recommend("nobody")[PRODUCT].tolist()
    basket = sorted(shop.product_ids[:3])
    assert sorted(shop.recommend_new(basket, only="again")[PRODUCT]) == basket
    assert not set(shop.recommend_new(basket, only="new", k=1000)[PRODUCT]) & set(basket)


@pytest.mark.parametrize("only", ["old", "", True, 1, ["new"]])
def test_other_choices_are_refused(shop: Recommender, only: object) -> None:
    for ask in (shop.recommend, shop.recommend_new):
        with pytest.raises(RequestError, match="^only: "):
            ask(shop.customer_ids[0] if ask == shop.recommend else [], only=only)  # type: ignore[operator]
    with pytest.raises(RequestError, match="^only: .*give one of them"):
        shop.recommend(shop.customer_ids[0], only="again", exclude_bought=True)


def test_what_is_sold_out_is_left_out_and_what_is_not_said_stays(stocked: Recommender) -> None:
    assert stocked.tells_stock
    customer = stocked.customer_ids[0]
    told = stocked._bundle.frames["products"].set_index(PRODUCT)[IN_STOCK]
    whole, here = (stocked.recommend(customer, k=1000, in_stock=only)[PRODUCT] for only in (False, True))
    assert here.tolist() == [one for one in whole if told.get(one, np.nan) != 0]
    assert set(told[told == 0].index) <= set(whole) - set(here)
    assert not stocked.recommend_new([whole[0]], in_stock=True, k=1000)[PRODUCT].isin(told[told == 0].index).any()


def test_a_shop_that_does_not_tell_refuses(shop: Recommender) -> None:
    assert not shop.tells_stock
    with pytest.raises(RequestError, match="^in_stock: this shop's product_details do not say"):
        shop.recommend(shop.customer_ids[0], in_stock=True)
    with pytest.raises(RequestError, match="^in_stock: "):
        shop.recommend(shop.customer_ids[0], in_stock=1)  # type: ignore[arg-type]


def test_new_products_may_say_it_first(trained: Trained) -> None:
    import pandas as pd

    shop = Recommender.load(trained.bundle)
    shop.add_products(pd.DataFrame({PRODUCT: ["new-1", "new-2"], "stock": [0, 4]}))
    assert shop.tells_stock
    here = set(shop.recommend(shop.customer_ids[0], k=1000, in_stock=True)[PRODUCT])
    assert "new-1" not in here
    assert "new-2" in here


def test_drivers_add_up_to_the_lift_of_the_list(shop: Recommender) -> None:
    basket = list(shop.product_ids[:3])
    listed = shop.recommend_new(basket, page_views=40, time_spent=50)[PRODUCT].tolist()
    found = shop.drivers(listed, basket, 40, 50)
    scores = shop._scorer.score(shop._newcomer(basket, 40, 50))[0].double()
    lift = float(scores[[shop._item("products", one) for one in listed]].mean() - scores.mean())
    assert found["lift"].sum() == pytest.approx(lift, rel=1e-4, abs=1e-5)
    assert found["lift"].is_monotonic_decreasing
    named = set(found[PRODUCT].dropna())
    assert named in (set(basket), set()), "all of the basket, or none where the model tells no pull"
    assert (found["words"].ne("") | found[PRODUCT].notna()).all()


def test_the_basket_drives_what_goes_with_it(trained: Trained) -> None:
    """Of a list of one product, each basket product's share is its pull above that on the average product."""
    shop = Recommender.load(trained.bundle)
    basket = list(shop.product_ids[:3])
    customer = shop._newcomer(basket, None, None)
    every = np.arange(shop._snapshot.history.n_items)
    explanation = shop._scorer.explain(customer, every)
    item = int(np.setdiff1d(every, customer.bought.values)[5])
    found = shop.drivers([str(shop._snapshot.history.product_ids[item])], basket)
    torch.testing.assert_close(shop._scorer.average_pull(customer), explanation.pull.mean(0))
    own = explanation.pull[item] - explanation.pull.mean(0)
    repeat = explanation.parts["repeat"][torch.from_numpy(customer.bought.values)] / len(every)
    lifts = found.dropna(subset=PRODUCT).set_index(PRODUCT)["lift"]
    for place, one in enumerate(customer.bought.values):
        assert lifts[str(shop._snapshot.history.product_ids[one])] == pytest.approx(float(own[place] - repeat[place]))


def test_nothing_drives_an_empty_list_or_basket(shop: Recommender) -> None:
    assert shop.drivers([], [shop.product_ids[0]]).empty
    assert shop.drivers([shop.product_ids[0]]).empty
    with pytest.raises(RequestError, match="^products: "):
        shop.drivers(["no such"], [shop.product_ids[0]])

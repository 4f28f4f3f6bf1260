"""New products are read, checked and encoded as product_details were for the training, and recommended at once."""

from __future__ import annotations

import copy
import dataclasses
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import torch

from embedrec import Recommender
from embedrec.bundle import Bundle, read_bundle
from embedrec.columns import CATEGORY, PRICE, PRODUCT, RATING, REASON
from embedrec.errors import DataError, RequestError
from embedrec.features import Products
from embedrec.models import Explanation, Scorer
from embedrec.models.classic.item_knn import ItemKnnConfig
from embedrec.serving.reasons import reasons
from runs import Trained

ATTRIBUTES = [CATEGORY, PRICE, RATING]


@pytest.fixture(scope="module")
def whole(trained: Trained) -> Bundle:
    return read_bundle(trained.bundle)


@pytest.fixture(scope="module")
def never_sold(whole: Bundle) -> list[str]:
    """Products of product_details that nobody ever bought."""
    products, bought = whole.frames["products"], set(whole.frames["events"][PRODUCT])
    names = [str(one) for one in products[PRODUCT] if one not in bought]
    assert len(names) >= 3
    return names


@pytest.fixture(scope="module")
def details(demo_tables: Path) -> pd.DataFrame:
    """product_details.csv as it came."""
    return pd.read_csv(demo_tables / "product_details.csv", dtype=str, keep_default_na=False)


def without(bundle: Bundle, names: list[str]) -> Bundle:
    """The same model of a shop whose product_details lack some products."""
    products = bundle.frames["products"]
    kept = products[~products[PRODUCT].isin(names)].reset_index(drop=True)
    return dataclasses.replace(bundle, frames={**bundle.frames, "products": kept})


def scores(shop: Recommender) -> np.ndarray:
    scorer: Scorer = shop._scorer
    return scorer.score(np.arange(shop._snapshot.history.n_users)).numpy()


def new(**columns: Any) -> pd.DataFrame:
    return pd.DataFrame({PRODUCT: ["N1"], CATEGORY: ["Snacks"], PRICE: [9.5], RATING: [4.5], **columns})


# Parity with the training


@pytest.mark.parametrize("as_of", [None, "test_from"])
def test_added_later_they_are_what_the_training_would_have_made_of_them(
    whole: Bundle, never_sold: list[str], details: pd.DataFrame, as_of: str | None, trained: Trained
) -> None:
    """No skew: the same ids, once in the tables of the training and once added, have equal features and scores."""
    date = None if as_of is None else int(pd.Timestamp(trained.manifest["split"][as_of]).timestamp())
    trained_with = Recommender(whole, date)
    added = Recommender(without(whole, never_sold), date)
    assert not set(never_sold) & set(added.product_ids)
    added.add_products(details[details[PRODUCT].isin(never_sold)])
    assert added.product_ids == trained_with.product_ids
    for field in dataclasses.fields(Products):
        one, other = (getattr(shop._snapshot.products, field.name) for shop in (added, trained_with))
        np.testing.assert_array_equal(one, other, err_msg=field.name)
    np.testing.assert_array_equal(scores(added), scores(trained_with))
    for question, asked in (("recommend", "C0042"), ("recommend", "nobody"), ("similar", never_sold[0])):
        pd.testing.assert_frame_equal(*(getattr(shop, question)(asked, k=200) for shop in (added, trained_with)))
    basket = [never_sold[1], added.product_ids[0]]
    pd.testing.assert_frame_equal(*(shop.recommend_new(basket, 25, 120, k=200) for shop in (added, trained_with)))
    assert added.info == trained_with.info


def test_scores_of_the_others_stay_to_the_last_bit(trained: Trained) -> None:
    shop = Recommender.load(trained.bundle)
    before, ids = scores(shop), shop._snapshot.history.product_ids
    prices = np.geomspace(0.01, 1e6, 200)
    many = pd.DataFrame({PRODUCT: [f"{'AZ'[i % 2]}{i}" for i in range(200)], CATEGORY: "Snacks", PRICE: prices})
    shop.add_products(many)
    assert shop.info.products == len(shop.product_ids) == len(ids) + 200
    np.testing.assert_array_equal(scores(shop)[:, shop._snapshot.history.product_ids.get_indexer(ids)], before)


def test_a_twin_of_a_product_that_nobody_bought(whole: Bundle, never_sold: list[str]) -> None:
    products = whole.frames["products"].set_index(PRODUCT)
    known = next(one for one in never_sold if products.loc[one, ATTRIBUTES].notna().all())
    twin = new(**{column: [products.loc[known, column]] for column in ATTRIBUTES})
    shop = Recommender(whole).add_products(twin)
    here = shop._snapshot.history.product_ids.get_indexer([known, "N1"])
    np.testing.assert_array_equal(*scores(shop)[:, here].T)
    closest = shop.similar("N1", k=1).iloc[0]
    assert closest[PRODUCT] == known
    assert closest["score"] == pytest.approx(1)
    assert closest["reason"].startswith("Same category")
    listed = shop.recommend("C0042", k=1000).set_index(PRODUCT)
    assert listed.loc["N1", ATTRIBUTES].tolist() == products.loc[known, ATTRIBUTES].tolist()
    assert "N1" in set(shop.recommend_new([known], k=1000)[PRODUCT])


def test_its_scores_are_explained(whole: Bundle) -> None:
    shop = Recommender(whole).add_products(new())
    item = int(shop._snapshot.history.product_ids.get_loc("N1"))
    scored = scores(shop)[:, item]
    for user in range(20):
        told = shop._scorer.explain(shop._snapshot.customers(np.array([user])), np.array([item]))
        total = torch.stack(list(told.parts.values())).sum(0)
        assert float(total) == pytest.approx(float(scored[user]), abs=1e-5)
        assert told.parts["newness"] == whole.manifest.model.new_product_lift  # type: ignore[union-attr]


@pytest.mark.parametrize("who", ["nobody", "C0042"])
def test_nobody_is_told_that_they_are_popular(whole: Bundle, who: str) -> None:
    """Nor of the products of product_details that nobody bought."""
    shop = Recommender(whole).add_products(new())
    never = shop._snapshot.history.product_ids[shop._snapshot.history.distinct_customers(0, 2**60) == 0]
    said = shop.recommend(who, k=1000).set_index(PRODUCT)[REASON]
    assert "N1" in never
    assert not said[never].str.contains("popular with", case=False).any()
    assert said.drop(never).str.contains("popular with", case=False).any()


@pytest.mark.parametrize("part", ["popularity", "taste", "newness"])
def test_a_part_that_stands_for_sales_says_they_are_new(whole: Bundle, part: str) -> None:
    shop = Recommender(whole).add_products(new())
    item, customer = shop._snapshot.history.product_ids.get_loc("N1"), shop._snapshot.customers(np.array([0]))
    pull = torch.zeros(1, len(customer.bought.values))
    told = Explanation({part: torch.ones(1)}, {part: 0.0}, customer.bought.values, pull)
    assert reasons(told, shop._snapshot, customer, np.array([item]), shop._shelf.names) == ["New in the shop"]


# The table


def test_a_file_is_read_as_product_details_are(whole: Bundle, tmp_path: Path) -> None:
    """Dialect, synonyms and repairs; what is quarantined or repeated is counted."""
    rows = [f"N{i:02d};Snacks;{i},50;4,5" for i in range(1, 41)]
    rows += ["N41;Snacks;-3,00;4,0", "N01;Snacks;7,25;4,5", "P001;Toys;1,00;1,0", ";;;"]
    path = tmp_path / "new.csv"
    path.write_text("SKU;Product Category;Price;user_ratings\n" + "\n".join(rows) + "\n", encoding="cp1252")
    shop = Recommender(whole)
    untouched = shop.recommend("C0042", k=1000).set_index(PRODUCT).loc["P001", ATTRIBUTES].tolist()
    account = shop.add_products(path).arrivals[-1].account
    assert (account.read, account.used, account.quarantined, account.duplicates, account.set_aside) == (44, 40, 1, 1, 2)
    assert account.file == "new.csv"
    strange = shop.arrivals[-1].quarantine.iloc[0]
    assert (strange["line"], strange["column"], strange["text"]) == (42, "Price", "-3,00")
    assert any("the shop already has" in note for note in account.notes)
    listed = shop.recommend("C0042", k=1000).set_index(PRODUCT)
    assert listed.loc["N01", [PRICE, RATING]].tolist() == [7.25, 4.5], "the last row of a product counts"
    assert "N41" not in listed.index
    assert listed.loc["P001", ATTRIBUTES].tolist() == untouched != ["Toys", 1.0, 1.0]


@pytest.mark.parametrize("form", ["memory", "csv.gz", "parquet"])
def test_every_form_gives_the_same(whole: Bundle, details: pd.DataFrame, form: str, tmp_path: Path) -> None:
    table = details.head(30).assign(product_id=[f"N{i:03d}" for i in range(30)])
    table = table.assign(price=pd.to_numeric(table["price"]), ratings=pd.to_numeric(table["ratings"]))
    path = tmp_path / f"new.{form}"
    if form == "csv.gz":
        table.to_csv(path, index=False)
    elif form == "parquet":
        table.to_parquet(path)
    one = Recommender(whole).add_products(table if form == "memory" else path)
    other = Recommender(whole).add_products(table.astype(str).replace("nan", ""))
    pd.testing.assert_frame_equal(one.arrivals[-1].products, other.arrivals[-1].products)
    np.testing.assert_array_equal(scores(one), scores(other))


def test_the_columns_of_the_training_count(whole: Bundle) -> None:
    config = copy.deepcopy(whole.manifest.config)
    config["data"]["columns"] |= {"price": "cost", "not_products": ["POST"]}
    named = dataclasses.replace(whole, manifest=whole.manifest.model_copy(update={"config": config}))
    shop = Recommender(named).add_products(pd.DataFrame({PRODUCT: ["N1", "POST"], "cost": [3.5, 1.0]}))
    assert shop.arrivals[-1].products[[PRODUCT, PRICE]].values.tolist() == [["N1", 3.5]]
    assert shop.arrivals[-1].account.set_aside == 1


@pytest.mark.parametrize(
    ("table", "wanted"),
    [
        (new(product_id=["N2"], price=[-1.0]), "new products, line 1: price '-1.0' is negative; 1 of 1 rows"),
        (new().rename(columns={PRODUCT: "which"}), "no column product_id.*rename the header here"),
        (new(item_id=["N1"]), "could both be product_id"),
        (new().head(0), "new products has no row"),
        (new(title=pd.Series(["\ud800"], dtype=object)), "column title: '.ud800' holds half a character"),
        (pd.concat([new(), new()], axis=1), "two columns are called 'category'"),
        ("no/such.csv", "'no/such.csv' is no regular file"),
        (Path(), "is no regular file"),
    ],
)
def test_what_is_refused_changes_nothing(whole: Bundle, table: Any, wanted: str) -> None:
    shop = Recommender(whole).add_products(new())
    before, arrivals = shop.recommend("C0042", k=1000), shop.arrivals
    with pytest.raises(DataError, match=wanted) as caught:
        shop.add_products(table)
    assert "\n" not in str(caught.value)
    pd.testing.assert_frame_equal(shop.recommend("C0042", k=1000), before)
    assert shop.arrivals == arrivals


@pytest.mark.parametrize("given", [None, 5, [{"product_id": "N1"}], {"product_id": ["N1"]}])
def test_what_is_no_table(whole: Bundle, given: Any) -> None:
    with pytest.raises(RequestError, match="^frame: wanted a table"):
        Recommender(whole).add_products(given)


def test_known_products_stay_as_they_are(whole: Bundle, details: pd.DataFrame) -> None:
    shop = Recommender(whole)
    before = shop.recommend("C0042", k=1000)
    shop.add_products(details.assign(price="1.00"))
    assert shop.arrivals[-1].account.set_aside == len(details)
    assert shop.arrivals[-1].warnings == ()
    pd.testing.assert_frame_equal(shop.recommend("C0042", k=1000), before)
    shop.add_products(new()).add_products(new(price=[1.0]))
    assert [len(one.products) for one in shop.arrivals] == [0, 1, 0]
    assert shop.recommend("C0042", k=1000).set_index(PRODUCT).loc["N1", PRICE] == 9.5


def test_a_product_that_was_only_looked_at_is_new(whole: Bundle, never_sold: list[str]) -> None:
    """Where details stand on the lines, those of views count too: such a product is known, but not for sale."""
    seen, products = never_sold[0], whole.frames["products"]
    since = pd.Series(pd.NaT, index=products.index, dtype="datetime64[s]").mask(
        products[PRODUCT] == seen, pd.Timestamp("2024-01-01")
    )
    on_lines = {**whole.frames, "products": products.assign(known_from=since)}
    shop = Recommender(dataclasses.replace(whole, frames=on_lines))
    assert seen not in shop.product_ids
    shop.add_products(new(product_id=[seen]))
    assert shop.arrivals[-1].products[PRODUCT].tolist() == [seen]
    assert shop.recommend("C0042", k=1000).set_index(PRODUCT).loc[seen, ATTRIBUTES].tolist() == ["Snacks", 9.5, 4.5]
    assert shop.add_products(new(product_id=[seen])).arrivals[-1].account.set_aside == 1


# What a model cannot know


def test_a_category_that_the_training_did_not_know(whole: Bundle) -> None:
    shop = Recommender(whole).add_products(
        pd.concat([new(category=["Snakcs"]), new(product_id=["N2"], category=[None]), new(product_id=["N3"])])
    )
    (said,) = shop.arrivals[-1].warnings
    assert said.startswith("1 of 3 new products have a category that the training did not know, such as 'Snakcs'")
    assert "did you mean 'Snacks'?" in said
    strange, none, known = shop._snapshot.history.product_ids.get_indexer(["N1", "N2", "N3"])
    assert shop._snapshot.products.category[[strange, none]].tolist() == [0, 0]
    np.testing.assert_array_equal(scores(shop)[:, strange], scores(shop)[:, none])
    assert not np.array_equal(scores(shop)[:, known], scores(shop)[:, none])
    assert shop.recommend("C0042", categories=["Snakcs"])[PRODUCT].tolist() == ["N1"], "people can still ask for it"


def test_a_model_of_purchases_alone_says_so_and_ranks_them_last(whole: Bundle) -> None:
    fitted = ItemKnnConfig().build(whole.schema).fit(Recommender(whole)._snapshot)
    manifest = whole.manifest.model_copy(update={"model": ItemKnnConfig()})
    shop = Recommender(dataclasses.replace(whole, manifest=manifest, weights=fitted.weights()))
    shop.add_products(pd.concat([new(), new(product_id=["A0"], price=[1.0])]))
    (said,) = shop.arrivals[-1].warnings
    assert "scores products by who bought them" in said
    everything = shop.recommend("C0042", k=1000)
    never = {*shop._snapshot.history.product_ids[np.isnan(shop._snapshot.products.dynamic[:, 4])]}
    assert {"A0", "N1"} < never == set(everything[PRODUCT].tail(len(never)))
    assert shop.similar("N1").empty

"""Shops too small or too odd to learn from: a bundle that says so and serves, and never a NaN."""

from __future__ import annotations

from itertools import product
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from embedrec import Recommender
from embedrec.columns import CATEGORY, CUSTOMER, PAGE_VIEWS, PRICE, PRODUCT, SCORE, TIME, TITLE
from embedrec.errors import DataError
from embedrec.tables.model import CUSTOMER_COLUMNS, PRODUCT_COLUMNS, Tables
from runs import UNTRACKED, Trained, train_here
from shops import frame, lines, small_shop, tables_of, write_shop

BRIEF = ("model.dim=4", "trainer.max_epochs=2", "trainer.cuts=4", "trainer.warmup_steps=1", UNTRACKED)
NOBODY = frame(CUSTOMER_COLUMNS, {CUSTOMER: []})
NOTHING = frame(PRODUCT_COLUMNS, {PRODUCT: []})


def trained_on(tables: Tables, folder: Path, *more: str) -> Trained:
    return train_here(write_shop(folder / "shop", tables), folder / "out", *BRIEF, *more)


def assert_serves(run: Trained) -> Recommender:
    """Every customer gets a list with finite scores; so do a stranger and a basket."""
    shop = Recommender.load(run.bundle)
    assert run.metrics  # strict JSON
    answers = [shop.recommend(customer, k=5) for customer in [*shop.customer_ids[:20], "stranger"]]
    answers += [shop.recommend_new([shop.product_ids[0]], k=5), shop.similar(shop.product_ids[0], k=5)]
    for answer in answers:
        assert np.isfinite(answer[SCORE]).all()
    for answer in answers[:-1]:
        assert len(answer) == min(5, len(shop.product_ids))
    for one in shop.customer_ids[:5]:
        assert shop.customer(one) is not None
    return shop


def assert_fallback(run: Trained) -> Recommender:
    assert run.manifest["fallback_from"] == "two_tower"
    assert run.manifest["model"]["name"] == "popularity_recent"
    assert run.metrics["verdict"].startswith("Too little data")
    assert run.manifest["verdict"] == run.metrics["verdict"]
    shop = assert_serves(run)
    assert shop.info.fallback_from == "two_tower"
    return shop


TINY = lines(
    ("a", "x", 0),
    ("a", "y", 3),
    ("b", "x", 5),
    ("b", "z", 9),
    ("a", "x", 20),
    ("c", "y", 25),
    ("b", "y", 30),
    ("a", "z", 33),
)


def test_eight_purchases(tmp_path: Path) -> None:
    run = trained_on(tables_of(NOBODY, NOTHING, TINY), tmp_path)
    shop = assert_fallback(run)
    assert list(shop.product_ids) == ["x", "y", "z"]
    assert "8 purchases" in run.stdout
    assert "7 purchases before the test" in run.metrics["verdict"]


def test_two_purchases_of_one_customer(tmp_path: Path) -> None:
    assert_fallback(trained_on(tables_of(NOBODY, NOTHING, lines(("a", "x", 0), ("a", "x", 10))), tmp_path))


def test_one_product(tmp_path: Path) -> None:
    bought = lines(*((f"c{number % 20}", "x", number) for number in range(200)))
    shop = assert_fallback(trained_on(tables_of(NOBODY, NOTHING, bought), tmp_path))
    assert shop.recommend("c1")[PRODUCT].tolist() == ["x"]
    assert shop.similar("x").empty


def test_one_customer(tmp_path: Path) -> None:
    bought = lines(*(("c", f"p{number % 7}", number) for number in range(200)))
    assert_fallback(trained_on(tables_of(NOBODY, NOTHING, bought), tmp_path))


def test_nobody_comes_back(tmp_path: Path) -> None:
    """There is no test customer: every figure is missing and the verdict says why."""
    bought = lines(*((f"c{number}", f"p{number % 30}", number / 10) for number in range(1500)))
    run = trained_on(tables_of(NOBODY, NOTHING, bought), tmp_path)
    assert_fallback(run)
    entry = run.metrics["models"]["popularity"]["test"]["all"]["ndcg@10"]
    assert entry == {"value": None, "low": None, "high": None, "n": 0}
    assert run.manifest["data"]["repeat_share"] is None


def test_everybody_bought_everything(tmp_path: Path) -> None:
    """Nothing is left that would be new to anybody."""
    people, things = [f"c{one:02d}" for one in range(40)], [f"p{one:02d}" for one in range(15)]
    rounds = [
        (customer, thing, month * 30 + place % 29)
        for month in range(4)
        for place, (customer, thing) in enumerate(product(people, things))
    ]
    run = trained_on(tables_of(NOBODY, NOTHING, lines(*rounds)), tmp_path)
    shop = assert_serves(run)
    assert run.manifest["fallback_from"] is None
    assert shop.recommend("c00", exclude_bought=True).empty
    test = run.metrics["models"]["two_tower"]["test"]
    assert test["new"]["ndcg@10"] == {"value": None, "low": None, "high": None, "n": 0}
    assert test["all"]["ndcg@10"]["n"] > 0


@pytest.mark.parametrize("missing", ["product_details", "customer_interactions", "both"])
def test_optional_tables_may_be_missing(tmp_path: Path, missing: str) -> None:
    made = small_shop(4, customers=80, purchases=1500)
    customers = NOBODY if missing != "product_details" else made.customers
    products = NOTHING if missing != "customer_interactions" else made.products
    run = trained_on(tables_of(customers, products, made.events), tmp_path)
    shop = assert_serves(run)
    assert run.manifest["fallback_from"] is None
    shown = shop.recommend(shop.customer_ids[0])
    portrait = shop.customer(shop.customer_ids[0])
    assert portrait is not None
    if len(products) == 0:
        assert list(shop.categories) == []
        assert shown[CATEGORY].isna().all()
        assert portrait.favourite_categories == []
    if len(customers) == 0:
        assert portrait.page_views is None


def test_behaviour_may_come_as_dated_rows(tmp_path: Path) -> None:
    made = small_shop(5, customers=80, purchases=1500, views=800)
    shop = assert_serves(trained_on(made, tmp_path))
    seen = made.events[made.events["event"] == "view"]
    for customer in shop.customer_ids[:10]:
        portrait = shop.customer(customer)
        assert portrait is not None
        until = pd.Timestamp(made.purchases[TIME].max())
        assert portrait.page_views == ((seen[CUSTOMER] == customer) & (seen[TIME] <= until)).sum()


def test_too_little_is_said_of_a_learned_model_only(tmp_path: Path) -> None:
    """A rule needs no training: it is exported as asked, and the verdict is about the number of customers."""
    where = write_shop(tmp_path / "shop", tables_of(NOBODY, NOTHING, TINY))
    run = train_here(where, tmp_path / "out", "model=popularity", UNTRACKED)
    assert run.manifest["model"]["name"] == "popularity"
    assert run.manifest["fallback_from"] is None
    assert run.metrics["verdict"].startswith("Too few customers to tell")
    assert_serves(run)


def test_purchases_of_one_moment_are_refused(tmp_path: Path) -> None:
    bought = lines(("a", "x", 1), ("b", "y", 1), ("c", "z", 1))
    with pytest.raises(DataError, match="all purchases carry the same purchase_date"):
        trained_on(tables_of(NOBODY, NOTHING, bought), tmp_path)


def test_prices_and_totals_that_nobody_has(tmp_path: Path) -> None:
    made = small_shop(4, customers=80, purchases=1500)
    products = made.products.assign(**{PRICE: np.nan})
    events = made.events.assign(**{PRICE: np.nan})
    run = trained_on(tables_of(made.customers.assign(**{PAGE_VIEWS: np.nan}), products, events), tmp_path)
    shop = assert_serves(run)
    assert shop.price_range is None
    assert shop.recommend(shop.customer_ids[0], price=(0, 100)).empty
    assert shop.titles == dict(zip(products[PRODUCT], products[TITLE], strict=True))

"""Shops too small or too odd to learn from: a bundle that says so and serves, and never a NaN."""

from __future__ import annotations

import contextlib
import io
from itertools import product
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from embedrec import Recommender
from embedrec.columns import CATEGORY, CUSTOMER, PAGE_VIEWS, PRICE, PRODUCT, SCORE, TIME, TITLE
from embedrec.comparison_command import compare_models
from embedrec.errors import DataError
from embedrec.tables.model import CUSTOMER_COLUMNS, PRODUCT_COLUMNS, Tables
from runs import CONF, UNTRACKED, Trained, read_json, train_here, unchanged_process
from shops import frame, lines, small_shop, tables_of, write_shop

BRIEF = ("model.dim=4", "trainer.max_epochs=2", "trainer.cuts=4", "trainer.warmup_steps=1", UNTRACKED)
NOBODY = frame(CUSTOMER_COLUMNS, {CUSTOMER: []})
UNMEASURED = {"value": None, "low": None, "high": None, "n": 0}
UNDATED = ("data.columns.purchase_date=-", "data.columns.quantity=-")
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
    assert entry == UNMEASURED
    assert run.manifest["data"]["repeat_share"] is None


def test_everybody_bought_everything(tmp_path: Path) -> None:
    """Nothing tells one customer from another, and nothing is left that would be new to anybody."""
    people, things = [f"c{one:02d}" for one in range(40)], [f"p{one:02d}" for one in range(15)]
    rounds = [
        (customer, thing, month * 30 + place % 29)
        for month in range(4)
        for place, (customer, thing) in enumerate(product(people, things))
    ]
    run = trained_on(tables_of(NOBODY, NOTHING, lines(*rounds)), tmp_path)
    shop = assert_fallback(run)
    assert "every customer bought every product before the test" in run.metrics["verdict"]
    assert shop.recommend("c00", exclude_bought=True).empty
    test = run.metrics["models"]["two_tower"]["test"]
    assert test["new"]["ndcg@10"] == UNMEASURED
    assert test["all"]["ndcg@10"]["n"] > 0


def assert_unmeasured(run: Trained, why: str) -> Recommender:
    """No window could be held out: no figure is made up, and the popular products of all purchases are served."""
    shop = assert_fallback(run)
    assert why in run.metrics["verdict"]
    assert why in " ".join(run.manifest["data"]["warnings"])
    assert why in read_json(run.folder / "data_report.json")["too_little"]
    assert run.metrics["data"]["test"] == run.metrics["data"]["valid"] == {"from": None, "to": None, "customers": 0}
    assert "two_tower" not in run.metrics["models"]
    for model in run.metrics["models"].values():
        for part in ("valid", "test"):
            assert all(figure == UNMEASURED for view in model[part].values() for figure in view.values())
    assert "nan" not in (run.folder / "report.html").read_text(encoding="utf-8").lower().replace("finance", "")
    return shop


@pytest.mark.parametrize(
    "bought",
    [(("a", "x", 1),), (("a", "x", 1), ("a", "y", 1)), (("a", "x", 1), ("b", "y", 1), ("c", "y", 1))],
    ids=["one row", "one customer", "three"],
)
def test_purchases_of_one_moment(tmp_path: Path, bought: tuple[tuple[str, str, float], ...]) -> None:
    run = trained_on(tables_of(NOBODY, NOTHING, lines(*bought)), tmp_path)
    shop = assert_unmeasured(run, "all purchases carry the same purchase_date")
    assert shop.recommend("stranger")[PRODUCT].tolist()[0] == ("y" if len(bought) == 3 else "x")
    assert run.metrics["data"]["train"]["purchases"] == len(bought)


@pytest.mark.parametrize("settings", [UNDATED, ("split.protocol=random",), ("split.protocol=leave_last_out",)])
def test_one_purchase_each(tmp_path: Path, settings: tuple[str, ...]) -> None:
    bought = lines(*((f"c{number}", f"p{number % 3}", number) for number in range(10)))
    run = trained_on(tables_of(NOBODY, NOTHING, bought), tmp_path, *settings)
    shop = assert_unmeasured(run, "no customer has a purchase that could be held out")
    assert shop.recommend("stranger")[PRODUCT].tolist() == ["p0", "p1", "p2"]
    assert shop.recommend("c4")[PRODUCT].tolist() == ["p0", "p1", "p2"]
    assert shop.info.data_until is None


def test_no_usable_purchase(tmp_path: Path) -> None:
    """The one thing without which there is no bundle."""
    (tmp_path / "purchase_history.csv").write_text("customer_id,product_id,purchase_date\n,P1,2024-01-05\n")
    with pytest.raises(DataError, match="no purchase is left; 1 read, 1 set aside"):
        train_here(tmp_path, tmp_path / "out", *BRIEF)


def test_a_comparison_of_what_cannot_be_measured(tmp_path: Path) -> None:
    where = write_shop(tmp_path / "shop", tables_of(NOBODY, NOTHING, lines(("a", "x", 1), ("b", "y", 1))))
    out = io.StringIO()
    with contextlib.redirect_stdout(out), contextlib.redirect_stderr(io.StringIO()), unchanged_process():
        models = ["models=[two_tower,popularity]", "export=two_tower", UNTRACKED]
        compare_models([f"data.path={where}", f"outputs={tmp_path / 'out'}", *models], CONF)
    done = Path(out.getvalue().splitlines()[-1])
    metrics = read_json(done / "metrics.json")
    assert metrics["models"]["popularity"]["test"]["all"]["ndcg@10"] == UNMEASURED
    assert "two_tower" in metrics["left_out"]
    assert read_json(done / "bundle" / "manifest.json")["fallback_from"] == "two_tower"


def test_most_purchases_of_the_first_moment(tmp_path: Path) -> None:
    """The usual nine tenths lie on the first day: the test begins with the next."""
    usual = [(f"c{number}", f"p{number % 3}", 0 if number < 95 else 5) for number in range(100)]
    bought = lines(*usual, ("c1", "p2", 7))
    run = trained_on(tables_of(NOBODY, NOTHING, bought), tmp_path)
    assert_fallback(run)
    assert run.metrics["data"]["train"]["purchases"] == 95
    assert run.metrics["data"]["test"]["customers"] == 1


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


def test_prices_and_totals_that_nobody_has(tmp_path: Path) -> None:
    made = small_shop(4, customers=80, purchases=1500)
    products = made.products.assign(**{PRICE: np.nan})
    events = made.events.assign(**{PRICE: np.nan})
    run = trained_on(tables_of(made.customers.assign(**{PAGE_VIEWS: np.nan}), products, events), tmp_path)
    shop = assert_serves(run)
    assert shop.price_range is None
    assert shop.recommend(shop.customer_ids[0], price=(0, 100)).empty
    assert shop.titles == dict(zip(products[PRODUCT], products[TITLE], strict=True))

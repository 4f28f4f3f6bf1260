"""The demo shop: its files, its gaps, and an oracle that is as good as it says."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

import embedrec
from embedrec.demo_shop import write_demo_shop
from embedrec.demo_shop.oracle import chances, ndcg, oracle_report, pairs
from embedrec.demo_shop.purchases import Purchases, returned_within, simulate
from embedrec.demo_shop.tables import customer_interactions, shop_tables
from embedrec.demo_shop.world import BROWSING_DAYS, DAYS, World, draw_world
from embedrec.errors import ConfigError

CUSTOMERS, PRODUCTS, SEED = 800, 250, 3
FILES = {
    "customer_interactions.csv",
    "purchase_history.csv",
    "product_details.csv",
    "oracle.json",
    "README.txt",
}
SCRIPT = Path(__file__).parents[1] / "scripts" / "make_demo_data.py"


@pytest.fixture(scope="module")
def shop(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_demo_shop(tmp_path_factory.mktemp("shop") / "demo", CUSTOMERS, PRODUCTS, SEED)


@pytest.fixture(scope="module")
def history(shop: Path) -> pd.DataFrame:
    return pd.read_csv(shop / "purchase_history.csv", parse_dates=["purchase_date"])


@pytest.fixture(scope="module")
def interactions(shop: Path) -> pd.DataFrame:
    return pd.read_csv(shop / "customer_interactions.csv")


@pytest.fixture(scope="module")
def details(shop: Path) -> pd.DataFrame:
    return pd.read_csv(shop / "product_details.csv")


@pytest.fixture(scope="module")
def oracle(shop: Path) -> dict:
    return json.loads((shop / "oracle.json").read_text())


@pytest.fixture(scope="module")
def world() -> World:
    return draw_world(CUSTOMERS, PRODUCTS, np.random.default_rng(5))


@pytest.fixture(scope="module")
def purchases(world: World) -> Purchases:
    return simulate(world, np.random.default_rng(6))


def test_files_columns_and_label(
    shop: Path, history: pd.DataFrame, interactions: pd.DataFrame, details: pd.DataFrame
) -> None:
    assert {path.name for path in shop.iterdir()} == FILES
    assert list(interactions) == ["customer_id", "page_views", "time_spent"]
    assert list(history) == ["customer_id", "product_id", "purchase_date"]
    assert list(details) == ["product_id", "category", "price", "ratings"]
    readme = (shop / "README.txt").read_text()
    for fact in ("SYNTHETIC", f"seed {SEED}", f"{CUSTOMERS} customers", f"{PRODUCTS} products"):
        assert fact in readme
    assert f"{len(history)} purchases" in readme


def test_ids(history: pd.DataFrame, interactions: pd.DataFrame, details: pd.DataFrame) -> None:
    assert list(details.product_id) == [f"P{n:03d}" for n in range(1, PRODUCTS + 1)]
    known = {f"C{n:04d}" for n in range(1, CUSTOMERS + 1)}
    assert set(interactions.customer_id) | set(history.customer_id) == known
    assert interactions.customer_id.is_unique
    assert set(history.product_id) <= set(details.product_id)


def test_size_dates_and_values(history: pd.DataFrame, details: pd.DataFrame) -> None:
    assert 15 < len(history) / CUSTOMERS < 25
    assert not history.duplicated().any()
    assert history.purchase_date.is_monotonic_increasing
    assert history.purchase_date.min() < pd.Timestamp("2024-01-08")
    assert pd.Timestamp("2025-12-24") < history.purchase_date.max() <= pd.Timestamp("2025-12-31")
    assert details.ratings.dropna().between(1, 5).all()
    assert (details.price.dropna() > 0).all()
    assert details.category.nunique() == 12


def test_gaps_and_cold_ones(history: pd.DataFrame, interactions: pd.DataFrame, details: pd.DataFrame) -> None:
    for column in ("category", "price", "ratings"):
        assert 0 < details[column].isna().mean() < 0.1
    for column in ("page_views", "time_spent"):
        assert 0 < interactions[column].isna().mean() < 0.25
    buyers, listed = set(history.customer_id), set(interactions.customer_id)
    assert 0.005 < len(listed - buyers) / CUSTOMERS < 0.1
    assert 0.005 < len(buyers - listed) / CUSTOMERS < 0.08
    first_bought = history.groupby("product_id").purchase_date.min().reindex(details.product_id)
    assert first_bought.isna().any()
    assert (first_bought > history.purchase_date.quantile(0.9)).any()


def test_busier_customers_look_more(history: pd.DataFrame, interactions: pd.DataFrame) -> None:
    bought = interactions.customer_id.map(history.customer_id.value_counts()).fillna(0)
    assert 0.4 < bought.corr(interactions.page_views.astype(float), method="spearman") < 0.97
    assert 0.4 < bought.corr(interactions.time_spent, method="spearman") < 0.97


def test_seasons(history: pd.DataFrame, details: pd.DataFrame) -> None:
    category = history.product_id.map(details.set_index("product_id").category)
    month = history.purchase_date.dt.month
    share = pd.crosstab(month, category, normalize="index")
    assert share.loc[[4, 5], "Garden"].mean() > 2 * share.loc[[10, 11], "Garden"].mean()
    assert share.loc[[11, 12], "Toys"].mean() > 2 * share.loc[[5, 6], "Toys"].mean()


def test_same_seed_same_bytes(shop: Path, tmp_path: Path) -> None:
    again = write_demo_shop(tmp_path / "again", CUSTOMERS, PRODUCTS, SEED)
    other = write_demo_shop(tmp_path / "other", CUSTOMERS, PRODUCTS, SEED + 1)
    for name in FILES:
        assert (again / name).read_bytes() == (shop / name).read_bytes()
        assert (other / name).read_bytes() != (shop / name).read_bytes()


def test_behaviour_counts_only_the_first_80_percent_of_the_time(world: World, purchases: Purchases) -> None:
    early = purchases.day < BROWSING_DAYS
    cut = Purchases(*(getattr(purchases, name)[early] for name in ("customer", "product", "day", "next_day")))
    # Whoever came after the mark comes a day before the end instead: nobody can tell from the table.
    later = replace(world, arrival=np.where(world.arrival < BROWSING_DAYS, world.arrival, DAYS - 1))
    full = customer_interactions(world, purchases, np.random.default_rng(1))
    pd.testing.assert_frame_equal(customer_interactions(later, cut, np.random.default_rng(1)), full)

    came_later = {f"C{n + 1:04d}" for n in np.flatnonzero(world.arrival >= BROWSING_DAYS)}
    rows = full[full.customer_id.isin(came_later)]
    assert len(rows) > 0
    assert rows[["page_views", "time_spent"]].isna().all(axis=None)
    # The mark lies before the default split's validation window.
    assert np.quantile(purchases.day, 0.8) >= BROWSING_DAYS


def test_nobody_buys_before_arriving_or_before_the_launch(world: World, purchases: Purchases) -> None:
    assert (purchases.day >= world.arrival[purchases.customer]).all()
    assert (purchases.day >= world.launch[purchases.product]).all()
    assert purchases.day.max() < DAYS


def test_consumables_come_back_around_their_cycle(world: World, purchases: Purchases) -> None:
    repeated = purchases.next_day < DAYS
    gap = (purchases.next_day - purchases.day)[repeated]
    cycle = world.cycle[purchases.product[repeated]]
    assert np.median(gap / cycle) == pytest.approx(1.0, abs=0.05)
    # Long before the end nothing is cut off: F says what share came within 30 days.
    old = repeated & (purchases.day < 300)
    came = (purchases.next_day - purchases.day)[old] <= 30
    product = purchases.product[old]
    expected = returned_within(world, product, np.full(len(product), 30))
    assert came.mean() == pytest.approx(expected.mean(), abs=4 * np.sqrt(0.25 / len(came)))


@pytest.mark.parametrize("first_day", [500, 727])  # 231 days, and four days from the middle of a week
def test_chances_are_the_true_ones(first_day: int) -> None:
    """As many pairs are bought in the window as the chances add up to: by kind of pair, from low to high."""
    world = draw_world(1500, 100, np.random.default_rng(5))
    everybody = np.arange(1500)
    drawn: dict[str, list[np.ndarray]] = {"consumable again": [], "durable again": [], "new": []}
    for seed in range(8):
        purchases = simulate(world, np.random.default_rng(seed))
        chance = chances(world, purchases, everybody, first_day)
        before = purchases.day < first_day
        bought = pairs(world, purchases, before, everybody)
        happened = pairs(world, purchases, ~before, everybody)
        assert not happened[chance == 0].any()
        kinds = (bought & (world.loyalty > 0), bought & (world.loyalty == 0), ~bought)
        for name, kind in zip(drawn, kinds, strict=True):
            drawn[name].append(np.stack([chance[kind], happened[kind]]))
    for parts in drawn.values():
        chance, happened = np.concatenate(parts, axis=1)
        for few in np.array_split(np.argsort(chance), 12):
            spread = np.sqrt((chance * (1 - chance))[few].sum())
            assert happened[few].sum() == pytest.approx(chance[few].sum(), abs=3.5 * spread + 1)


def test_ndcg_by_hand() -> None:
    scores = np.array([[0.9, 0.8, 0.7, 0.1], [0.5, 0.5, 0.5, 0.6]])
    targets = np.array([[False, True, False, True], [True, False, False, False]])
    # Row 0: hits at ranks 2 and 4. Row 1: the tie goes to product 0, at rank 2.
    first = (1 / np.log2(3) + 1 / np.log2(5)) / (1 + 1 / np.log2(3))
    assert ndcg(scores, targets, k=4) == pytest.approx([first, 1 / np.log2(3)])
    assert ndcg(scores, targets, k=1) == pytest.approx([0, 0])


Score = Callable[[str, str], float]


def evaluate(history: pd.DataFrame, products: list[str], fit: Callable[[pd.DataFrame], Score]) -> dict:
    """What `oracle.json` says, of another ranking by score(customer, product), as plainly as can be."""
    seconds = history.purchase_date.to_numpy().astype("datetime64[s]").astype(np.int64)
    in_test = seconds >= np.floor(np.quantile(seconds, 0.9))
    train = history[~in_test].groupby("customer_id").product_id.agg(set)
    test = history[in_test].groupby("customer_id").product_id.agg(set)
    score = fit(history[~in_test])
    found: dict[str, list[float]] = {"all": [], "new": []}
    for customer in test.index.intersection(train.index):
        order = sorted(products, key=lambda product: (-score(customer, product), product))
        for view, masked in (("all", set()), ("new", train[customer])):
            targets = test[customer] - masked
            if targets:
                top = [product for product in order if product not in masked][:10]
                gain = sum(1 / np.log2(rank + 2) for rank, product in enumerate(top) if product in targets)
                best = sum(1 / np.log2(rank + 2) for rank in range(min(10, len(targets))))
                found[view].append(gain / best)
    return {
        "ndcg@10": {view: pytest.approx(np.mean(values), abs=1e-6) for view, values in found.items()},
        "customers": {view: len(values) for view, values in found.items()},
    }


def test_oracle_beats_popularity(history: pd.DataFrame, details: pd.DataFrame, oracle: dict) -> None:
    def popularity(train: pd.DataFrame) -> Score:
        buyers = train.groupby("product_id").customer_id.nunique().to_dict()
        return lambda _, product: buyers.get(product, 0)

    found = evaluate(history, list(details.product_id), popularity)
    assert oracle["synthetic"] is True
    assert oracle["seed"] == SEED
    assert oracle["customers"] == found["customers"]
    for view in ("all", "new"):
        assert oracle["ndcg@10"][view] > 2 * found["ndcg@10"][view].expected


def test_oracle_report_by_brute_force(world: World, purchases: Purchases) -> None:
    history = shop_tables(world, purchases, np.random.default_rng(0))["purchase_history"]
    history["purchase_date"] = pd.to_datetime(history.purchase_date)

    def oracle(train: pd.DataFrame) -> Score:
        first_day = (train.purchase_date.max() - pd.Timestamp("2024-01-01")).days + 1
        table = chances(world, purchases, np.arange(CUSTOMERS), first_day)
        return lambda customer, product: table[int(customer[1:]) - 1, int(product[1:]) - 1]

    found = evaluate(history, [f"P{n:03d}" for n in range(1, PRODUCTS + 1)], oracle)
    report = oracle_report(world, purchases, seed=0)
    assert {name: report[name] for name in found} == found


def test_oracle_states_the_cutoff(history: pd.DataFrame, oracle: dict) -> None:
    test_from = oracle["protocol"]["test_from"]
    assert test_from == history.purchase_date.quantile(0.9).strftime("%Y-%m-%dT%H:%M:%S")


@pytest.mark.parametrize("seed", range(5))
def test_tiny_shop(tmp_path: Path, seed: int) -> None:
    write_demo_shop(tmp_path, customers=10, products=10, seed=seed)
    assert len(pd.read_csv(tmp_path / "product_details.csv")) == 10
    assert len(pd.read_csv(tmp_path / "purchase_history.csv")) > 10
    values = json.loads((tmp_path / "oracle.json").read_text())["ndcg@10"].values()
    assert all(value is None or 0 <= value <= 1 for value in values)


def test_writes_over_its_own_but_not_over_somebody_elses(tmp_path: Path) -> None:
    write_demo_shop(tmp_path, 10, 10, seed=0)
    (tmp_path / "notes.txt").write_text("mine")
    write_demo_shop(tmp_path, 10, 10, seed=1)
    assert "seed 1" in (tmp_path / "README.txt").read_text()
    assert {path.name for path in tmp_path.iterdir()} == {*FILES, "notes.txt"}

    (tmp_path / "oracle.json").unlink()
    before = (tmp_path / "purchase_history.csv").read_bytes()
    with pytest.raises(ConfigError, match=r"no oracle\.json"):
        write_demo_shop(tmp_path, 10, 10, seed=2)
    assert (tmp_path / "purchase_history.csv").read_bytes() == before


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("customers", 9),
        ("customers", True),
        ("customers", 10**9),
        ("products", 9),
        ("products", 12.5),
        ("seed", -1),
        ("seed", "0"),
    ],
)
def test_bad_numbers(tmp_path: Path, name: str, value: object) -> None:
    with pytest.raises(ConfigError, match=f"^{name}: wanted a whole number from"):
        write_demo_shop(tmp_path / "shop", **{"customers": 10, "products": 10, name: value})
    assert not (tmp_path / "shop").exists()


def run_script(*arguments: object) -> subprocess.CompletedProcess[str]:
    path = str(Path(embedrec.__file__).parents[1])
    command = [sys.executable, str(SCRIPT), *map(str, arguments)]
    return subprocess.run(command, capture_output=True, text=True, env={**os.environ, "PYTHONPATH": path})


def test_script_ends_with_the_path_it_wrote(tmp_path: Path) -> None:
    out = tmp_path / "shop"
    done = run_script(out, "--customers", 20, "--products", 15, "--seed", 7)
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.splitlines()[-1] == str(out)
    assert "seed 7, 20 customers, 15 products" in (out / "README.txt").read_text()


def test_script_help_shows_an_example() -> None:
    done = run_script("--help")
    assert done.returncode == 0
    assert "example: python scripts/make_demo_data.py" in done.stdout
    for default in ("3000", "800", "0"):
        assert f"(default: {default})" in done.stdout
    assert write_demo_shop.__defaults__ == (3000, 800, 0)


@pytest.mark.parametrize(
    "arguments",
    [("{out}", "--customers", 9), ("{out}", "--products", "many"), ("{file}",), ("{file}/below",), ()],
)
def test_script_says_a_mistake_on_one_line(tmp_path: Path, arguments: tuple[object, ...]) -> None:
    file = tmp_path / "file"
    file.write_text("mine")
    done = run_script(*(str(a).format(out=tmp_path / "out", file=file) for a in arguments))
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr.startswith("error: ")
    assert done.stderr.count("\n") == 1
    assert file.read_text() == "mine"

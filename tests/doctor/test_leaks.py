"""Columns that know the future are named, and honest ones are not."""

from __future__ import annotations

import os
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from embedrec.columns import CUSTOMER, DETAILS, INTERACTIONS, PRODUCT
from embedrec.doctor.detectors.leaks import leaks, partial_correlation
from embedrec.experiment.shop import Shop, open_shop, split_shop
from embedrec.splits import SplitConfig
from embedrec.tables import DataConfig, read_tables
from embedrec.tables.config import ColumnsConfig
from shops import small_shop

RNG = np.random.default_rng(0)
ROOT = Path(os.environ.get("EMBEDREC_DATA", "none"))
CONF = Path(__file__).resolve().parents[2] / "conf" / "data"


@pytest.fixture(scope="module")
def shop() -> Shop:
    return split_shop(small_shop(customers=400, products=200, purchases=6000), SplitConfig())


def named(shop: Shop) -> dict[str, str]:
    found = leaks(shop.tables, shop.history, shop.catalogue, shop.split)
    return {one.sentence.split("'")[1]: one.severity for one in found}


def counts(shop: Shop, by: str, past: bool = False) -> pd.Series:
    bought = shop.tables.purchases
    known = bought[bought["purchase_date"] < pd.Timestamp(shop.split.test_from, unit="s")] if past else bought
    ids = shop.history.product_ids if by == PRODUCT else shop.history.customer_ids
    return known[by].value_counts().reindex(ids, fill_value=0).astype(float)


def test_an_honest_shop_has_none(shop: Shop) -> None:
    assert named(shop) == {}


def test_unused_columns_that_count_or_date_the_whole_period(shop: Shop) -> None:
    sales, past = counts(shop, PRODUCT), counts(shop, PRODUCT, past=True)
    first = shop.tables.purchases.groupby(PRODUCT)["purchase_date"].min()
    seconds = pd.Series(first.to_numpy("datetime64[s]").astype(float), first.index).reindex(sales.index)
    columns = {
        "n_ratings": sales * 3,
        "sold_before": past,
        "first_seen": seconds,
        "noise": pd.Series(RNG.random(len(sales)), sales.index),
        "constant": sales * 0,
    }
    new = {"visits": counts(shop, CUSTOMER) * 8 + RNG.poisson(5, shop.history.n_users)}
    unused = {DETAILS: pd.DataFrame(columns), INTERACTIONS: pd.DataFrame(new)}
    # all products were sold before the cut, so one is made to begin after it
    late = first.idxmax()
    events = shop.tables.events
    early = (events[PRODUCT] == late) & (events["purchase_date"] < pd.Timestamp(shop.split.test_from, unit="s"))
    tables = replace(shop.tables, events=events[~early], unused=unused)
    assert named(split_shop(tables, SplitConfig())) == {"n_ratings": "warn", "first_seen": "warn", "visits": "warn"}


def test_a_column_in_use_stops(shop: Shop) -> None:
    sales, visits = counts(shop, PRODUCT), counts(shop, CUSTOMER)
    products = shop.tables.products.assign(rating_count=lambda table: table[PRODUCT].map(sales))
    customers = shop.tables.customers.assign(page_views=lambda table: 10 * table[CUSTOMER].map(visits))
    leaking = split_shop(replace(shop.tables, products=products, customers=customers), SplitConfig())
    assert named(leaking) == {"rating_count": "stop", "page_views": "stop"}
    found = leaks(leaking.tables, leaking.history, leaking.catalogue, leaking.split)
    assert found[0].sentence.endswith("leave it out with data.columns.rating_count=-")


def test_a_mean_of_all_ratings(shop: Shop) -> None:
    bought = shop.tables.events.assign(customer_rating=RNG.integers(1, 6, len(shop.tables.events)).astype(float))
    past = bought[bought["purchase_date"] < pd.Timestamp(shop.split.test_from, unit="s")]
    means = {name: some.groupby(PRODUCT)["customer_rating"].mean() for name, some in (("all", bought), ("past", past))}
    tables = replace(shop.tables, events=bought, unused={DETAILS: pd.DataFrame(means)})
    assert named(split_shop(tables, SplitConfig())) == {"all": "warn"}


def test_partial_correlation_by_hand() -> None:
    """Ranks with r_xy = 0.8, r_xb = 0, r_yb = −0.4: 0.8 / √(1 · 0.84)."""
    x, y, given = (np.array(one) for one in ([1, 2, 3, 4], [2, 1, 3, 4], [2, 4, 1, 3]))
    assert partial_correlation(x, y, given) == pytest.approx(0.8 / np.sqrt(0.84))
    assert partial_correlation(x, np.ones(4), given) == 0.0
    assert partial_correlation(x, x, x) == 0.0


def test_unused_columns_are_read_as_numbers_or_dates(tmp_path: Path) -> None:
    (tmp_path / "purchase_history.csv").write_text("customer_id,product_id,purchase_date\nC1,P1,2024-01-05\n")
    (tmp_path / "product_details.csv").write_text(
        "product_id,price,lines,since,name,maker\nP1,2,7,2024-01-05,Chair,\nP2,3,1,2024-01-06,Table,\nP1,2,8,,Chair,\n"
    )
    (tmp_path / "customer_interactions.csv").write_text("customer_id,page_views,visits\nC1,3,4\n")
    tables = read_tables(DataConfig(name="t", path=str(tmp_path), columns=ColumnsConfig(price="-")))
    found = tables.unused[DETAILS]
    assert found.index.dtype == "str", "ids of a table of one row each are written out, as in Tables.products"
    assert found.index.tolist() == ["P2", "P1"]
    assert found.columns.tolist() == ["price", "lines", "since"]
    assert found["lines"].tolist() == [1.0, 8.0]
    assert found.loc["P2", "since"] == pd.Timestamp("2024-01-06").timestamp()
    assert np.isnan(found.loc["P1", "since"])
    assert tables.unused[INTERACTIONS].to_dict() == {"visits": {"C1": 4.0}}


@pytest.mark.skipif(not ROOT.is_dir(), reason="EMBEDREC_DATA is not set")
@pytest.mark.parametrize(
    ("name", "wanted"),
    [
        ("online_retail", {"first_seen": "warn", "lines": "warn"}),
        ("completejourney", {"n_sample_lines": "warn"}),
        ("ciao", {"rating": "warn", "n_ratings": "warn"}),
        ("amazon_grocery", {}),
        ("steam200k", {}),
    ],
)
def test_the_columns_known_to_leak_are_named_and_no_other(name: str, wanted: dict[str, str]) -> None:
    from omegaconf import OmegaConf

    layers = [OmegaConf.load(CONF / f"{one}.yaml") for one in ("files", name)]
    plain = OmegaConf.to_container(OmegaConf.merge(*layers))
    assert isinstance(plain, dict)
    plain.pop("defaults")
    assert named(open_shop(DataConfig.model_validate(plain), SplitConfig())) == wanted

"""The configs of conf/data on the real sets, where these are at hand."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import yaml
from shop_folder import account_of

from embedrec.errors import DataError
from embedrec.tables import DataConfig, read_tables

DATA = os.environ.get("EMBEDREC_DATA", "")
CONF = Path(__file__).parents[2] / "conf" / "data"

SAME = ["customer_id", "product_id", "purchase_date", "quantity"]

needs_data = pytest.mark.skipif(not DATA, reason="EMBEDREC_DATA is not set")


def shipped(name: str) -> DataConfig:
    """Compose one config of conf/data over `files`, as Hydra does."""
    merged: dict[str, Any] = yaml.safe_load((CONF / "files.yaml").read_text())
    for field, value in yaml.safe_load((CONF / f"{name}.yaml").read_text()).items():
        if field != "defaults":
            merged[field] = {**merged[field], **value} if isinstance(value, dict) else value
    return DataConfig.model_validate(merged)


@pytest.mark.parametrize("name", sorted(path.stem for path in CONF.glob("*.yaml")))
def test_configs_are_valid_and_named_as_their_file(name: str) -> None:
    assert shipped(name).name == name


def test_files_yaml_spells_out_every_key() -> None:
    """So that `data.columns.customer_id=user_id` overrides a key that is there."""
    assert yaml.safe_load((CONF / "files.yaml").read_text()) == DataConfig(name="files").model_dump(mode="json")


@needs_data
def test_online_retail() -> None:
    tables = read_tables(shipped("online_retail"))
    account = account_of(tables)
    assert (len(tables.purchases), account.set_aside, account.quarantined) == (396_337, 8_539, 0)
    assert "8,539 rows with event 'return' set aside" in account.notes
    assert tables.products[["title", "price"]].notna().to_numpy().all()
    assert str(tables.events["purchase_date"].max()) == "2011-12-09 12:50:00"


@needs_data
def test_completejourney() -> None:
    tables = read_tables(shipped("completejourney"))
    account = account_of(tables)
    # 416 lines are of 0 pieces for 0 dollars.
    assert (len(tables.purchases), account.set_aside, account.quarantined) == (74_584, 0, 416)
    assert set(tables.quarantine["reason"]) == {"is 0"}
    # Petrol is sold by the thousandth of a gallon, among pieces.
    assert any("692 values of quantity above 1,000 times the median" in note for note in account.notes)
    items = pd.read_parquet(Path(DATA) / "completejourney" / "items.parquet")
    assert set(tables.products["category"].dropna()) == set(items["category"].dropna())


@needs_data
def test_amazon_grocery() -> None:
    tables = read_tables(shipped("amazon_grocery"))
    assert len(tables.purchases) == 121_892
    assert tables.products["category"].nunique() == 57


# name: kind of time, purchases and views by part ("" where none is published)
PUBLISHED: dict[str, tuple[str, dict[str, int], int]] = {
    "gowalla": ("none", {"train": 810_128, "test": 217_242}, 0),
    "beauty": ("order", {"train": 153_776, "valid": 22_363, "test": 22_363}, 0),
    "tmall": ("none", {"train": 92_180, "test": 15_449}, 1_069_430),
    "steam200k": ("none", {"": 128_804}, 70_489),
    "ciao": ("none", {"": 283_395}, 0),
    "online_retail_raw": ("dates", {"": 393_548}, 0),
}


@needs_data
@pytest.mark.parametrize("name", PUBLISHED)
def test_published_sets(name: str) -> None:
    time, purchases, activity = PUBLISHED[name]
    tables = read_tables(shipped(name))
    parts = tables.purchases["split"] if "split" in tables.events else pd.Series("", index=tables.purchases.index)
    assert tables.time == time
    assert parts.value_counts().to_dict() == purchases
    assert len(tables.events) - len(tables.purchases) == activity
    assert not len(tables.quarantine)


@needs_data
def test_the_export_as_published_holds_the_purchases_of_the_cleaned_set() -> None:
    """But for what came back, which cleaning left in, and for presents at a price of 0, which it left out."""
    raw, cleaned = (read_tables(shipped(name)) for name in ("online_retail_raw", "online_retail"))
    (account,) = raw.accounts
    for note in (
        "135,080 rows without a customer set aside",
        "1,196 rows of 'POST', which is no product, set aside",
        "7,433 rows of returned pieces, netted against earlier purchases, set aside",
        "1,106 rows of returned pieces, more than were bought before, set aside",
        "2,822 rows of purchases returned in whole set aside",
        "4,554 purchases returned in part: kept with the pieces left",
    ):
        assert note in account.notes, account.notes
    assert account_of(cleaned).set_aside == 7_433 + 1_106
    presents = published_presents()
    assert len(presents) == 33
    assert len(raw.purchases) == len(cleaned.purchases) + len(presents) - 2_822

    names = {"user_id": "customer_id", "item_id": "product_id", "timestamp": "purchase_date"}
    lines = pd.read_parquet(Path(DATA) / "online_retail" / "interactions.parquet").rename(columns=names)
    netted = netted_one_by_one(pd.concat([lines, presents]))
    pd.testing.assert_frame_equal(comparable(raw.purchases), comparable(netted))


def comparable(purchases: pd.DataFrame) -> pd.DataFrame:
    kinds = {"customer_id": "int64", "product_id": "str", "purchase_date": "datetime64[s]"}
    return purchases[SAME].astype(kinds).sort_values(SAME, ignore_index=True)


def published_presents() -> pd.DataFrame:
    """Read the lines of customers and products at a price of 0, straight from the export."""
    lines = pd.read_csv(Path(DATA) / "online_retail_raw.csv.gz", dtype={"StockCode": "str"})
    lines = lines[(lines["UnitPrice"] == 0) & (lines["Quantity"] > 0) & lines["CustomerID"].notna()]
    lines = lines[~lines["StockCode"].isin(shipped("online_retail_raw").columns.not_products)]
    lines = lines.assign(CustomerID=lines["CustomerID"].astype(int), InvoiceDate=pd.to_datetime(lines["InvoiceDate"]))
    return lines[["CustomerID", "StockCode", "InvoiceDate", "Quantity"]].set_axis(SAME, axis=1)


def netted_one_by_one(lines: pd.DataFrame) -> pd.DataFrame:
    """Take each return off the purchases before it, the latest first, pair by pair."""
    lines = lines.sort_values(["purchase_date", "quantity"], ascending=[True, False], ignore_index=True)
    left = lines["quantity"].to_numpy(np.float64, copy=True)
    pair = ["customer_id", "product_id"]
    some_came_back = lines.groupby(pair)["quantity"].transform("min") < 0
    for rows in lines[some_came_back].groupby(pair).groups.values():
        held: list[int] = []
        for row in rows:
            if left[row] > 0:
                held.append(row)
            while left[row] < 0 and held:
                taken = min(-left[row], left[held[-1]])
                left[row] += taken
                left[held[-1]] -= taken
                if left[held[-1]] == 0:
                    held.pop()
    return lines.assign(quantity=left)[left > 0]


@needs_data
def test_ciao_keeps_ratings_of_customers_apart_from_means_of_products() -> None:
    tables = read_tables(shipped("ciao"))
    assert tables.events["customer_rating"].between(1, 5).all()
    assert tables.products[["rating", "rating_count"]].isna().to_numpy().all(), "computed over the whole period"
    assert tables.products["category"].nunique() == 28


@needs_data
def test_steam_has_prices_ratings_and_hours() -> None:
    tables = read_tables(shipped("steam200k"))
    assert tables.products[["category", "price", "rating", "rating_count"]].notna().mean().min() > 0.35
    assert tables.events.loc[tables.events["event"] == "view", "time_spent"].notna().all()


STANDARDISED = {"price": "-", "rating": "-"}
# folder or file, files, columns, purchases
VARIANTS: list[tuple[str, dict[str, str], dict[str, str], int]] = [
    ("variant_01", {}, {}, 8),
    ("variant_02", {}, {}, 985),
    ("variant_03", {}, {}, 618),
    ("variant_03", {"customer_interactions": "customer_details.csv"}, {}, 618),
    ("variant_05", {}, {}, 6),
    ("variant_05/dataset.csv", {}, {}, 100),
    (
        "variant_06",
        {"purchase_history": "purchase_history_dummy.csv", "product_details": "product_details_dummy.csv"},
        {},
        200_000,
    ),
    ("variant_08", {}, {}, 188),
    ("variant_08", {"product_details": "product_details_processed.csv"}, STANDARDISED, 188),
    ("variant_08", {"purchase_history": "product_purchase_history.csv"}, STANDARDISED, 188),
    ("variant_10", {}, {}, 6),
    ("variant_10", {"purchase_history": "purchase_history_modify.csv"}, {}, 36),
]


@needs_data
@pytest.mark.parametrize(("path", "files", "columns", "purchases"), VARIANTS)
def test_what_people_hand_over(path: str, files: dict[str, str], columns: dict[str, str], purchases: int) -> None:
    settings = {"name": "variant", "path": f"$EMBEDREC_DATA/terra_variants/{path}", "files": files, "columns": columns}
    tables = read_tables(DataConfig.model_validate(settings))
    assert len(tables.purchases) == purchases
    assert not len(tables.quarantine)
    assert tables.purchases["product_id"].isin(tables.products["product_id"]).all()
    # every line of that one file names another rating of its product
    assert ("customer_rating" in tables.events) == (path == "variant_05/dataset.csv")


@needs_data
def test_every_variant_is_among_them() -> None:
    assert {path.split("/")[0] for path, *_ in VARIANTS} == {
        folder.name for folder in (Path(DATA) / "terra_variants").iterdir()
    }


@needs_data
def test_prices_that_were_standardised_stop_and_say_how_to_leave_them_out() -> None:
    files = {"product_details": "product_details_processed.csv"}
    settings = {"name": "variant", "path": "$EMBEDREC_DATA/terra_variants/variant_08", "files": files}
    with pytest.raises(
        DataError, match=r"product_details_processed\.csv, line 3: price '-0\.78.*' is negative; .* data\.columns"
    ):
        read_tables(DataConfig.model_validate(settings))

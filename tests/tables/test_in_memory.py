"""A table in memory goes through the checks of a file, and comes out as the file would."""

from __future__ import annotations

from decimal import Decimal
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from embedrec.errors import DataError
from embedrec.tables.config import ColumnsConfig
from embedrec.tables.details import read_products
from embedrec.tables.in_memory import raw_of
from embedrec.tables.opening import read_raw

AS_TEXT = pd.DataFrame(
    {
        "product_id": ["007", "7", "NA", " P1 ", "2.5", "P1"],
        "Product Category": ["Toys", "", "null", "Cafe\u0301", "=1+1", "Toys"],
        "price": ["1,50", "2", "", "3,25", "1.234,00", "4"],
        "ratings": ["4/5", "0", "", "4,5", "5", "1"],
    }
)


def read(raw: object) -> tuple[pd.DataFrame, object]:
    products, ledger = read_products(raw, ColumnsConfig())  # type: ignore[arg-type]
    return products, ledger.account()


def test_as_the_same_texts_in_a_file(tmp_path: Path) -> None:
    path = tmp_path / "table"
    AS_TEXT.to_csv(path, index=False)
    from_file, in_memory = read(read_raw(path)), read(raw_of(AS_TEXT.set_index(np.arange(6)[::-1]), "table"))
    pd.testing.assert_frame_equal(in_memory[0], from_file[0])
    assert in_memory[1] == from_file[1]
    assert len(in_memory[0]) == 5


@pytest.mark.parametrize(
    ("ids", "read_as"),
    [
        ([7, 2**63 - 1], ["7", str(2**63 - 1)]),
        ([7.0, 101.0], ["7", "101"]),
        (pd.array([7, 8], dtype="Int64"), ["7", "8"]),
        (pd.Categorical(["b", "a"]), ["b", "a"]),
        (pd.Series(["x", 5], dtype=object), ["x", "5"]),
        (pd.Series([b"x", True], dtype=object), ["b'x'", "True"]),
    ],
)
def test_ids_of_every_type_are_text(ids: object, read_as: list[str]) -> None:
    products, _ = read(raw_of(pd.DataFrame({"product_id": ids}), "table"))
    assert products["product_id"].tolist() == sorted(read_as)


def test_numbers_of_every_type() -> None:
    prices = (
        [1, 2],
        [1.0, 2.0],
        [Decimal("1"), Decimal("2.0")],
        pd.array([1, 2], dtype="Float32"),
        np.array([1, 2], np.float16),
    )
    for price in prices:
        products, _ = read(raw_of(pd.DataFrame({"product_id": ["a", "b"], "price": price}), "table"))
        assert products["price"].tolist() == [1.0, 2.0]
    missing = pd.DataFrame({"product_id": ["a", "b", "c"], "price": pd.array([None, 2, np.nan], dtype="Float64")})
    assert read(raw_of(missing, "table"))[0]["price"].isna().tolist() == [True, False, True]


@pytest.mark.parametrize("zone", [None, "Europe/Paris"])
def test_dates_are_no_ids(zone: str | None) -> None:
    dates = pd.date_range("2024-01-01", periods=2, tz=zone)
    with pytest.raises(DataError, match="table, column product_id: holds dates"):
        read(raw_of(pd.DataFrame({"product_id": dates}), "table"))


def test_two_columns_of_one_name() -> None:
    with pytest.raises(DataError, match="table: two columns are called '5': rename one"):
        raw_of(pd.DataFrame([[1, 2]], columns=[5, "5"]), "table")


def test_rows_are_numbered_from_one() -> None:
    price = [-1.0] + [1.0] * 30
    products, ledger = read_products(
        raw_of(pd.DataFrame({"product_id": [f"P{i}" for i in range(31)], "price": price}), "table"), ColumnsConfig()
    )
    assert len(products) == 30
    assert ledger.quarantined_rows()["line"].tolist() == [1]


def test_known_products_are_set_aside_whatever_their_rows_say() -> None:
    table = pd.DataFrame({"product_id": ["old", "new", "old"], "price": [-1.0, 2.0, 3.0]})
    products, ledger = read_products(raw_of(table, "table"), ColumnsConfig(), known=["old", "older"])
    assert products["product_id"].tolist() == ["new"]
    account = ledger.account()
    assert (account.read, account.used, account.set_aside, account.quarantined) == (3, 1, 2, 0)
    assert "2 rows of products that the shop already has, which stay as they are, set aside" in account.notes

"""A column of stock: found by name, read as yes or no, missing where it says nothing, and never in a model's way."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from shop_folder import HEADER, Shop, account_of

from embedrec.columns import DETAILS, IN_STOCK, PRODUCT
from embedrec.features import build_history
from embedrec.tables import Tables

BOUGHT = HEADER + "C1,P0,2024-01-05\n"


def details(*cells: str, header: str = "in_stock") -> str:
    return f"product_id;{header}\n" + "".join(f"P{i};{cell}\n" for i, cell in enumerate(cells))


def said(tables: Tables) -> list[float | None]:
    return [None if np.isnan(value) else value for value in tables.products[IN_STOCK]]


@pytest.mark.parametrize(
    ("cells", "wanted"),
    [
        (("true", "False", "TRUE"), [1, 0, 1]),
        (("yes", "no", "Y", "n"), [1, 0, 1, 0]),
        (("ja", "nein"), [1, 0]),
        (("in stock", "out-of-stock", "in_stock", "Sold out", "preorder"), [1, 0, 1, 0, 0]),
        (("12", "0", "3.0", "0,00", "-4", "1.299"), [1, 0, 1, 0, 0, 1]),
        ((">10", "10+", "< 5", "+0"), [1, 1, 1, 0]),
        (("1", "", "0", "n/a", "-"), [1, None, 0, None, None]),
    ],
)
def test_forms_of_stock(shop: Shop, cells: tuple[str, ...], wanted: list[float | None]) -> None:
    tables = shop.read(BOUGHT, details(*cells))
    assert said(tables) == wanted
    assert account_of(tables, DETAILS).used == len(cells)


@pytest.mark.parametrize(
    "header", ["Stock", "In Stock", "Availability", "inventory_quantity", "units in stock", "Lagerbestand"]
)
def test_names_of_the_column(shop: Shop, header: str) -> None:
    tables = shop.read(BOUGHT, details("1", "0", header=header))
    assert said(tables) == [1, 0]
    assert not tables.unused[DETAILS].columns.tolist(), "what is used is not listed as unused"


def test_in_stock_comes_before_a_count_beside_it(shop: Shop) -> None:
    text = "product_id,in_stock,stock_quantity\nP0,no,7\nP1,yes,0\n"
    tables = shop.read(BOUGHT, text)
    assert said(tables) == [0, 1]
    assert list(tables.unused[DETAILS]) == ["stock_quantity"]


def test_without_such_a_column_nothing_changes(shop: Shop) -> None:
    plain = shop.read(BOUGHT, "product_id,price\nP0,2\n")
    assert IN_STOCK not in plain.products
    ignored = shop.read(BOUGHT, "product_id,price,in_stock\nP0,2,1\n", columns={"in_stock": "-"})
    assert IN_STOCK not in ignored.products
    assert plain.fingerprint == ignored.fingerprint


def test_what_cannot_be_read_is_missing_and_counted(shop: Shop) -> None:
    tables = shop.read(BOUGHT, details("yes", "no", "perhaps"))
    assert said(tables) == [1, 0, None]
    note = "1 value of in_stock taken as missing: in_stock is neither yes or no nor a number of pieces"
    assert note in account_of(tables, DETAILS).notes


def test_a_column_of_something_else_stops_with_the_way_out(shop: Shop) -> None:
    message = shop.refused(BOUGHT, details("shelf A", "shelf B", "1"))
    assert message.startswith("product_details.csv, line 2: in_stock 'shelf A' is neither yes or no")
    assert message.endswith("ignore it with data.columns.in_stock=-")


def test_the_last_of_two_rows_counts_and_the_conflict_is_listed(shop: Shop) -> None:
    tables = shop.read(BOUGHT, "product_id,in_stock\nP0,yes\nP0,no\n")
    account = account_of(tables, DETAILS)
    assert (account.read, account.used, account.duplicates) == (2, 1, 1)
    assert said(tables) == [0]
    assert any("in_stock '1.0' → '0.0'" in note for note in account.notes)


def test_parquet_keeps_truth_and_pieces(shop: Shop) -> None:
    for values, wanted in (([True, False], [1, 0]), ([2.0, np.nan], [1, None]), ([0, 5], [0, 1])):
        pd.DataFrame({PRODUCT: ["P0", "P1"], "stock": values}).to_parquet(shop.folder / f"{DETAILS}.parquet")
        assert said(shop.read(BOUGHT)) == wanted


def test_the_catalogue_knows_it(shop: Shop) -> None:
    tables = shop.read(BOUGHT, details("0", "1", ""))
    _, catalogue = build_history(tables.customers, tables.products, tables.events)
    np.testing.assert_array_equal(catalogue.in_stock, [0, 1, np.nan])

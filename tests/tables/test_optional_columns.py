"""What event rows may carry beside the brief's columns: a customer's rating, a published part, an order for a date."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pandas as pd
import pytest
from shop_folder import HEADER, Shop, account_of, rows

from embedrec.tables import DataConfig, read_tables
from embedrec.tables.distinct import unfolded

RATED = "customer_id,product_id,purchase_date,rating\n"
UNDATED = {"purchase_date": "-"}


def rated_lines(differing: int, products: int = 10, rating: str = "4") -> str:
    """Each product bought and rated by two customers, who disagree on the first `differing` ones."""
    return RATED + "".join(
        f"{customer},P{number},2024-01-05,{stars}\n"
        for number in range(products)
        for customer, stars in (("A", rating), ("B", "2" if number < differing else rating))
    )


# The customer's own rating


@pytest.mark.parametrize(("differing", "of_customer"), [(0, False), (2, False), (3, True), (10, True)])
def test_a_rating_is_the_customers_where_customers_disagree(shop: Shop, differing: int, of_customer: bool) -> None:
    tables = shop.read(rated_lines(differing))
    assert ("customer_rating" in tables.events) == of_customer
    if of_customer:
        assert tables.products.empty, "an outcome is no attribute"
        found = tables.events.set_index(["customer_id", "product_id"])["customer_rating"]
        assert (found["A", "P0"], found["B", "P0"]) == (4.0, 2.0)
        assert any(f"differs between customers for {differing} of 10 products" in one for one in tables.warnings)
    else:
        assert tables.products["rating"].tolist()[-1] == 4.0


def test_a_rating_that_changes_for_one_customer_is_a_products(shop: Shop) -> None:
    tables = shop.read(RATED + "A,P,2024-01-05,4\nA,P,2024-01-06,2\nA,Q,2024-01-06,2\n")
    assert "customer_rating" not in tables.events
    assert tables.products["rating"].tolist() == [4.0, 2.0]


def test_the_setting_decides(shop: Shop) -> None:
    as_product = shop.read(rated_lines(10), columns={"customer_rating": "-"})
    assert "customer_rating" not in as_product.events
    assert as_product.products["rating"].notna().all()
    as_customer = shop.read(rated_lines(0), columns={"customer_rating": "rating"})
    assert as_customer.events["customer_rating"].tolist() == [4.0] * 20
    assert as_customer.products.empty
    assert not as_customer.warnings


def test_other_attributes_on_the_lines_stay(shop: Shop) -> None:
    text = rated_lines(10).replace("rating", "rating,category").splitlines()
    tables = shop.read("\n".join([text[0], *(f"{line},Toys" for line in text[1:])]) + "\n")
    assert tables.products["category"].tolist() == ["Toys"] * 10
    assert tables.products["rating"].isna().all()
    assert tables.events["customer_rating"].notna().all()


def test_both_kinds_of_rating(shop: Shop) -> None:
    details = "product_id,rating\n" + "".join(f"P{i},3.5\n" for i in range(10))
    tables = shop.read(rated_lines(10), details, columns={"customer_rating": "rating", "rating": "rating"})
    assert tables.products["rating"].tolist() == [3.5] * 10
    assert tables.events["customer_rating"].notna().all()


def test_customers_ratings_are_read_as_ratings(shop: Shop) -> None:
    ratings = ["4/5", "0", "4,5", "7", *["3", "2"] * 10]
    text = RATED.replace(",", ";") + "".join(f"C{i};P{i % 4};2024-01-05;{stars}\n" for i, stars in enumerate(ratings))
    tables = shop.read(text)
    found = tables.events.set_index("customer_id")["customer_rating"]
    assert found[["C0", "C2"]].tolist() == [4.0, 4.5]
    assert pd.isna(found["C1"])
    assert "C3" not in found.index
    assert tables.quarantine[["line", "text"]].to_numpy().tolist() == [[5, "7"]]
    tens = rated_lines(10, rating="9")
    assert "set data.columns.customer_rating=-" in shop.refused(tens, columns={"customer_rating": "rating"})


def test_ratings_of_three_decimals_are_no_thousands(shop: Shop) -> None:
    tables = shop.read(RATED + "".join(f"C{i},P1,2024-01-05,4.{125 + i}\n" for i in range(4)))
    assert tables.events["customer_rating"].tolist() == [4.125, 4.126, 4.127, 4.128]


# Without dates


def test_undated_purchases(shop: Shop) -> None:
    text = "customer_id,product_id,category,page_views\nC1,P1,Toys,3\nC1,P2,Books,4\nC1,P1,Toys,3\n"
    tables = shop.read(text, columns=UNDATED)
    assert (tables.time, len(tables.events), account_of(tables).duplicates) == ("none", 2, 1)
    assert tables.events["purchase_date"].isna().all()
    assert str(tables.events["purchase_date"].dtype) == "datetime64[s]"
    assert tables.products["category"].tolist() == ["Toys", "Books"]
    assert tables.customers["page_views"].tolist() == [4.0]


def test_a_missing_date_says_what_to_do_without_dates(shop: Shop) -> None:
    message = shop.refused("customer_id,product_id\nC1,P1\n")
    assert "no column purchase_date" in message
    assert "for data without dates set data.columns.purchase_date=- and split.protocol=random" in message


def test_dates_that_are_there_are_left_alone_where_the_setting_says_so(shop: Shop) -> None:
    tables = shop.read(HEADER + "C1,P1,2024-01-05\n", columns=UNDATED)
    assert tables.time == "none"
    assert tables.events["purchase_date"].isna().all()


@pytest.mark.parametrize("dated", [True, False])
def test_values_on_the_lines_do_not_hang_on_the_order_of_rows(shop: Shop, dated: bool) -> None:
    """Several values of one day, or without any date: the reader chooses by value, never by place."""
    lines = [f"C{i % 2},P{i % 2},2024-01-05,{name},{i}\n" for i, name in enumerate(["b", "a", "", "d", "c", "e"])]
    kept = [
        shop.read(HEADER.replace("\n", ",category,page_views\n") + "".join(each), columns={} if dated else UNDATED)
        for each in (lines, lines[::-1])
    ]
    assert kept[0].fingerprint == kept[1].fingerprint
    assert kept[0].customers["page_views"].tolist() == [4.0, 5.0]


def test_an_order_in_place_of_dates(shop: Shop) -> None:
    text = "customer_id,product_id,seq\nC1,P2,1\nC1,P1,0\nC1,P1,2\n" + rows(60, lambda i: f"D{i},P1,{i}")
    tables = shop.read(text + "C2,P1,x\nC2,P2,\n", columns={**UNDATED, "order": "seq"})
    assert tables.time == "order"
    mine = tables.events[tables.events["customer_id"] == "C1"].sort_values("order")
    assert mine["product_id"].tolist() == ["P1", "P2", "P1"]
    assert tables.quarantine[["column", "reason", "text"]].to_numpy().tolist() == [
        ["seq", "is no number", "x"],
        ["seq", "is no number", ""],
    ]


# Parts


def test_parts_are_read_under_their_usual_names(shop: Shop) -> None:
    text = HEADER.replace("\n", ",Part\n") + "C1,P1,2024-01-05,Train\nC1,P2,2024-01-06,VAL\nC1,P3,2024-01-07,test\n"
    tables = shop.read(text, columns={"split": "Part"})
    assert tables.events["split"].tolist() == ["train", "valid", "test"]


def test_a_part_nobody_knows(shop: Shop) -> None:
    text = HEADER.replace("\n", ",Part\n") + "C1,P1,2024-01-05,train\nC1,P2,2024-01-06,fold1\n"
    message = shop.refused(text, columns={"split": "Part"})
    assert "unknown part 'fold1'; known are train, valid, test" in message


def test_a_row_without_a_part_is_quarantined(shop: Shop) -> None:
    good = rows(30, lambda i: f"C{i},P{i},2024-01-05,train")
    tables = shop.read(HEADER.replace("\n", ",part\n") + good + "C1,P2,2024-01-06,\n", columns={"split": "part"})
    assert tables.quarantine[["column", "reason"]].to_numpy().tolist() == [["part", "is missing"]]
    assert len(tables.events) == 30


def test_a_shops_own_split_and_order_are_left_alone(shop: Shop) -> None:
    text = HEADER.replace("\n", ",split,order\n") + "C1,P1,2024-01-05,left,INV-7\n"
    tables = shop.read(text)
    assert list(tables.events.columns)[-1] == "time_spent"
    assert any("columns not used: 'split', 'order'" in note for note in account_of(tables).notes)


def test_a_setting_that_names_no_column(shop: Shop) -> None:
    for column in ("customer_rating", "split", "order"):
        assert f"data.columns.{column} names 'nothing'" in shop.refused(
            HEADER + "C1,P1,2024-01-05\n", columns={column: "nothing"}
        )


def test_what_is_written_is_read_again(tmp_path: Path) -> None:
    from shops import lines, tables_of, write_shop

    more = {"customer_rating": [5, 1, None], "split": ["train", "test", "train"]}
    bought = lines(("A", "P", 1), ("A", "Q", 2), ("B", "P", 3), **more)
    empty = [pd.DataFrame({name: pd.Series(dtype="str")}) for name in ("customer_id", "product_id")]
    made = tables_of(empty[0], empty[1], bought)
    folder = write_shop(tmp_path, replace(made))
    read = read_tables(DataConfig(name="t", path=str(folder), columns={"split": "split"}))
    pd.testing.assert_frame_equal(unfolded(read.events), made.events[read.events.columns], check_dtype=False)

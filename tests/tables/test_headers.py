from __future__ import annotations

import pytest
from shop_folder import Shop, account_of

from embedrec.tables.config import ColumnsConfig
from embedrec.tables.headers import COLUMNS, key

LINE = "C1,P1,2024-01-05\n"


@pytest.mark.parametrize(
    "header",
    [
        "Customer ID,Product ID,Purchase date",
        "customerId,productId,purchaseDate",
        " CUSTOMER_ID , product_id,PURCHASE_DATE ",
        "user_id,item_id,timestamp",
        "CustomerID,StockCode,InvoiceDate",
    ],
)
def test_headers_by_name_and_synonym(shop: Shop, header: str) -> None:
    event = shop.read(f"{header}\n{LINE}").events.iloc[0]
    assert (event["customer_id"], event["product_id"]) == ("C1", "P1")


@pytest.mark.parametrize("header", ["rating", "Ratings", "user_ratings"])
def test_ratings_have_many_names(shop: Shop, header: str) -> None:
    tables = shop.read(f"customer_id,product_id,purchase_date\n{LINE}", f"product_id,{header}\nP1,4.5\n")
    assert tables.products["rating"].tolist() == [4.5]


def test_time_spent_on_website(shop: Shop) -> None:
    behaviour = "Customer ID,Page views,Time spent on website\nC1,18,19\n"
    customers = shop.read(f"customer_id,product_id,purchase_date\n{LINE}", interactions=behaviour).customers
    assert customers.to_numpy().tolist() == [["C1", 18.0, 19.0]]


@pytest.mark.parametrize(
    ("header", "line"),
    [
        (
            "Belegnr.;Bestelldatum;Kundennr.;Kunde;Artikelnummer;Menge;Einzelpreis",
            "R1;05.01.2024;C1;Ann;P1;2;1.299,50 €",
        ),
        (
            "Name,Email,Created at,Lineitem quantity,Lineitem sku,Lineitem price",
            "#1,C1,2024-01-05 10:00 +0100,2,P1,1299.50",
        ),
        ("Order Date,Customer User ID,Product ID,SKU,Quantity,Item Cost", "2024-01-05 10:00,C1,P1,S9,2,1299.50"),
        ("ts,visitor_id,item_id,quantity,price", "1704445200000,C1,P1,2,1299.50"),
        ("t_dat,customer_id,article_id,product_code,qty,price", "2024-01-05,C1,P1,00,2,1299.50"),
    ],
    ids=["a German ERP", "Shopify", "WooCommerce", "an event log", "H&M"],
)
def test_exports_of_well_known_programs_are_read_as_they_are(shop: Shop, header: str, line: str) -> None:
    event = shop.read(f"{header}\n{line}\n").events.iloc[0]
    assert event[["customer_id", "product_id", "quantity", "price"]].tolist() == ["C1", "P1", 2, 1299.5]
    assert str(event["purchase_date"])[:10] == "2024-01-05"


def test_a_code_of_the_product_is_its_id_only_where_there_is_no_other(shop: Shop) -> None:
    line = "C1,P1,S1,2024-01-05\n"
    assert shop.read(f"customer_id,product_id,sku,date\n{line}").events["product_id"].tolist() == ["P1"]
    assert shop.read(f"customer_id,colour,sku,date\n{line}").events["product_id"].tolist() == ["S1"]
    assert "'product_code' and 'sku' could both be" in shop.refused(f"customer_id,product_code,sku,date\n{line}")


def test_two_headers_for_one_column_are_settled_by_the_settings(shop: Shop) -> None:
    text = "customer_id,user_id,product_id,purchase_date\nC1,U1,P1,2024-01-05\n"
    message = shop.refused(text)
    assert "'customer_id' and 'user_id' could both be customer_id" in message
    assert "data.columns.customer_id" in message
    assert shop.read(text, columns={"customer_id": "user_id"}).events["customer_id"].tolist() == ["U1"]


def test_a_missing_column_names_file_columns_nearest_and_setting(shop: Shop) -> None:
    message = shop.refused("custmer_id,product_id,purchase_date\n" + LINE)
    for part in (
        "purchase_history.csv",
        "no column customer_id",
        "'product_id'",
        "did you mean 'custmer_id'?",
        "data.columns.customer_id=",
    ):
        assert part in message


@pytest.mark.parametrize(("table", "column"), [("details", "product_id"), ("interactions", "customer_id")])
def test_each_table_needs_its_id(shop: Shop, table: str, column: str) -> None:
    text = {table: "colour,shape\nred,round\n"}
    assert f"no column {column}" in shop.refused(f"customer_id,product_id,purchase_date\n{LINE}", **text)


def test_a_configured_header_must_exist_somewhere(shop: Shop) -> None:
    text = "customer_id,product_id,purchase_date,cost\nC1,P1,2024-01-05,3\n"
    assert "did you mean 'cost'?" in shop.refused(text, columns={"price": "costs"})
    assert shop.read(text, columns={"price": "cost"}).events["price"].tolist() == [3.0]


def test_a_setting_for_one_table_leaves_the_others_to_their_names(shop: Shop) -> None:
    tables = shop.read(
        f"buyer,product_id,purchase_date\n{LINE}",
        interactions="customer_id,page_views,time_spent\nC1,3,4\n",
        columns={"customer_id": "buyer"},
    )
    assert tables.customers["customer_id"].tolist() == tables.events["customer_id"].tolist() == ["C1"]


def test_a_dash_ignores_a_column(shop: Shop) -> None:
    text = "customer_id,product_id,purchase_date,price\nC1,P1,2024-01-05,3\n"
    assert shop.read(text, columns={"price": "-"}).events["price"].isna().all()
    assert "cannot do without customer_id" in shop.refused(text, columns={"customer_id": "-"})


def test_titles_prefer_the_name_to_the_description(shop: Shop) -> None:
    details = "product_id,name,description\nP1,Kettle,Boils water\n"
    assert shop.read(f"customer_id,product_id,purchase_date\n{LINE}", details).products["title"].tolist() == ["Kettle"]


def test_the_settings_name_every_column_once() -> None:
    assert set(ColumnsConfig.model_fields) == {*COLUMNS, "event_map", "not_products"}


def test_key_keeps_letters_of_all_scripts() -> None:
    assert key("Customer ID") == key("customerId") == key("customer_id")
    assert key("顧客") != key("商品")


HOSTILE = "\x1b[2J\x07 pr\u202eice"
SHOWN = r"\x1b[2J\x07 pr\u202eice"


def test_a_header_that_drives_a_terminal_is_escaped_wherever_it_is_named(shop: Shop) -> None:
    start = f"customer_id,product_id,purchase_date,{HOSTILE},\x1bother\n"
    settings = {"price": HOSTILE}
    lines = [f"C{i},P{i},2024-01-05,{i},\n" for i in range(30)]
    below_zero = "".join(f"C1,P{i},2024-01-06,-3,\n" for i in range(9))
    message = shop.refused(start + "".join(lines) + below_zero, columns=settings)
    assert message.isprintable()
    assert SHOWN in message
    tables = shop.read(start + "".join(lines) + "C1,P1,2024-01-05,-3,\nC1,P2,2024-01-05,inf,\n", columns=settings)
    notes = [note for note in account_of(tables).notes if SHOWN in note or r"\x1bother" in note]
    assert len(notes) == 4  # a missing value, a price of 0, a column not used, a row quarantined
    assert all(note.isprintable() for note in account_of(tables).notes)
    assert tables.quarantine["column"].tolist() == [HOSTILE], "the table itself keeps what stands in the file"


def test_a_header_of_many_kilobytes_does_not_drown_the_sentence(shop: Shop) -> None:
    header = "price" * 9_000
    lines = "".join(f"C1,P{i},2024-01-05,-3\n" for i in range(30))
    message = shop.refused(f"customer_id,product_id,purchase_date,{header}\n{lines}", columns={"price": header})
    assert len(message) < 400

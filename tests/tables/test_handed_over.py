"""Folders as people hand them over: other names of files and columns than ours, and tables that are not there."""

from __future__ import annotations

from pathlib import Path

import pytest
from shop_folder import Shop

from embedrec.errors import DataError
from embedrec.tables import DataConfig, Tables, read_tables
from embedrec.tables.headers import FILE_SYNONYMS, OWN_NAMES, SECOND_CHOICES, SYNONYMS, key

BOUGHT = (("1", "P1"), ("2", "P2"), ("1", "P2"))


def lines(header: str, *more: str) -> str:
    extra = "".join(f",{cell}" for cell in more)
    return header + "\n" + "".join(f"{who},{what},2024-01-0{i + 1}{extra}\n" for i, (who, what) in enumerate(BOUGHT))


def read(folder: Path, **settings: object) -> Tables:
    return read_tables(DataConfig.model_validate({"name": "t", "path": str(folder), **settings}))


PURCHASES_ONLY = (0, 0, 0, 0)
# files, and how many filled cells of page_views, time_spent, price and rating they hold
FOLDERS: list[tuple[dict[str, str], tuple[int, int, int, int]]] = [
    (
        {
            "purchases.csv": lines("user_id,item_id,date"),
            "products.csv": "item_id,category_name,cost,stars\nP1,a,3,4.5\nP2,b,4,3\n",
            "interactions.csv": "uid,views,time_on_site\n1,3,4\n2,5,6\n",
        },
        (2, 2, 2, 2),
    ),
    (
        {
            "orders.csv": lines("cust_id,prod_id,purchase_time,amount", "5.50"),
            "items.csv": "pid,product_category,unit_price,avg_rating\nP1,a,3,4.5\nP2,b,4,3\n",
        },
        (0, 0, 2, 2),
    ),
    (
        {
            "user_purchase_history.csv": lines("uid,pid,timestamp"),
            "product_info.csv": "prod_id,category,price,rating_avg\nP1,a,3,4.5\nP2,b,4,3\n",
            "user_interactions.csv": "user_id,page_view,session_duration\n1,3,4\n2,5,6\n",
        },
        (2, 2, 2, 2),
    ),
    (
        {
            "Transactions.csv": lines("Customer ID,Product ID,Transaction Date,Quantity Purchased", "2"),
            "Products.csv": "Product ID,Product Name,Category,Price\nP1,x,a,3\nP2,y,b,4\n",
            "Customer Behavior.csv": "Customer ID,Page Views,Time Spent (min)\n1,3,4\n2,5,6\n",
        },
        (2, 2, 2, 0),
    ),
    ({"sales.csv": lines("customer,product,date")}, PURCHASES_ONLY),
    ({"purchases.csv": lines("user,item,time")}, PURCHASES_ONLY),
    ({"purchases.csv": lines("user_id,item_id,created_at"), "users.csv": "user_id,age\n1,30\n"}, PURCHASES_ONLY),
    (
        {
            "purchase_history.csv": lines("CustomerId,ProductId,PurchaseDate,Rating", "4"),
            "products.csv": "ProductId,Name,Description,Cost,Price,Stars,Rating\nP1,x,l,1,3,2,5\nP2,y,t,2,4,6,5\n",
        },
        (0, 0, 2, 2),
    ),
    (
        {
            "purchase-history.csv": lines("client_id,sku,order_date,qty,unit_price", "1", "2.5"),
            "product-details.csv": "sku,title,department,list_price,average_rating\nP1,t,a,3,4.5\nP2,t,b,4,3\n",
        },
        (0, 0, 2, 2),
    ),
    (
        {
            "purchase_history.csv": lines("customer_id,product_id,purchase_date"),
            "customers.csv": "customer_id,age,gender\n1,30,f\n",
            "products.csv": "id,name,category,price,rating\nP1,x,a,3,4\nP2,y,b,4,5\n",
        },
        (0, 0, 2, 2),
    ),
    (
        {
            "purchase_history.csv": lines("customer_id,product_id,purchase_date,total_amount", "5"),
            "product_details.csv": "product_id,product_name,brand,category,sub_category,price,stars\n"
            "P1,x,b,a,s,3,4\nP2,x,b,a,s,3,4\n",
            "customer_interactions.csv": "customer_id,product_id,page_views,time_spent\n1,P1,3,4\n2,P1,5,6\n",
        },
        (2, 2, 2, 2),
    ),
]


@pytest.mark.parametrize(("files", "filled"), FOLDERS, ids=lambda value: "-".join(map(str, value)))
def test_usual_names_need_no_setting(shop: Shop, files: dict[str, str], filled: tuple[int, int, int, int]) -> None:
    for name, text in files.items():
        shop.write(name, text)
    tables = read(shop.folder)
    assert sorted(tables.purchases[["customer_id", "product_id"]].itertuples(index=False, name=None)) == sorted(BOUGHT)
    assert tables.purchases["purchase_date"].dt.day.tolist() == [1, 2, 3]
    customers, products = tables.customers, tables.products
    columns = (customers["page_views"], customers["time_spent"], products["price"], products["rating"])
    assert tuple(column.notna().sum() for column in columns) == filled
    if filled[2]:
        assert products["price"].tolist() in ([3.0, 4.0], [3.0, 3.0])


def test_a_tables_own_name_comes_before_its_synonyms(shop: Shop) -> None:
    shop.write("purchase_history.csv", lines("customer_id,product_id,purchase_date"))
    shop.write("orders.csv", "nothing,of,use\n1,2,3\n")
    assert read(shop.folder).accounts[0].file == "purchase_history.csv"


def test_two_synonyms_in_one_folder_are_settled_by_the_settings(shop: Shop) -> None:
    for name in ("orders.csv", "purchases.csv.gz"):
        shop.write(name, lines("customer_id,product_id,purchase_date"))
    with pytest.raises(DataError, match=r"'orders\.csv' and 'purchases\.csv\.gz': say which with data\.files\.purch"):
        read(shop.folder)
    assert read(shop.folder, files={"purchase_history": "orders.csv"}).accounts[0].file == "orders.csv"


def test_a_file_of_no_usual_name_says_what_would_be_one(shop: Shop) -> None:
    shop.write("data.csv", lines("customer_id,product_id,purchase_date"))
    with pytest.raises(DataError, match=r"or another usual name, such as 'purchases'; there is 'data\.csv'; rename"):
        read(shop.folder)


@pytest.mark.parametrize("copy", ["product_details.csv.gz", "customer_interactions.csv"])
def test_one_table_and_its_copy_in_another_dress_are_refused(shop: Shop, copy: str) -> None:
    text = lines("customer_id,product_id,purchase_date")
    shop.write("purchase_history.csv", text)
    shop.write(copy, text.replace(",", ";"))
    with pytest.raises(
        DataError, match=f"'purchase_history.csv' for purchase_history and '{copy}' .* the same table twice"
    ):
        read(shop.folder)


def test_every_name_means_one_column() -> None:
    """Of one table: what stands in two places of the synonym table could be either."""
    names: list[tuple[str, str]] = []
    for column, first in SYNONYMS.items():
        names += [(key(name), column) for name in {column, *first, *SECOND_CHOICES.get(column, ())}]
    names += [(key(name), column) for (_, column), own in OWN_NAMES.items() for name in own]
    assert len({name for name, _ in names}) == len(set(names))
    files = [key(name) for table, others in FILE_SYNONYMS.items() for name in (table, *others)]
    assert len(set(files)) == len(files)

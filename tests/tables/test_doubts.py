from __future__ import annotations

from shop_folder import Shop

HEADER = "customer_id,product_id,purchase_date,price,Order Status\n"
LINES = "C1,P1,2024-01-05,3,wc-completed\nC2,P1,2024-01-06,4,wc-cancelled\nC2,P2,2024-01-07,5,wc-refunded\n"


def test_purchases_whose_status_says_they_were_none_are_said_aloud(shop: Shop) -> None:
    assert shop.read(HEADER + LINES).warnings == (
        "purchase_history.csv: 2 lines count as purchases though their 'Order Status' is 'wc-cancelled', "
        "'wc-refunded': to set them aside give data.columns.event='Order Status' and the meaning of each of its "
        "names, +data.columns.event_map.NAME=- (or purchase, return)",
    )
    meaning = {"wc-completed": "purchase", "wc-cancelled": "-", "wc-refunded": "-"}
    tables = shop.read(HEADER + LINES, columns={"event": "Order Status", "event_map": meaning})
    assert tables.warnings == ()
    assert tables.events["customer_id"].tolist() == ["C1"]


def test_a_status_on_the_first_line_of_an_order_cannot_be_read_as_the_event_of_each(shop: Shop) -> None:
    (warning,) = shop.read(HEADER + LINES + "C2,P3,2024-01-07,5,\n").warnings
    assert warning.endswith("'wc-cancelled', 'wc-refunded': take these orders out of the file")


def test_a_status_of_sold_lines_is_no_doubt(shop: Shop) -> None:
    assert shop.read(HEADER + "C1,P1,2024-01-05,3,paid\n").warnings == ()


def test_prices_in_several_currencies_are_said_aloud_in_both_tables(shop: Shop) -> None:
    header = "customer_id,product_id,purchase_date,price\n"
    history = header + "C1,P1,2024-01-05,€3\nC1,P2,2024-01-05,$3\nC1,P1,2024-01-06,2\n"
    history_warning, details_warning = shop.read(history, "product_id,price\nP1,3 €\nP2,GBP 4\n").warnings
    assert history_warning == (
        "purchase_history.csv: 'price' holds 'EUR', 'USD', read as if all were one currency: convert them, or leave "
        "the prices out with data.columns.price=-"
    )
    assert details_warning.startswith("product_details.csv: 'price' holds 'EUR', 'GBP', read")
    assert shop.read(history, columns={"price": "-"}).warnings == ()


def test_one_currency_written_in_two_ways_is_one(shop: Shop) -> None:
    history = "customer_id,product_id,purchase_date,price\nC1,P1,2024-01-05,€3\nC1,P2,2024-01-05,3 EUR\n"
    assert shop.read(history).warnings == ()

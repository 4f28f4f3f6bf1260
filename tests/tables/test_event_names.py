from __future__ import annotations

import pytest
from shop_folder import Shop, account_of


@pytest.mark.parametrize(
    ("name", "kind"),
    [
        ("add_to_cart", "cart"),
        ("addToCart", "cart"),
        ("page view", "view"),
        ("Purchased", "purchase"),
        ("transaction", "purchase"),
    ],
)
def test_usual_names_of_events_need_no_setting(shop: Shop, name: str, kind: str) -> None:
    header = "customer_id,product_id,purchase_date,event\n"
    tables = shop.read(f"{header}C1,P1,2024-01-05,purchase\nC1,P2,2024-01-06,{name}\n")
    assert tables.events["event"].tolist() == ["purchase", kind]


def test_what_leaves_the_cart_is_set_aside_unless_the_settings_say_otherwise(shop: Shop) -> None:
    text = "customer_id,product_id,date,event\nC1,P1,2024-01-05,purchase\nC1,P2,2024-01-06,remove_from_cart\n"
    tables = shop.read(text)
    assert account_of(tables).set_aside == 1
    assert "1 row with event 'remove_from_cart' set aside" in account_of(tables).notes
    mapped = shop.read(text, columns={"event_map": {"remove_from_cart": "view"}})
    assert mapped.events["event"].tolist() == ["purchase", "view"]

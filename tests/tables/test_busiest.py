from __future__ import annotations

import random

import pytest
from pydantic import ValidationError
from shop_folder import HEADER, Shop, account_of, rows

from embedrec.tables import DataConfig, Tables, read_tables

WHO = "a till, a reseller or a test account?"
LIMIT = 50


def read(shop: Shop, text: str, interactions: str | None = None, **settings: object) -> Tables:
    shop.write("purchase_history.csv", text)
    if interactions:
        shop.write("customer_interactions.csv", interactions)
    config = {"name": "t", "path": str(shop.folder), "max_events_per_customer": LIMIT, **settings}
    return read_tables(DataConfig.model_validate(config))


def test_a_customer_with_more_events_than_the_cap_keeps_the_last_ones(shop: Shop) -> None:
    till = [f"TILL,P{i},2024-03-{i % 28 + 1:02d} 10:{i // 28:02d}\n" for i in range(80)]
    tables = read(shop, HEADER + rows(20) + "".join(till))
    kept = tables.purchases[tables.purchases["customer_id"] == "TILL"]
    latest = sorted(till, key=lambda line: line.split(",")[2])[-LIMIT:]
    assert sorted(kept["product_id"]) == sorted(line.split(",")[1] for line in latest)
    account = account_of(tables)
    assert (account.read, account.used, account.set_aside) == (100, 70, 30)
    assert "30 rows beyond the last 50 of their customer (data.max_events_per_customer) set aside" in account.notes
    assert tables.warnings == (
        "purchase_history.csv: 80% of the 100 events are of customer 'TILL', of which the last 50 are used "
        f"(data.max_events_per_customer): {WHO} Leave it out of the file if it is no customer",
    )


def test_the_cap_goes_by_the_order_where_there_are_no_dates(shop: Shop) -> None:
    text = "customer_id,product_id,nr\n" + "".join(f"C,P{i},{100 - i}\n" for i in range(60))
    tables = read(shop, text, columns={"purchase_date": "-", "order": "nr"})
    assert set(tables.purchases["product_id"]) == {f"P{i}" for i in range(LIMIT)}


@pytest.mark.parametrize("columns", [{}, {"purchase_date": "-"}])
def test_the_order_of_rows_leaves_no_trace(shop: Shop, columns: dict[str, str]) -> None:
    """Where more rows of a customer carry the last moment than the cap lets in."""
    lines = [f"C,P{i},2024-01-0{i % 2 + 1}\n" for i in range(4 * LIMIT)]
    tables = []
    for seed in range(3):
        random.Random(seed).shuffle(lines)
        tables.append(read(shop, HEADER + "".join(lines), columns=columns))
    assert {len(one.events) for one in tables} == {LIMIT}
    assert len({one.fingerprint for one in tables}) == 1


def test_dated_behaviour_is_capped_too(shop: Shop) -> None:
    views = "customer_id,product_id,timestamp\n" + "".join(f"BOT,P{i},2024-01-01 10:{i % 60:02d}\n" for i in range(90))
    tables = read(shop, HEADER + rows(20), views)
    assert account_of(tables, "customer_interactions").set_aside == 40
    assert any("customer 'BOT'" in warning for warning in tables.warnings)


def test_a_customer_below_the_cap_with_much_of_a_large_table_is_named(shop: Shop) -> None:
    many = HEADER + rows(880) + "".join(f"AB,P{i},2024-02-01\n" for i in range(120))
    tables = read(shop, many, max_events_per_customer=1000)
    assert [warning for warning in tables.warnings if WHO in warning] == [
        f"purchase_history.csv: 12% of the 1,000 events are of customer 'AB': {WHO} "
        "Leave it out of the file if it is no customer"
    ]
    assert account_of(tables).used == 1000
    tables = read(shop, HEADER + rows(1000), max_events_per_customer=1000)
    assert not any(WHO in warning for warning in tables.warnings)
    tables = read(shop, HEADER + rows(10) + "C1,P0,2024-02-02\n" * 5, max_events_per_customer=1000)
    assert not any(WHO in warning for warning in tables.warnings)


def test_the_cap_is_a_hundred_thousand_unless_said_otherwise() -> None:
    assert DataConfig(name="t").max_events_per_customer == 100_000
    with pytest.raises(ValidationError):
        DataConfig(name="t", max_events_per_customer=0)

from __future__ import annotations

import gzip
from pathlib import Path

import pandas as pd
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from shop_folder import HEADER, Shop, account_of, rows

from embedrec.columns import DETAILS, INTERACTIONS
from embedrec.errors import DataError
from embedrec.tables import DataConfig, Tables, read_tables
from embedrec.tables.reading import RATING_OF_PRODUCT, UNDATED

ONE = HEADER + "C1,P1,2024-01-05\n"


def counts(tables: Tables) -> tuple[int, int, int, int, int]:
    a = account_of(tables)
    return a.read, a.used, a.quarantined, a.duplicates, a.set_aside


def test_the_three_tables_of_the_brief(shop: Shop) -> None:
    tables = shop.read(
        HEADER + "C2,P1,2024-01-06\nC1,P2,2024-01-05\n",
        "product_id,category,price,ratings\nP2,Toys,9.5,4\nP1,,,\n",
        "customer_id,page_views,time_spent\nC2,,7\nC1,3,4\n",
    )
    assert tables.events["customer_id"].tolist() == ["C1", "C2"]
    assert tables.events["quantity"].tolist() == [1.0, 1.0]
    assert tables.products["product_id"].tolist() == ["P1", "P2"]
    assert tables.products.loc[0, ["category", "price", "rating"]].isna().all()
    assert tables.products.loc[1, ["category", "price", "rating"]].tolist() == ["Toys", 9.5, 4.0]
    assert tables.customers["time_spent"].tolist() == [4.0, 7.0]
    assert set(tables.warnings) == {UNDATED, RATING_OF_PRODUCT}


# Which rows count


def test_a_bad_date_among_few_rows_stops_and_says_where(shop: Shop) -> None:
    message = shop.refused(HEADER + rows(4) + "C9,P1,soon\n" + rows(3))
    for part in (
        "purchase_history.csv, line 6",
        "purchase_date 'soon' is not a date",
        "1 of 8 rows (12%)",
        "5%",
    ):
        assert part in message


def test_a_bad_date_among_many_rows_is_quarantined(shop: Shop) -> None:
    tables = shop.read(HEADER + rows(30) + "C9,P1,2024-02-30\n")
    assert counts(tables) == (31, 30, 1, 0, 0)
    found = tables.quarantine.iloc[0]
    assert (found["line"], found["column"], found["text"]) == (32, "purchase_date", "2024-02-30")
    assert any("1 row quarantined: purchase_date is not a date" in note for note in account_of(tables).notes)


def test_a_date_in_the_future_does_not_move_the_end_of_the_data(shop: Shop) -> None:
    ahead = (pd.Timestamp.now("UTC") + pd.Timedelta(days=3)).strftime("%Y-%m-%d")
    tables = shop.read(HEADER + rows(30) + f"C9,P1,{ahead}\n")
    assert counts(tables) == (31, 30, 1, 0, 0)
    assert tables.events["purchase_date"].max() == pd.Timestamp("2024-01-28")
    assert tables.quarantine["reason"].iloc[0].startswith("lies in the future (today is 20")


def test_rows_without_a_product_are_quarantined_without_a_customer_set_aside(shop: Shop) -> None:
    tables = shop.read(HEADER + rows(30) + ",P1,2024-01-05\nC1,,2024-01-05\n")
    assert counts(tables) == (32, 30, 1, 0, 1)
    assert "1 row without a customer set aside" in account_of(tables).notes


def test_exact_duplicates_are_counted_once(shop: Shop) -> None:
    tables = shop.read(HEADER + "C1,P1,2024-01-05\n" * 3 + "C1,P1,2024-01-06\n")
    assert counts(tables) == (4, 2, 0, 2, 0)


def test_a_line_may_repeat_within_a_numbered_order(shop: Shop) -> None:
    text = "order_id,customer_id,product_id,purchase_date\n" + "7,C1,P1,2024-01-05\n" * 2
    tables = shop.read(text)
    assert counts(tables) == (2, 2, 0, 0, 0)
    assert any("1 lines repeat within their order_id" in note for note in account_of(tables).notes)


def test_quantities_and_prices(shop: Shop) -> None:
    text = "customer_id,product_id,purchase_date,quantity,price\n"
    good = rows(40, lambda i: f"C{i},P1,2024-01-05,2,3.50")
    tables = shop.read(
        text + good + "C1,P2,2024-01-05,-1,3\nC1,P3,2024-01-05,0,3\nC1,P4,2024-01-05,1,-3\nC1,P5,2024-01-05,,\n"
    )
    assert counts(tables) == (44, 41, 2, 0, 1)
    events = tables.events.set_index("product_id")
    assert events.loc["P1", ["quantity", "price"]].drop_duplicates().to_numpy().tolist() == [[2.0, 3.5]]
    assert events.loc["P5", "quantity"] == 1
    assert pd.isna(events.loc["P5", "price"])
    assert tables.quarantine["reason"].tolist() == ["is 0", "is negative"]


def test_what_is_no_number_of_pieces_is_quarantined(shop: Shop) -> None:
    text = "customer_id,product_id,purchase_date,quantity\n"
    good = rows(100, lambda i: f"C{i},P1,2024-01-05,{i % 3 + 1}.0")
    odd = rows(4, lambda i: f"C{i},P2,2024-01-05,{['0', '1.5', 'some', '-1.5'][i]}")
    tables = shop.read(text + good + odd)
    assert counts(tables) == (104, 100, 3, 0, 1)
    found = tables.quarantine[["line", "column", "reason", "text"]].to_numpy().tolist()
    assert found == [
        [102, "quantity", "is 0", "0"],
        [103, "quantity", "is no whole number of pieces", "1.5"],
        [104, "quantity", "is no finite number", "some"],
    ]
    assert not any("taken as missing" in note for note in account_of(tables).notes)


def test_goods_sold_by_weight_are_told_what_to_do(shop: Shop) -> None:
    text = "customer_id,product_id,purchase_date,quantity\n" + rows(20, lambda i: f"C{i},P1,2024-01-05,{i + 1}.5")
    message = shop.refused(text)
    assert "line 2: quantity '1.5' is no whole number of pieces; 20 of 20 rows (100%)" in message
    assert "set data.columns.quantity=- to count every line as one piece" in message
    assert counts(shop.read(text, columns={"quantity": "-"})) == (20, 20, 0, 0, 0)


def test_extreme_prices_and_quantities_are_kept_and_counted(shop: Shop) -> None:
    text = "customer_id,product_id,purchase_date,quantity,price\n"
    tables = shop.read(
        text
        + rows(40, lambda i: f"C{i},P1,2024-01-05,2,3.50")
        + "C1,P2,2024-01-05,1000000000000000,0\nC1,P3,2024-01-05,3,1e12\n"
    )
    assert counts(tables) == (42, 42, 0, 0, 0)
    notes = account_of(tables).notes
    assert "1 value of quantity above 1,000 times the median, up to 1e+15: kept" in notes
    assert "1 value of price above 1,000 times the median, up to 1e+12: kept" in notes
    assert "1 value of price equal to 0: kept" in notes


def test_no_purchase_left_says_why(shop: Shop) -> None:
    message = shop.refused("customer_id,product_id,purchase_date,quantity\nC1,P1,2024-01-05,-1\n")
    assert "no purchase is left" in message
    assert "1 row of returned pieces, more than were bought before, set aside" in message


def test_a_column_of_no_numbers_stops(shop: Shop) -> None:
    prices = ["cheap", "3", "dear"]
    text = "customer_id,product_id,purchase_date,price\n" + rows(3, lambda i: f"C{i},P1,2024-01-05,{prices[i]}")
    message = shop.refused(text)
    assert "line 2: price 'cheap' is not a number" in message


# Events


def test_events_are_told_apart_by_name(shop: Shop) -> None:
    tables = shop.read(
        "customer_id,product_id,timestamp,event,time_spent\n"
        "C1,P1,2024-01-05,Purchase,5\nC1,P1,2024-01-04,view,30\nC1,P1,2024-01-04,cart,2\nC1,,2024-01-03,view,7\n"
        "C1,P1,2024-01-03,return,\nC1,P1,2024-01-03,cancelled,\nC1,P1,2024-01-03,Returning visit,\n"
    )
    assert tables.events["event"].tolist() == ["view", "cart", "view", "purchase"]
    assert counts(tables) == (7, 4, 0, 0, 3)
    assert "2 rows of returned pieces, more than were bought before, set aside" in account_of(tables).notes
    assert "1 row with event 'Returning visit' set aside" in account_of(tables).notes
    assert tables.events.set_index("event").loc["cart", "time_spent"] == 2
    assert len(tables.purchases) == 1
    assert tables.customers.empty


def test_foreign_event_names_need_a_map(shop: Shop) -> None:
    text = "customer_id,product_id,timestamp,event\nC1,P1,2024-01-05,rate\nC1,P1,2024-01-05,Play\n"
    message = shop.refused(text)
    for part in ("line 2: event 'rate'", "purchase, view, cart", "'rate', 'Play'", "data.columns.event_map"):
        assert part in message
    tables = shop.read(text, columns={"event_map": {"rate": "purchase", "play": "-"}})
    assert counts(tables) == (2, 1, 0, 0, 1)


def test_a_few_unknown_events_are_quarantined(shop: Shop) -> None:
    text = "customer_id,product_id,timestamp,event\n"
    tables = shop.read(text + rows(30, lambda i: f"C{i},P1,2024-01-05,purchase") + "C1,P1,2024-01-05,wish\n")
    assert counts(tables) == (31, 30, 1, 0, 0)
    assert tables.quarantine[["line", "column", "reason", "text"]].to_numpy().tolist() == [
        [32, "event", "is not one of purchase, view, cart", "wish"]
    ]


def test_dated_interactions_become_events(shop: Shop) -> None:
    tables = shop.read(
        ONE,
        interactions="user,item,timestamp,page_views,time_spent\nC1,P1,2024-01-04,3,60\nC1,,2024-01-03,,5\n,P1,2024-01-03,1,1\n",
    )
    views = tables.events[tables.events["event"] == "view"]
    assert views["quantity"].tolist() == [1.0, 3.0]
    assert views["time_spent"].tolist() == [5.0, 60.0]
    assert views["product_id"].isna().tolist() == [True, False]
    assert tables.customers.empty
    assert UNDATED not in tables.warnings
    account = account_of(tables, INTERACTIONS)
    assert (account.read, account.used, account.set_aside) == (3, 2, 1)


def test_purchases_among_dated_interactions_are_not_counted_twice(shop: Shop) -> None:
    tables = shop.read(
        ONE,
        interactions="customer_id,product_id,date,event\nC1,P1,2024-01-05,purchase\nC1,P1,2024-01-04,cart\n",
    )
    assert tables.events["event"].tolist() == ["cart", "purchase"]
    assert account_of(tables, INTERACTIONS).set_aside == 1


# Products and customers


def test_products_on_the_purchase_lines_take_the_first_known_value(shop: Shop) -> None:
    tables = shop.read(
        "customer_id,product_id,purchase_date,category,price,rating,page_views,time_spent\n"
        "C1,P1,2024-01-09,,12,,8,\nC1,P1,2024-01-05,Toys,10,4,2,60\nC2,P2,2024-01-05,Books,5,0,1,30\n"
    )
    assert tables.products[["category", "rating"]].iloc[0].tolist() == ["Toys", 4.0]
    assert tables.products["price"].isna().all(), "what a line cost is no catalogue price"
    assert tables.products["known_from"].dt.strftime("%m-%d").tolist() == ["01-05", "01-05"]
    assert tables.products["rating"].isna().tolist() == [False, True]
    assert tables.customers.to_numpy().tolist() == [["C1", 8.0, 60.0], ["C2", 1.0, 30.0]]
    assert tables.events["price"].tolist() == [10.0, 5.0, 12.0]
    assert tables.events["time_spent"].isna().all()
    assert UNDATED in tables.warnings


def test_attributes_on_the_lines_count_from_the_day_they_were_known(shop: Shop) -> None:
    tables = shop.read(
        "customer_id,product_id,purchase_date,category,rating\n"
        "C1,P1,2024-01-05,Toys,\nC1,P1,2024-01-09,Games,4\nC2,P2,2024-01-07,,\n"
    )
    assert tables.products["category"].tolist()[0] == "Toys"
    assert tables.products["known_from"].dt.strftime("%m-%d").tolist() == ["01-09", "01-07"]
    assert any("several values of category on the purchase lines" in warning for warning in tables.warnings)


def test_a_details_table_outranks_the_lines(shop: Shop) -> None:
    text = "customer_id,product_id,purchase_date,category\nC1,P1,2024-01-09,Toys\n"
    assert shop.read(text, "product_id,category\nP1,Books\n").products["category"].tolist() == ["Books"]


def test_ratings_outside_the_scale(shop: Shop) -> None:
    ratings = ["4/5", "4,5", "0", "7", "-1", "good", *["3"] * 40]
    details = "product_id;rating\n" + "".join(f"P{i};{rating}\n" for i, rating in enumerate(ratings))
    tables = shop.read(HEADER + "C1,P0,2024-01-05\n", details)
    by_id = tables.products.set_index("product_id")["rating"]
    assert by_id[["P0", "P1"]].tolist() == [4.0, 4.5]
    assert by_id[["P2", "P5"]].isna().all()
    assert not {"P3", "P4"} & set(by_id.index)
    assert tables.quarantine[["line", "text"]].to_numpy().tolist() == [[5, "7"], [6, "-1"]]
    notes = " ".join(account_of(tables, DETAILS).notes)
    assert "2 rows quarantined: rating lies outside 0–5" in notes
    assert "means no rating" in notes
    assert "1 value of rating taken as missing: rating is no finite number" in notes


def test_too_many_ratings_outside_the_scale_stop(shop: Shop) -> None:
    good = "".join(f"P{i},3\n" for i in range(18))
    for few, said in (("P98,9\n", "5% may be"), ("P97,9\n" * 9, "9 of 27 ratings lie above 5")):
        message = shop.refused(HEADER + "C1,P1,2024-01-05\n", "product_id,rating\n" + good + few)
        assert said in message
        assert "bring ratings to a scale up to 5, or set data.columns.rating=-" in message


def test_negative_behaviour_is_missing(shop: Shop) -> None:
    tables = shop.read(ONE, interactions="customer_id,page_views,time_spent\nC1,-3,inf\nC2,3,4\nC3,1,2\n")
    assert tables.customers.iloc[0, 1:].isna().all()
    notes = account_of(tables, INTERACTIONS).notes
    assert "1 value of page_views taken as missing: page_views is below 0" in notes
    assert "1 value of time_spent taken as missing: time_spent is no finite number" in notes


def test_the_last_row_of_a_product_or_customer_wins(shop: Shop) -> None:
    tables = shop.read(
        ONE,
        "product_id,price\nP1,1\nP2,2\nP2,2\nP1,3\n",
        "customer_id,page_views\nC1,1\nC1,2\n",
    )
    assert tables.products["price"].tolist() == [3.0, 2.0]
    assert tables.customers["page_views"].tolist() == [2.0]
    details = account_of(tables, DETAILS)
    assert details.duplicates == 2
    assert any("(1 of them with other values: 'P1' price '1.0' → '3.0')" in note for note in details.notes)
    assert account_of(tables, INTERACTIONS).duplicates == 1


def test_conflicting_products_are_shown_up_to_a_few(shop: Shop) -> None:
    lines = ["P1,Toys,\n", "P1,Games,\n", *(f"P{i},Toys,{price}\n" for price in (1, 2) for i in range(2, 9))]
    details = account_of(shop.read(ONE, "product_id,category,price\n" + "".join(lines)), DETAILS)
    shown = ", ".join(["'P1' category 'Toys' → 'Games'", *(f"'P{i}' price '1.0' → '2.0'" for i in range(2, 6))])
    assert any(f"(8 of them with other values: {shown}, …)" in note for note in details.notes)


def test_ids_in_one_table_only_are_kept_and_counted(shop: Shop) -> None:
    tables = shop.read(
        HEADER + "C1,P1,2024-01-05\nC2,P9,2024-01-06\nC3,P1,2024-01-07\n",
        "product_id,price\nP1,1\nP2,2\n",
        "customer_id,page_views\nC1,4\n",
    )
    notes = account_of(tables, DETAILS).notes
    assert "1 purchases have a product_id that is not in this table: kept (no details)" in notes
    assert "1 rows have a product_id without a purchase: kept" in notes
    assert len(tables.purchases) == 3
    assert any("67% of the purchases have a customer_id" in warning for warning in tables.warnings)


def test_details_of_other_products_stop(shop: Shop) -> None:
    history = HEADER + "C1,P1,2024-01-05\nC1,P9,2024-01-06\n"
    assert len(shop.read(history, "product_id,price\nP1,1\n").purchases) == 2, "half may be unknown"
    message = shop.refused(history + "C1,P9,2024-01-07\n", "product_id,price\nP1,1\n")
    for part in (
        "product_details.csv: 67% of the purchases",
        "'P9' where it has 'P1'",
        "data.files.product_details=-",
    ):
        assert part in message
    assert "'P1' where it has none" in shop.refused(ONE, "product_id,price\n,\n")


def test_a_category_of_its_own_for_nearly_each_product_is_warned_about(shop: Shop) -> None:
    def asked(products: int, categories: int) -> list[str]:
        details = "".join(f"P{i},K{i % categories}\n" for i in range(products))
        tables = shop.read(HEADER + "C1,P1,2024-01-05\n", "product_id,category\n" + details)
        return [warning for warning in tables.warnings if "is this an id?" in warning]

    (warning,) = asked(100, 81)
    assert warning.startswith("product_details.csv: category has 81 values for 100 products, such as 'K0'")
    assert asked(100, 80) == asked(49, 49) == []


def test_category_words_for_nothing(shop: Shop) -> None:
    details = "product_id,category\nP1,nan\nP2, Toys \nP3,\nP4,None\n"
    assert shop.read(ONE, details).products["category"].isna().tolist() == [True, False, True, True]


def test_texts_are_one_spelling_without_control_characters(shop: Shop) -> None:
    cells = ["cafe\u0301", "caf\u00e9", "\x1b[1mToys\x07", "\U0001f600 \u05d0", "a\u0085"]
    details = "product_id,category\n" + "".join(f"P{i},{cell}\n" for i, cell in enumerate(cells))
    tables = shop.read(HEADER + "C1,P1,2024-01-05\n", details)
    assert tables.products["category"].tolist() == ["caf\u00e9", "caf\u00e9", "[1mToys", "\U0001f600 \u05d0", "a"]
    assert "2 values of category held control characters: removed" in account_of(tables, DETAILS).notes


def test_texts_with_a_nul_or_without_end_are_quarantined(shop: Shop) -> None:
    good = "".join(f"P{i},Toys,Ball\n" for i in range(60))
    long = ["x" * 65_536, "x" * 65_537, "\u00e9" * 32_769]
    odd = "P97,a\x00b,Ball\n" + "".join(f"P{i + 70},Toys,{text}\n" for i, text in enumerate(long))
    tables = shop.read(HEADER + "C1,P1,2024-01-05\n", "product_id,category,title\n" + good + odd)
    found = tables.quarantine[["line", "column", "reason"]].to_numpy().tolist()
    too_long = [[line, "title", "is longer than 65,536 bytes"] for line in (64, 65)]
    assert found == [[62, "category", "holds a NUL"], *too_long]
    assert "P70" in set(tables.products["product_id"])


# Parquet


def test_parquet_types(tmp_path: Path) -> None:
    frame = pd.DataFrame(
        {
            "user_id": pd.Series([2**53 + 1, 7], dtype="int64"),
            "item_id": pd.Categorical(["007", "7"]),
            "timestamp": pd.to_datetime(["2024-01-05 01:00", "2024-01-06 01:00"]).tz_localize("Europe/Paris"),
            "category": [12.0, None],
            "event": [1.0, 1.0],
            "related": [[1], [2]],
        }
    )
    file = tmp_path / "lines.parquet"
    frame.to_parquet(file)
    settings = {"name": "t", "path": str(file), "columns": {"event_map": {1: "purchase"}}}
    tables = read_tables(DataConfig.model_validate(settings))
    assert tables.events["customer_id"].tolist() == ["9007199254740993", "7"]
    assert tables.events["product_id"].tolist() == ["007", "7"]
    assert tables.events["purchase_date"].tolist()[0] == pd.Timestamp("2024-01-05")
    assert tables.products["category"].iloc[0] == "12"
    assert any("'related'" in note for note in account_of(tables).notes)


def test_a_parquet_column_of_dates_is_no_id(tmp_path: Path) -> None:
    file = tmp_path / "lines.parquet"
    day = pd.to_datetime(["2024-01-05"])
    pd.DataFrame({"customer_id": day, "product_id": ["P1"], "purchase_date": day}).to_parquet(file)
    with pytest.raises(DataError, match="column customer_id: holds dates where ids are wanted"):
        read_tables(DataConfig(name="t", path=str(file)))


def test_a_parquet_file_cut_off(tmp_path: Path) -> None:
    file = tmp_path / "lines.parquet"
    pd.DataFrame({"a": range(1000)}).to_parquet(file)
    file.write_bytes(file.read_bytes()[:-20])
    with pytest.raises(DataError, match=r"lines\.parquet: not a readable parquet file"):
        read_tables(DataConfig(name="t", path=str(file)))


# What must hold for every file

CELL = st.one_of(
    st.sampled_from(
        ["C1", "007", "7", "", "NA", "2024-01-05", "2024-13-05", "05/03/2024", "-3", "4,5", "inf", '"', "x;y"]
    ),
    st.text(st.characters(codec="utf-8"), max_size=6),
)


@settings(max_examples=100, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    good=st.integers(0, 60),
    odd=st.lists(st.lists(CELL, max_size=6).map(",".join), max_size=4),
    end=st.sampled_from(["\n", "\r\n"]),
)
def test_every_row_is_accounted_for_or_the_file_refused(shop: Shop, good: int, odd: list[str], end: str) -> None:
    text = "customer_id,product_id,purchase_date,quantity,price\n"
    text += rows(good, lambda i: f"C{i},P{i},2024-01-05,1,2.5") + "".join(line + "\n" for line in odd)
    refusal = ""
    try:
        tables = shop.read(text.replace("\n", end))
    except DataError as error:
        refusal = str(error)
    assert "\n" not in refusal
    if refusal:
        return
    account = account_of(tables)
    assert account.used == len(tables.events) >= good
    assert account.quarantined == len(tables.quarantine)
    assert account.read == account.used + account.quarantined + account.duplicates + account.set_aside
    assert set(tables.events["customer_id"]) >= {f"C{i}" for i in range(good)}


@settings(max_examples=30, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    lines=st.lists(st.tuples(st.sampled_from("AB"), st.sampled_from("PQ"), st.integers(1, 9)), min_size=1),
    seed=st.randoms(),
)
def test_row_order_changes_nothing(shop: Shop, lines: list[tuple[str, str, int]], seed: object) -> None:
    text = [f"{customer},{product},2024-01-0{day},{day}\n" for customer, product, day in lines]
    header = "customer_id,product_id,purchase_date,quantity\n"
    before = shop.read(header + "".join(text))
    seed.shuffle(text)  # type: ignore[attr-defined]
    after = shop.read(header + "".join(text))
    assert before.fingerprint == after.fingerprint
    pd.testing.assert_frame_equal(before.events, after.events)


def test_another_value_gives_another_fingerprint(shop: Shop) -> None:
    first = shop.read(ONE).fingerprint
    assert len(first) == 64
    assert first != shop.read(ONE.replace("P1", "P2")).fingerprint
    assert first == shop.read(ONE.replace(",", ";")).fingerprint


def test_gzip_reads_the_same(shop: Shop) -> None:
    plain = shop.read(ONE).fingerprint
    file = shop.folder / "lines.bin"
    file.write_bytes(gzip.compress(ONE.encode()))
    assert read_tables(DataConfig(name="t", path=str(file))).fingerprint == plain


def test_rows_of_what_is_no_product_are_set_aside(shop: Shop) -> None:
    lines = rows(10) + "C1,POST,2024-01-03\nC2,M,2024-01-03\nC3,M,2024-01-04\n"
    details = "product_id,price\n" + "".join(f"P{i},2.5\n" for i in range(10)) + "POST,18.0\n"
    tables = shop.read(HEADER + lines, details, columns={"not_products": ["POST", "M", "C2"]})
    history, described = tables.accounts
    assert (history.read, history.used, history.set_aside) == (13, 10, 3)
    assert "2 rows of 'M', which is no product, set aside" in history.notes
    assert (described.used, described.set_aside) == (10, 1)
    assert not {"POST", "M"} & {*tables.purchases["product_id"], *tables.products["product_id"]}

"""Title lines, hints, comments, a missing header and a repeated one."""

from __future__ import annotations

import pytest
from shop_folder import HEADER, Shop, account_of, rows

from embedrec.errors import DataError
from embedrec.tables.delimited import parse_delimited


@pytest.mark.parametrize(
    ("above", "count"),
    [
        ("Sales of January\n", 1),
        ("Sales, January\nprinted on 2024-02-01\n\n", 2),
        ("Sales of January,,\n,,\n", 2),
        ("# made by hand\n# on Monday\n", 2),
        ("sep=,\n", 1),
    ],
)
def test_lines_above_the_header_are_left_out(shop: Shop, above: str, count: int) -> None:
    tables = shop.read(above + HEADER + rows(40) + "C1\n")
    account = account_of(tables)
    assert (account.read, account.used) == (41, 40)
    assert any(f"{count} line{'s' * (count > 1)} above the header left out: '" in note for note in account.notes)
    assert tables.quarantine["line"].tolist() == [42 + above.count("\n")]


def test_excels_hint_names_the_separator() -> None:
    raw = parse_delimited(b'sep=;\r\nid;text\r\n1;"a, b"\r\n2;c, d\r\n', "f.csv")
    assert raw.cells.to_numpy().tolist() == [["1", "a, b"], ["2", "c, d"]]
    assert parse_delimited(b"sep=^\nid^text\n1^a;b\n", "f.csv").headers == ["id", "text"]


def test_a_title_above_foreign_names() -> None:
    raw = parse_delimited(b"Bericht 2024\nKUNDE;ARTIKEL;DATUM\nC1;P1;2024-01-05\n", "f.csv")
    assert raw.headers == ["KUNDE", "ARTIKEL", "DATUM"]


@pytest.mark.parametrize("first", ["C0,P0,2024-01-05", "17,3,2024-01-05", '"C0","Oak chair","3.5"'])
def test_a_missing_header_shows_the_first_row(shop: Shop, first: str) -> None:
    text = first + "\n" + rows(30, lambda i: first.replace("0,", f"{i},").replace("17,", f"{i},"))
    message = shop.refused(text)
    assert "purchase_history.csv, line 1: the header line is missing: the first row is '" in message
    assert first.replace('"', "") in message
    assert "write a line of column names above it" in message


@pytest.mark.parametrize("header", ["0,1,2", "1,2,3", "KUNDE,2019,2020", "customer_id,2019,2020", "C0,P0,T0"])
def test_odd_names_are_still_names(header: str) -> None:
    raw = parse_delimited((header + "\n" + rows(9, lambda i: f"C{i},{i},{i}.5")).encode(), "f.csv")
    assert raw.headers == header.split(",")


def test_a_title_with_rows_and_no_header_stops() -> None:
    with pytest.raises(DataError, match="holds values but has no name|the header names 1|header line is missing"):
        parse_delimited(("Sales\n" + rows(9)).encode(), "f.csv")


@pytest.mark.parametrize("again", [HEADER, "\ufeff" + HEADER, HEADER.replace(",", " , ")])
def test_a_repeated_header_is_left_out_and_counted(shop: Shop, again: str) -> None:
    tables = shop.read(HEADER + rows(3) + again + rows(3, lambda i: f"C{i},Q{i},2024-01-05") + "C1\n" + rows(30))
    account = account_of(tables)
    assert "1 row left out: the header repeated" in account.notes
    assert account.quarantined == 1
    assert tables.quarantine["line"].tolist() == [9]

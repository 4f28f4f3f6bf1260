from __future__ import annotations

import pytest
from shop_folder import HEADER, Shop, account_of, rows

from embedrec.errors import DataError
from embedrec.tables.delimited import parse_delimited


def cells(text: str | bytes) -> list[list[str]]:
    content = text.encode() if isinstance(text, str) else text
    return parse_delimited(content, "f.csv").cells.to_numpy().tolist()


@pytest.mark.parametrize("separator", [",", ";", "\t", "|"])
def test_separators(separator: str) -> None:
    text = 'a,b\n"x, y; z",1\nw,2\n'
    quoted = text.replace("a,b", f"a{separator}b").replace('",1', f'"{separator}1').replace("w,2", f"w{separator}2")
    assert cells(quoted) == [["x, y; z", "1"], ["w", "2"]]


def test_semicolons_with_decimal_commas() -> None:
    assert cells("id;price;rating\n1;3,5;4,0\n2;2,5;4,5\n")[0] == ["1", "3,5", "4,0"]


@pytest.mark.parametrize("end", ["\n", "\r\n", "\r"])
def test_line_ends_and_a_missing_last_one(end: str) -> None:
    assert cells(end.join(["a,b", "1,2", "3,4"])) == [["1", "2"], ["3", "4"]]


@pytest.mark.parametrize("encoding", ["utf-8-sig", "utf-16"])
def test_byte_order_marks(encoding: str) -> None:
    raw = parse_delimited("id,name\n1,café\n".encode(encoding), "f.csv")
    assert raw.headers == ["id", "name"]
    assert raw.cells.to_numpy().tolist() == [["1", "café"]]


def test_ids_that_look_like_missing_values_stay() -> None:
    assert cells("id,b\nNA,007\nnull,7\nnan,1e5\n") == [["NA", "007"], ["null", "7"], ["nan", "1e5"]]


def test_trailing_empty_columns_are_dropped() -> None:
    raw = parse_delimited(b"id;price;;;\n1;2;;;\n3;4;;;\n", "f.csv")
    assert raw.headers == ["id", "price"]
    assert "3 empty columns" in " ".join(raw.notes)
    assert cells("id;price\n1;2;;\n3;4;;\n") == [["1", "2"], ["3", "4"]]


def test_a_leading_counter_is_ignored() -> None:
    assert cells(",id,b\n0,x,y\n1,z,w\n") == [["x", "y"], ["z", "w"]]
    assert cells("id,b\n1,x,y\n2,z,w\n") == [["x", "y"], ["z", "w"]]  # R leaves the first header out


@pytest.mark.parametrize("text", [",id\nx,1\ny,2\n", "id,,b\n1,x,2\n"])
def test_values_without_a_header_stop(text: str) -> None:
    with pytest.raises(DataError, match=r"column \d holds values but has no name"):
        cells(text)


def test_two_columns_of_one_name_stop() -> None:
    with pytest.raises(DataError, match="two columns are called 'a'"):
        cells("a,b,a\n1,2,3\n")


def test_line_breaks_in_quotes_are_kept_and_lines_still_counted() -> None:
    raw = parse_delimited(b'id,name\n1,"two\nlines"\n2,b,extra\n3,c\n', "f.csv")
    assert raw.cells.to_numpy().tolist() == [["1", "two\nlines"], ["3", "c"]]
    assert [(row.line, row.reason) for row in raw.rejected] == [(4, "3 fields where 2 are wanted")]
    assert raw.line_of(int(raw.records[1])) == 5


@pytest.mark.parametrize(
    "text",
    ['id,name\n1,"open\n2,b\n3,c\n', 'id,name\n1,"open\n2,b\n3,"c"\n'],
    ids=["to the end", "to the next"],
)
def test_a_stray_quote_swallows_no_lines_unseen(text: str) -> None:
    raw = parse_delimited(text.encode(), "f.csv")
    assert raw.cells.empty
    assert [row.line for row in raw.rejected] == [2, 3, 4]


def test_lines_of_the_wrong_width_are_quarantined_with_their_text(shop: Shop) -> None:
    tables = shop.read(HEADER + rows(40) + "C1,P1\n" + "C1;P1;2024-01-05\n")
    account = account_of(tables)
    assert (account.read, account.used, account.quarantined) == (42, 40, 2)
    assert tables.quarantine["line"].tolist() == [42, 43]
    assert tables.quarantine["text"].tolist() == ["C1,P1", "C1;P1;2024-01-05"]


def test_too_many_lines_of_the_wrong_width_stop(shop: Shop) -> None:
    message = shop.refused(HEADER + rows(10) + "C1,P1\n")
    assert "line 12: 'C1,P1' has 2 fields where 3 are wanted" in message


def test_lines_of_separators_alone_are_set_aside(shop: Shop) -> None:
    account = account_of(shop.read(HEADER + "C1,P1,2024-01-05\n,,\n\n,,\n"))
    assert (account.read, account.used, account.set_aside) == (3, 1, 2)

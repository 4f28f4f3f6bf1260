"""A stray quotation mark swallows lines; a cell may rightly hold line breaks. Both, told apart."""

from __future__ import annotations

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from shop_folder import Shop, account_of, rows

from embedrec.errors import DataError
from embedrec.tables.delimited import parse_delimited

TITLED = "customer_id,product_id,purchase_date,title\n"


def titled(count: int) -> str:
    return rows(count, lambda i: f"C{i},P{i},2024-01-{i % 28 + 1:02d},Oak chair {i}")


@pytest.mark.parametrize(
    ("stray", "lines"),
    [
        ('C1,P1,2024-01-01,"a\nC2,P2,2024-01-02,b\nC3,P3,2024-01-03,c"\n', 3),
        ('C1,P1,2024-01-01,"a\nC2,P2,2024-01-02,b"\n', 2),
        ('C1,"P1,2024-01-01,a\nC2,P2,2024-01-02,b"\n', 2),
        ('"C1,P1,2024-01-01,a\nC2,P2,2024-01-02,b\nC3,P3,2024-01-03",c\n', 3),
        ('C1,P1,2024-01-01,"a\nC2,P2,2024-01-02,"b, c"\n', 2),
        ('C1,P1,2024-01-01,"a\nC2,P2,2024-01-02,b\n', 2),
    ],
    ids=["three lines", "two lines", "in a middle cell", "in the first cell", "to a good quote", "never closed"],
)
def test_every_swallowed_line_is_read_and_quarantined(shop: Shop, stray: str, lines: int) -> None:
    never_closed = stray.endswith("b\n")
    text = TITLED + titled(90) + stray + ("" if never_closed else "C8,P8,2024-01-05,Oak chair 8\n")
    tables = shop.read(text)
    account = account_of(tables)
    assert account.read == text.count("\n") - 1
    assert (account.quarantined, account.used) == (lines, account.read - lines)
    assert tables.quarantine["line"].tolist() == list(range(92, 92 + lines))
    assert tables.quarantine["text"].tolist() == stray.splitlines()
    assert f"(lines 92 to {91 + lines})" in tables.quarantine["reason"].iloc[0]
    assert f"{lines} rows quarantined: a quotation mark that swallows line ends" in account.notes


def test_a_file_of_swallowed_lines_alone_stops(shop: Shop) -> None:
    message = shop.refused(TITLED + 'C1,P1,2024-01-01,"a\nC2,P2,2024-01-02,b\nC3,P3,2024-01-03,c"\n')
    assert "purchase_history.csv, line 2: 'C1,P1,2024-01-01,\"a' has a quotation mark that swallows line" in message
    assert "3 of 3 rows" in message


@pytest.mark.parametrize("end", ["\n", "\r\n", "\r"])
@pytest.mark.parametrize(
    "cell",
    [
        "two\nlines",
        "a chair,\nin red, blue\nor green, as you, like",
        "one, or\ntwo, or\n\nthree",
        'say ""hm""\n5,6,7,8',
    ],
)
def test_line_breaks_in_quotes_are_kept(cell: str, end: str) -> None:
    text = TITLED + titled(30) + f'C1,P1,2024-01-01,"{cell}"\n' + "C2,P2\n" + titled(2)
    raw = parse_delimited(text.replace("\n", end).encode(), "f.csv")
    assert len(raw.cells) == 33
    assert raw.cells["title"].iloc[30] == cell.replace("\n", end).replace('""', '"')
    below = 32 + cell.count("\n") + 1
    assert [row.line for row in raw.rejected] == [below]
    assert raw.line_of(int(raw.records[31])) == below + 1


def test_a_list_of_two_columns_keeps_its_line_breaks() -> None:
    raw = parse_delimited(b'id,name\n1,"soft, and\nwarm, too"\n2,"b\nc"\n', "f.csv")
    assert raw.cells["name"].tolist() == ["soft, and\nwarm, too", "b\nc"]


def test_a_line_too_wide_with_a_line_break_in_quotes_is_one_row() -> None:
    raw = parse_delimited((TITLED + titled(3) + 'C1,P1,2024-01-01,"two\nlines",more\n').encode(), "f.csv")
    assert [(row.line, row.reason) for row in raw.rejected] == [(5, "5 fields where 4 are wanted")]


def test_rows_of_other_titles_are_still_known_as_rows() -> None:
    rows_ = rows(90, lambda i: f"C{i},P{i},2024-01-{i % 28 + 1:02d},Tea {i}")  # every title holds a figure
    raw = parse_delimited((TITLED + rows_ + 'C1,P1,2024-01-01,"a\nC2,P2,2024-01-02,b"\n').encode(), "f.csv")
    assert [row.line for row in raw.rejected] == [92, 93]


def test_a_quote_that_swallows_more_than_a_block_stops_and_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("embedrec.tables.delimited.LARGEST_RECORD", 1 << 20)
    with pytest.raises(DataError, match="f.csv: a row is longer than 1 MB, as where a quotation mark opens"):
        parse_delimited((TITLED + 'C1,P1,2024-01-01,"a\n' + titled(60_000)).encode(), "f.csv")


@settings(max_examples=200, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    count=st.integers(60, 90),
    marks=st.lists(st.tuples(st.integers(0, 59), st.sampled_from(["first", "last"])), min_size=1, max_size=2),
    end=st.sampled_from(["\n", "\r\n"]),
)
def test_no_line_is_lost_wherever_quotes_stray(count: int, marks: list[tuple[int, str]], end: str) -> None:
    lines = titled(count).splitlines()
    for at, where in marks:
        head, _, tail = lines[at].rpartition(",")
        lines[at] = f'{head},"{tail}' if where == "first" else f'{lines[at]}"'
    raw = parse_delimited(end.join([TITLED.strip(), *lines, ""]).encode(), "f.csv")
    assert len(raw.cells) + len(raw.rejected) == count
    assert all(lines[row.line - 2] == row.text for row in raw.rejected)
    kept = [raw.line_of(int(record)) for record in raw.records]
    assert sorted(kept + [row.line for row in raw.rejected]) == list(range(2, count + 2))


def test_no_more_than_ten_thousand_characters_of_a_row_are_kept(shop: Shop) -> None:
    tables = shop.read("customer_id,product_id,purchase_date\n" + rows(30) + "C1,P1,2024-01-05,x" + "x" * 70_000 + "\n")
    (text,) = tables.quarantine["text"]
    assert (len(text), text[:5], text[-2:]) == (10_001, "C1,P1", "x…")


@pytest.mark.parametrize("ends", ["\n", "\r\n", "\r"])
def test_a_line_break_in_the_first_column_is_kept(shop: Shop, ends: str) -> None:
    """What follows it is as wide as a row, and all but its first cell look like one."""
    details = [f'"Kind\n{i}",{i}.50,{i},P{i}' for i in range(9)] + [f"Plain,{i}.50,{i},Q{i}" for i in range(30)]
    bought = "customer_id,product_id,purchase_date\n" + rows(9)
    tables = shop.read(bought, ends.join(["category,price,rating_count,product_id", *details, ""]))
    assert account_of(tables, "product_details").used == 39
    assert tables.products["category"].tolist()[:2] == ["Kind\n0", "Kind\n1"]

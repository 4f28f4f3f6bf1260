from __future__ import annotations

import pandas as pd
import pytest
from shop_folder import HEADER, Shop, account_of, rows

from embedrec.errors import DataError
from embedrec.tables.delimited import parse_delimited
from embedrec.tables.naming import counts_rows


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


def test_ids_that_look_like_missing_values_stay() -> None:
    assert cells("id,b\nNA,007\nnull,7\nnan,1e5\n") == [["NA", "007"], ["null", "7"], ["nan", "1e5"]]


def test_trailing_empty_columns_are_dropped() -> None:
    raw = parse_delimited(b"id;price;;;\n1;2;;;\n3;4;;;\n", "f.csv")
    assert raw.headers == ["id", "price"]
    assert "3 empty columns" in " ".join(raw.notes)
    assert cells("id;price\n1;2;;\n3;4;;\n") == [["1", "2"], ["3", "4"]]


def test_texts_of_rows_left_out_do_not_count() -> None:
    """Found by the fuzz: a folded column keeps the texts of rows that were quarantined."""
    folded = pd.Series(pd.Categorical(["0", "1", "2", "1"], categories=["0", "1", "2", '\n9"']))
    assert counts_rows(folded[:3], 0)
    assert not counts_rows(folded, 0)


def test_a_leading_counter_without_a_name_is_ignored() -> None:
    assert cells(",id,b\n0,x,y\n1,z,w\n") == [["x", "y"], ["z", "w"]]
    assert cells(",id,b\n1,x,y\n2,z\n3,z,w\n") == [["x", "y"], ["z", "w"]]  # the gap is the rejected row


def test_a_counter_of_rows_sorted_anew_is_ignored() -> None:
    assert cells(",id,b\n2,x,y\n0,z,w\n1,u,v\n") == [["x", "y"], ["z", "w"], ["u", "v"]]


@pytest.mark.parametrize("counts", ["00", "02", "13", "ab"])
def test_what_is_no_counter_stops(counts: str) -> None:
    with pytest.raises(DataError, match="column 1 holds values but has no name"):
        cells(f",id,b\n{counts[0]},x,y\n{counts[1]},z,w\n")


def test_row_numbers_without_a_header_are_ignored_where_dates_tell() -> None:
    text = "".join(f'"{i}","C{i}","P{i}","2024-01-05"\n' for i in range(1, 30))  # R's write.table
    raw = parse_delimited((HEADER + text).encode(), "f.csv")
    assert raw.cells.iloc[4].tolist() == ["C5", "P5", "2024-01-05"]
    assert "the first column only counts the rows: ignored" in raw.notes


@pytest.mark.parametrize(
    "text",
    [
        "customer_id,page_views\n1,5,3\n2,7,4\n3,1,9\n",
        "customer_id,page_views\n1,5,x\n2,7,y\n3,1,z\n",
        "product_id,price\n17,5,3\n4,7,4\n12,1,9\n",
        "id,b\n1,x,y\n2,z,w\n",
        "customer_id,product_id,purchase_date\nC1,P1,2024-01-05,x\nC2,P2,2024-01-05,y\n",
    ],
)
def test_ids_are_never_shifted_by_an_extra_field(text: str) -> None:
    with pytest.raises(DataError, match=r"f\.csv: rows have \d fields, the header names \d: .* name all of them"):
        cells(text)


def test_values_under_no_name_stop() -> None:
    with pytest.raises(DataError, match=r"column 2 holds values but has no name"):
        cells("id,,b\n1,x,2\n")


def test_empty_fields_at_the_end_of_some_rows_are_cut_off(shop: Shop) -> None:
    text = HEADER + rows(10) + "C1,P1,2024-02-05,,\n" + rows(2) + "C2,P2,2024-02-06, ,\nC3,P3,2024-02-07,\n"
    tables = shop.read(text)
    account = account_of(tables)
    assert (account.read, account.used, account.duplicates) == (15, 13, 2)
    assert "3 rows of another width only by empty fields at the end: mended" in account.notes
    raw = parse_delimited(text.encode(), "f.csv")
    assert raw.cells["customer_id"].iloc[10:].tolist() == ["C1", "C0", "C1", "C2", "C3"]
    assert [raw.line_of(int(record)) for record in raw.records] == list(range(2, 17))


def test_rows_without_the_empty_fields_that_most_have_are_mended() -> None:
    assert cells("id;price\n1;2;;\n3;4\n5;6;;\n") == [["1", "2"], ["3", "4"], ["5", "6"]]
    assert cells("id;price;;\n1;2\n3;4;;\n") == [["1", "2"], ["3", "4"]]


@pytest.mark.parametrize(
    ("last", "reason"),
    [
        ("C1,P1", "2 fields where 3 are wanted"),
        ("C1,P1,2024-01-1", "a last cell shorter than all others and no line end"),
        ("C1,P1,", "a last cell shorter than all others and no line end"),
        ('C1,P1,"2024-01-05', "a quotation mark that is not closed"),
        ('C1,"P1', "a quotation mark that is not closed"),
    ],
)
@pytest.mark.parametrize("end", ["\n", "\r\n", "\r"])
def test_a_last_line_cut_off_is_quarantined(shop: Shop, last: str, reason: str, end: str) -> None:
    tables = shop.read((HEADER + rows(40) + last).replace("\n", end))
    account = account_of(tables)
    assert (account.read, account.used, account.quarantined) == (41, 40, 1)
    assert tables.quarantine[["line", "reason", "text"]].to_numpy().tolist() == [
        [42, f"{reason}; the file may be cut off", last]
    ]


@pytest.mark.parametrize("last", ["C1,P1,2024-01-11", 'C1,P1,"2024-01-11"', "C1,P1,2024-01-11,"])
def test_a_whole_last_line_without_its_end_is_kept(shop: Shop, last: str) -> None:
    assert account_of(shop.read(HEADER + rows(40) + last)).used == 41


def test_a_short_last_value_in_a_column_of_any_length_is_kept() -> None:
    assert cells("id,price\n" + rows(40, lambda i: f"{i},{i}.5") + "7,3")[-1] == ["7", "3"]


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


def test_decimal_commas_and_cells_of_two_lines_do_not_pass_for_the_separator(shop: Shop) -> None:
    """Under a comma the quoted cells fall into two rows each, and every row is two wide."""
    details = [f'{i},5\t"two\nlines"\t199,56\tP{i}\n' for i in range(5)]
    bought = "customer_id,product_id,purchase_date\n" + "".join(f"C,P{i},2024-01-0{i + 1}\n" for i in range(5))
    tables = shop.read(bought, "Ratings\tProduct Category\tUnit Price\tProduct Code\n" + "".join(details))
    assert tables.products[["category", "price"]].values.tolist() == [["two\nlines", 199.56]] * 5

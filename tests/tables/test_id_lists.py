"""A list of ids that somebody hands over: read as tables are, refused in one line, every row accounted for."""

from __future__ import annotations

import pytest

from embedrec.errors import DataError
from embedrec.tables.id_lists import parse_ids_csv


@pytest.mark.parametrize(
    ("content", "column", "ids"),
    [
        (b"customer_id\nC2\nC1\nC2\n", "customer_id", ("C2", "C1")),
        (b"\xef\xbb\xbfCustomer ID;Name\r\n 007 ;x\r\n7;y", "customer_id", ("007", "7")),
        ("customer_id\nA1\nB\n".encode("utf-16"), "customer_id", ("A1", "B")),
        ("sku\tpreis\nKaffee Crème\t1,5\n".encode("cp1252"), "product_id", ("Kaffee Crème",)),
        (b"customer_id\nC1\n\n\nC3", "customer_id", ("C1", "C3")),
        (b"customer_id\n=1+1\n<b>\nNA\n", "customer_id", ("=1+1", "<b>", "NA")),
    ],
)
def test_lists_as_people_save_them(content: bytes, column: str, ids: tuple[str, ...]) -> None:
    assert parse_ids_csv(content, "your file", column).ids == ids


@pytest.mark.parametrize(
    ("content", "why"),
    [
        (b"", "the file is empty"),
        (b"customer_id\n", "names no customer_id: put one id in each row"),
        (b"C1\nC2\n", "no column customer_id; columns found: 'C1'.*call its column customer_id"),
        (b"user,customer\n1,2\n", "could both be customer_id"),
        (b"PK\x03\x04 a workbook", "a packed file or a workbook: save the sheet as CSV"),
        (b"\x1f\x8b\x08 packed", "a packed file"),
        (b"customer_id\n" + b"x" * 300 + b"\n", "line 2: customer_id .* is longer than 256 characters"),
        (b"customer_id,a\nC1,1\nC2,2,3\n", "line 3: .* has 3 fields where 2 are wanted"),
    ],
)
def test_what_is_no_list(content: bytes, why: str) -> None:
    with pytest.raises(DataError, match=f"^your file.*{why}") as refused:
        parse_ids_csv(content, "your file", "customer_id")
    assert "\n" not in str(refused.value)


def test_every_row_is_accounted_for() -> None:
    rows = ["C1,1", "C1,2", ",", "1.0E+05,3", *(f"D{n},4" for n in range(40))]
    found = parse_ids_csv(("customer_id,n\n" + "\n".join(rows) + "\n").encode(), "f", "customer_id")
    account = found.account
    counts = account.read, account.used, account.duplicates, account.quarantined, account.set_aside
    assert counts == (44, 41, 1, 1, 1)
    assert found.quarantine[["line", "column", "text"]].to_numpy().tolist() == [[5, "customer_id", "1.0E+05"]]

"""Encodings: what is sure is read and named, single lines are quarantined, the rest is refused."""

from __future__ import annotations

import pytest
from shop_folder import HEADER, Shop, account_of, rows

from embedrec.errors import DataError
from embedrec.tables.decoding import decode
from embedrec.tables.delimited import parse_delimited

WESTERN = "id,name\n1,café crème\n2,Größe 5 € – “neu”\n3,L’été à Málaga\n4,Smørrebrød\n5,CAFÉ\n6,20 °C\n"


@pytest.mark.parametrize(
    ("codec", "mark", "note"),
    [
        ("utf-8-sig", "", ""),
        ("utf-16", "", "encoding UTF-16"),
        ("utf-16-le", "", "encoding UTF-16"),
        ("utf-16-be", "", "encoding UTF-16"),
        ("utf-16-be", "\ufeff", "encoding UTF-16"),
        ("utf-32", "", "encoding UTF-32"),
        ("cp1252", "", "encoding Windows-1252 (latin-1)"),
    ],
)
def test_encodings_are_read_and_named(codec: str, mark: str, note: str) -> None:
    raw = parse_delimited((mark + WESTERN).encode(codec), "f.csv")
    assert raw.headers == ["id", "name"]
    assert raw.cells["name"].tolist()[:2] == ["café crème", "Größe 5 € – “neu”"]
    assert list(raw.notes) == [note] * bool(note)


def test_a_header_in_windows_1252() -> None:
    assert parse_delimited("id,Größe\n1,2\n".encode("cp1252"), "f.csv").headers == ["id", "Größe"]


@pytest.mark.parametrize(
    ("codec", "word"),
    [
        ("cp1251", "чай"),
        ("cp1250", "łąka"),
        ("cp1254", "kırmızı"),
        ("cp850", "café"),
        ("mac_roman", "café"),
        ("gbk", "绿茶一盒"),
        ("shift_jis", "緑茶"),
        ("cp1253", "τσάι"),
    ],
)
def test_an_encoding_that_is_not_sure_stops(codec: str, word: str) -> None:
    with pytest.raises(
        DataError, match=r"f\.csv, line 2: byte 1\d \(0x..\) is not UTF-8, nor .* so 3 of 4 lines: save"
    ):
        decode(f"id,name\n1,{word}\n2,{word}\n3,{word}\n".encode(codec), "f.csv")


def test_a_header_that_is_not_sure_stops() -> None:
    with pytest.raises(DataError, match="line 1: byte 3"):
        parse_delimited("id,Имя\n".encode("cp1251") + rows(90).encode(), "f.csv")


@pytest.mark.parametrize("end", ["\n", "\r\n", "\r"])
def test_single_lines_in_another_encoding_are_quarantined(shop: Shop, end: str) -> None:
    good = (HEADER + rows(50) + "Café,P1,2024-01-05\n").replace("\n", end).encode()
    bad = b"Caf\xe9,P2,2024-01-05" + end.encode()
    tables = shop.read(good + bad + rows(3, lambda i: f"D{i},P1,2024-01-05").replace("\n", end).encode())
    account = account_of(tables)
    assert (account.read, account.used, account.quarantined) == (55, 54, 1)
    assert tables.quarantine[["line", "text"]].to_numpy().tolist() == [[53, "Caf\\xe9,P2,2024-01-05"]]
    assert tables.quarantine["reason"][0] == f"bytes that are not UTF-8 (byte {len(good) + 3} of the file is 0xe9)"
    assert "1 row quarantined: bytes that are not UTF-8" in account.notes


def test_a_line_below_a_struck_one_keeps_its_number(shop: Shop) -> None:
    tables = shop.read((HEADER + rows(45)).encode() + b"C\x81,P1,2024-01-05\n" + b"C1\n")
    assert tables.quarantine["line"].tolist() == [47, 48]


def test_a_file_cut_off_within_a_character(shop: Shop) -> None:
    tables = shop.read((HEADER + rows(40) + "C1,P1é").encode()[:-1])
    assert tables.quarantine["reason"][0].startswith("bytes that are not UTF-8; the file may be cut off (byte ")


def test_utf_16_cut_off_stops() -> None:
    with pytest.raises(DataError, match="begins as UTF-16 but is cut off or damaged"):
        decode("id,name\n1,x\n".encode("utf-16")[:-1], "f.csv")

from __future__ import annotations

import gzip
import os
import socket
from pathlib import Path

import pandas as pd
import pytest
from shop_folder import HEADER, Shop, account_of

from embedrec.errors import DataError
from embedrec.tables import DataConfig, read_tables

ONE = HEADER + "C1,P1,2024-01-05\n"


def refusal(**settings: object) -> str:
    with pytest.raises(DataError) as caught:
        read_tables(DataConfig.model_validate({"name": "mine", **settings}))
    return str(caught.value)


def test_only_the_purchase_history_is_required(shop: Shop) -> None:
    tables = shop.read(ONE)
    assert len(tables.purchases) == 1
    assert list(tables.customers.columns) == ["customer_id", "page_views", "time_spent"]
    assert tables.customers.empty
    assert tables.products.empty


@pytest.mark.parametrize("name", ["purchase_history.csv.gz", "Purchase History.csv", "purchaseHistory.CSV"])
def test_a_table_is_found_by_its_name_in_any_spelling(shop: Shop, name: str) -> None:
    shop.write(name, ONE)
    assert account_of(read_tables(DataConfig(name="t", path=str(shop.folder)))).file == name


def test_parquet_and_csv_say_the_same(shop: Shop, tmp_path: Path) -> None:
    csv = shop.read(HEADER + "7,101,2024-01-05\n8,102,2024-01-06\n")
    frame = pd.DataFrame({"customer_id": [7, 8], "product_id": [101, 102]})
    frame["purchase_date"] = pd.to_datetime(["2024-01-05", "2024-01-06"])
    file = tmp_path / "other.parquet"
    frame.to_parquet(file)
    parquet = read_tables(DataConfig(name="t", path=str(file)))
    assert parquet.fingerprint == csv.fingerprint


def test_a_file_of_another_name_is_named_by_the_settings(shop: Shop) -> None:
    shop.write("sales_2024.csv", ONE)
    shop.write("product_details.csv", "product_id,category\nP1,Toys\n")
    settings = {"purchase_history": "sales_2024.csv", "product_details": "-"}
    tables = read_tables(DataConfig.model_validate({"name": "t", "path": str(shop.folder), "files": settings}))
    assert account_of(tables).file == "sales_2024.csv"
    assert tables.products.empty


def test_a_missing_table_names_the_folder_and_what_is_there(shop: Shop) -> None:
    shop.write("purchase_history_dummy.csv", ONE)
    message = refusal(path=str(shop.folder))
    for part in (str(shop.folder), "{.csv,.csv.gz,.csv.zip,.parquet}", "'purchase_history_dummy.csv'", "data.files"):
        assert part in message


def test_a_file_setting_that_names_nothing(shop: Shop) -> None:
    shop.write("sales.csv", ONE)
    message = refusal(path=str(shop.folder), files={"purchase_history": "sale.csv"})
    assert "data.files.purchase_history" in message
    assert "did you mean 'sales.csv'?" in message


def test_two_files_for_one_table(shop: Shop) -> None:
    shop.write("purchase_history.csv.gz", ONE)
    assert "say which with data.files.purchase_history" in shop.refused(ONE)


def test_one_file_for_two_tables(shop: Shop) -> None:
    assert "give each table its own file" in shop.refused(ONE, files={"product_details": "purchase_history.csv"})


@pytest.mark.parametrize("twin", ["copy", "hard link", "link"])
@pytest.mark.parametrize("other", ["product_details", "customer_interactions"])
def test_the_same_file_under_two_names(shop: Shop, twin: str, other: str) -> None:
    first, second = shop.write("purchase_history.csv", ONE), shop.folder / f"{other}.csv"
    if twin == "copy":
        second.write_text(ONE)
    elif twin == "hard link":
        second.hardlink_to(first)
    else:
        second.symlink_to(first.name)
    message = refusal(path=str(shop.folder))
    for part in (
        f"'purchase_history.csv' for purchase_history and '{other}.csv' for {other} hold the same",
        f"data.files.{other}='-'",
    ):
        assert part in message


def test_two_empty_files_are_not_the_same_table(shop: Shop) -> None:
    assert len(shop.read(ONE, details="", interactions="").warnings) == 2


@pytest.mark.parametrize("path", [None, "", "  "])
def test_no_path(path: str | None) -> None:
    assert "data.path is not set" in refusal(path=path)


def test_a_path_that_is_not_there_names_where_the_set_is_published(tmp_path: Path) -> None:
    message = refusal(path=str(tmp_path / "absent"), published="https://example.org/set")
    assert "does not exist" in message
    assert "https://example.org/set" in message


def test_urls_and_devices_are_refused() -> None:
    assert "is a URL" in refusal(path="https://example.org/shop.csv")
    assert "neither a folder nor a regular file" in refusal(path="/dev/null")


def test_pipes_and_sockets_are_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    os.mkfifo(tmp_path / "pipe")
    assert "neither a folder nor a regular file" in refusal(path=str(tmp_path / "pipe"))
    monkeypatch.chdir(tmp_path)  # the address of a socket is a short one
    with socket.socket(socket.AF_UNIX) as server:
        server.bind("socket")
        assert "neither a folder nor a regular file" in refusal(path=str(tmp_path / "socket"))


@pytest.mark.parametrize("kind", ["pipe", "folder", "link to nothing", "link to itself"])
@pytest.mark.parametrize("settings", [{}, {"product_details": "product_details.csv"}])
def test_a_table_that_is_no_regular_file_is_not_passed_over(shop: Shop, kind: str, settings: dict[str, str]) -> None:
    file = shop.folder / "product_details.csv"
    if kind == "pipe":
        os.mkfifo(file)
    elif kind == "folder":
        file.mkdir()
    else:
        file.symlink_to("absent" if kind == "link to nothing" else file.name)
    message = shop.refused(ONE, files=settings)
    assert "product_details.csv" in message
    assert ("not a file in" if settings else "no regular file") in message


@pytest.fixture
def secret(tmp_path_factory: pytest.TempPathFactory) -> Path:
    file = tmp_path_factory.mktemp("elsewhere") / "secret.csv"
    file.write_text("root:x:0:0\n")
    return file


@pytest.mark.parametrize("table", ["purchase_history", "product_details"])
def test_a_link_out_of_the_folder_is_not_followed(shop: Shop, secret: Path, table: str) -> None:
    (shop.folder / f"{table}.csv").symlink_to(secret)
    if table != "purchase_history":
        shop.write("purchase_history.csv", ONE)
    for settings in ({}, {table: f"{table}.csv"}):
        message = refusal(path=str(shop.folder), files=settings)
        assert ("no link that leads out" if settings else "leads out of the folder") in message
        assert "x:0:0" not in message


def test_a_file_outside_the_folder_is_not_opened(shop: Shop, secret: Path) -> None:
    (shop.folder / "door").symlink_to(secret.parent)
    inward = str(shop.folder / "purchase_history.csv")
    relative = f"../{secret.parent.name}/{secret.name}"
    for named in (relative, str(secret), "door/secret.csv", "../absent.csv", "/dev/stdin", inward):
        message = shop.refused(ONE, files={"product_details": named})
        assert "only a file inside" in message
        assert "x:0:0" not in message


@pytest.mark.parametrize("named", ["a\0b.csv", "x" * 5000, "https://example.org/a.csv"])
def test_a_file_setting_that_no_file_could_have(shop: Shop, named: str) -> None:
    assert "which is not a file in" in shop.refused(ONE, files={"product_details": named})


def test_links_that_stay_inside_are_followed(shop: Shop, tmp_path_factory: pytest.TempPathFactory) -> None:
    (shop.folder / "2024").mkdir()
    shop.write("2024/lines.csv", ONE)
    (shop.folder / "purchase_history.csv").symlink_to("2024/lines.csv")
    door = tmp_path_factory.mktemp("links")
    (door / "shop").symlink_to(shop.folder)
    (door / "lines.csv").symlink_to(shop.folder / "2024" / "lines.csv")
    for path in (shop.folder, door / "shop", door / "lines.csv"):
        assert len(read_tables(DataConfig(name="t", path=str(path))).purchases) == 1


def test_the_variable_of_shared_data(shop: Shop, monkeypatch: pytest.MonkeyPatch) -> None:
    shop.write("purchase_history.csv", ONE)
    config = DataConfig(name="t", path=f"$EMBEDREC_DATA/{shop.folder.name}", published="https://example.org/set")
    monkeypatch.setenv("EMBEDREC_DATA", str(shop.folder.parent))
    assert len(read_tables(config).purchases) == 1
    monkeypatch.delenv("EMBEDREC_DATA")
    with pytest.raises(DataError, match=r"variable EMBEDREC_DATA is not set.*https://example\.org/set"):
        read_tables(config)


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"", "is empty"),
        (b"\n\n  \n", "is empty"),
        (HEADER.encode(), "no rows"),
        (b"PK\x03\x04rest", "zip archive or an Excel workbook but is cut off or damaged"),
        (b"PAR1 and then nothing", "not a readable parquet file"),
        (b"\x1f\x8b\x08\x00cut", "cut off: it ends at byte 7"),
        (HEADER.encode() + "чай,P1,2024-01-01\n".encode("cp1251"), "line 2: byte 37 (0xf7) is not UTF-8"),
    ],
)
def test_files_that_are_no_table(shop: Shop, content: bytes, said: str) -> None:
    message = shop.refused(content)
    assert said in message
    assert "purchase_history.csv" in message


def test_an_optional_table_without_rows_is_warned_about(shop: Shop) -> None:
    tables = shop.read(ONE, details="product_id,category\n")
    assert tables.products.empty
    assert any("header but no rows" in warning for warning in tables.warnings)


@pytest.mark.parametrize("content", [b"", b"\n \n", b"\xef\xbb\xbf\r\n", gzip.compress(b"", mtime=0)])
def test_an_empty_optional_table_is_warned_about(shop: Shop, content: bytes) -> None:
    tables = shop.read(ONE, interactions=content)
    assert "customer_interactions.csv is empty: read as if it were not there" in tables.warnings
    assert len(tables.purchases) == 1
    (shop.folder / "customer_interactions.csv").unlink()
    assert "is empty: it needs a header line" in shop.refused(content)


def test_one_file_leaves_no_room_for_another(shop: Shop) -> None:
    file = shop.write("lines.csv", ONE)
    assert "data.path is one file" in refusal(path=str(file), files={"product_details": "items.csv"})

"""recommend.py on a file of customers: nothing is misread, nothing of the user's is replaced."""

from __future__ import annotations

import json
from pathlib import Path

import pandas as pd
import pytest

from embedrec.bundle_commands import recommend, serve
from embedrec.cli import guarded
from embedrec.errors import ConfigError, DataError
from runs import Trained


@pytest.fixture
def ids(tmp_path: Path) -> Path:
    path = tmp_path / "ids.csv"
    path.write_text("customer_id\nC0001\nnobody\nC0001\n")
    return path


def test_a_file_as_people_save_it(simple: Trained, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path, target = tmp_path / "ids.csv", tmp_path / "lists.csv"
    path.write_bytes("\ufeffKunden ID;Ort\r\n C0001 ;Köln\r\n;;\r\nC0002;Ulm\r\nC0001;Köln".encode())
    recommend([str(simple.bundle), "--customers", str(path), "--out", str(target), "-k", "1"])
    assert pd.read_csv(target)["customer_id"].tolist() == ["C0001", "C0002"]
    assert "4 rows read, 2 customers, 0 not understood, 1 duplicates, 1 set aside" in capsys.readouterr().err


def test_a_file_of_customers(simple: Trained, ids: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    target = tmp_path / "lists.csv"
    recommend([str(simple.bundle), "--customers", str(ids), "--out", str(target), "-k", "3"])
    assert capsys.readouterr().out.splitlines()[-1] == str(target)
    lists = pd.read_csv(target)
    assert lists["customer_id"].tolist() == ["C0001"] * 3 + ["nobody"] * 3
    assert lists["cold_start"].tolist() == [False] * 3 + [True] * 3


@pytest.mark.parametrize(
    ("text", "wanted"),
    [
        ("customer_id,a\nC1,2,3,4\nC0042\n", "rows have 4 fields, the header names 2"),
        ("id\nC1\n", "no column customer_id"),
        ("customer_id\n\n", "names no customer_id"),
        ("customer_id\nC1\na\x01b\n", r"line 3: customer_id 'a\\x01b' holds control characters"),
        ("user,customer\n1,2\n", "settings do not reach this file: call its column customer_id"),
    ],
)
def test_files_that_are_refused(simple: Trained, tmp_path: Path, text: str, wanted: str) -> None:
    path = tmp_path / "ids.csv"
    path.write_text(text)
    with pytest.raises(DataError, match=wanted):
        recommend([str(simple.bundle), "--customers", str(path), "--out", str(tmp_path / "out.csv")])
    assert sorted(one.name for one in tmp_path.iterdir()) == ["ids.csv"]


@pytest.mark.parametrize(("out", "wanted"), [("ids.csv", "is the file of"), ("", "a folder"), ("no/o.csv", "no such")])
def test_targets_that_are_refused(simple: Trained, ids: Path, tmp_path: Path, out: str, wanted: str) -> None:
    before = ids.read_text()
    with pytest.raises(ConfigError, match=wanted):
        recommend([str(simple.bundle), "--customers", str(ids), "--out", str(tmp_path / out)])
    assert ids.read_text() == before


def test_only_new_or_again_and_mixed(simple: Trained, capsys: pytest.CaptureFixture[str]) -> None:
    def asked(*options: str) -> list[str]:
        recommend([str(simple.bundle), "--customer", "C0001", "-k", "1000", "--json", *options])
        return [one["product_id"] for one in json.loads(capsys.readouterr().out)]

    new, again = asked("--only", "new"), asked("--only", "again")
    assert set(new) | set(again) == set(asked())
    assert new == asked("--exclude-bought")
    assert not set(new) & set(again)
    assert sorted(asked("--diversity", "0.5")) == sorted(asked())
    recommend([str(simple.bundle), "--customer", "nobody", "--only", "again"])
    assert capsys.readouterr().out == "Nothing to show: no product is left by what was asked for.\n"


@pytest.mark.parametrize(
    ("options", "wanted"),
    [
        (["--only", "again", "--exclude-bought"], "--only again asks for what --exclude-bought leaves out"),
        (["--in-stock"], "do not say what is in stock"),
        (["--only", "old"], "invalid choice"),
        (["--diversity", "nan"], "wanted a number from 0 to 1, got 'nan'"),
        (["--diversity", "2"], "wanted a number from 0 to 1, got '2'"),
    ],
)
def test_choices_that_are_refused(simple: Trained, options: list[str], wanted: str) -> None:
    with pytest.raises(ConfigError, match=wanted):
        recommend([str(simple.bundle), "--customer", "C0001", *options])


# New products


@pytest.fixture
def new_products(tmp_path: Path) -> Path:
    path = tmp_path / "new.csv"
    path.write_text("sku;category;price\nN1;Snacks;9,50\nN2;Snakcs;8,50\nP001;Toys;1,00\n")
    return path


def test_new_products_are_among_the_recommended(
    trained: Trained, new_products: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    asked = [str(trained.bundle), "--new-products", str(new_products)]
    recommend([*asked, "--customer", "C0042", "-k", "1000", "--json"])
    said = capsys.readouterr()
    shown = {row["product_id"]: row for row in json.loads(said.out)}
    assert shown["N1"]["price"] == 9.5
    assert shown["N2"]["category"] == "Snakcs"
    assert said.err.startswith("new.csv: 3 rows read, 2 new products, 0 not understood, 0 duplicates, 1 set aside\n")
    assert "  note: 1 of 2 new products have a category that the training did not know, such as 'Snakcs'" in said.err

    target, ids = tmp_path / "lists.csv", tmp_path / "ids.csv"
    ids.write_text("customer_id\nC0001\nnobody\n")
    recommend([*asked, "--customers", str(ids), "--out", str(target), "-k", "1000"])
    lists = pd.read_csv(target)
    assert lists[lists["product_id"] == "N1"]["customer_id"].tolist() == ["C0001", "nobody"]


def test_without_a_customer_it_shows_what_is_like_them(
    trained: Trained, simple: Trained, new_products: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    recommend([str(trained.bundle), "--new-products", str(new_products), "-k", "3", "--json"])
    rows = json.loads(capsys.readouterr().out)
    assert [(row["new_product_id"], row["rank"]) for row in rows] == [
        (new, k) for new in ("N1", "N2") for k in (1, 2, 3)
    ]
    recommend([str(trained.bundle), "--new-products", str(new_products)])
    assert capsys.readouterr().out.splitlines()[0].split()[:3] == ["new_product_id", "rank", "product_id"]
    recommend([str(simple.bundle), "--new-products", str(new_products)])
    said = capsys.readouterr()
    assert said.out.startswith("Nothing to show")
    assert "scores products by who bought them" in said.err


def test_rows_that_are_not_understood_are_shown(
    simple: Trained, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "new.csv"
    path.write_text("product_id,price\n" + "".join(f"N{i},{i + 1}\n" for i in range(30)) + "N99,-4\n")
    recommend([str(simple.bundle), "--new-products", str(path), "--customer", "C0001"])
    assert capsys.readouterr().err.splitlines()[-1] == "line 32: price '-4' is negative"


@pytest.mark.parametrize(
    ("content", "wanted"),
    [
        (b"", "new.csv has no row"),
        (b"product_id,price\n", "new.csv has no row"),
        (b"name,price\nA,3\n", "new.csv: no column product_id"),
        (b"product_id,price\nA,-3\nB,4\n", "new.csv, line 2: price '-3' is negative; 1 of 2 rows"),
        (b"\x1f\x8bnonsense", "new.csv: "),
        (b"PAR1nonsense", "new.csv: not a readable parquet file"),
        (None, "is no regular file"),
    ],
)
def test_new_products_that_are_refused(
    simple: Trained, tmp_path: Path, content: bytes | None, wanted: str, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "new.csv"
    if content is not None:
        path.write_bytes(content)
    arguments = [str(simple.bundle), "--new-products", str(path), "--customer", "C0001"]
    assert guarded(lambda: recommend(arguments)) == 2
    said = capsys.readouterr()
    assert said.out == ""
    assert said.err.startswith("error: ")
    assert said.err.count("\n") == 1
    assert wanted in said.err


def test_somebody_or_something_must_be_asked_about(simple: Trained) -> None:
    with pytest.raises(ConfigError, match="one of --customer, --customers and --new-products is required"):
        recommend([str(simple.bundle)])


def test_the_file_of_new_products_is_not_replaced(simple: Trained, ids: Path, new_products: Path) -> None:
    before = new_products.read_text()
    arguments = ["--new-products", str(new_products), "--customers", str(ids), "--out", str(new_products)]
    with pytest.raises(ConfigError, match="is the file of --new-products"):
        recommend([str(simple.bundle), *arguments])
    assert new_products.read_text() == before


def test_the_help_of_serve_names_registered_bundles(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        serve(["--help"])
    assert "models:/embedrec@champion" in capsys.readouterr().out

"""audience.py: a table or a file, and every mistake in one line."""

from __future__ import annotations

from pathlib import Path

import pandas as pd
import pytest

from embedrec import Recommender
from embedrec.audience_command import audience
from embedrec.bundle import read_bundle, write_bundle
from embedrec.cli import MISTAKE, guarded
from embedrec.serving.audience import AUDIENCE
from runs import Trained

Captured = pytest.CaptureFixture[str]


@pytest.fixture(scope="module")
def shop(simple: Trained) -> Recommender:
    return Recommender.load(simple.bundle)


def test_a_file_of_customers(simple: Trained, shop: Recommender, tmp_path: Path, capsys: Captured) -> None:
    target, before = tmp_path / "audience.csv", sorted(tmp_path.iterdir())
    audience([str(simple.bundle), "--product", "P001", "-n", "25", "--exclude-recent", "365", "--out", str(target)])
    said = capsys.readouterr()
    assert said.out == f"{target}\n"
    expected = shop.audience("P001", n=25, exclude_recent_days=365)
    facts = expected.attrs
    assert facts["left_out"] > 0
    assert (
        f"25 of {facts['customers']} customers, {facts['left_out']} left out as recent buyers; about "
        f"{facts['expected_buyers']:.1f} of them are expected to buy within {facts['days']} days" in said.err
    )
    written = pd.read_csv(target)
    assert tuple(written.columns) == AUDIENCE
    assert written["customer_id"].tolist() == expected["customer_id"].tolist()
    assert written["last_purchase"].tolist() == [str(one) for one in expected["last_purchase"]]
    assert sorted(tmp_path.iterdir()) == [*before, target]


def test_the_table_is_printed(simple: Trained, shop: Recommender, capsys: Captured) -> None:
    category = shop.categories[0]
    audience([str(simple.bundle), "--category", category, "-n", "3"])
    lines = capsys.readouterr().out.splitlines()
    assert lines[0].split() == list(AUDIENCE)
    assert [line.split()[1] for line in lines[1:]] == shop.audience(categories=[category], n=3)["customer_id"].tolist()


def test_a_file_of_products(simple: Trained, shop: Recommender, tmp_path: Path, capsys: Captured) -> None:
    source = tmp_path / "products.csv"
    source.write_text("sku;note\nP001;x\nP002;y\nP001;z\n")
    audience([str(simple.bundle), "--products", str(source), "-n", "4"])
    shown = [line.split()[1] for line in capsys.readouterr().out.splitlines()[1:]]
    assert shown == shop.audience(products=["P001", "P002"], n=4)["customer_id"].tolist()


def test_no_cell_is_a_formula(simple: Trained, tmp_path: Path, capsys: Captured) -> None:
    content = read_bundle(simple.bundle)
    frames = {name: frame.copy() for name, frame in content.frames.items()}
    for name in ("customers", "events"):
        frames[name]["customer_id"] = "=" + frames[name]["customer_id"].astype("str")
    write_bundle(tmp_path / "bundle", content.manifest, content.weights, content.schema, frames)
    target = tmp_path / "audience.csv"
    audience([str(tmp_path / "bundle"), "--product", "P001", "--out", str(target)])
    assert pd.read_csv(target)["customer_id"].str.startswith("'=C").all()


@pytest.mark.parametrize(
    ("given", "said"),
    [
        (["--product", "P00l"], "--product: no such product as 'P00l', did you mean 'P100'?"),
        (["--category", "nonsense-"], "--category: no such category"),
        (["--products", "{here}/none.csv"], "no such file; name a CSV file with product_id"),
        (["--products", "{here}/ids.csv"], "no such product as 'Q9'"),
        (["--products", "{here}/names.csv"], "product_id"),
        (["--products", "{here}/ids.csv", "--out", "{here}/ids.csv"], "is the file of --products; name another"),
        (["--product", "P001", "--out", "{here}"], "wanted a file, found a folder"),
        (["--product", "P001", "--out", "{here}/no/a.csv"], "there is no such folder"),
        (["--product", "P001", "-n", "0"], "wanted a whole number from 1 to 100000, got '0'"),
        (["--product", "P001", "--exclude-recent", "-3"], "wanted a whole number from 0 to 36500"),
        (["--product", "P001", "--category", "Toys"], "not allowed with argument"),
        ([], "one of the arguments --product --category --products is required"),
    ],
)
def test_mistakes(simple: Trained, tmp_path: Path, capsys: Captured, given: list[str], said: str) -> None:
    (tmp_path / "ids.csv").write_text("product_id\nP001\nQ9\n")
    (tmp_path / "names.csv").write_text("names\nx\n")
    words = [word.format(here=tmp_path) for word in given]
    assert guarded(lambda: audience([str(simple.bundle), *words])) == MISTAKE
    error = capsys.readouterr().err
    assert error.startswith("error: ")
    assert error.count("\n") == 1
    assert said in error
    assert (tmp_path / "ids.csv").read_text() == "product_id\nP001\nQ9\n"

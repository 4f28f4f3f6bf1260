"""recommend.py on a file of customers: nothing is misread, nothing of the user's is replaced."""

from __future__ import annotations

from pathlib import Path

import pandas as pd
import pytest

from embedrec.bundle_commands import recommend, serve
from embedrec.errors import ConfigError, DataError
from runs import Trained


@pytest.fixture
def ids(tmp_path: Path) -> Path:
    path = tmp_path / "ids.csv"
    path.write_text("customer_id\nC0001\nnobody\nC0001\n")
    return path


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
        ("customer_id,a\nC1,2,3,4\nC0042\n", "cannot be read"),
        ("id\nC1\n", "no column customer_id"),
        ("customer_id\n\n", "names no customer"),
        ("customer_id\nC1\na\x01b\n", "line 3: customer_id"),
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


def test_the_help_of_serve_names_registered_bundles(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        serve(["--help"])
    assert "models:/embedrec@champion" in capsys.readouterr().out

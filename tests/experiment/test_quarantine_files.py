"""Rows that could not be understood are kept beside the report: as they were read, and safe to look at."""

from __future__ import annotations

import shutil
from pathlib import Path

import pandas as pd
import pytest

from embedrec.experiment.config import parse_config
from embedrec.experiment.recording import begin
from embedrec.experiment.shop import Shop, open_shop


@pytest.fixture
def damaged(demo_tables: Path, tmp_path: Path) -> Path:
    """The demo shop with one bad line of purchases, which a spreadsheet would run."""
    folder = tmp_path / "shop"
    shutil.copytree(demo_tables, folder)
    with (folder / "purchase_history.csv").open("a", encoding="utf-8") as history:
        width = (folder / "purchase_history.csv").read_text(encoding="utf-8").splitlines()[0].count(",")
        history.write("=cmd(),\x1b[31m" + ",x" * width + "\n")
    return folder


def opened(folder: Path) -> Shop:
    config = parse_config({"data": {"name": "demo", "path": str(folder)}, "model": {"name": "popularity"}})
    return open_shop(config.data, config.split)


def test_quarantined_rows_are_written(damaged: Path, tmp_path: Path) -> None:
    shop, run = opened(damaged), tmp_path / "run"
    run.mkdir()
    begin(run, {}, shop, lambda _: None)
    kept = pd.read_parquet(run / "quarantine.parquet")
    pd.testing.assert_frame_equal(kept, shop.tables.quarantine, check_dtype=False)
    (row,) = kept.to_dict("records")
    lines = (damaged / "purchase_history.csv").read_text(encoding="utf-8").count("\n")
    assert (row["file"], row["line"], row["column"]) == ("purchase_history.csv", lines, "")
    assert row["text"].startswith("=cmd(),\x1b")
    shown = (run / "quarantine.csv").read_text(encoding="utf-8")
    assert "'=cmd(),\\x1b" in shown
    assert shown.count("\n") == 2


def test_a_clean_shop_has_none(demo_tables: Path, tmp_path: Path) -> None:
    begin(tmp_path, {}, opened(demo_tables), lambda _: None)
    assert not list(tmp_path.glob("*quarantine*"))

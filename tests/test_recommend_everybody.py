"""recommend.py --customers all: a folder of parts that can be killed, gone on with, and not mixed up."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from filelock import FileLock

from embedrec.bundle_commands import recommend
from embedrec.cli import guarded
from embedrec.errors import ConfigError
from embedrec.serving import Recommender, parts
from embedrec.serving.parts_on_ray import PartMaker
from fresh_bundle import write_fresh_bundle
from runs import unchanged_process

PART = 16  # customers
FILES = ["_SUCCESS", "_settings.json", "part-00000.parquet", "part-00001.parquet", "part-00002.parquet"]
KILLED = """
import os, signal, sys
from embedrec.bundle_commands import recommend
from embedrec.serving import parts

parts.PART = int(sys.argv[1])
written = []

def fsync(number, sync=os.fsync):
    written.append(number)
    if len(written) == 2:
        os.kill(os.getpid(), signal.SIGKILL)
    sync(number)

os.fsync = fsync
recommend(sys.argv[2:])
"""


@pytest.fixture(scope="module")
def bundle(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("bundles") / "bundle"
    write_fresh_bundle(folder, 1)
    return folder


@pytest.fixture(autouse=True)
def small_parts(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(parts, "PART", PART)


@pytest.fixture
def whole(bundle: Path, tmp_path: Path) -> Path:
    """A finished folder."""
    recommend(everybody(bundle, tmp_path / "whole"))
    return tmp_path / "whole"


def everybody(bundle: Path, out: Path, *options: str) -> list[str]:
    return [str(bundle), "--customers", "all", "--out", str(out), "-k", "5", *options]


def visible(folder: Path) -> list[str]:
    return sorted(one.name for one in folder.iterdir() if one.name != parts.LOCK)


def test_a_folder_that_any_reader_takes(bundle: Path, whole: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert visible(whole) == FILES
    lists = pd.read_parquet(whole)
    assert lists.columns.tolist() == ["customer_id", "cold_start", "rank", "product_id", "score"]
    assert lists["customer_id"].unique().tolist() == [f"C{number:04d}" for number in range(40)]
    one = Recommender.load(bundle).recommend("C0020", 5)
    assert lists[lists["customer_id"] == "C0020"]["product_id"].tolist() == one["product_id"].tolist()
    before = {one.name: one.stat().st_mtime_ns for one in whole.iterdir()}
    recommend(everybody(bundle, whole))
    assert capsys.readouterr().out.splitlines()[-1] == str(whole)
    assert {one.name: one.stat().st_mtime_ns for one in whole.iterdir()} == before


def test_killed_and_gone_on_with_it_is_the_same_to_the_byte(bundle: Path, whole: Path, tmp_path: Path) -> None:
    folder = tmp_path / "killed"
    command = [sys.executable, "-c", KILLED, str(PART), *everybody(bundle, folder)]
    assert subprocess.run(command, capture_output=True).returncode == -signal.SIGKILL
    left = [name for name in visible(folder) if not name.startswith(".")]
    assert left == ["_settings.json", "part-00000.parquet"]
    assert len(visible(folder)) == 3  # and what was being written
    first = (folder / "part-00000.parquet").stat()
    recommend(everybody(bundle, folder))
    assert visible(folder) == FILES
    assert [(folder / name).read_bytes() for name in FILES] == [(whole / name).read_bytes() for name in FILES]
    again = (folder / "part-00000.parquet").stat()
    assert (again.st_ino, again.st_mtime_ns) == (first.st_ino, first.st_mtime_ns)


@pytest.mark.parametrize(
    ("options", "wanted"),
    [
        (["-k", "6"], "was begun with 'k' = '5', now '6' is asked for"),
        (["--only", "new"], """was begun with 'only' = 'null', now '"new"' is asked for"""),
        (["--exclude-bought"], """was begun with 'only' = 'null', now '"new"' is asked for"""),
    ],
)
def test_another_question_to_a_begun_folder(bundle: Path, whole: Path, options: list[str], wanted: str) -> None:
    (whole / "_SUCCESS").unlink()
    before = {one.name: one.read_bytes() for one in whole.iterdir()}
    with pytest.raises(ConfigError, match=wanted):
        recommend(everybody(bundle, whole, *options))
    assert {one.name: one.read_bytes() for one in whole.iterdir()} == before


def test_another_bundle_is_refused_in_one_line(whole: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    write_fresh_bundle(tmp_path / "other", 2)
    assert guarded(lambda: recommend(everybody(tmp_path / "other", whole))) == 2
    said = capsys.readouterr().err
    assert said.startswith(f"error: --out {whole} was begun with 'bundle' = ")
    assert said.count("\n") == 1


def test_folders_that_are_refused(bundle: Path, tmp_path: Path) -> None:
    (tmp_path / "full").mkdir()
    (tmp_path / "full" / "letter.txt").write_text("mine")
    (tmp_path / "file").write_text("mine")
    (tmp_path / "torn").mkdir()
    (tmp_path / "torn" / parts.SETTINGS).write_text("[3]")
    for name, wanted in {
        "full": "holds other files, such as 'letter.txt'",
        "file": "wanted a folder, found a file",
        "no/folder": "there is no such folder to make it in",
        "torn": "is damaged",
    }.items():
        with pytest.raises(ConfigError, match=wanted):
            recommend(everybody(bundle, tmp_path / name))
    assert not (tmp_path / "no").exists()
    assert (tmp_path / "file").read_text() == "mine"


def test_two_processes_do_not_fill_one_folder(bundle: Path, tmp_path: Path) -> None:
    (tmp_path / "out").mkdir()
    with FileLock(tmp_path / "out" / parts.LOCK), pytest.raises(ConfigError, match="filled by another process"):
        recommend(everybody(bundle, tmp_path / "out"))
    assert visible(tmp_path / "out") == []


@pytest.mark.parametrize(
    ("arguments", "wanted"),
    [
        (["--customers", "all", "--out", "o", "--diversity", "0.5"], "goes with neither --diversity"),
        (["--customers", "all", "--out", "o", "--new-products", "n.csv"], "goes with neither --diversity"),
        (["--customer", "C0001", "--engine", "ray"], "--engine goes with --customers all"),
        (["--customers", "all"], "--customers and --out go together"),
    ],
)
def test_questions_that_are_refused(bundle: Path, arguments: list[str], wanted: str) -> None:
    with pytest.raises(ConfigError, match=wanted):
        recommend([str(bundle), *arguments])


def test_the_settings_tell_what_was_asked(bundle: Path, whole: Path) -> None:
    settings = json.loads((whole / parts.SETTINGS).read_text())
    manifest = json.loads((bundle / "manifest.json").read_text())
    assert settings == {
        "format": 1,
        "bundle": manifest["id"],
        "k": 5,
        "only": None,
        "in_stock": False,
        "customers": 40,
        "customers_per_part": PART,
    }


def test_without_ray_the_folder_can_be_gone_on_with(
    bundle: Path, whole: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = tmp_path / "asked of ray"
    monkeypatch.setitem(sys.modules, "ray", None)
    monkeypatch.delenv("RAY_ADDRESS", raising=False)
    with unchanged_process(), pytest.raises(ConfigError, match="--engine ray needs Ray, which is not installed"):
        recommend(everybody(bundle, folder, "--engine", "ray"))
    assert visible(folder) == [parts.SETTINGS]
    recommend(everybody(bundle, folder))
    assert [(folder / name).read_bytes() for name in FILES] == [(whole / name).read_bytes() for name in FILES]


def test_what_a_worker_of_ray_makes_is_the_same(bundle: Path, whole: Path, tmp_path: Path) -> None:
    made = parts.Parts(tmp_path, {}, 40)
    batch = {"part": np.array([2, 0])}
    assert PartMaker(bundle, {"k": 5, "only": None, "in_stock": False}, made)(batch) == batch
    assert made.missing == [1]
    assert made.path(2).read_bytes() == (whole / "part-00002.parquet").read_bytes()

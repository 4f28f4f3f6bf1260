"""Mistakes on the command line: exit code 2 and one line that names the thing, whatever the mistake."""

from __future__ import annotations

import json
import re
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from embedrec.bundle import WEIGHTS
from embedrec.bundle_commands import evaluate, recommend
from embedrec.cli import BUG, INTERRUPTED, MISTAKE, guarded
from embedrec.columns import RECOMMENDATION
from embedrec.errors import DataError
from embedrec.hydra_entry import select_files
from embedrec.training_command import train
from runs import CONF, UNTRACKED, Trained, unchanged_process
from shops import small_shop, write_shop

Captured = pytest.CaptureFixture[str]


def mistake(capsys: Captured, command: Callable[[], None]) -> str:
    """Run a command that must be refused; return the one line it says."""
    with unchanged_process():
        assert guarded(command) == MISTAKE
    error = capsys.readouterr().err
    assert error.startswith("error: ")
    assert error.endswith("\n")
    assert error.count("\n") == 1, error
    assert error.strip().isprintable(), repr(error)
    return error.removeprefix("error: ").strip()


# The guard


def test_exit_codes(capsys: Captured) -> None:
    def raises(error: BaseException) -> Callable[[], None]:
        def command() -> None:
            raise error

        return command

    assert guarded(lambda: None) == 0
    assert guarded(raises(DataError("two\nlines"))) == MISTAKE
    assert capsys.readouterr().err == "error: two lines\n"
    assert guarded(raises(KeyboardInterrupt())) == INTERRUPTED
    assert capsys.readouterr().err == "stopped\n"
    assert guarded(raises(ZeroDivisionError("ours"))) == BUG
    assert "Traceback" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("given", "settings"),
    [
        (["data.path=x"], ["data=files", "data.path=x"]),
        (["seed=1", "data.path=x", "--cfg", "job"], ["seed=1", "data=files", "data.path=x", "--cfg", "job"]),
        (["--cfg", "job", "data.path=x"], ["--cfg", "job", "data=files", "data.path=x"]),
        (["data.path=x", "data=demo"], ["data.path=x", "data=demo"]),
        (["data=demo", "data.path=x"], ["data=demo", "data.path=x"]),
        (["data.columns.price=x"], ["data.columns.price=x"]),
        ([], []),
    ],
)
def test_a_path_alone_means_ones_own_files(given: list[str], settings: list[str]) -> None:
    assert select_files(given) == settings


@pytest.mark.parametrize("flags_first", [True, False])
def test_flags_may_stand_on_either_side(flags_first: bool, capfd: Captured) -> None:
    flags, settings = ["--cfg", "job"], ["data.path=my_shop"]
    with unchanged_process():
        train([*flags, *settings] if flags_first else [*settings, *flags], CONF)
    assert "path: my_shop" in capfd.readouterr().out


# train.py

SETTINGS = {
    "model=two_towers": r"model=two_towers: there is no such choice, did you mean 'two_tower'\?; known: .*random",
    "data=demoo": r"data=demoo: there is no such choice, did you mean 'demo'\?",
    "model.dimm=3": r"model\.dimm: there is no such setting, did you mean 'dim'\?",
    "sed=3": r"sed: there is no such setting, did you mean 'seed'\?",
    "modle=random": r"modle: there is no such",
    "model.dim=abc": r"model\.dim='abc': .*integer",
    "model.dim=4.5": r"model\.dim='4\.5': .*integer",
    "model.dim=0": r"model\.dim='0': .*greater than or equal to 1",
    "model.dim=": r"model\.dim=''?: ",
    "model.dim=null": r"model\.dim=",
    "trainer.max_epochs=-1": r"trainer\.max_epochs='-1': ",
    "trainer.learning_rate=fast": r"trainer\.learning_rate='fast': .*number",
    "loss.negatives=some": r"loss\.negatives",
    "split.test_from=yesterday": r"split\.test_from='yesterday' is not a date",
    "split.test_from=1990-01-01": r"split: the windows must be in order",
    "split.protocol=randomly": r"split\.protocol='randomly': ",
    "name=../../x": r"name='\.\./\.\./x': ",
    "seed=-1": r"seed='-1': ",
    "seed=true": r"seed=",
    "resume=absent": r"resume=absent: no run lies there",
    "nonsense": r"'nonsense' is not of the form key=value",
    "name='open": r".*name='open.* is not of the form key=value",
    "name=a=b": r"'name=a=b' is not of the form key=value; quote",
    "model.dim=[1,2": r"'model\.dim=\[1,2' is not of the form key=value; quote",
    "model.dim=choice()": r"'model\.dim=choice\(\)': empty choice is not legal",
    "model.dim=${nothing}": r".*'nothing' not found",
    "--nonsense": r"unrecognized arguments: --nonsense; see --help",
    "--config-name=other": r"Cannot find primary config 'other'",
}


@pytest.mark.parametrize("word", SETTINGS)
def test_wrong_settings(word: str, demo_tables: Path, tmp_path: Path, capsys: Captured) -> None:
    words = [f"data.path={demo_tables}", f"outputs={tmp_path}", UNTRACKED, word]
    if word.startswith(("data=", "resume=")):
        words = [f"outputs={tmp_path}", UNTRACKED, word] if word.startswith("data=") else [word]
    assert re.match(SETTINGS[word], mistake(capsys, lambda: train(words, CONF)))


def spoil(folder: Path, name: str, change: Callable[[str], str]) -> None:
    path = folder / f"{name}.csv"
    path.write_text(change(path.read_text(encoding="utf-8")), encoding="utf-8")


TABLES: dict[str, tuple[Callable[[Path], object], str]] = {
    "no folder": (lambda folder: shutil.rmtree(folder), r"data\.path .* does not exist"),
    "no history": (lambda folder: (folder / "purchase_history.csv").unlink(), r"no purchase_history in folder"),
    "a missing column": (
        lambda folder: spoil(folder, "purchase_history", lambda text: text.replace("customer_id", "who", 1)),
        r".*customer_id",
    ),
    "dates that are none": (
        lambda folder: spoil(
            folder, "purchase_history", lambda text: re.sub(r"\d{4}-\d\d-\d\dT\S{8}", "someday", text)
        ),
        r"purchase_history\.csv.*purchase_date.*someday",
    ),
    "an empty file": (lambda folder: spoil(folder, "purchase_history", lambda _: ""), r"purchase_history\.csv"),
    "a header only": (
        lambda folder: spoil(folder, "purchase_history", lambda text: text.splitlines()[0] + "\n"),
        r"purchase_history\.csv has a header but no rows",
    ),
}


@pytest.mark.parametrize("case", TABLES)
def test_tables_that_cannot_be_used(case: str, tmp_path: Path, capsys: Captured) -> None:
    change, message = TABLES[case]
    folder = write_shop(tmp_path / "shop", small_shop(0))
    change(folder)
    words = [f"data.path={folder}", f"outputs={tmp_path / 'out'}", UNTRACKED, "model=popularity"]
    assert re.match(message, mistake(capsys, lambda: train(words, CONF)))
    assert not (tmp_path / "out" / "latest").exists()


def test_a_public_set_that_is_not_there(monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: Captured) -> None:
    monkeypatch.delenv("EMBEDREC_DATA", raising=False)
    said = mistake(capsys, lambda: train(["data=online_retail", f"outputs={tmp_path}", UNTRACKED], CONF))
    assert "EMBEDREC_DATA" in said
    assert "https://archive.ics.uci.edu" in said


# recommend.py and evaluate.py


@pytest.mark.parametrize("k", ["0", "-1", "1001", "5.5", "1_0", "True", "NaN", "inf", "9" * 5000, "", "٣"])
def test_k_out_of_range(k: str, simple: Trained, capsys: Captured) -> None:
    said = mistake(capsys, lambda: recommend([str(simple.bundle), "--customer", "C0001", f"-k={k}"]))
    assert "1 to 1000" in said
    assert len(said) < 200


REFUSED = {
    "nothing": ([], "BUNDLE"),
    "nobody": (["BUNDLE"], "--customer"),
    "two kinds": (["BUNDLE", "--customer", "a", "--customers", "b"], "not allowed with"),
    "no target": (["BUNDLE", "--customers", "b"], "--customers and --out go together"),
    "no source": (["BUNDLE", "--customer", "a", "--out", "b"], "--customers and --out go together"),
    "a blank id": (["BUNDLE", "--customer", " "], "customer_id: "),
    "a long id": (["BUNDLE", "--customer", "x" * 300], "customer_id: "),
    "an unknown flag": (["BUNDLE", "--customer", "a", "--loud"], "--loud"),
    "no bundle": (["absent", "--customer", "a"], "absent is not a bundle"),
    "no file": (
        ["BUNDLE", "--customers", "absent.csv", "--out", "out.csv"],
        "'absent.csv' is no regular file: name a CSV file with customer_id",
    ),
}


@pytest.mark.parametrize("case", REFUSED)
def test_recommend_refuses(case: str, simple: Trained, capsys: Captured) -> None:
    words, message = REFUSED[case]
    words = [str(simple.bundle) if word == "BUNDLE" else word for word in words]
    assert message in mistake(capsys, lambda: recommend(words))


def test_a_damaged_bundle(simple: Trained, demo_tables: Path, tmp_path: Path, capsys: Captured) -> None:
    damaged = shutil.copytree(simple.bundle, tmp_path / "damaged")
    (damaged / WEIGHTS).write_bytes(b"damaged")
    for command in (
        lambda: recommend([str(damaged), "--customer", "C0001"]),
        lambda: evaluate([str(damaged), str(demo_tables)]),
    ):
        assert f"{WEIGHTS} does not match its SHA-256" in mistake(capsys, command)


def test_evaluate_refuses(simple: Trained, tmp_path: Path, capsys: Captured) -> None:
    assert "does not exist" in mistake(capsys, lambda: evaluate([str(simple.bundle), str(tmp_path / "absent")]))
    assert "DATA" in mistake(capsys, lambda: evaluate([str(simple.bundle)]))
    old = write_shop(tmp_path / "old", small_shop(0))
    assert "no purchase on or after" in mistake(capsys, lambda: evaluate([str(simple.bundle), str(old)]))


def said_by(capsys: Captured, command: Callable[[], None]) -> str:
    assert guarded(command) == 0
    return capsys.readouterr().out


def test_recommend_prints_one_line_of_json(trained: Trained, capsys: Captured) -> None:
    out = said_by(capsys, lambda: recommend([str(trained.bundle), "--customer", "C0001", "-k", "7", "--json"]))
    assert out.count("\n") == 1

    def refuse(name: str) -> Any:
        raise AssertionError(name)

    rows = json.loads(out, parse_constant=refuse)
    assert [row["rank"] for row in rows] == list(range(1, 8))
    assert all(tuple(row) == RECOMMENDATION for row in rows)


def test_recommend_tells_a_stranger(trained: Trained, capsys: Captured) -> None:
    out = said_by(capsys, lambda: recommend([str(trained.bundle), "--customer", "nobody"]))
    assert "popular now" in out.splitlines()[0]


def test_recommend_to_a_file_of_customers(trained: Trained, tmp_path: Path, capsys: Captured) -> None:
    (tmp_path / "ids.csv").write_text("customer_id\nC0001\nnobody\nC0001\n\nC0002\n")
    target = tmp_path / "recs.csv"
    words = [str(trained.bundle), "--customers", str(tmp_path / "ids.csv"), "--out", str(target), "-k", "3"]
    assert said_by(capsys, lambda: recommend(words)).splitlines()[-1] == str(target)
    table = pd.read_csv(target)
    assert table["customer_id"].tolist() == ["C0001"] * 3 + ["nobody"] * 3 + ["C0002"] * 3
    assert sorted(one.name for one in tmp_path.iterdir()) == ["ids.csv", "recs.csv"]


@pytest.mark.parametrize("kind", ["trained", "simple"])
def test_evaluate_repeats_the_test_figures(
    kind: str, request: pytest.FixtureRequest, demo_tables: Path, capsys: Captured
) -> None:
    run: Trained = request.getfixturevalue(kind)
    out = said_by(capsys, lambda: evaluate([str(run.bundle), str(demo_tables)]))
    found = json.loads(out.splitlines()[-1])
    assert found["model"] == run.config.model.name
    assert found["bundle"] == run.manifest["id"]
    assert found["test"] == run.metrics["models"][run.config.model.name]["test"]

"""doctor.py in process: what it prints, writes and refuses."""

from __future__ import annotations

import contextlib
import io
import re
from pathlib import Path

import pytest

from embedrec.cli import guarded
from embedrec.doctor_command import diagnose
from runs import CONF, read_json, unchanged_process

HEADER = "customer_id,product_id,purchase_date,price\n"


def doctor(*arguments: object) -> list[str]:
    """Run the command; return the lines of stdout."""
    out = io.StringIO()
    with contextlib.redirect_stdout(out), contextlib.redirect_stderr(io.StringIO()), unchanged_process():
        diagnose([str(one) for one in arguments], CONF)
    return out.getvalue().splitlines()


def refused(capsys: pytest.CaptureFixture[str], *arguments: object) -> str:
    """Run what must be refused; return the one line."""
    with unchanged_process():
        assert guarded(lambda: diagnose([str(one) for one in arguments], CONF)) == 2
    told = capsys.readouterr().err.splitlines()
    assert len(told) == 1
    return told[0]


@pytest.fixture
def tiny(tmp_path: Path) -> Path:
    folder = tmp_path / "a shop, tiny"
    folder.mkdir()
    rows = "".join(f"C{i % 5},P{i % 7},2024-01-05,{i + 1}\n" for i in range(35))
    (folder / "purchase_history.csv").write_text(HEADER + rows)
    return folder


def test_the_demo_shop(demo_tables: Path, tmp_path: Path) -> None:
    said = doctor(demo_tables, f"outputs={tmp_path}")
    page = Path(said[-1])
    assert page.is_file()
    assert re.fullmatch(rf"[\d_-]+-{demo_tables.name}", page.parent.name)
    assert page.parent.parent == tmp_path / "doctor"
    text = "\n".join(said)
    for part in (
        "purchase_history.csv",
        "Findings",
        "one value per product",
        "there is a signal",
        "Advice",
        "two_tower",
    ):
        assert part in text
    html = page.read_text(encoding="utf-8")
    assert "Can a model be trusted on it?" in html
    assert html.count("<figure>") == 6
    assert f"python scripts/train.py data=files data.path={demo_tables}" in html
    assert not re.search(r"""(src|href)=["']?(https?:)?//""", html)
    report = read_json(page.with_name("data_report.json"))
    assert "there is a signal" in [one["sentence"] for one in report["findings"]][-1]
    assert doctor(demo_tables, f"outputs={tmp_path}")[-1] != said[-1], "never overwritten"


def test_a_shop_that_cannot_be_split_is_examined(tiny: Path, tmp_path: Path) -> None:
    target = tmp_path / "page.html"
    said = doctor("--report", target, tiny)
    assert said[-1] == str(target)
    text = " ".join(" ".join(said).split())
    assert "all purchases carry the same purchase_date, so there is none later to test on" in text
    assert "all purchases carry the same timestamp (2024-01-05T00:00:00)" in text
    assert "popularity_recent" in text
    assert "trust it? No: " in text
    assert not (tmp_path / "outputs").exists()


@pytest.mark.parametrize("setting", ["columns.price=-", "data.columns.price=-"])
def test_settings_of_train_are_taken(tiny: Path, tmp_path: Path, setting: str) -> None:
    text = " ".join(" ".join(doctor(tiny, setting, "--report", tmp_path / "page.html")).split())
    assert "no price is known" in text
    assert "'price'" in text, "listed as not used"
    assert "data.columns.price=-" in (tmp_path / "page.html").read_text(encoding="utf-8")


def test_one_file_is_a_shop_too(tiny: Path, tmp_path: Path) -> None:
    said = doctor(tiny / "purchase_history.csv", "--report", tmp_path / "page.html")
    assert "Data doctor: purchase_history.csv" in said


def test_a_folder_whose_name_drives_a_terminal_is_escaped(tiny: Path, tmp_path: Path) -> None:
    hostile = tiny.rename(tiny.with_name("a\x1b[31mshop"))
    said = doctor(hostile, f"outputs={tmp_path}")
    assert said[0] == r"Reading a\x1b[31mshop …"
    assert not any("\x1b" in line for line in said)


def test_quarantined_rows_are_shown(tiny: Path, tmp_path: Path) -> None:
    with (tiny / "purchase_history.csv").open("a") as file:
        file.write("C1,<b>P1</b>,30.02.2024,3\n")
    doctor(tiny, f"outputs={tmp_path}")
    (page,) = (tmp_path / "doctor").glob("*/report.html")
    html = page.read_text(encoding="utf-8")
    assert "30.02.2024" in html
    assert "<b>P1" not in html
    assert page.with_name("quarantine.csv").is_file()


def test_mistakes_are_one_line(tiny: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert "did you mean 'online_retail'" in refused(capsys, "online_retial")
    assert "does not exist" in refused(capsys, tmp_path / "nowhere")
    assert "ends in .html" in refused(capsys, tiny, "--report", tiny / "purchase_history.csv")
    assert "no such folder" in refused(capsys, tiny, "--report", tmp_path / "no" / "page.html")
    assert "takes settings of data, split, outputs" in refused(capsys, tiny, "model=popularity")
    assert "there is no such setting, did you mean 'price'" in refused(capsys, tiny, "columns.prise=-")
    assert "split.test_from" in refused(capsys, tiny, "split.test_from=soon")
    (tiny / "loop").symlink_to("loop")
    assert "does not exist" in refused(capsys, tiny / "loop")
    (tiny / "purchase_history.csv").write_text("customer_id,product_id\nC1,P1\n")
    assert "no column purchase_date" in refused(capsys, tiny)
    assert "the following arguments are required: DATA" in refused(capsys)

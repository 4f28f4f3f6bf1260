"""Run folders are never shared and never overwritten; files appear whole."""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime
from pathlib import Path

import pytest

from embedrec.errors import ConfigError
from embedrec.experiment.folders import new_run_folder, point_latest, write_json

STARTED = datetime(2026, 2, 3, 4, 5, 6)


def test_the_path_tells_when(tmp_path: Path) -> None:
    assert new_run_folder(tmp_path, None, STARTED) == tmp_path / "runs" / "2026-02-03" / "04-05-06"
    assert new_run_folder(tmp_path, "mine", STARTED).name == "04-05-06-mine"


def test_fifty_starts_in_one_second(tmp_path: Path) -> None:
    starts = 50
    together = threading.Barrier(starts)

    def start(_: int) -> Path:
        together.wait()
        return new_run_folder(tmp_path / "out", "same", STARTED)

    with ThreadPoolExecutor(starts) as pool:
        folders = list(pool.map(start, range(starts)))
    assert len(set(folders)) == starts
    assert all(folder.is_dir() for folder in folders)


def test_a_folder_is_never_used_again(tmp_path: Path) -> None:
    first = new_run_folder(tmp_path, None, STARTED)
    (first / "metrics.json").write_text("{}")
    second = new_run_folder(tmp_path, None, STARTED)
    assert second.name == "04-05-06-2"
    assert not list(second.iterdir())


def test_outputs_that_is_a_file(tmp_path: Path) -> None:
    (tmp_path / "taken").write_text("")
    with pytest.raises(ConfigError, match="outputs=.*no folder can be made there"):
        new_run_folder(tmp_path / "taken", None, STARTED)


def test_json_is_written_whole_or_not_at_all(tmp_path: Path) -> None:
    path = tmp_path / "metrics.json"
    write_json(path, {"value": 1})
    with pytest.raises(ValueError, match="not JSON compliant"):
        write_json(path, {"value": float("nan")})
    assert path.read_text() == '{\n "value": 1\n}\n'
    assert [one.name for one in tmp_path.iterdir()] == ["metrics.json"]


def test_latest_is_relative_and_moves(tmp_path: Path) -> None:
    outputs = tmp_path / "out"
    for second in (1, 2):
        folder = new_run_folder(outputs, None, STARTED.replace(second=second))
        point_latest(outputs, folder)
        assert (outputs / "latest").resolve() == folder.resolve()
    outputs.rename(tmp_path / "moved")
    assert (tmp_path / "moved" / "latest").is_dir()
    assert sorted(one.name for one in (tmp_path / "moved").iterdir()) == ["latest", "runs"]


def test_latest_of_a_run_that_lies_elsewhere(tmp_path: Path) -> None:
    folder = tmp_path / "run"
    folder.mkdir()
    point_latest(tmp_path / "not" / "there yet", folder)
    assert (tmp_path / "not" / "there yet" / "latest").resolve() == folder.resolve()

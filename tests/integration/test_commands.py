"""The commands as processes of their own: quick to answer, plain in what they print."""

from __future__ import annotations

import statistics
import subprocess
import sys
import time
from pathlib import Path

import pytest

from embedrec.serving import Recommender
from runs import SCRIPTS, UNTRACKED

SECONDS = 1.5  # for --help; a second on a machine with nothing else to do
COMMANDS = sorted(path.stem for path in SCRIPTS.glob("*.py"))


def run(name: str, *arguments: str, cwd: Path | None = None) -> subprocess.CompletedProcess[str]:
    words = [sys.executable, str(SCRIPTS / f"{name}.py"), *arguments]
    return subprocess.run(words, capture_output=True, text=True, timeout=200, cwd=cwd)


def test_all_commands_are_known() -> None:
    assert {"train", "evaluate", "recommend", "serve", "make_demo_data"} <= set(COMMANDS)


@pytest.mark.parametrize("name", COMMANDS)
def test_help_is_quick_and_has_an_example(name: str) -> None:
    seconds = []
    for _ in range(3):
        start = time.perf_counter()
        done = run(name, "--help")
        seconds.append(time.perf_counter() - start)
        assert done.returncode == 0, done.stderr
    print(f"{name} --help: {statistics.median(seconds):.2f} s")
    assert done.stderr == ""
    assert "example" in done.stdout.lower()
    assert f"scripts/{name}.py" in done.stdout or f"embedrec-{name}" in done.stdout
    assert min(seconds) < SECONDS


def test_train_from_any_folder(demo_tables: Path, tmp_path: Path) -> None:
    """The last line on stdout is the path of the bundle, alone and unwrapped; other people's chatter is silenced."""
    outputs = tmp_path / ("a folder with a name so long that a terminal of eighty columns would wrap it " + "x" * 80)
    settings = ["model.dim=4", "trainer.max_epochs=1", "trainer.cuts=2", UNTRACKED]
    done = run("train", f"data.path={demo_tables}", f"outputs='{outputs}'", *settings, cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    bundle = Path(done.stdout.splitlines()[-1])
    assert bundle.is_dir()
    assert bundle.name == "bundle"
    assert outputs in bundle.parents
    assert [one.name for one in tmp_path.iterdir()] == [outputs.name], "nothing is written elsewhere"
    for word in ("Warning", "Tip", "GPU", "litlogger", "Traceback"):
        assert word not in done.stdout + done.stderr
    assert len(Recommender.load(bundle).recommend("C0001")) == 10


def test_a_mistake_is_one_line(tmp_path: Path) -> None:
    done = run("recommend", str(tmp_path), "--customer", "C0001")
    assert done.returncode == 2
    assert done.stdout == ""
    assert done.stderr.startswith("error: ")
    assert done.stderr.count("\n") == 1

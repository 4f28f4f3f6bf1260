"""Every curl and gradio_client example of the README runs against a demo shop as it stands there, but for the port."""

from __future__ import annotations

import csv
import json
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from live_app import live

from embedrec import Recommender
from runs import Trained

ADDRESS = "http://127.0.0.1:7860"
README = (Path(__file__).parents[2] / "README.md").read_text(encoding="utf-8")
BLOCKS = re.findall(r"^```\w*\n(.*?)^```$", README, flags=re.MULTILINE | re.DOTALL)
QUESTIONS = [line for block in BLOCKS if ADDRESS in block for line in block.splitlines() if line.startswith("curl ")]
PROGRAMS = [block for block in BLOCKS if "gradio_client" in block]


@pytest.fixture(scope="module")
def demo(trained: Trained) -> Iterator[str]:
    with live(Recommender.load(trained.bundle)) as address:
        yield address


def test_there_are_examples() -> None:
    assert QUESTIONS
    assert PROGRAMS


@pytest.mark.skipif(not shutil.which("curl"), reason="curl is not installed")
@pytest.mark.parametrize("question", QUESTIONS, ids=lambda line: line.split(ADDRESS)[1].split()[0])
def test_a_line_for_the_terminal(demo: str, question: str, tmp_path: Path) -> None:
    (tmp_path / "customers.csv").write_text("customer_id\nC0042\nnobody\n")
    (tmp_path / "products.csv").write_text("product_id\nP101\nP105\n")
    asked = question.replace(ADDRESS, demo).replace("curl ", "curl -sS ", 1)
    answer = subprocess.run(["bash", "-c", asked], capture_output=True, text=True, timeout=60, cwd=tmp_path)
    assert answer.returncode == 0, answer.stderr
    if "_csv" in question:
        (saved,) = set(tmp_path.iterdir()) - {tmp_path / "customers.csv", tmp_path / "products.csv"}
        assert len(list(csv.DictReader(saved.read_text("utf-8-sig").splitlines()))) >= 10
        return
    told = json.loads(answer.stdout)
    assert "error" not in told, told
    assert "detail" not in told, told


@pytest.mark.parametrize("program", PROGRAMS)
def test_a_program(demo: str, program: str, tmp_path: Path) -> None:
    asked = program.replace(ADDRESS, demo)
    environment = {**os.environ, "HF_HUB_OFFLINE": "1", "PYTHONWARNINGS": "default"}
    answer = subprocess.run(
        [sys.executable, "-c", asked], capture_output=True, text=True, timeout=120, cwd=tmp_path, env=environment
    )
    assert answer.returncode == 0, answer.stderr
    assert answer.stdout.strip()

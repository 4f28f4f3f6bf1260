"""recommend.py --customers all --engine ray: the same files as without Ray."""

from __future__ import annotations

import importlib.util
import subprocess
import sys
from pathlib import Path

import pytest

from fresh_bundle import write_fresh_bundle
from runs import SCRIPTS

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(importlib.util.find_spec("ray") is None, reason="needs the extra [ray]"),
]


def test_the_same_files(tmp_path: Path) -> None:
    write_fresh_bundle(tmp_path / "bundle", 1, customers=40_000, products=300, purchases=50_000)
    folders = {}
    for engine in ("local", "ray"):
        out = tmp_path / engine
        words = [str(tmp_path / "bundle"), "--customers", "all", "--out", str(out), "-k", "3", "--engine", engine]
        run = subprocess.run(
            [sys.executable, str(SCRIPTS / "recommend.py"), *words], capture_output=True, text=True, timeout=240
        )
        assert run.returncode == 0, run.stderr
        assert run.stdout.splitlines()[-1] == str(out)
        folders[engine] = {one.name: one.read_bytes() for one in out.iterdir()}
    assert len([name for name in folders["ray"] if name.startswith("part-")]) == 2
    assert folders["ray"] == folders["local"]

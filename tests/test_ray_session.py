"""Ray that is not there: one line that says what to do."""

from __future__ import annotations

import importlib.util
import sys
from pathlib import Path

import pytest

from embedrec.errors import ConfigError
from embedrec.ray_session import start_ray
from runs import command, unchanged_process

needs_ray = pytest.mark.skipif(importlib.util.find_spec("ray") is None, reason="needs the extra [ray]")


def complaint() -> str:
    with unchanged_process(), pytest.raises(ConfigError) as caught:
        start_ray("trainer=ray", 2)
    return str(caught.value)


def test_not_installed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "ray", None)
    wanted = "trainer=ray needs Ray, which is not installed: pip install -c constraints.txt 'embedrec[ray]'"
    assert complaint() == wanted


@needs_ray
@pytest.mark.slow
@pytest.mark.parametrize(
    ("address", "why"),
    [
        ("127.0.0.1:1", "Connection refused"),
        ("nonsense", "Invalid address format: nonsense"),
        ("h:x", "invalid literal"),
    ],
)
def test_no_cluster_at_the_address(monkeypatch: pytest.MonkeyPatch, address: str, why: str) -> None:
    monkeypatch.setenv("RAY_ADDRESS", address)
    said = complaint()
    assert said.startswith(f"trainer=ray: there is no Ray at RAY_ADDRESS='{address}' (")
    assert why in said


def test_torchrun_and_ray_are_not_mixed(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("TORCHELASTIC_RUN_ID", "spring")
    monkeypatch.setenv("WORLD_SIZE", "2")
    with pytest.raises(ConfigError, match="trainer=ray: Ray starts the processes itself; leave out torchrun"):
        command("trainer=ray", f"outputs={tmp_path}")

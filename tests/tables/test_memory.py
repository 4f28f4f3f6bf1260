from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import pytest

from embedrec.tables import memory

UNLIMITED = "9223372036854771712"  # how version 1 says that there is no limit


def system(folder: Path, monkeypatch: pytest.MonkeyPatch, files: Mapping[str, str]) -> None:
    """Fake what Linux says."""
    for name, text in files.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(text)
    monkeypatch.setattr(memory, "PROC", folder / "proc")
    monkeypatch.setattr(memory, "GROUPS", folder / "groups")


def test_the_machine_says_how_much_is_left(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    system(tmp_path, monkeypatch, {"proc/meminfo": "MemTotal:  9 kB\nMemAvailable:   12 kB\n"})
    assert memory.available_memory() == 12 * 1024
    system(tmp_path, monkeypatch, {"proc/meminfo": "MemTotal:  9 kB\n"})
    assert memory.available_memory() is None


def test_nothing_is_known_where_linux_is_not(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    system(tmp_path, monkeypatch, {})
    assert memory.available_memory() is None


def test_the_narrowest_group_counts_without_cached_files(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    files = {
        "proc/meminfo": "MemAvailable: 100 kB\n",
        "proc/self/cgroup": "0::/a/b\n",
        "groups/a/b/memory.max": "max\n",
        "groups/a/b/memory.current": "7\n",
        "groups/a/memory.max": "1000\n",
        "groups/a/memory.current": "900\n",
        "groups/a/memory.stat": "anon 5\ninactive_file 300\n",
    }
    system(tmp_path, monkeypatch, files)
    assert memory.available_memory() == 400


def test_a_container_sees_its_group_as_the_root(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    files = {
        "proc/self/cgroup": "4:memory:/elsewhere/id\n3:cpu:/x\n0::/\n",
        "groups/memory/memory.limit_in_bytes": "5000\n",
        "groups/memory/memory.usage_in_bytes": "6000\n",
    }
    system(tmp_path, monkeypatch, files)
    assert memory.available_memory() == 0
    (tmp_path / "groups/memory/memory.limit_in_bytes").write_text(UNLIMITED)
    assert memory.available_memory() == int(UNLIMITED) - 6000

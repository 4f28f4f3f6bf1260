"""How much memory this process may still take: of the machine, and of the control group (container) it runs in."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

PROC = Path("/proc")
GROUPS = Path("/sys/fs/cgroup")
# Limit, use, and what of the use is only cached files: of version 2 of control groups, and of version 1.
_VERSION_2 = ("memory.max", "memory.current", r"^inactive_file (\d+)$")
_VERSION_1 = ("memory.limit_in_bytes", "memory.usage_in_bytes", r"^total_inactive_file (\d+)$")


def available_memory() -> int | None:
    """Return the bytes of memory that this process may still take; None where the system does not say."""
    known = [room for room in (_of_machine(), *_of_groups()) if room is not None]
    return min(known, default=None)


def _of_machine() -> int | None:
    found = re.search(r"^MemAvailable:\s+(\d+) kB", _text(PROC / "meminfo"), re.MULTILINE)
    return int(found[1]) * 1024 if found else None


def _of_groups() -> Iterator[int | None]:
    """Yield the room that each control group above this process leaves; all of them limit it."""
    for line in _text(PROC / "self/cgroup").splitlines():
        _, controllers, path = line.split(":", 2)
        if not controllers:
            root, version = GROUPS, _VERSION_2
        elif "memory" in controllers.split(","):
            root, version = GROUPS / "memory", _VERSION_1
        else:
            continue
        group = Path(path.lstrip("/"))
        for above in (group, *group.parents):  # a container may see its own group as the root
            yield _room(root / above, *version)


def _room(group: Path, limit: str, use: str, cached: str) -> int | None:
    most, used = _text(group / limit).strip(), _text(group / use).strip()
    if not most.isdigit() or not used.isdigit():  # "max": no limit
        return None
    files = re.search(cached, _text(group / "memory.stat"), re.MULTILINE)
    return max(int(most) - int(used) + (int(files[1]) if files else 0), 0)


def _text(file: Path) -> str:
    try:
        return file.read_text(encoding="ascii")
    except (OSError, ValueError):
        return ""

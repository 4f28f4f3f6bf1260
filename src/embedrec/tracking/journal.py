"""`Journal`: everything a run records, kept in its folder, so that a store can be given it later, or again."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

Record = dict[str, Any]
"""One of
    {"params": {name: text}}    {"tags": {name: text}}    {"metrics": {name: number}, "step": number, "time": ms}
    {"inputs": [dataset]}       {"artifact": path}        {"model": path, "bundle_id": text}
    {"status": RUNNING, FINISHED, FAILED or KILLED, "time": ms}
and, of the stores that were given it, {"store": name, "run_id": id}. Times are milliseconds since 1970.
"""

PLACE = Path("tracking", "journal.jsonl")
RUN_ID = "run.json"
"""Under which id MLflow knows the run of a folder."""


class Journal:
    """Records in their order, one line of JSON each; without a folder in memory alone."""

    def __init__(self, folder: Path | None) -> None:
        self.folder = folder
        self.records = list(_read(folder / PLACE)) if folder else []

    def append(self, record: Record) -> None:
        """Add a record; once this returns it outlives a kill of the process."""
        self.records.append(record)
        if self.folder:
            place = self.folder / PLACE
            place.parent.mkdir(parents=True, exist_ok=True)  # not before: to read a journal leaves no trace
            with place.open("a", encoding="utf-8") as file:
                file.write(json.dumps(record) + "\n")

    def enter(self, store: str, run_id: str) -> None:
        """Note that the run is recorded in a store from now on, and under which id."""
        self.append({"store": store, "run_id": run_id})
        if self.folder:
            _write_whole(self.folder / RUN_ID, {"run_id": run_id})

    def run_in(self, store: str) -> str | None:
        """Return the id under which a store knows this run."""
        return next((one["run_id"] for one in reversed(self.records) if one.get("store") == store), None)

    def whole(self) -> list[Record]:
        """Return what a store that knows nothing of this run is to be given: all, and at the end how the run ended."""
        statuses = [one for one in self.records if "status" in one]
        ended = [one for one in statuses[-1:] if one["status"] != "RUNNING"]
        return [one for one in self.records if "status" not in one] + ended


def _read(path: Path) -> Iterator[Record]:
    """Read what was written whole; a line that a kill or a full disk cut off is closed, and left out."""
    if not path.exists():
        return
    text = path.read_text(encoding="utf-8")
    if text and not text.endswith("\n"):
        with path.open("a", encoding="utf-8") as file:
            file.write("\n")
    for line in text.splitlines():
        try:
            yield json.loads(line)
        except json.JSONDecodeError:
            continue


def _write_whole(path: Path, content: Any) -> None:
    partial = path.with_name(f".{path.name}.{os.getpid()}.partial")
    partial.write_text(json.dumps(content, indent=1) + "\n", encoding="utf-8")
    partial.replace(path)

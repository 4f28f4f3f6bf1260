"""A folder of parquet files that is filled part by part: begun, killed, gone on with, finished.

    _settings.json        what was asked for; written first, and nothing else is ever put into the same folder
    part-00000.parquet    whole or not there: written beside its place, and then renamed
    _SUCCESS              empty; written last

Readers of such folders (pyarrow, pandas, Spark, DuckDB with part-*.parquet) leave out what begins with "_" or ".".
A part depends on nothing but the settings, so that it does not matter who made it, or when.
"""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
from filelock import FileLock, Timeout

from embedrec.errors import ConfigError, quoted
from embedrec.serving.everybody import AT_ONCE, SCHEMA

SETTINGS, FINISHED, LOCK = "_settings.json", "_SUCCESS", ".lock"
PARTIAL = ".partial"
PART = 8 * AT_ONCE  # customers of a part
Setting = str | int | bool | None
Lists = Callable[[int, int], pa.Table]
Progress = Callable[[int], None]
"""Told how many customers are done more."""


class Parts:
    """The parts of `settings["customers"]` customers in a folder."""

    def __init__(self, folder: Path, settings: Mapping[str, Setting], customers: int) -> None:
        self.folder, self.customers, self.size = folder, customers, PART
        self.settings = {"format": 1, **settings, "customers": customers, "customers_per_part": self.size}

    @contextmanager
    def begun(self) -> Iterator[None]:
        """Make the folder, or go on with it; nobody else can meanwhile.

        Raises:
            ConfigError: it holds other files, was begun for something else, or is being filled by another process.
        """
        if self.folder.exists() and not self.folder.is_dir():
            raise ConfigError(f"--out {self.folder}: wanted a folder, found a file; name another")
        if not self.folder.resolve().parent.is_dir():
            raise ConfigError(f"--out {self.folder}: there is no such folder to make it in; make that first")
        self.folder.mkdir(exist_ok=True)
        try:
            with FileLock(self.folder / LOCK, blocking=False):
                self._check()
                yield
        except Timeout:
            raise ConfigError(
                f"--out {self.folder} is being filled by another process; wait for it, or name another"
            ) from None

    @property
    def finished(self) -> bool:
        """Whether every part was made."""
        return (self.folder / FINISHED).exists()

    @property
    def missing(self) -> list[int]:
        """Numbers of the parts that are still to be made."""
        return [number for number in range(-(-self.customers // self.size)) if not self.path(number).exists()]

    def path(self, number: int) -> Path:
        """Return where a part lies."""
        return self.folder / f"part-{number:05d}.parquet"

    def span(self, number: int) -> tuple[int, int]:
        """Return the first customer of a part, and the first after it."""
        return number * self.size, min((number + 1) * self.size, self.customers)

    def write(self, number: int, lists: Lists, progress: Progress | None = None) -> None:
        """Make a part from lists(first, last), those of the customers first … last - 1."""
        path, (start, stop) = self.path(number), self.span(number)
        partial = path.with_name(f".{path.name}.{os.getpid()}{PARTIAL}")
        with partial.open("wb") as file:
            with pq.ParquetWriter(file, SCHEMA, compression="zstd") as writer:
                for first in range(start, stop, AT_ONCE):
                    last = min(first + AT_ONCE, stop)
                    writer.write_table(lists(first, last))
                    if progress:
                        progress(last - first)
            file.flush()
            os.fsync(file.fileno())
        partial.replace(path)

    def finish(self) -> None:
        """Mark the folder as finished, if it is not yet."""
        assert not self.missing
        if self.finished:
            return
        for rest in self.folder.glob(f".*{PARTIAL}"):
            rest.unlink()
        (self.folder / FINISHED).touch()

    def _check(self) -> None:
        path, partial = self.folder / SETTINGS, self.folder / f".{SETTINGS}{PARTIAL}"
        if not path.exists():
            if strange := sorted(one.name for one in self.folder.iterdir() if one.name not in (LOCK, partial.name)):
                raise ConfigError(
                    f"--out {self.folder} holds other files, such as {quoted(strange[0])}; name a new or empty folder"
                )
            partial.write_text(json.dumps(self.settings, indent=1), encoding="utf-8")
            partial.replace(path)
            return
        try:
            begun = dict(json.loads(path.read_text(encoding="utf-8")))
        except (ValueError, TypeError, RecursionError):
            raise ConfigError(f"{path} is damaged; name another folder, or remove this one") from None
        for name in {**self.settings, **begun}:
            was, wanted = begun.get(name), self.settings.get(name)
            if was != wanted or type(was) is not type(wanted):
                raise ConfigError(
                    f"--out {self.folder} was begun with {quoted(name)} = {quoted(json.dumps(was))}, now "
                    f"{quoted(json.dumps(wanted))} is asked for; name another folder, or remove this one"
                )

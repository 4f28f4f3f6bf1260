"""Which file holds which table: by the table's own name in a folder, or as the settings say."""

from __future__ import annotations

import os
from pathlib import Path

from embedrec.columns import PURCHASES, TABLE_NAMES
from embedrec.errors import DataError, nearest, quoted
from embedrec.tables.config import IGNORE, DataConfig, FilesConfig
from embedrec.tables.headers import key

VARIABLE = "EMBEDREC_DATA"
SUFFIXES = (".csv", ".csv.gz", ".parquet")


def locate(config: DataConfig) -> dict[str, Path]:
    """Map table name → file; `purchase_history` is always there, the others where they exist.

    A `path` to one file is the purchase history and brings everything on its lines.

    Raises DataError if the path is not set, not there or not a folder or file, or a table cannot be found.
    """
    path = _expand(config)
    if path.is_file():
        named = [table for table in TABLE_NAMES if getattr(config.files, table) not in (None, IGNORE)]
        if named:
            raise DataError(
                f"data.path is one file ({_shown(path)}) but data.files.{named[0]} names another: "
                "set data.path to the folder that holds both"
            )
        return {PURCHASES: path}
    if not path.is_dir():
        raise DataError(f"{_shown(path)} is neither a folder nor a regular file: set data.path to one of these")
    try:
        present = sorted(entry.name for entry in path.iterdir() if entry.is_file())
    except OSError as error:
        raise DataError(f"folder {_shown(path)} cannot be read: {error.strerror}") from error
    found = {table: file for table in TABLE_NAMES if (file := _file_of(table, path, present, config.files))}
    if PURCHASES not in found:
        raise DataError(
            f"no {PURCHASES} in folder {_shown(path)}: looked for {PURCHASES}{{{','.join(SUFFIXES)}}}, "
            f"there is {_listing(present)}; rename the file, set data.files.{PURCHASES}=NAME, "
            "or data.path to one file"
        )
    by_file: dict[Path, str] = {}
    for table, file in found.items():
        twin = by_file.setdefault(file, table)
        if twin != table:
            raise DataError(f"{quoted(file.name)} is named as {twin} and as {table}: give each table its own file")
    return found


def _expand(config: DataConfig) -> Path:
    text = (config.path or "").strip()
    where = f" (the set is published at {config.published})" if config.published else ""
    if not text:
        raise DataError("data.path is not set: give the folder with the tables, or one line-item file")
    if "://" in text:
        raise DataError(f"data.path {_shown(text)} is a URL: download the files and give their folder")
    for spelling in (f"${VARIABLE}", f"${{{VARIABLE}}}"):
        if text == spelling or text.startswith(spelling + "/"):
            root = os.environ.get(VARIABLE, "").strip()
            if not root:
                raise DataError(
                    f"data={config.name} is read from {_shown(text)}, but the variable {VARIABLE} is not "
                    f"set: set it to the folder that holds {quoted(text[len(spelling) + 1 :])}{where}"
                )
            text = root + text[len(spelling) :]
            break
    path = Path(text).expanduser()
    try:
        exists = path.exists()
    except (OSError, ValueError) as error:
        raise DataError(f"data.path {_shown(text)} cannot be read: {error}") from error
    if not exists:
        raise DataError(f"data.path {_shown(path)} does not exist: give the folder with the tables, or one file{where}")
    return path


def _file_of(table: str, folder: Path, present: list[str], files: FilesConfig) -> Path | None:
    """Return the file of one table, None where it is not used or an optional one is not there."""
    named: str | None = getattr(files, table)
    if named == IGNORE and table != PURCHASES:
        return None
    if named == IGNORE:
        raise DataError(f"data.files.{PURCHASES} is '-': this table cannot be left out")
    if named is not None:
        if (folder / named).is_file():
            return folder / named
        raise DataError(
            f"data.files.{table} names {quoted(named)}, which is not a file in {_shown(folder)}"
            f"{nearest(named, present)}; there is {_listing(present)}"
        )
    matches = [name for name in present if _stem(name) == key(table)]
    if len(matches) > 1:
        raise DataError(
            f"folder {_shown(folder)} holds {' and '.join(map(quoted, matches))}: "
            f"say which with data.files.{table}=NAME"
        )
    return folder / matches[0] if matches else None


def _stem(name: str) -> str | None:
    for suffix in SUFFIXES:
        if name.lower().endswith(suffix):
            return key(name[: -len(suffix)])
    return None


def _listing(present: list[str]) -> str:
    shown = ", ".join(map(quoted, present[:8])) or "no file"
    return shown + (f" and {len(present) - 8} more" if len(present) > 8 else "")


def _shown(path: object) -> str:
    """Show a path in a message: whole, unless it is absurdly long."""
    return quoted(path, limit=300)

"""Which file holds which table: by the table's own name in a folder, a stated synonym, or as the settings say."""

from __future__ import annotations

import filecmp
import itertools
import os
from pathlib import Path

from embedrec.columns import PURCHASES, TABLE_NAMES
from embedrec.errors import DataError, nearest, quoted
from embedrec.tables.config import IGNORE, DataConfig, FilesConfig
from embedrec.tables.headers import FILE_SYNONYMS, key

VARIABLE = "EMBEDREC_DATA"
SUFFIXES = (".csv", ".csv.gz", ".csv.zip", ".parquet")


def locate(config: DataConfig) -> dict[str, Path]:
    """Map table name → file; `purchase_history` is always there, the others where they exist.

    A `path` to one file is the purchase history and brings everything on its lines.

    Raises DataError if the path is not set, not there or not a folder or file, a table cannot be found, lies
    outside the folder or is no regular file, or one file is found for two tables.
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
        present = sorted(entry.name for entry in path.iterdir())
    except OSError as error:
        raise DataError(f"folder {_shown(path)} cannot be read: {error.strerror}") from error
    found = {table: file for table in TABLE_NAMES if (file := _file_of(table, path, present, config.files))}
    if PURCHASES not in found:
        raise DataError(
            f"no {PURCHASES} in folder {_shown(path)}: looked for {PURCHASES}{{{','.join(SUFFIXES)}}} or another usual "
            f"name, such as {quoted(FILE_SYNONYMS[PURCHASES][0])}; there is {_listing(present)}; rename the file, "
            f"set data.files.{PURCHASES}=NAME, or data.path to one file"
        )
    _refuse_twins(found)
    return found


def _refuse_twins(found: dict[str, Path]) -> None:
    """Raise DataError if one file, or two of the same bytes, are to be two tables; empty ones are none."""
    optional_last = sorted(found, key=lambda table: table != PURCHASES)
    for table, other in itertools.combinations(optional_last, 2):
        file, twin = found[table], found[other]
        try:
            same = file.samefile(twin) or (file.stat().st_size > 0 and filecmp.cmp(file, twin, shallow=False))
        except OSError as error:
            raise DataError(f"{quoted(error.filename)} cannot be read: {error.strerror}") from error
        if same:
            raise DataError(
                f"{quoted(file.name)} for {table} and {quoted(twin.name)} for {other} hold the same: "
                f"give each table its own file, or leave one out with data.files.{other}='-'"
            )


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
        if Path(named).is_absolute() or not _lies_in(folder / named, folder):
            raise DataError(
                f"data.files.{table} names {quoted(named)}: only a file inside {_shown(folder)} is read, by its name "
                "there, and no link that leads out: put the file itself into that folder"
            )
        if _is_regular(folder / named):
            return folder / named
        raise DataError(
            f"data.files.{table} names {quoted(named)}, which is not a file in {_shown(folder)}"
            f"{nearest(named, present)}; there is {_listing(present)}"
        )
    matches = [name for name in present if _stem(name) == key(table)]
    if not matches:
        matches = [name for name in present if _stem(name) in {key(other) for other in FILE_SYNONYMS[table]}]
    if len(matches) > 1:
        raise DataError(
            f"folder {_shown(folder)} holds {' and '.join(map(quoted, matches))}: "
            f"say which with data.files.{table}=NAME"
        )
    if not matches:
        return None
    file = folder / matches[0]
    if not _lies_in(file, folder):
        raise DataError(
            f"{quoted(file.name)} is a link that leads out of the folder {_shown(folder)}: put the file itself there"
        )
    if not _is_regular(file):
        raise DataError(
            f"{quoted(file.name)} in {_shown(folder)} is no regular file but a folder, a pipe, a device or a link to "
            f"nothing: put the table there, or say where it is with data.files.{table}=NAME"
        )
    return file


def _lies_in(file: Path, folder: Path) -> bool:
    """Tell whether a path stays in the folder when every link is followed."""
    try:
        return Path(os.path.realpath(file)).is_relative_to(os.path.realpath(folder))
    except (OSError, ValueError):  # no name that a file could have
        return True


def _is_regular(file: Path) -> bool:
    try:
        return file.is_file()
    except OSError:
        return False


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

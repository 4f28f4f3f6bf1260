"""The guarded way to the bytes of one file: it must stay as it is, and is unpacked only as far as memory allows.

Nothing is ever extracted to disk, and no name inside an archive is used as a path.
"""

from __future__ import annotations

import gzip
import io
import os
import struct
import zipfile
import zlib
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path, PureWindowsPath
from typing import IO

from embedrec.errors import DataError, quoted
from embedrec.tables.memory import available_memory

GZIP = b"\x1f\x8b"
ZIP = (b"PK\x03\x04", b"PK\x05\x06", b"PK\x07\x08")  # a first entry, no entry, a part of several

# Peak memory of `read_tables` above its start: 220 bytes a row with three narrow columns (24 bytes of text), 260 with
# five (43), 330 with nine wider ones (101, 3.3 for each byte), 8 for each byte with a column of long texts. Only what
# surely will not fit is refused.
MEMORY_A_BYTE = 3
MEMORY_A_LINE = 200
SHORTEST_LINE = 16  # bytes, two short ids and a date: what is shorter is no row
SAMPLE = 1 << 16  # bytes at the beginning of a file, which tell how long its lines are
LARGEST_BLIND = 4 << 30  # bytes of text, some 100 million rows, where the available memory is not known
# Tables of ids and dates pack 3 to 7 times, gzip reaches 1,030 times on zeros. Small ones may repeat as they like.
MOST_TIMES_PACKED = 200
HARMLESS = 64 << 20  # bytes, unpacked
PIECE = 1 << 20  # bytes


@contextmanager
def held_still(path: Path) -> Iterator[IO[bytes]]:
    """Open a file for reading. Raises DataError if it cannot be read, or is not the same file after as before."""
    try:
        before = _state(path)
        with path.open("rb") as stream:
            try:
                yield stream
            finally:  # also where reading failed: a half-written file looks damaged
                if _state(path) != before:
                    raise DataError(f"{path.name}: changed while it was read: try again once it is complete")
    except OSError as error:
        raise DataError(f"{path.name}: cannot be read ({error.strerror or error})") from error


def content_of(stream: IO[bytes], file: str) -> bytes:
    """Return the bytes of a plain file, or what a gzip file or a zip archive of one file holds.

    Raises DataError if it is cut off or damaged, an archive holds anything but one file, or memory will not do.
    """
    start = stream.read(4)
    stream.seek(0)
    if start.startswith(GZIP):
        with gzip.GzipFile(fileobj=stream) as packed:
            return _unpacked(packed, stream, file)
    if start.startswith(ZIP):
        return _content_of_zip(stream, file)
    size, sample = size_of(stream), stream.read(SAMPLE)
    refuse_too_large(size, file, sample=sample)
    stream.seek(0)
    return stream.read(size)


def size_of(stream: IO[bytes]) -> int:
    """Return the size of an open file in bytes."""
    return os.fstat(stream.fileno()).st_size


def refuse_bomb(unpacked: int, packed: int, file: str) -> None:
    """Raise DataError if `packed` bytes hold more `unpacked` bytes than any table does."""
    if unpacked > max(HARMLESS, MOST_TIMES_PACKED * packed):
        raise DataError(
            f"{file}: {_amount(packed)} hold more than {_amount(unpacked - 1)} once unpacked, over "
            f"{MOST_TIMES_PACKED} times as much: no table packs so well, reading stopped; export it again"
        )


def refuse_too_large_together(paths: Iterable[Path]) -> None:
    """Raise DataError if files that will be held at once surely need more memory than is available."""
    paths, needed = list(paths), 0
    for path in paths:
        with held_still(path) as stream:
            needed += memory_for(size_of(stream), stream.read(SAMPLE))
    available = available_memory()
    if available is not None and needed > available:
        raise DataError(_too_large(", ".join(path.name for path in paths), needed, available))


def memory_for(size: int, sample: bytes) -> int:
    """Return the bytes of memory that reading takes at least, of a file of `size` bytes that begins with a sample.

    A packed file counts as if it were plain: it needs more.
    """
    lines = sample.count(b"\n")
    a_byte = MEMORY_A_LINE * lines / max(len(sample), SHORTEST_LINE * lines, 1)
    return int(size * max(MEMORY_A_BYTE, a_byte))


def refuse_too_large(size: int, file: str, available: int | None = None, sample: bytes = b"") -> None:
    """Raise DataError if `size` bytes of text need more memory than is `available` (bytes; None asks the system).

    Their beginning, the `sample`, tells how long lines are.
    """
    available = available_memory() if available is None else available
    if available is None and size > LARGEST_BLIND:
        raise DataError(
            f"{file}: {_amount(size)} of text, and the memory available is not known: at most "
            f"{_amount(LARGEST_BLIND)} are read then; keep fewer rows or columns"
        )
    needed = memory_for(size, sample)
    if available is not None and needed > available:
        raise DataError(_too_large(file, needed, available))


def _too_large(files: str, needed: int, available: int) -> str:
    return (
        f"{files}: needs at least {_amount(needed)} of memory, {_amount(available)} are available: "
        "keep fewer rows or columns, or use a larger machine"
    )


def _state(path: Path) -> tuple[int, int, int, int]:
    state = path.stat()
    return state.st_dev, state.st_ino, state.st_size, state.st_mtime_ns


def _content_of_zip(stream: IO[bytes], file: str) -> bytes:
    try:
        with zipfile.ZipFile(stream) as archive, archive.open(_only_entry(archive, file)) as packed:
            return _unpacked(packed, stream, file)
    except (zipfile.BadZipFile, NotImplementedError, ValueError, struct.error) as error:
        raise DataError(
            f"{file}: begins as a zip archive or an Excel workbook but is cut off or damaged ({quoted(error)}; it ends "
            f"at byte {size_of(stream):,}): export it again, or save the sheet as CSV"
        ) from error


def _only_entry(archive: zipfile.ZipFile, file: str) -> zipfile.ZipInfo:
    """Return the one file of an archive. Raises DataError if there is none, or more, or it is not plainly packed."""
    names = archive.namelist()
    if "[Content_Types].xml" in names:
        raise DataError(f"{file}: this is an Excel workbook (or another Office file): save the sheet as CSV")
    leading_out = next((name for name in names if _leads_out(name)), None)
    if leading_out is not None:
        raise DataError(
            f"{file}: this zip archive holds {quoted(leading_out)}, a name that leads out of a folder: nothing was "
            "extracted; pack the one table again"
        )
    entries = [entry for entry in archive.infolist() if not entry.is_dir()]
    entries = [entry for entry in entries if not entry.filename.startswith("__MACOSX/")]  # what macOS adds unasked
    if len(entries) != 1:
        shown = ", ".join(quoted(entry.filename) for entry in entries[:3])
        listed = f" ({shown}{', …' if len(entries) > 3 else ''})" if entries else ""
        raise DataError(
            f"{file}: this zip archive holds {len(entries):,} files{listed}, one is wanted: nothing was extracted; "
            "unpack it and give the folder"
        )
    # The other methods cannot be unpacked in pieces; bit 0 of the flags says encrypted.
    if entries[0].flag_bits & 1 or entries[0].compress_type not in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED):
        raise DataError(f"{file}: this zip archive is encrypted or packed in an unusual way: unpack it first")
    return entries[0]


def _leads_out(name: str) -> bool:
    path = PureWindowsPath(name)  # knows both slashes, and drives
    return bool(path.anchor) or ".." in path.parts


def _unpacked(packed: IO[bytes] | gzip.GzipFile, stream: IO[bytes], file: str) -> bytes:
    """Unpack in pieces, and stop where no table or no memory can follow; `stream` is what `packed` reads from."""
    content = io.BytesIO()
    available = available_memory()  # before the pieces take their share
    try:
        while piece := packed.read(PIECE):
            content.write(piece)
            refuse_bomb(content.tell(), stream.tell(), file)
            refuse_too_large(content.tell(), file, available, piece[:SAMPLE])
    except EOFError as error:
        raise DataError(
            f"{file}: the packed file is cut off: it ends at byte {size_of(stream):,}, some {content.tell():,} bytes "
            "into the table: copy or export it again"
        ) from error
    except (gzip.BadGzipFile, zlib.error) as error:
        raise DataError(
            f"{file}: the packed file is damaged before byte {stream.tell():,} ({quoted(error)}): "
            "copy or export it again"
        ) from error
    return content.getvalue()


def _amount(size: float) -> str:
    for unit in ("bytes", "kB", "MB"):
        if size < 1000:
            return f"{size:.3g} {unit}"
        size /= 1000
    return f"{size:,.1f} GB"

"""Bytes → UTF-8: finds the encoding of a text file, and strikes out lines that are in none.

A file that is not UTF-8 is Windows-1252 (latin-1 and its signs) only where this is sure: no character in it is
valid UTF-8, and all read as Western European words, prices and typography. Other files lose the lines that are
not UTF-8, and are refused if those are more than one in twenty.
"""

from __future__ import annotations

import codecs
import re
from dataclasses import dataclass

import numpy as np
import pyarrow as pa

from embedrec.errors import DataError
from embedrec.tables.raw import Rejected

MOST_STRUCK = 0.05  # of the lines
UTF16_SAMPLE = 4096  # bytes
# Longer marks first: that of UTF-32 begins with that of UTF-16.
_MARKS = (
    (codecs.BOM_UTF32_LE, "utf-32"),
    (codecs.BOM_UTF32_BE, "utf-32"),
    (codecs.BOM_UTF16_LE, "utf-16"),
    (codecs.BOM_UTF16_BE, "utf-16"),
)
_UTF8_RUN = re.compile(
    rb"(?<![\x80-\xff])(?:[\xc2-\xdf][\x80-\xbf]|[\xe0-\xef][\x80-\xbf]{2}|[\xf0-\xf4][\x80-\xbf]{3})+(?![\x80-\xff])"
)
# Signs and letters whose bytes are letters of Eastern Europe, Turkey or DOS elsewhere are left out: ¹ ³ ¿ š ž ÿ ð þ ý.
_LETTERS = "ÀÁÂÃÄÅÆÇÈÉÊËÌÍÎÏÑÒÓÔÕÖØÙÚÛÜßàáâãäåæçèéêëìíîïñòóôõöøùúûüœ"
_WORDS = "àÀáÁéÉèÈóÓåÅöÖæÆøØ"  # of one letter: French, Spanish, Portuguese, Italian, Scandinavian
_SIGNS = "€£§©®°²½¼«»“”‘–—…•™·´\xa0"
_UNSURE = re.compile(
    rf"[^\x00-\x7f{_LETTERS}{_SIGNS}’]"  # a character of another sort
    rf"|[{_LETTERS}]{{3}}"  # a word of another script
    rf"|(?!(?<!\S)[{_WORDS}](?!\S))(?<![A-Za-z{_LETTERS}])[{_LETTERS}](?![A-Za-z{_LETTERS}])"  # a letter in no word
    rf"|[a-z][À-ÖØ-Þ]|[A-Za-z][{_SIGNS.replace('·', '').replace(chr(160), '')}][A-Za-z]"  # amid a word
)


@dataclass(frozen=True)
class Decoded:
    """A text in UTF-8 without a mark; struck lines are left in it empty, so that lines keep their numbers."""

    content: bytes
    struck: tuple[Rejected, ...] = ()
    notes: tuple[str, ...] = ()


def decode(content: bytes, file: str) -> Decoded:
    """Turn the bytes of a text file into UTF-8.

    Raises DataError if the file is damaged, or more than 5 % of its lines are in an encoding that is not sure.
    """
    if found := _utf_16_or_32(content):
        try:
            marked = content.decode(found)
        except UnicodeError as error:
            kind = found.upper()
            raise DataError(f"{file}: begins as {kind} but is cut off or damaged: save it as UTF-8") from error
        return Decoded(marked.removeprefix("\ufeff").encode(), notes=(f"encoding {found[:6].upper()}",))
    content = content.removeprefix(codecs.BOM_UTF8)
    try:
        _check(content)
    except UnicodeDecodeError as error:
        at_the_end = error.end == len(content) and "unexpected end" in error.reason
        if not at_the_end and (text := _windows_1252(content)) is not None:
            return Decoded(text.encode(), notes=("encoding Windows-1252 (latin-1)",))
        return _without_bad_lines(content, error, file)
    return Decoded(content)


def _check(content: bytes) -> None:
    """Raise UnicodeDecodeError if the whole is not UTF-8; where it is, in little memory."""
    text = pa.LargeStringArray.from_buffers(
        1, pa.py_buffer(np.array([0, len(content)], np.int64)), pa.py_buffer(content)
    )
    try:
        text.validate(full=True)
    except pa.ArrowInvalid:
        content.decode()  # says where


def _utf_16_or_32(content: bytes) -> str | None:
    """Return the codec of a text whose mark, or every second byte, tells it."""
    for mark, codec in _MARKS:
        if content.startswith(mark):
            return codec
    sample = content[:UTF16_SAMPLE]
    if len(sample) > 3 and b"\x00" in sample:
        # Separators, line ends, figures and Latin letters have a zero byte; UTF-8 has none in either place.
        even, odd = (sample[start::2].count(0) / len(sample[start::2]) for start in (0, 1))
        if max(even, odd) > 0.5 and min(even, odd) < 0.05:
            return "utf-16-le" if odd > even else "utf-16-be"
    return None


def _windows_1252(content: bytes) -> str | None:
    """Return the text of a file that is surely Windows-1252, else None."""
    if _UTF8_RUN.search(content):
        return None
    try:
        text = content.decode("cp1252")
    except UnicodeDecodeError:
        return None
    return None if _UNSURE.search(text) else text


def _without_bad_lines(content: bytes, error: UnicodeDecodeError, file: str) -> Decoded:
    """Strike out the lines that are not UTF-8. Raises DataError, at the first of them, if they are too many."""
    lines = content.splitlines(keepends=True)  # of bytes: at LF, CRLF and CR only
    struck: list[Rejected] = []
    start = 0
    for number, line in enumerate(lines, 1):
        if not line.isascii() and (at := _bad_byte(line)) is not None:
            bare = line.rstrip(b"\r\n")
            cut = "; the file may be cut off" if number == len(lines) and bare == line else ""
            reason = f"bytes that are not UTF-8{cut} (byte {start + at} of the file is 0x{line[at]:02x})"
            struck.append(Rejected(number, reason, bare.decode(errors="backslashreplace")))
            lines[number - 1] = line[len(bare) :]
        start += len(line)
    heading = not any(line.strip() for line in lines[: struck[0].line])
    if heading or len(struck) > MOST_STRUCK * len(lines):
        raise DataError(
            f"{file}, line {struck[0].line}: byte {error.start} (0x{content[error.start]:02x}) is not UTF-8, nor is "
            f"the file surely Windows-1252; so {len(struck):,} of {len(lines):,} lines: save the file as UTF-8"
        ) from error
    return Decoded(b"".join(lines), tuple(struck))


def _bad_byte(line: bytes) -> int | None:
    try:
        line.decode()
    except UnicodeDecodeError as error:
        return error.start
    return None

"""What befalls a file on the way: damage to its bytes, or to the lines of its text."""

from __future__ import annotations

import random
from collections.abc import Callable

LineDamage = Callable[[list[str], random.Random, str], None]


def _flip(content: bytes, rng: random.Random) -> bytes:
    changed = bytearray(content)
    for _ in range(rng.randint(1, 8)):
        if changed:
            changed[rng.randrange(len(changed))] = rng.randrange(256)
    return bytes(changed)


def _cut(content: bytes, rng: random.Random) -> bytes:
    return content[: rng.randrange(max(len(content) - 60, 0), len(content) + 1)]


def _one(lines: list[str], rng: random.Random) -> int:
    """Return a line with a row, mostly."""
    return rng.randrange(1, max(len(lines) - 1, 2)) if len(lines) > 1 else 0


def _in_cell(*insertions: str) -> LineDamage:
    def change(lines: list[str], rng: random.Random, separator: str) -> None:
        at = _one(lines, rng)
        cells = lines[at].split(separator)
        place = rng.randrange(len(cells))
        cells[place] = rng.choice(insertions)
        lines[at] = separator.join(cells)

    return change


def _amid_line(*insertions: str) -> LineDamage:
    def change(lines: list[str], rng: random.Random, separator: str) -> None:
        at = _one(lines, rng)
        place = rng.randint(0, len(lines[at]))
        lines[at] = lines[at][:place] + rng.choice(insertions) + lines[at][place:]

    return change


def _duplicate(lines: list[str], rng: random.Random, separator: str) -> None:
    lines.insert(rng.randrange(len(lines) + 1), rng.choice(lines))


def _insert(lines: list[str], rng: random.Random, separator: str) -> None:
    strange = (
        "",
        " ",
        "#",
        "-" * 40,
        "Total",
        "Report of 2024",
        separator * 3,
        '"',
        "a" * 3000,
        "customer_id",
        "\ufeff",
    )
    lines.insert(rng.randrange(len(lines) + 1), rng.choice(strange))


def _drop_field(lines: list[str], rng: random.Random, separator: str) -> None:
    at = _one(lines, rng)
    cells = lines[at].split(separator)
    del cells[rng.randrange(len(cells))]
    lines[at] = separator.join(cells)


def _swap_fields(lines: list[str], rng: random.Random, separator: str) -> None:
    at = _one(lines, rng)
    cells = lines[at].split(separator)
    rng.shuffle(cells)
    lines[at] = separator.join(cells)


def _other_separator(lines: list[str], rng: random.Random, separator: str) -> None:
    at = _one(lines, rng)
    lines[at] = lines[at].replace(separator, rng.choice(",;\t|"))


def _other_encoding(content: bytes, rng: random.Random) -> bytes:
    place = rng.randint(0, len(content))
    return (
        content[:place] + rng.choice([b"\xe9", b"\xff\xfe", b"\xc3", b"\x93quoted\x94", b"\x00\x00"]) + content[place:]
    )


HUGE = ("1e400", "-1e999", "9" * 400, "inf", "nan", "1e308", "-5", "0", "1,299.00", "1.299", "4/5", "99999999999999")
ODD_DATES = (
    "2024-02-30",
    "0000-00-00",
    "1970-01-01",
    "2098-01-01",
    "01/02/03",
    "31/12/99",
    "12.13.2024",
    "10:30",
    "-1",
)
TO_LINES: dict[str, LineDamage] = {
    "duplicate lines": _duplicate,
    "strange lines": _insert,
    "drop a field": _drop_field,
    "swap fields": _swap_fields,
    "mixed separators": _other_separator,
    "control characters": _amid_line("\x00", "\x1b[2J", "\x07", "\x1a", "\x7f", "\x85", "\u202e", "\u200b", "\xad"),
    "stray quotes": _amid_line('"', '""', '"' * 3, '",', ',"', "'"),
    "huge numbers": _in_cell(*HUGE),
    "odd dates": _in_cell(*ODD_DATES),
    "odd cells": _in_cell("", " ", "x" * 300, "x" * 70_000, "NA", "-", "\ufeff", "e\u0301", "101.0", "1.0E+05"),
}
TO_BYTES: dict[str, Callable[[bytes, random.Random], bytes]] = {
    "flip bytes": _flip,
    "cut the end": _cut,
    "other encoding": _other_encoding,
}
KEEPS_LINES = ("huge numbers", "odd dates", "odd cells")

"""Shops as people export them, in every dialect, some of their files damaged on the way."""

from __future__ import annotations

import csv
import gzip
import io
import random
import zipfile
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pandas as pd
from damage import KEEPS_LINES, TO_BYTES, TO_LINES
from hypothesis import strategies as st

from embedrec.columns import (
    CATEGORY,
    CUSTOMER,
    DETAILS,
    INTERACTIONS,
    PAGE_VIEWS,
    PRICE,
    PRODUCT,
    PURCHASES,
    QUANTITY,
    RATING,
    TIME,
    TIME_SPENT,
)
from embedrec.tables.headers import SYNONYMS

Cells = dict[str, str | float | datetime]
TABLES = {
    PURCHASES: (CUSTOMER, PRODUCT, TIME, QUANTITY, PRICE),
    DETAILS: (PRODUCT, CATEGORY, PRICE, RATING),
    INTERACTIONS: (CUSTOMER, PAGE_VIEWS, TIME_SPENT),
}
DATES: dict[str, Callable[[datetime], str]] = {
    "day": lambda at: at.strftime("%Y-%m-%d"),
    "moment": lambda at: at.strftime("%Y-%m-%d %H:%M:%S"),
    "zoned": lambda at: at.strftime("%Y-%m-%dT%H:%M:%SZ"),
    "points": lambda at: at.strftime("%d.%m.%Y"),
    "month name": lambda at: at.strftime("%d %b %Y %H:%M"),
    "seconds": lambda at: str(int(at.replace(tzinfo=UTC).timestamp())),
    "milliseconds": lambda at: str(int(at.replace(tzinfo=UTC).timestamp()) * 1000),
}
WHOLE_DAYS, WHOLE_MINUTES = ("day", "points"), ("month name",)
IDS: dict[str, Callable[[int], str]] = {
    "numbers": str,
    "zeros": lambda one: f"{one:05d}",
    "letters": lambda one: f"C{one}",
    "long": lambda one: str(2**53 + one),
    "words": lambda one: f"naïve {one} 顧客",
    "missing": lambda one: ["NA", "null", "nan", "None"][one] if one < 4 else f"N{one}",
}
CATEGORIES = (
    "Books",
    "Café, crème",
    'Size 5"',
    "Двор",
    "🎁 gifts",
    "=SUM(A1)",
    "<b>bold</b>",
    "tab\there",
    "two\nlines",
)
SPELLINGS: tuple[Callable[[str], str], ...] = (str, str.upper, str.title, lambda name: name.replace(" ", "_"))


@dataclass
class Fuzzed:
    """A shop's true rows by table, the files that hold them, and what is known of what a reader must find.

    exact  the files are undamaged: the rows must come back as they are
    lines  rows of each table, where the damage left every line a line; else None
    """

    rows: dict[str, list[Cells]]
    files: dict[str, bytes] = field(default_factory=dict)
    exact: bool = True
    lines: dict[str, int | None] = field(default_factory=dict)
    story: list[str] = field(default_factory=list)

    def write(self, folder: Path) -> None:
        for name, content in self.files.items():
            (folder / name).write_bytes(content)


@dataclass(frozen=True)
class Dialect:
    """How one file is written."""

    separator: str
    decimal: str
    quoting: int
    newline: str
    encoding: str
    packing: str
    dates: str
    spelling: int
    synonyms: int


def _dialects() -> st.SearchStrategy[Dialect]:
    plain = st.builds(
        Dialect,
        separator=st.sampled_from(",;\t|"),
        decimal=st.sampled_from(".,"),
        quoting=st.sampled_from([csv.QUOTE_MINIMAL, csv.QUOTE_ALL]),
        newline=st.sampled_from(["\n", "\r\n", "\r"]),
        encoding=st.sampled_from(["utf-8", "utf-8-sig", "utf-16", "utf-16-le", "utf-16-be", "utf-32"]),
        packing=st.sampled_from(["", "", "gz", "zip", "parquet"]),
        dates=st.sampled_from(sorted(DATES)),
        spelling=st.integers(0, len(SPELLINGS) - 1),
        synonyms=st.integers(0, 30),
    )
    return plain.filter(lambda one: (one.separator, one.decimal) != (",", ","))


@st.composite
def fuzzed_shops(draw: st.DrawFn) -> Fuzzed:
    """Draw a shop, how it is written, and what befell its files."""
    rng = random.Random(draw(st.integers(0, 2**32)))
    shop = Fuzzed(_true_rows(draw, rng))
    damaged = draw(st.integers(0, 3)) > 0
    for table, rows in shop.rows.items():
        dialect = draw(_dialects())
        columns = [column for column in TABLES[table] if column in rows[0]]
        rng.shuffle(columns)
        names = [_header(column, dialect) for column in columns]
        if dialect.packing == "parquet":
            content, shop.lines[table] = _parquet(columns, names, rows), len(rows)
        else:
            lines = _text(columns, names, rows, dialect).split(dialect.newline)
            shop.lines[table] = len(rows)
            kinds = draw(st.lists(st.sampled_from([*TO_LINES, *TO_BYTES]), max_size=2)) if damaged else []
            for kind in sorted(kinds, key=lambda kind: kind in TO_BYTES):
                _note(shop, table, kind)
                for _ in range(rng.randint(1, 3) if kind in TO_LINES else 0):
                    TO_LINES[kind](lines, rng, dialect.separator)
            content = dialect.newline.join(lines).encode(dialect.encoding)
            for kind in kinds:
                content = TO_BYTES[kind](content, rng) if kind in TO_BYTES else content
        content = _packed(content, dialect.packing)
        if damaged and draw(st.integers(0, 7)) == 0:
            kind = draw(st.sampled_from(["flip bytes", "cut the end"]))
            content = TO_BYTES[kind](content, rng)
            _note(shop, table, kind)
        shop.files[f"{table}.{'parquet' if dialect.packing == 'parquet' else 'csv'}"] = content
        shop.story.append(f"{table}: {dialect}")
        for row in rows if dialect.dates in (*WHOLE_DAYS, *WHOLE_MINUTES) and dialect.packing != "parquet" else ():
            if isinstance(at := row.get(TIME), datetime):
                day = dialect.dates in WHOLE_DAYS
                row[TIME] = at.replace(hour=0, minute=0, second=0) if day else at.replace(second=0)
    return shop


def _note(shop: Fuzzed, table: str, kind: str) -> None:
    shop.exact = False
    shop.story.append(f"{table}: {kind}")
    if kind not in KEEPS_LINES or table == DETAILS:  # where cells hold line breaks, half of one may be struck
        shop.lines[table] = None


def _true_rows(draw: st.DrawFn, rng: random.Random) -> dict[str, list[Cells]]:
    count = draw(st.one_of(st.integers(1, 40), st.integers(1, 40), st.integers(41, 400)))
    customer, product = (IDS[draw(st.sampled_from(sorted(IDS)))] for _ in range(2))
    buyers, things = (draw(st.integers(1, 30)) for _ in range(2))
    given = draw(st.sets(st.sampled_from([QUANTITY, PRICE])))
    start = datetime(draw(st.integers(1996, 2024)), 1, 1)
    bought: list[Cells] = []
    for _ in range(count):
        row: Cells = {
            CUSTOMER: customer(rng.randrange(buyers)),
            PRODUCT: product(rng.randrange(things)),
            TIME: start + timedelta(seconds=rng.randrange(300 * 86_400)),
            QUANTITY: float(rng.randint(1, 9)),
            PRICE: rng.randint(0, 99_999) / 100,
        }
        bought.append({column: row[column] for column in row if column in (CUSTOMER, PRODUCT, TIME) or column in given})
    rows = {PURCHASES: bought}
    if draw(st.booleans()):
        rows[DETAILS] = [
            {
                PRODUCT: product(one),
                CATEGORY: rng.choice(CATEGORIES),
                PRICE: rng.randint(1, 99_999) / 100,
                RATING: rng.randint(10, 50) / 10,
            }
            for one in range(things)
        ]
    if draw(st.booleans()):
        rows[INTERACTIONS] = [
            {CUSTOMER: customer(one), PAGE_VIEWS: float(rng.randint(0, 99)), TIME_SPENT: rng.randint(0, 9_999) / 10}
            for one in range(buyers)
        ]
    return rows


def _header(column: str, dialect: Dialect) -> str:
    names = (column.replace("_", " "), *SYNONYMS[column])
    return SPELLINGS[dialect.spelling](names[dialect.synonyms % len(names)])


def _text(columns: list[str], names: list[str], rows: list[Cells], dialect: Dialect) -> str:
    text = io.StringIO(newline="")
    quoting = csv.QUOTE_ALL if dialect.newline == "\r" else dialect.quoting  # else it would leave a bare "\n" in cells
    writer = csv.writer(text, delimiter=dialect.separator, quoting=quoting, lineterminator=dialect.newline)  # type: ignore[arg-type]
    writer.writerow(names)
    writer.writerows([[_cell(row[column], dialect) for column in columns] for row in rows])
    return text.getvalue()


def _cell(value: str | float | datetime, dialect: Dialect) -> str:
    if isinstance(value, datetime):
        return DATES[dialect.dates](value)
    if isinstance(value, str):
        return value
    return (f"{value:.0f}" if value == int(value) else f"{value:.2f}").replace(".", dialect.decimal)


def _parquet(columns: list[str], names: list[str], rows: list[Cells]) -> bytes:
    stream = io.BytesIO()
    pd.DataFrame({name: [row[column] for row in rows] for name, column in zip(names, columns, strict=True)}).to_parquet(
        stream, index=False
    )
    return stream.getvalue()


def _packed(content: bytes, packing: str) -> bytes:
    if packing == "gz":
        return gzip.compress(content, 1)
    if packing == "zip":
        stream = io.BytesIO()
        with zipfile.ZipFile(stream, "w", zipfile.ZIP_DEFLATED) as archive:
            archive.writestr("table.csv", content)
        return stream.getvalue()
    return content

from __future__ import annotations

import contextlib
import gzip
import io
import os
import pickle
import subprocess
import sys
import zipfile
from collections.abc import Callable, Mapping
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from shop_folder import HEADER, Shop, account_of, rows

from embedrec.errors import DataError
from embedrec.tables import DataConfig, guarded, opening, read_tables

ONE = HEADER + "C1,P1,2024-01-05\n"
MANY = HEADER + rows(3000)


def zipped(entries: Mapping[str, str | bytes], method: int = zipfile.ZIP_DEFLATED) -> bytes:
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w", method) as archive:
        for name, content in entries.items():
            archive.writestr(name, content)
    return packed.getvalue()


def parquet(**columns: pa.Array) -> bytes:
    packed = io.BytesIO()
    pq.write_table(pa.table(columns), packed, store_schema=False)
    return packed.getvalue()


def shop_parquet(count: int = 50) -> bytes:
    text = {"customer_id": "C", "product_id": "P"}
    ids = {name: pa.array([f"{letter}{i}" for i in range(count)]) for name, letter in text.items()}
    return parquet(**ids, purchase_date=pa.array(["2024-01-05"] * count))


# What is packed


@pytest.mark.parametrize("method", [zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED])
def test_a_zip_of_one_file_reads_the_same(shop: Shop, method: int) -> None:
    packed = zipped({"exports/": "", "exports/lines.csv": ONE, "__MACOSX/._lines.csv": b"\x00\x05"}, method)
    (shop.folder / "purchase_history.csv.zip").write_bytes(packed)
    tables = read_tables(DataConfig(name="t", path=str(shop.folder)))
    assert account_of(tables).file == "purchase_history.csv.zip"
    assert tables.fingerprint == shop.read(ONE, files={"purchase_history": "purchase_history.csv"}).fingerprint


@pytest.mark.parametrize(
    ("entries", "said"),
    [
        ({"a.csv": ONE, "b.csv": ONE}, "holds 2 files ('a.csv', 'b.csv'), one is wanted: nothing was extracted"),
        ({f"{i}.csv": "" for i in range(9)}, "holds 9 files ('0.csv', '1.csv', '2.csv', …)"),
        ({}, "holds 0 files"),
        ({"../../escaped.csv": ONE}, "holds '../../escaped.csv', a name that leads out"),
        ({"..\\escaped.csv": ONE}, "a name that leads out"),
        ({"/tmp/escaped.csv": ONE}, "a name that leads out"),
        ({"C:\\escaped.csv": ONE}, "a name that leads out"),
        ({"\x1b[2J.csv": ONE, "b": ""}, r"'\x1b[2J.csv'"),
        ({"[Content_Types].xml": "", "xl/workbook.xml": ""}, "this is an Excel workbook"),
        ({"inner.zip": zipped({"a.csv": ONE})}, "unpack the outer one first"),
        ({"lines.parquet": shop_parquet()}, "unpack the outer one first"),
    ],
)
def test_other_archives_are_refused(shop: Shop, entries: dict[str, str | bytes], said: str) -> None:
    message = shop.refused(zipped(entries))
    assert said in message
    assert message.isprintable()
    assert [path.name for path in shop.folder.iterdir()] == ["purchase_history.csv"]


def test_archives_that_cannot_be_unpacked_in_pieces_are_refused(shop: Shop) -> None:
    assert "unpack it first" in shop.refused(zipped({"a.csv": ONE}, zipfile.ZIP_BZIP2))
    encrypted = bytearray(zipped({"a.csv": ONE}))
    encrypted[encrypted.index(b"PK\x01\x02") + 8] |= 1
    assert "is encrypted" in shop.refused(bytes(encrypted))


def test_a_header_may_begin_like_a_zip(shop: Shop) -> None:
    assert len(shop.read("PK,customer_id,product_id,purchase_date\n1,C1,P1,2024-01-05\n").purchases) == 1


# Bombs


def write_gzip(file: Path) -> None:
    file.write_bytes(gzip.compress(bytes(1 << 20)) * 1024)  # 1 GiB in many members


def write_zip(file: Path) -> None:
    with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as archive, archive.open("a.csv", "w") as entry:
        for _ in range(256):
            entry.write(bytes(1 << 20))


def write_equal_cells(file: Path) -> None:
    million = pa.table({"customer_id": pa.array([7]).take(pa.array([0] * 1_000_000))})
    with pq.ParquetWriter(file, million.schema) as writer:
        for _ in range(100):
            writer.write_table(million)


def write_equal_texts(file: Path) -> None:
    folded = pa.DictionaryArray.from_arrays(pa.array([0] * 1_000_000, pa.int32()), pa.array(["x" * 500_000]))
    file.write_bytes(parquet(customer_id=folded))


def write_one_long_text(file: Path) -> None:
    pq.write_table(pa.table({"customer_id": [bytes(1 << 24)] * 16}), file, compression="zstd", use_dictionary=False)


READ = """
import resource, sys
from embedrec.errors import DataError
from embedrec.tables import DataConfig, read_tables
try:
    read_tables(DataConfig(name="t", path=sys.argv[1]))
except DataError as error:
    print(error)
with open("/proc/self/status") as status:
    print(*[line.split()[1] for line in status if line.startswith("VmHWM")])
"""


@pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="peak memory is read from /proc")
@pytest.mark.parametrize("write", [write_gzip, write_zip, write_equal_cells, write_equal_texts, write_one_long_text])
def test_bombs_are_refused_in_little_memory(tmp_path: Path, write: Callable[[Path], None]) -> None:
    file = tmp_path / "bomb.csv"
    write(file)
    # Not ru_maxrss: a child begins with the peak of the process that started it.
    done = subprocess.run([sys.executable, "-c", READ, str(file)], capture_output=True, text=True, check=True)
    message, peak = done.stdout.splitlines()
    assert message.startswith("bomb.csv: ")
    assert "over 200 times as much: no table packs so well" in message
    assert int(peak) < 300_000  # kB


def test_memory_is_the_cap_of_what_packs_well(shop: Shop, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(guarded, "available_memory", lambda: 100_000)
    assert "needs at least" in shop.refused(gzip.compress(MANY.encode()))
    assert "needs at least" in shop.refused(zipped({"a.csv": MANY}))
    assert "needs at least" in shop.refused(shop_parquet(3000))


# Cut off, damaged, changing


def test_a_cut_file_names_where_it_ends(shop: Shop) -> None:
    whole = gzip.compress(MANY.encode())
    assert f"it ends at byte {len(whole) // 2:,}" in shop.refused(whole[: len(whole) // 2])
    assert f"it ends at byte {len(whole) - 4:,}" in shop.refused(whole[:-4])
    whole = shop_parquet()
    assert f"it ends at byte {len(whole) - 20:,}" in shop.refused(whole[:-20])
    whole = zipped({"a.csv": MANY})
    assert f"it ends at byte {len(whole) - 30:,}" in shop.refused(whole[:-30])


def test_a_damaged_file_says_so(shop: Shop) -> None:
    for whole in (gzip.compress(MANY.encode()), zipped({"a.csv": MANY})):
        middle = len(whole) // 2
        assert "damaged" in shop.refused(whole[:middle] + bytes(50) + whole[middle + 50 :])


def test_parquet_text_that_is_not_utf8_is_refused(shop: Shop) -> None:
    latin = pa.array([b"caf\xe9"]).view(pa.string())
    message = shop.refused(parquet(customer_id=latin, product_id=pa.array(["P1"])))
    assert "Invalid UTF8" in message


def test_two_parquet_columns_of_one_name_are_refused(shop: Shop) -> None:
    pq.write_table(pa.Table.from_arrays([pa.array(["C1"])] * 2, ["id", "id"]), shop.folder / "purchase_history.csv")
    with pytest.raises(DataError, match="two columns are called 'id': rename one"):
        read_tables(DataConfig(name="t", path=str(shop.folder)))


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    kind=st.sampled_from([gzip.compress(ONE.encode()), zipped({"a.csv": ONE}), shop_parquet(5)]),
    where=st.floats(0, 1, exclude_max=True),
    mask=st.integers(0, 255),
)
def test_no_damage_is_met_with_a_traceback(shop: Shop, kind: bytes, where: float, mask: int) -> None:
    at = int(where * len(kind))
    damaged = kind[:at] if mask == 0 else kind[:at] + bytes([kind[at] ^ mask]) + kind[at + 1 :]
    with contextlib.suppress(DataError):
        shop.read(damaged)


class Trap:
    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def __reduce__(self) -> tuple[Callable[..., object], tuple[object, ...]]:
        return os.mkdir, (str(self.folder / "sprung"),)


def test_nothing_is_unpickled(shop: Shop) -> None:
    trap = pickle.dumps(Trap(shop.folder))
    shop.refused(trap)
    shop.refused(gzip.compress(trap))
    extension = {"ARROW:extension:name": "arrow.py_extension_type", "ARROW:extension:metadata": trap}
    fields = [pa.field(name, pa.string(), metadata=extension) for name in HEADER.strip().split(",")]
    table = pa.table([["C1"], ["P1"], ["2024-01-05"]], schema=pa.schema(fields))
    pq.write_table(table, shop.folder / "lines.parquet")
    read_tables(DataConfig(name="t", path=str(shop.folder / "lines.parquet")))
    assert not (shop.folder / "sprung").exists()


def grow(file: Path) -> None:
    with file.open("a") as stream:
        stream.write("C2,P2,2024-01-06\n")


def touch(file: Path) -> None:
    os.utime(file, ns=(0, 1))


def replace(file: Path) -> None:
    state = file.stat()
    twin = file.with_suffix(".new")
    twin.write_bytes(file.read_bytes())
    os.utime(twin, ns=(state.st_atime_ns, state.st_mtime_ns))
    twin.replace(file)


@pytest.mark.parametrize("change", [grow, touch, replace])
@pytest.mark.parametrize(
    "content", [ONE.encode(), gzip.compress(ONE.encode())[:-9], shop_parquet()], ids=["text", "gzip", "parquet"]
)
def test_a_file_that_changes_while_it_is_read(
    shop: Shop, monkeypatch: pytest.MonkeyPatch, change: Callable[[Path], None], content: bytes
) -> None:
    for name in ("content_of", "parse_parquet"):
        read = getattr(opening, name)

        def changing(*args: object, read: Callable[..., object] = read) -> object:
            change(shop.folder / "purchase_history.csv")
            return read(*args)

        monkeypatch.setattr(opening, name, changing)
    assert "purchase_history.csv: changed while it was read: try again" in shop.refused(content)


# Too large


def test_a_file_that_will_not_fit_is_refused_before_it_is_read(shop: Shop) -> None:
    file = shop.write("purchase_history.csv", ONE)
    with file.open("r+b") as stream:
        stream.truncate(1 << 42)  # 4 TiB, none of it on disk
    with pytest.raises(DataError, match=r"purchase_history\.csv: needs at least 13,194\.1 GB of memory, .* available"):
        read_tables(DataConfig(name="t", path=str(shop.folder)))


def test_where_the_memory_is_not_known_a_constant_is_the_limit(shop: Shop, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(guarded, "available_memory", lambda: None)
    assert len(shop.read(ONE).purchases) == 1
    monkeypatch.setattr(guarded, "LARGEST_BLIND", 10)
    assert "at most 10 bytes are read then" in shop.refused(ONE)


def test_the_files_of_a_shop_are_weighed_together(shop: Shop, monkeypatch: pytest.MonkeyPatch) -> None:
    history, details = HEADER + rows(1000), "product_id,price\n" + rows(1000, lambda i: f"P{i},1.50")
    texts = [text.encode() for text in (history, details)]
    # 200 bytes a line, but lines shorter than 16 bytes of text are taken for that many of 16 bytes
    needed = [guarded.memory_for(len(text), text) for text in texts]
    assert needed == [1001 * 200, int(len(texts[1]) * 200 / 16)]
    monkeypatch.setattr(guarded, "available_memory", lambda: sum(needed) - 1)
    message = shop.refused(history, details)
    assert message.startswith("purchase_history.csv, product_details.csv: needs at least 3")
    monkeypatch.setattr(guarded, "available_memory", lambda: sum(needed))
    assert len(shop.read(history, details).purchases) == 1000


def test_long_lines_count_by_their_bytes() -> None:
    assert guarded.memory_for(1_000_000, b"x" * 999 + b"\n") == 3_000_000
    assert guarded.memory_for(1_000_000, b"") == 3_000_000

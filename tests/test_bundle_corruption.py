"""A thousand damaged bundles: every one is refused by the name of the file at fault, and none runs anything."""

from __future__ import annotations

import hashlib
import json
import os
import random
import struct
from collections import Counter
from collections.abc import Callable
from io import BytesIO
from pathlib import Path

import pandas as pd
import pytest
import torch
from safetensors.torch import load, save

from embedrec import Recommender
from embedrec.bundle import FILES, FRAMES, MANIFEST, SCHEMA, WEIGHTS, Manifest
from embedrec.errors import BundleError
from fresh_bundle import write_fresh_bundle

ALL = (MANIFEST, *FILES)
TABLES = tuple(f"{name}.parquet" for name in FRAMES)
OUTSIDE = ["../evil", "/etc/passwd", "..", "sub/../../x", "~/x", "C:\\x", "model.safetensors/../x", "\x00", "extra.pkl"]

Files = dict[str, bytes]


@pytest.fixture(scope="module")
def good(tmp_path_factory: pytest.TempPathFactory) -> tuple[Files, Files]:
    """The files of two bundles, each a hundred kB."""
    place = tmp_path_factory.mktemp("good")
    for seed in (0, 1):
        write_fresh_bundle(place / str(seed), seed)
    mine, others = ({name: (place / str(seed) / name).read_bytes() for name in ALL} for seed in (0, 1))
    return mine, others


def signed(files: Files, change: Callable[[dict], object] = lambda content: None) -> Files:
    """Write the hashes that belong to changed files, and the id that belongs to a changed manifest."""
    content = json.loads(files[MANIFEST])
    content["files"] = {name: hashlib.sha256(files[name]).hexdigest() for name in FILES}
    change(content)
    text = {key: value for key, value in content.items() if key != "id"}
    content["id"] = hashlib.sha256(json.dumps(text, sort_keys=True).encode()).hexdigest()[:16]
    return {**files, MANIFEST: json.dumps(content).encode()}


def flipped(chance: random.Random, files: Files, others: Files) -> tuple[Files, str]:
    name = chance.choice(ALL)
    content = bytearray(files[name])
    content[chance.randrange(len(content))] ^= 1 << chance.randrange(8)
    return {**files, name: bytes(content)}, name


def cut_off(chance: random.Random, files: Files, others: Files) -> tuple[Files, str]:
    name = chance.choice(ALL)
    return {**files, name: files[name][: chance.randrange(len(files[name]))]}, name


def overwritten(chance: random.Random, files: Files, others: Files) -> tuple[Files, str]:
    name, width = chance.choice(ALL), chance.randrange(1, 64)
    at = chance.randrange(len(files[name]))
    return {**files, name: files[name][:at] + chance.randbytes(width) + files[name][at + width :]}, name


def appended(chance: random.Random, files: Files, others: Files) -> tuple[Files, str]:
    name = chance.choice(ALL)
    return {**files, name: files[name] + (chance.randbytes(8) if name != MANIFEST else b"\x00")}, name


def exchanged(chance: random.Random, files: Files, others: Files) -> tuple[Files, str]:
    one, two = chance.sample(FILES, 2)
    return {**files, one: files[two], two: files[one]}, min(one, two, key=FILES.index)


def of_another(chance: random.Random, files: Files, others: Files) -> tuple[Files, str]:
    name = chance.choice(FILES)
    return {**files, name: others[name]}, name


def another_version(chance: random.Random, files: Files, others: Files) -> tuple[Files, str]:
    version = chance.choice([0, 1, 2, 99, -1, "3", 3.5, None, True, [3], {"format": 3}, "x" * 10_000])
    return signed(files, lambda content: content.update(format=version)), MANIFEST


def more_keys(chance: random.Random, files: Files, others: Files) -> tuple[Files, str]:
    key = chance.choice(["extra", "__class__", "__reduce__", "py/object", ""])
    place = chance.choice([(), ("model",)])

    def change(content: dict) -> None:
        for step in place:
            content = content[step]
        content[key] = chance.choice([1, "x", {"a": [None]}])

    return signed(files, change), MANIFEST


def names_outside(chance: random.Random, files: Files, others: Files) -> tuple[Files, str]:
    return signed(files, lambda content: content["files"].update({chance.choice(OUTSIDE): "0" * 64})), MANIFEST


def a_name_twice(chance: random.Random, files: Files, others: Files) -> tuple[Files, str]:
    key = chance.choice(["id", "format", "verdict", "files"])
    value = json.dumps(json.loads(files[MANIFEST])[key])
    return {**files, MANIFEST: b"{" + f'"{key}": {value},'.encode() + files[MANIFEST].strip()[1:]}, MANIFEST


def deep(chance: random.Random, files: Files, others: Files) -> tuple[Files, str]:
    name = chance.choice([MANIFEST, SCHEMA])
    changed = {**files, name: chance.choice([b"[", b'{"a":']) * 100_000}
    return (changed if name == MANIFEST else signed(changed)), name


def huge_header(chance: random.Random, files: Files, others: Files) -> tuple[Files, str]:
    """Sizes that a reader must not allocate, all hashes right."""
    content = files[WEIGHTS]
    size = struct.unpack("<Q", content[:8])[0]
    header = json.loads(content[8 : 8 + size])
    first = next(name for name in header if name != "__metadata__")
    if chance.random() < 0.4:
        content = struct.pack("<Q", chance.choice([2**63, 2**64 - 1, 2**40, 10**8, size + 1, 0])) + content[8:]
    else:
        header[first][chance.choice(["shape", "data_offsets"])] = chance.choice(
            [[2**62, 2], [2**32, 2**32, 2**32], [0, 2**60], [2**63 - 1], [-1, 4], [5, 1]]
        )
        text = json.dumps(header).encode()
        content = struct.pack("<Q", len(text)) + text + content[8 + size :]
    return signed({**files, WEIGHTS: content}), WEIGHTS


def not_finite(chance: random.Random, files: Files, others: Files) -> tuple[Files, str]:
    weights = load(files[WEIGHTS])
    name = chance.choice(sorted(name for name, value in weights.items() if value.is_floating_point()))
    value = weights[name].clone()
    value.view(-1)[chance.randrange(value.numel())] = chance.choice([float("nan"), float("inf"), -float("inf")])
    return signed({**files, WEIGHTS: save({**weights, name: value})}), WEIGHTS


def other_weights(chance: random.Random, files: Files, others: Files) -> tuple[Files, str]:
    weights = load(files[WEIGHTS])
    name = chance.choice(sorted(weights))
    value = weights.pop(name)
    kind = chance.choice(["missing", "renamed", "shape"])
    if kind != "missing":
        weights[f"{name}2" if kind == "renamed" else name] = value if kind == "renamed" else torch.zeros(3, 7, 2)
    return signed({**files, WEIGHTS: save(weights)}), WEIGHTS


def other_table(chance: random.Random, files: Files, others: Files) -> tuple[Files, str]:
    """A table with a row twice, a column less or of another kind, all hashes right."""
    name = chance.choice(TABLES)
    table = pd.read_parquet(BytesIO(files[name]))
    kind = chance.choice(["column", "twice", "text"])
    if kind == "twice" and name != "events.parquet":
        table = pd.concat([table, table.iloc[[chance.randrange(len(table))]]], ignore_index=True)
    elif kind == "text":
        numbers = [column for column in table if table[column].dtype == "float64"]
        table[chance.choice(numbers)] = "1; import os"
    else:
        table = table.drop(columns=chance.choice(list(table)))
    return signed({**files, name: table.to_parquet(index=False)}), name


def no_table(chance: random.Random, files: Files, others: Files) -> tuple[Files, str]:
    name = chance.choice([*TABLES, WEIGHTS, SCHEMA])
    return signed({**files, name: chance.choice([b"", b"PAR1", b"PAR1" * 3, chance.randbytes(200), PICKLE])}), name


def other_schema(chance: random.Random, files: Files, others: Files) -> tuple[Files, str]:
    content = json.loads(files[SCHEMA])
    key = chance.choice(sorted(content))
    content[key] = chance.choice([None, [], "x", 7.5, {}])
    changed = signed({**files, SCHEMA: json.dumps(content).encode()})
    return (changed, SCHEMA) if content != json.loads(files[SCHEMA]) else of_another(chance, files, others)


def other_data(chance: random.Random, files: Files, others: Files) -> tuple[Files, str]:
    key = chance.choice(["name", "dated", "from", "until", "synthetic", "repeat_share"])
    return signed(files, lambda content: content["data"].pop(key)), MANIFEST


MUTATIONS = [
    flipped,
    flipped,
    flipped,
    cut_off,
    overwritten,
    appended,
    exchanged,
    of_another,
    another_version,
    more_keys,
]
MUTATIONS += [names_outside, a_name_twice, deep, huge_header, not_finite, other_weights, other_table, no_table]
MUTATIONS += [other_schema, other_data]
# What pickle would run: touch the file that is named by the variable.
PICKLE = b"cos\nsystem\n(S'touch \"$EMBEDREC_MARK\"'\ntR."


def link(chance: random.Random, folder: Path, name: str) -> None:
    """Put something in the place of a file that is no plain file."""
    path = folder / name
    content = path.read_bytes()
    path.unlink()
    kind = chance.choice(["link", "loop", "nothing", "folder", "pipe", "absent"])
    if kind == "link":
        elsewhere = folder.parent / f"elsewhere {name}"
        elsewhere.write_bytes(content)
        path.symlink_to(elsewhere)
    elif kind == "loop":
        path.symlink_to(path)
    elif kind == "nothing":
        path.symlink_to(folder / "nowhere")
    elif kind == "folder":
        path.mkdir()
        (path / name).write_bytes(content)
    elif kind == "pipe":
        os.mkfifo(path)


def refuse_all(good: tuple[Files, Files], place: Path, monkeypatch: pytest.MonkeyPatch, count: int, seed: int) -> None:
    mark = place / "executed"
    monkeypatch.setenv("EMBEDREC_MARK", str(mark))
    seen: Counter[str] = Counter()
    for number in range(count):
        chance = random.Random(seed * 1_000_003 + number)
        kind = chance.choice([*MUTATIONS, link])
        files, name = good[0], chance.choice(ALL)
        if kind is not link:
            files, name = kind(chance, *good)
            if files == good[0]:  # random bytes that were there before
                continue
        folder = place / str(number)
        folder.mkdir()
        for one, content in files.items():
            (folder / one).write_bytes(content)
        if kind is link:
            link(chance, folder, name)
        with pytest.raises(BundleError) as caught:
            Recommender.load(folder)
            pytest.fail(f"{kind.__name__} {number}: {name} was accepted")
        message = str(caught.value)
        assert name in message, (kind.__name__, number, message)
        assert message.isprintable(), (kind.__name__, number)
        assert len(message) < 400 + 3 * len(str(folder)), (kind.__name__, number)
        seen[kind.__name__] += 1
    assert not mark.exists()
    assert set(seen) == {kind.__name__ for kind in [*MUTATIONS, link]}


def test_the_undamaged_one_is_accepted(good: tuple[Files, Files], tmp_path: Path) -> None:
    """Signed again as the others are, or the test would prove nothing."""
    for one, content in signed(good[0]).items():
        (tmp_path / one).write_bytes(content)
    assert len(Recommender.load(tmp_path).recommend("C0001")) == 10
    manifest = Manifest.model_validate_json((tmp_path / MANIFEST).read_bytes())
    assert manifest.id == manifest.digest()


def test_a_thousand_damaged_bundles(good, tmp_path, monkeypatch) -> None:
    refuse_all(good, tmp_path, monkeypatch, 1_000, seed=0)


@pytest.mark.slow
@pytest.mark.timeout(3600)
def test_ten_thousand_damaged_bundles(good, tmp_path, monkeypatch) -> None:
    refuse_all(good, tmp_path, monkeypatch, 10_000, seed=1)

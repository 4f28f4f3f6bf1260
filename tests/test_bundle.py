"""A bundle is whole, or it is refused by the name of the file at fault; nothing in it can run code."""

from __future__ import annotations

import hashlib
import json
import pickle
import re
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
import torch

import embedrec
from embedrec import Recommender, bundle
from embedrec.bundle import FILES, FORMAT, INDEXED, MANIFEST, SCHEMA, WEIGHTS, Bundle, read_bundle, write_bundle
from embedrec.errors import BundleError
from embedrec.features import FeatureSchema
from embedrec.features.schema import COLUMNS
from runs import Trained

ALL = (MANIFEST, *FILES)
EVERY_FILE = pytest.mark.parametrize("name", ALL)


@pytest.fixture
def copy(simple: Trained, tmp_path: Path) -> Path:
    """A bundle that a test may damage."""
    return shutil.copytree(simple.bundle, tmp_path / "bundle")


def refusal(folder: Path) -> str:
    with pytest.raises(BundleError) as caught:
        read_bundle(folder)
    message = str(caught.value)
    assert "\n" not in message
    return message


def edit_manifest(folder: Path, change: Callable[[dict[str, Any]], object], *, sign: bool = False) -> None:
    """Change the manifest by hand; `sign` writes the id that belongs to the new content."""
    path = folder / MANIFEST
    content = json.loads(path.read_text(encoding="utf-8"))
    change(content)
    if sign:
        content["id"] = bundle.Manifest.model_validate(content).digest()
    path.write_text(json.dumps(content), encoding="utf-8")


def rewrite(content: Bundle, folder: Path, weights: dict[str, torch.Tensor] | None = None) -> bundle.Manifest:
    kept = content.weights if weights is None else weights
    return write_bundle(folder, content.manifest, kept, content.schema, content.frames)


# Round trip


def test_a_bundle_holds_its_files_and_nothing_else(trained: Trained) -> None:
    assert sorted(path.name for path in trained.bundle.iterdir()) == sorted(ALL)
    assert set(trained.manifest["files"]) == set(FILES)


def test_written_again_it_is_the_same_to_the_last_byte(trained: Trained, tmp_path: Path) -> None:
    content = read_bundle(trained.bundle)
    manifest = rewrite(content, tmp_path / "again")
    assert manifest == content.manifest
    for name in ALL:
        assert (tmp_path / "again" / name).read_bytes() == (trained.bundle / name).read_bytes(), name


def test_it_is_read_as_it_was_written(trained: Trained, tmp_path: Path) -> None:
    first = read_bundle(trained.bundle)
    rewrite(first, tmp_path / "again")
    second = read_bundle(tmp_path / "again")
    assert second.schema == first.schema
    assert second.weights.keys() == first.weights.keys()
    for name, value in first.weights.items():
        assert torch.equal(second.weights[name], value)
    for name, table in first.frames.items():
        pd.testing.assert_frame_equal(second.frames[name], table)


def test_the_id_follows_the_content(trained: Trained, tmp_path: Path) -> None:
    content = read_bundle(trained.bundle)
    name = next(iter(content.weights))
    changed = {**content.weights, name: content.weights[name] + 1}
    assert rewrite(content, tmp_path / "changed", changed).id != content.manifest.id


def test_writing_replaces_the_older_bundle(simple: Trained, trained: Trained, copy: Path) -> None:
    rewrite(read_bundle(trained.bundle), copy)
    assert read_bundle(copy).manifest.model.name == "two_tower"
    assert [path.name for path in copy.parent.iterdir()] == ["bundle"]


def test_a_failed_write_leaves_the_older_bundle(trained: Trained, copy: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    content, before = read_bundle(trained.bundle), read_bundle(copy).manifest

    def full(*_: object, **__: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(pd.DataFrame, "to_parquet", full)
    with pytest.raises(OSError, match="No space"):
        rewrite(content, copy)
    assert read_bundle(copy).manifest == before
    assert [path.name for path in copy.parent.iterdir()] == ["bundle"]


# Damage


@EVERY_FILE
@pytest.mark.parametrize("place", [0.0, 0.5, 1.0])
def test_one_flipped_byte(copy: Path, name: str, place: float) -> None:
    content = bytearray((copy / name).read_bytes())
    content[int(place * (len(content) - 1))] ^= 0x80
    (copy / name).write_bytes(content)
    assert name in refusal(copy)


@EVERY_FILE
@pytest.mark.parametrize("share", [0.0, 0.5, 0.999])
def test_truncated(copy: Path, name: str, share: float) -> None:
    content = (copy / name).read_bytes()
    (copy / name).write_bytes(content[: int(share * len(content))])
    assert name in refusal(copy)


@EVERY_FILE
def test_something_appended(copy: Path, name: str) -> None:
    with (copy / name).open("ab") as file:
        file.write(b"x")
    assert name in refusal(copy)


@EVERY_FILE
def test_missing(copy: Path, name: str) -> None:
    (copy / name).unlink()
    assert name in refusal(copy)


@EVERY_FILE
def test_a_symlink_instead_of_the_file(copy: Path, name: str, tmp_path: Path) -> None:
    (copy / name).replace(tmp_path / name)
    (copy / name).symlink_to(tmp_path / name)
    assert name in refusal(copy)


@EVERY_FILE
def test_a_folder_instead_of_the_file(copy: Path, name: str) -> None:
    (copy / name).unlink()
    (copy / name).mkdir()
    assert name in refusal(copy)


def test_weights_of_another_bundle(copy: Path, trained: Trained) -> None:
    shutil.copy(trained.bundle / WEIGHTS, copy / WEIGHTS)
    assert WEIGHTS in refusal(copy)


@pytest.mark.parametrize("stranger", ["../evil", "/etc/passwd", "extra.pkl", "sub/../../x", MANIFEST])
def test_a_manifest_that_names_other_files(copy: Path, stranger: str) -> None:
    edit_manifest(copy, lambda content: content["files"].update({stranger: "0" * 64}), sign=True)
    assert MANIFEST in refusal(copy)


@pytest.mark.parametrize("name", FILES)
def test_a_manifest_that_leaves_a_file_out(copy: Path, name: str) -> None:
    edit_manifest(copy, lambda content: content["files"].pop(name), sign=True)
    assert name in refusal(copy)


def test_the_folder_is_none(tmp_path: Path, copy: Path) -> None:
    assert "is not a bundle" in refusal(tmp_path / "absent")
    assert "is not a bundle" in refusal(tmp_path)
    assert "is not a bundle" in refusal(copy / WEIGHTS)


# The schema


def test_a_schema_of_other_numbers_whose_file_is_signed(copy: Path) -> None:
    """Who changes schema.json and mends every hash of the file still meets the hash of the training."""
    content = json.loads((copy / SCHEMA).read_text(encoding="utf-8"))
    content["price_edges"][0] -= 0.5
    (copy / SCHEMA).write_text(json.dumps(content), encoding="utf-8")
    signed = hashlib.sha256((copy / SCHEMA).read_bytes()).hexdigest()
    edit_manifest(copy, lambda manifest: manifest["files"].update({SCHEMA: signed}), sign=True)
    trained_with = json.loads((copy / MANIFEST).read_text(encoding="utf-8"))["schema_hash"]
    message = refusal(copy)
    assert f"{SCHEMA} has the schema hash {FeatureSchema.model_validate(content).hash()[:16]}" in message
    assert f"{MANIFEST} says the model was trained with {trained_with[:16]}" in message


def test_a_version_that_makes_other_columns(copy: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(COLUMNS, "looks", COLUMNS["looks"][::-1])
    assert "this version makes other features" in refusal(copy)


# The manifest


@pytest.mark.parametrize("version", [INDEXED + 1, 0, str(FORMAT), None, [FORMAT]])
def test_another_format(copy: Path, version: Any) -> None:
    edit_manifest(copy, lambda content: content.update(format=version))
    message = refusal(copy)
    assert f"format {version!r}" in message
    assert f"reads {FORMAT}" in message


@pytest.mark.parametrize(
    "change",
    [
        {"verdict": "Best of all."},
        {"beaten_by": "popularity"},
        {"model": {"name": "random", "seed": 0}},
        {"split": {"valid_from": "2020-01-01", "test_from": "2020-02-01"}},
        {"id": "0" * 16},
    ],
    ids=lambda change: next(iter(change)),
)
def test_edited_by_hand(copy: Path, change: dict[str, Any]) -> None:
    edit_manifest(copy, lambda content: content.update(change))
    assert re.search(rf"{MANIFEST} does not match its own id", refusal(copy))


@pytest.mark.parametrize("change", [{"extra": 1}, {"model": {"name": "no_such_model"}}, {"files": None}, {"data": 3}])
def test_a_manifest_of_another_shape(copy: Path, change: dict[str, Any]) -> None:
    edit_manifest(copy, lambda content: content.update(change))
    assert f"{MANIFEST} is damaged" in refusal(copy)


@pytest.mark.parametrize("text", ["", "null", "[]", "{", "[" * 100_000, '"text"', "\ufeff{}"])
def test_a_manifest_that_is_no_object(copy: Path, text: str) -> None:
    (copy / MANIFEST).write_text(text, encoding="utf-8")
    assert MANIFEST in refusal(copy)


# Weights


@pytest.mark.parametrize("value", [float("nan"), float("inf"), -float("inf")])
def test_weights_that_are_not_finite(trained: Trained, tmp_path: Path, value: float) -> None:
    content = read_bundle(trained.bundle)
    name = next(iter(content.weights))
    spoiled = content.weights[name].clone()
    spoiled.view(-1)[-1] = value
    rewrite(content, tmp_path / "spoiled", {**content.weights, name: spoiled})
    with pytest.raises(BundleError, match=rf"{WEIGHTS} holds values that are not finite"):
        Recommender.load(tmp_path / "spoiled")


@pytest.mark.parametrize("change", ["missing", "extra", "shape"])
def test_weights_of_another_model(trained: Trained, tmp_path: Path, change: str) -> None:
    content = read_bundle(trained.bundle)
    weights = dict(content.weights)
    name = next(iter(weights))
    if change == "missing":
        del weights[name]
    else:
        weights[name if change == "shape" else "stranger"] = torch.zeros(3)
    rewrite(content, tmp_path / "other", weights)
    with pytest.raises(BundleError, match=f"{WEIGHTS} does not fit"):
        Recommender.load(tmp_path / "other")


# No pickle


def test_files_are_of_plain_formats(trained: Trained) -> None:
    for path in trained.bundle.iterdir():
        start = path.read_bytes()[:16]
        if path.suffix == ".parquet":
            assert start.startswith(b"PAR1")
        elif path.suffix == ".safetensors":
            assert start[8:9] == b"{"  # after the length of the header
        else:
            json.loads(path.read_text(encoding="utf-8"))
        assert not start.startswith((b"\x80", b"PK"))  # a pickle, or torch's zip of pickles


def test_reading_unpickles_nothing(trained: Trained, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object, **__: object) -> None:
        raise AssertionError("something was unpickled")

    for name in ("load", "loads", "Unpickler"):
        monkeypatch.setattr(pickle, name, refuse)
    monkeypatch.setattr(torch, "load", refuse)
    shop = Recommender.load(trained.bundle)
    assert len(shop.recommend(shop.customer_ids[0])) == 10


def test_no_module_unpickles() -> None:
    for path in Path(embedrec.__file__).parent.rglob("*.py"):
        source = path.read_text(encoding="utf-8")
        assert not re.search(r"^\s*(import|from) (pickle|joblib|dill|cloudpickle|shelve)", source, re.MULTILINE), path
        assert "read_pickle" not in source, path
        for call in re.findall(r"torch\.load\(.*", source):
            assert "weights_only=True" in call, path


@pytest.mark.parametrize(
    "knots",
    [
        {"scores": [2.0, 1.0], "probabilities": [0.1, 0.2]},
        {"scores": [1.0, 2.0], "probabilities": [0.2, 0.1]},
        {"scores": [1.0, 2.0], "probabilities": [0.1]},
        {"scores": [], "probabilities": []},
        {"scores": [1.0], "probabilities": [1.5]},
        {"scores": [float("nan")], "probabilities": [0.5]},
    ],
    ids=str,
)
@pytest.mark.parametrize("name", ["probability", "audience"])
def test_what_is_no_map_to_probabilities_is_refused(copy: Path, name: str, knots: dict[str, list[float]]) -> None:
    edit_manifest(copy, lambda content: content.update({name: knots}))
    assert "is damaged" in refusal(copy)

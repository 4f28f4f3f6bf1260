"""An index finds most of the best, scores them exactly, steps aside for every filter, and is refused when damaged."""

from __future__ import annotations

import dataclasses
import hashlib
import json
import random
import sys
from pathlib import Path

import pandas as pd
import pytest
import torch

from embedrec import Recommender
from embedrec.bundle import FILES, FORMAT, INDEX, INDEXED, MANIFEST, Bundle, Manifest, read_bundle, write_bundle
from embedrec.errors import BundleError
from embedrec.experiment import large_catalogue
from embedrec.models import learned
from embedrec.models.approximate import ProductIndex
from fresh_bundle import write_fresh_bundle

PRODUCTS = 600


@pytest.fixture(scope="module")
def exact(tmp_path_factory: pytest.TempPathFactory) -> Bundle:
    """A shop without an index."""
    folder = tmp_path_factory.mktemp("exact") / "bundle"
    write_fresh_bundle(folder, products=PRODUCTS, purchases=6000, dim=8)
    return read_bundle(folder)


@pytest.fixture(scope="module")
def indexed(exact: Bundle, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The same shop with one."""
    pytest.importorskip("faiss", reason="faiss is not installed: install embedrec[ann]")
    folder = tmp_path_factory.mktemp("indexed") / "bundle"
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(large_catalogue, "LARGE", 500)
        patch.setattr(large_catalogue, "FRESH", 1)
        patch.setattr(large_catalogue, "SEARCHED", 1)
        made = large_catalogue.indexed(exact.manifest.model, exact.schema, exact.weights, exact.frames)
    assert made is not None
    content, record = made
    manifest = exact.manifest.model_copy(update={"index": record})
    write_bundle(folder, manifest, exact.weights, exact.schema, exact.frames, content)
    return folder


def refusal(folder: Path) -> str:
    with pytest.raises(BundleError) as caught:
        Recommender.load(folder)
    return str(caught.value)


def sign(folder: Path, content: bytes) -> None:
    """Put another index into a bundle, with all the hashes that belong to it."""
    (folder / INDEX).write_bytes(content)
    told = json.loads((folder / MANIFEST).read_text(encoding="utf-8"))
    told["files"][INDEX] = hashlib.sha256(content).hexdigest()
    told["id"] = Manifest.model_validate(told).digest()
    (folder / MANIFEST).write_text(json.dumps(told), encoding="utf-8")


def copied(indexed: Path, folder: Path) -> Path:
    folder.mkdir()
    for path in indexed.iterdir():
        (folder / path.name).write_bytes(path.read_bytes())
    return folder


# What the bundle says


def test_a_small_catalogue_gets_none(exact: Bundle) -> None:
    assert large_catalogue.indexed(exact.manifest.model, exact.schema, exact.weights, exact.frames) is None
    assert exact.manifest.format == FORMAT
    assert "index" not in exact.manifest.model_dump()


def test_the_manifest_states_the_recall(indexed: Path) -> None:
    manifest = read_bundle(indexed).manifest
    assert manifest.format == INDEXED
    assert set(manifest.files) == {*FILES, INDEX}
    assert manifest.index is not None
    assert 0.98 <= manifest.index.recall <= 1
    assert manifest.index.places == 20


def test_an_index_that_misses_too_much_is_left_out(
    exact: Bundle, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    pytest.importorskip("faiss", reason="faiss is not installed: install embedrec[ann]")
    monkeypatch.setattr(large_catalogue, "LARGE", 500)
    monkeypatch.setattr(large_catalogue, "FRESH", 1)
    monkeypatch.setattr(large_catalogue, "_share", lambda found, exact: 0.97)
    assert large_catalogue.indexed(exact.manifest.model, exact.schema, exact.weights, exact.frames) is None
    assert "it finds 0.9700 of the first 20 products, wanted 0.98" in caplog.text


def test_without_faiss_none_is_made(
    exact: Bundle, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(large_catalogue, "LARGE", 500)
    monkeypatch.setattr(large_catalogue, "FRESH", 1)
    monkeypatch.setitem(sys.modules, "faiss", None)
    assert large_catalogue.indexed(exact.manifest.model, exact.schema, exact.weights, exact.frames) is None
    assert "install embedrec[ann]" in caplog.text


# What customers get


def searches(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """Count the customers who are answered with the index."""
    counted: list[int] = []
    search = ProductIndex.search

    def told(self: ProductIndex, users: torch.Tensor, count: int) -> torch.Tensor:
        counted.append(len(users))
        return search(self, users, count)

    monkeypatch.setattr(ProductIndex, "search", told)
    return counted


@pytest.mark.parametrize("filters", [{}, {"exclude_bought": True}])
def test_lists_are_those_of_exact_search(
    exact: Bundle, indexed: Path, filters: dict[str, bool], monkeypatch: pytest.MonkeyPatch
) -> None:
    """The index finds nearly all of each list; what it finds has the same score."""
    for name in ("WIDE", "FEW"):
        monkeypatch.setattr(learned, name, 1)
    with_index, without = Recommender.load(indexed), Recommender(exact)
    with_index._scorer.read_index(read_bundle(indexed).index, INDEX, with_index._bundle.manifest.index.cells)
    counted = searches(monkeypatch)
    for customer in with_index.customer_ids[:30]:
        ours, theirs = (shop.recommend(customer, 10, **filters) for shop in (with_index, without))
        pd.testing.assert_frame_equal(ours, theirs)  # every cell was searched: nothing is missed
    assert sum(counted) > 20


@pytest.mark.parametrize(
    "question",
    [
        {"k": 21},
        {"only": "again"},
        {"price": (5.0, 20.0)},
        {"price": (5.0, 20.0), "exclude_bought": True},
        {"categories": "first"},
        {"diversity": 0.5},
    ],
)
def test_a_filter_is_answered_exactly(
    exact: Bundle, indexed: Path, question: dict, monkeypatch: pytest.MonkeyPatch
) -> None:
    with_index, without = Recommender.load(indexed), Recommender(exact)
    with_index._scorer._index_.probes = 1  # which would miss much
    if "categories" in question:
        question = {"categories": [with_index.categories[0]]}
    counted = searches(monkeypatch)
    for customer in with_index.customer_ids[:30]:
        ours, theirs = (shop.recommend(customer, **question) for shop in (with_index, without))
        pd.testing.assert_frame_equal(ours, theirs)
    assert not counted


def test_a_short_find_is_no_short_list(exact: Bundle, indexed: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with_index, without = Recommender.load(indexed), Recommender(exact)
    monkeypatch.setattr(ProductIndex, "search", lambda self, users, count: torch.full((len(users), count), -1))
    monkeypatch.setattr(with_index._scorer, "unsold_", with_index._scorer.unsold_[:0])
    for customer in with_index.customer_ids[:10]:
        ours, theirs = (shop.recommend(customer, 20, only="new") for shop in (with_index, without))
        assert len(ours) == len(theirs) == 20


def test_without_faiss_the_bundle_is_served_exactly(
    exact: Bundle, indexed: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "faiss", None)
    with_index, without = Recommender.load(indexed), Recommender(exact)
    assert with_index._scorer._index_ is None
    for customer in with_index.customer_ids[:5]:
        pd.testing.assert_frame_equal(with_index.recommend(customer), without.recommend(customer))


def test_another_date_and_new_products_are_answered_exactly(indexed: Path) -> None:
    """The index knows the vectors of one date and of the products of that date."""
    assert Recommender.load(indexed)._scorer._index_ is not None
    assert Recommender.load(indexed, as_of="2024-08-01")._scorer._index_ is None
    grown = Recommender.load(indexed).add_products(pd.DataFrame({"product_id": ["new"], "price": [3.0]}))
    assert grown._scorer._index_ is None


# Damage


def test_a_damaged_index_is_refused_before_it_is_parsed(
    indexed: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(ProductIndex, "read", lambda *_: pytest.fail("parsed"))
    good = (indexed / INDEX).read_bytes()
    chance = random.Random(0)
    for number in range(20):
        folder = copied(indexed, tmp_path / str(number))
        content = bytearray(good)
        content[chance.randrange(len(content))] ^= 1 << chance.randrange(8)
        (folder / INDEX).write_bytes([bytes(content), good[:-1], good + b"\x00", b""][number % 4])
        assert f"{INDEX} does not match its SHA-256" in refusal(folder)
    (folder / INDEX).unlink()
    assert f"{INDEX} is missing" in refusal(folder)


def test_what_is_no_index_of_these_products_is_refused(exact: Bundle, indexed: Path, tmp_path: Path) -> None:
    """All hashes right."""
    scorer = Recommender(exact)._scorer
    fewer = ProductIndex.build(scorer.vectors_, scorer.popularity_, scorer.indexed()[1:]).plain()
    narrower = ProductIndex.build(scorer.vectors_[:, 1:], scorer.popularity_, scorer.indexed()).plain()
    good = (indexed / INDEX).read_bytes()
    for number, content in enumerate([b"", b"IwSq", b"\x80\x04.", good[:-9], good[:40], fewer, narrower]):
        folder = copied(indexed, tmp_path / str(number))
        sign(folder, content)
        assert f"{INDEX} is no index of the products of its bundle" in refusal(folder)


def test_an_index_and_its_format_belong_together(indexed: Path, tmp_path: Path) -> None:
    folder = copied(indexed, tmp_path / "bundle")
    told = json.loads((folder / MANIFEST).read_text(encoding="utf-8"))
    for change in ({"format": FORMAT}, {"index": None}):
        content = {**told, **change}
        content["id"] = Manifest.model_validate(content).digest()
        (folder / MANIFEST).write_text(json.dumps(content), encoding="utf-8")
        assert MANIFEST in refusal(folder)


def test_the_same_index_twice(exact: Bundle) -> None:
    pytest.importorskip("faiss", reason="faiss is not installed: install embedrec[ann]")
    scorer = Recommender(dataclasses.replace(exact))._scorer
    assert scorer.make_index().plain() == scorer.make_index().plain()

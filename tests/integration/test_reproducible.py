"""The same tables, settings and seed give the same figures and the same bundle, byte for byte, anywhere."""

from __future__ import annotations

import shutil
from pathlib import Path

import pandas as pd
import pytest

from embedrec.bundle import FILES, MANIFEST
from embedrec.columns import TABLE_NAMES
from runs import QUICK, SIMPLE, UNTRACKED, Trained, comparable, train_here, weights_hash


def assert_same(one: Trained, other: Trained) -> None:
    assert one.folder != other.folder
    assert comparable(one.metrics) == comparable(other.metrics)
    assert weights_hash(one) == weights_hash(other)
    for name in (MANIFEST, *FILES):
        assert (one.bundle / name).read_bytes() == (other.bundle / name).read_bytes(), name


def test_two_runs(trained: Trained, demo_tables: Path, tmp_path: Path) -> None:
    """One is tracked and has a name, the other not: a record is no part of a result."""
    assert_same(train_here(demo_tables, tmp_path, *QUICK, UNTRACKED, "name=again"), trained)


def test_another_seed_is_another_run(trained: Trained, demo_tables: Path, tmp_path: Path) -> None:
    other = train_here(demo_tables, tmp_path, *QUICK, UNTRACKED, "seed=4")
    assert weights_hash(other) != weights_hash(trained)
    assert other.manifest["id"] != trained.manifest["id"]


@pytest.mark.parametrize(("kind", "settings"), [("trained", QUICK), ("simple", SIMPLE)])
def test_the_order_of_rows_changes_nothing(
    kind: str, settings: tuple[str, ...], request: pytest.FixtureRequest, demo_tables: Path, tmp_path: Path
) -> None:
    """Tables in another folder, their rows shuffled."""
    shuffled = tmp_path / "shuffled"
    shutil.copytree(demo_tables, shuffled)
    for place, name in enumerate(TABLE_NAMES):
        table = pd.read_csv(demo_tables / f"{name}.csv", dtype=str, keep_default_na=False)
        table.sample(frac=1, random_state=place).to_csv(shuffled / f"{name}.csv", index=False)
    assert_same(train_here(shuffled, tmp_path / "out", *settings, UNTRACKED), request.getfixturevalue(kind))


def test_a_bundle_tells_no_path(trained: Trained, demo_tables: Path) -> None:
    for path in trained.bundle.iterdir():
        content = path.read_bytes()
        for place in (demo_tables, trained.outputs):
            assert str(place).encode() not in content, path.name

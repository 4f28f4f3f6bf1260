"""What people handed over trains to a bundle, whatever tables are missing."""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np
import pytest

from embedrec import Recommender
from embedrec.columns import SCORE
from runs import QUICK, UNTRACKED, train_here

DATA = os.environ.get("EMBEDREC_DATA", "")
LARGE = (
    "data.files.purchase_history=purchase_history_dummy.csv",
    "data.files.product_details=product_details_dummy.csv",
)
PROCESSED = "data.files.product_details=product_details_processed.csv"
SMALL: list[tuple[str, tuple[str, ...]]] = [
    ("variant_01", ()),
    ("variant_02", ()),
    ("variant_03", ()),
    ("variant_05", ()),
    ("variant_08", (PROCESSED, "data.columns.price=-", "data.columns.rating=-")),
    ("variant_10", ()),
]


@pytest.mark.slow
@pytest.mark.timeout(900)
@pytest.mark.skipif(not DATA, reason="EMBEDREC_DATA is not set")
@pytest.mark.parametrize(("folder", "settings"), [*SMALL, ("variant_06", LARGE)], ids=lambda value: str(value)[:10])
def test_every_variant_trains_to_a_bundle(folder: str, settings: tuple[str, ...], tmp_path: Path) -> None:
    run = train_here(Path(DATA) / "terra_variants" / folder, tmp_path, *QUICK, UNTRACKED, *settings)
    shop = Recommender.load(run.bundle)
    assert run.metrics["verdict"]
    assert run.manifest["fallback_from"] == (None if folder == "variant_06" else "two_tower")
    for customer in [*shop.customer_ids[:5], "stranger"]:
        shown = shop.recommend(customer, k=5)
        assert len(shown) == 5
        assert np.isfinite(shown[SCORE]).all()

"""How long an audience takes in a large shop: 100,000 customers, 50,000 products, 64 dimensions, fresh weights."""

from __future__ import annotations

import time
from pathlib import Path

import numpy as np
import psutil
import pytest
import torch

from embedrec import Recommender
from fresh_bundle import write_fresh_bundle

pytestmark = [pytest.mark.benchmark, pytest.mark.timeout(1800)]


def test_the_audience_of_a_product(tmp_path: Path) -> None:
    """The first question makes everybody ready; the page shows how far that is."""
    write_fresh_bundle(tmp_path / "b", customers=100_000, products=50_000, purchases=1_000_000, dim=64)
    torch.set_num_threads(1)  # as the server does
    shop = Recommender.load(tmp_path / "b")
    begun = time.perf_counter()
    shop.audience(shop.product_ids[0])
    first = time.perf_counter() - begun
    seconds = []
    for number in range(1, 21):
        begun = time.perf_counter()
        shop.audience(shop.product_ids[number * 997])
        seconds.append(time.perf_counter() - begun)
    memory = psutil.Process().memory_info().rss / 2**30
    print(
        f"\neverybody made ready in {first:.0f} s; then a product in {np.median(seconds):.2f} s "
        f"(at most {max(seconds):.2f} s); {memory:.1f} GB"
    )
    assert np.median(seconds) < 2

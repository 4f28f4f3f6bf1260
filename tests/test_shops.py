"""The small shops that other tests use are what the reader would have made of their files."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from embedrec.columns import CATEGORY, CUSTOMER, PRICE, PRODUCT
from embedrec.tables import DataConfig, read_tables
from embedrec.tables.distinct import unfolded
from shops import small_shop, write_shop


@pytest.mark.parametrize("views", [0, 300])
def test_canonical_frames_survive_the_files(tmp_path: Path, views: int) -> None:
    made = small_shop(1, views=views)
    read = read_tables(DataConfig(name="small", path=str(write_shop(tmp_path, made))))
    pd.testing.assert_frame_equal(read.customers, made.customers)
    pd.testing.assert_frame_equal(read.products, made.products)
    pd.testing.assert_frame_equal(unfolded(read.events), made.events)
    assert read.fingerprint == made.fingerprint


def test_the_gaps_are_there() -> None:
    shop = small_shop(1)
    bought = shop.purchases
    assert len(bought) == 600
    assert set(shop.customers[CUSTOMER]) - set(bought[CUSTOMER])
    assert set(shop.products[PRODUCT]) - set(bought[PRODUCT])
    assert set(bought[PRODUCT]) - set(shop.products[PRODUCT])
    assert shop.products[[CATEGORY, PRICE]].isna().any().all()
    assert np.isnan(bought[PRICE]).any()


def test_seeds() -> None:
    assert small_shop(1).fingerprint == small_shop(1).fingerprint != small_shop(2).fingerprint

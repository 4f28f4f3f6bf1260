"""Ten thousand shops: each is read, every row accounted for, or refused in one line. Nothing else may happen."""

from __future__ import annotations

import math
import tempfile
import time
from collections import Counter
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import pytest
from fuzzed_shop import Cells, Fuzzed, fuzzed_shops
from hypothesis import HealthCheck, given, note, settings

from embedrec.columns import (
    CATEGORY,
    CUSTOMER,
    DETAILS,
    INTERACTIONS,
    PRICE,
    PRODUCT,
    PURCHASES,
    QUANTITY,
    RATING,
    TIME,
)
from embedrec.errors import DataError
from embedrec.experiment.runner import peak_mb, reset_peak
from embedrec.tables import DataConfig, Tables, read_tables

SECONDS = 5  # of the processor
MEGABYTES = 300
SLOW = (HealthCheck.too_slow, HealthCheck.data_too_large, HealthCheck.filter_too_much)


@settings(max_examples=500, derandomize=True, suppress_health_check=SLOW)
@given(fuzzed_shops())
def test_five_hundred_shops(shop: Fuzzed) -> None:
    read_or_refused(shop)


@pytest.mark.slow
@pytest.mark.timeout(3600)
@settings(max_examples=10_000, suppress_health_check=SLOW)
@given(fuzzed_shops())
def test_ten_thousand_shops(shop: Fuzzed) -> None:
    read_or_refused(shop)


def read_or_refused(shop: Fuzzed) -> None:
    note("; ".join(shop.story))
    with tempfile.TemporaryDirectory() as folder:
        shop.write(Path(folder))
        reset_peak()
        before, start = peak_mb(), time.process_time()
        try:
            tables = read_tables(DataConfig(name="fuzzed", path=folder))
        except DataError as error:
            message = str(error)
            note(message)
            assert message.isprintable()
            assert len(message) < 2000
            assert not shop.exact, message
            return
        finally:
            assert time.process_time() - start < SECONDS
            assert peak_mb() - before < MEGABYTES
    well_formed(tables)
    accounted(tables, shop)
    if shop.exact:
        as_it_was(tables, shop)


def well_formed(tables: Tables) -> None:
    """What every later step takes for granted."""
    events, products = tables.events, tables.products
    assert len(tables.purchases) > 0
    for ids in (events[CUSTOMER], events[PRODUCT].dropna(), products[PRODUCT], tables.customers[CUSTOMER]):
        assert ids.str.len().between(1, 256).all()
        assert not ids.str.contains("[\x00-\x1f\x7f]").any()
    assert products[PRODUCT].is_unique
    assert tables.customers[CUSTOMER].is_unique
    assert events[TIME].notna().all()
    for prices in (events[PRICE], products[PRICE]):
        assert not (prices < 0).any()
        assert not np.isinf(prices).any()
    assert products[RATING].dropna().between(0, 5).all()
    for sentence in (*tables.warnings, *(one for account in tables.accounts for one in account.notes)):
        assert sentence.isprintable()


def accounted(tables: Tables, shop: Fuzzed) -> None:
    for account in tables.accounts:
        assert account.read == account.used + account.quarantined + account.duplicates + account.set_aside
        assert account.quarantined == (tables.quarantine["table"] == account.table).sum()
        assert shop.lines[account.table] in (None, account.read)
    used = {account.table: account.used for account in tables.accounts}
    assert len(tables.events) == used[PURCHASES]
    assert len(tables.products) == used.get(DETAILS, len(tables.products))
    assert len(tables.customers) == used.get(INTERACTIONS, 0)


def as_it_was(tables: Tables, shop: Fuzzed) -> None:
    """Every row came back with its cells; purchases equal in every cell count once."""
    true = [_line(row) for row in shop.rows[PURCHASES]]
    seconds = tables.events[TIME].to_numpy("datetime64[s]").astype(np.int64).tolist()
    found = zip(
        tables.events[CUSTOMER],
        tables.events[PRODUCT],
        seconds,
        tables.events[QUANTITY],
        tables.events[PRICE],
        strict=True,
    )
    read = [(customer, product, at, quantity, _known(price)) for customer, product, at, quantity, price in found]
    assert Counter(read) == Counter(set(true))
    if DETAILS in shop.rows:
        products = tables.products
        shown = zip(products[PRODUCT], products[CATEGORY], products[PRICE], products[RATING], strict=True)
        assert sorted(shown) == sorted(
            (row[PRODUCT], row[CATEGORY], row[PRICE], row[RATING]) for row in shop.rows[DETAILS]
        )
    if INTERACTIONS in shop.rows:
        totals = [tuple(row.values()) for row in shop.rows[INTERACTIONS]]
        assert sorted(tables.customers.itertuples(index=False, name=None)) == sorted(totals)


def _line(row: Cells) -> tuple[object, ...]:
    at = row[TIME]
    assert isinstance(at, datetime)
    return row[CUSTOMER], row[PRODUCT], int(at.replace(tzinfo=UTC).timestamp()), row.get(QUANTITY, 1.0), row.get(PRICE)


def _known(price: float) -> float | None:
    return None if math.isnan(price) else price

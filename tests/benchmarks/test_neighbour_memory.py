"""Counting models on a million purchases: they fit and score sparsely, in less than 4 GB."""

from __future__ import annotations

import time

import numpy as np
import pytest

from embedrec.columns import CUSTOMER, EVENT, PRODUCT, PURCHASE, TIME
from embedrec.evaluation.ranking import Truth, rank
from embedrec.experiment.runner import peak_mb, reset_peak
from embedrec.features import DAY, FeatureEncoder, Snapshot, build_history
from embedrec.features.history import Ragged
from embedrec.models import ClassicConfig, ItemKnnConfig, UserKnnConfig
from embedrec.models.classic.personal_frequency import PersonalFrequencyConfig
from embedrec.tables.model import CUSTOMER_COLUMNS, EVENT_COLUMNS, PRODUCT_COLUMNS
from shops import START, frame

pytestmark = [pytest.mark.benchmark, pytest.mark.timeout(1800)]
LINES, CUSTOMERS, PRODUCTS, DAYS = 1_000_000, 60_000, 30_000, 300
RANKED = 1000  # customers
LIMIT_MB = 4096


@pytest.fixture(scope="module")
def snapshot() -> Snapshot:
    """A shop of a million lines; few products and few customers make most of them."""
    rng = np.random.default_rng(0)
    customers = (CUSTOMERS * rng.random(LINES) ** 1.5).astype(int)
    products = (PRODUCTS * rng.random(LINES) ** 2.5).astype(int)
    events = frame(
        EVENT_COLUMNS,
        {
            CUSTOMER: np.char.add("C", customers.astype(str)),
            PRODUCT: np.char.add("P", products.astype(str)),
            TIME: START + np.sort(rng.integers(DAYS * DAY, size=LINES)),
            EVENT: PURCHASE,
        },
    )
    history, catalogue = build_history(frame(CUSTOMER_COLUMNS, {}), frame(PRODUCT_COLUMNS, {}), events)
    until = START + DAYS * DAY * 9 // 10
    return FeatureEncoder.fit(history, catalogue, until).at(until)


@pytest.mark.parametrize(
    "config", [PersonalFrequencyConfig(), UserKnnConfig(), ItemKnnConfig()], ids=lambda config: config.name
)
def test_a_million_purchases(config: ClassicConfig, snapshot: Snapshot) -> None:
    truth = Truth.of_window(snapshot, snapshot.history.end)
    offsets = truth.targets.offsets[: RANKED + 1]
    truth = Truth(truth.users[:RANKED], Ragged(offsets, truth.targets.values[: offsets[-1]]), truth.window)
    reset_peak()
    start = time.perf_counter()
    scorer = config.build(snapshot.encoder.schema).fit(snapshot)
    fitted = time.perf_counter()
    rank(scorer, snapshot, truth, ("all",))
    ranked = time.perf_counter()
    print(
        f"\n{config.name}, {LINES:,} purchases: fitted in {fitted - start:.1f} s, {RANKED:,} customers ranked in "
        f"{ranked - fitted:.1f} s, peak {peak_mb():,} MB"
    )
    assert peak_mb() < LIMIT_MB

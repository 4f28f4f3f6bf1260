"""How fast one customer is answered and how fast lists are cut, each against a named peer in the same run."""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
import yaml

from embedrec import Recommender
from embedrec.bundle import Manifest, write_bundle
from embedrec.features import FeatureEncoder, build_history
from embedrec.models import TwoTowerConfig
from embedrec.ranking import top_k
from embedrec.tables import DataConfig, read_tables

pytestmark = pytest.mark.benchmark
ROUNDS = 200


def median_ms(call: Callable[[int], object], rounds: int = ROUNDS) -> float:
    """Median wall time of call(0), call(1), …, in milliseconds, after five calls to warm up."""
    for number in range(5):
        call(number)
    times = []
    for number in range(rounds):
        start = time.perf_counter()
        call(number)
        times.append(time.perf_counter() - start)
    return 1000 * float(np.median(times))


@pytest.fixture(scope="module")
def shop(tmp_path_factory: pytest.TempPathFactory) -> Recommender:
    """Online Retail with fresh weights: what they say does not change how long it takes."""
    if not os.environ.get("EMBEDREC_DATA"):
        pytest.skip("EMBEDREC_DATA is not set: Online Retail is read from there")
    conf = Path(__file__).parents[2] / "conf" / "data" / "online_retail.yaml"
    settings = yaml.safe_load(conf.read_text(encoding="utf-8"))
    settings.pop("defaults")
    tables = read_tables(DataConfig(**settings))
    history, catalogue = build_history(tables.customers, tables.products, tables.events)
    schema = FeatureEncoder.fit(history, catalogue, history.end).schema
    torch.manual_seed(0)
    model = TwoTowerConfig()
    data = {"name": "online_retail", "fingerprint": "", "dated": True, "from": "2010-12-01", "until": "2011-12-09"}
    data |= {"synthetic": False, "repeat_share": None, "warnings": []}
    split = {"protocol": "global_time", "valid_from": "2011-10-01", "test_from": "2011-11-01"}
    manifest = Manifest(model=model, data=data, split=split, config={}, metrics={}, verdict="", files={})
    folder = tmp_path_factory.mktemp("bundle") / "bundle"
    frames = {"customers": tables.customers, "products": tables.products, "events": tables.events}
    write_bundle(folder, manifest, model.build(schema).state_dict(), schema, frames)
    return Recommender.load(folder)


def test_one_recommendation(shop: Recommender) -> None:
    """Peer: the bare product of one vector with all product vectors, and numpy's argsort."""
    ids = shop.customer_ids
    vectors = np.random.default_rng(0).normal(size=(len(shop.product_ids), 64))
    customers = np.random.default_rng(1).normal(size=(ROUNDS, 64))
    ours = median_ms(lambda number: shop.recommend(ids[number * 17 % len(ids)], k=10))
    bare = median_ms(lambda number: np.argsort(-(vectors @ customers[number % ROUNDS]))[:10])
    print(
        f"\none recommendation with reasons {ours:.2f} ms; "
        f"bare numpy product and sort {bare:.2f} ms; ratio {ours / bare:.1f}"
    )
    assert ours < 10


def test_top_k() -> None:
    """Peer: torch.topk, which breaks ties as it likes."""
    scores = torch.randn(512, 40_000, generator=torch.Generator().manual_seed(0))
    ours = median_ms(lambda _: top_k(scores, 20), 20)
    peer = median_ms(lambda _: torch.topk(scores, 20), 20)
    print(f"\ntop 20 of [512, 40000]: {ours:.1f} ms; torch.topk {peer:.1f} ms; ratio {ours / peer:.2f}")
    assert ours / peer < 3

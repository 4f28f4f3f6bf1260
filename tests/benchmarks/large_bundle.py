"""A bundle as large as the page's promises are made for: 50,000 products, 64 dimensions, fresh weights."""

from __future__ import annotations

from pathlib import Path

import torch

from embedrec.bundle import Manifest, write_bundle
from embedrec.features import FeatureEncoder
from embedrec.models import TwoTowerConfig
from shops import history_of, small_shop

PRODUCTS, CUSTOMERS, PURCHASES = 50_000, 20_000, 400_000


def write_large_bundle(folder: Path, seed: int = 0) -> list[str]:
    """Write the bundle; return the ids of the customers. What the weights say does not change how long it takes."""
    tables = small_shop(seed, CUSTOMERS, PRODUCTS, PURCHASES, days=700)
    history, catalogue = history_of(tables)
    schema = FeatureEncoder.fit(history, catalogue, history.end).schema
    torch.manual_seed(seed)
    config = TwoTowerConfig(dim=64)
    weights = config.build(schema).state_dict()
    weights["patterns"] = torch.randn_like(weights["patterns"])  # else all scores of towers that whisper are alike
    data = {"name": "large", "fingerprint": "", "dated": True, "from": "2024-01-01", "until": "2025-11-30"}
    data |= {"synthetic": True, "repeat_share": 0.5, "warnings": []}
    split = {"protocol": "global_time", "valid_from": "2025-09-01", "test_from": "2025-11-01"}
    manifest = Manifest(model=config, data=data, split=split, config={}, metrics={}, verdict="", files={})
    frames = {"customers": tables.customers, "products": tables.products, "events": tables.events}
    write_bundle(folder, manifest, weights, schema, frames)
    return [str(one) for one in history.customer_ids]

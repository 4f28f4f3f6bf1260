"""Bundles of fresh weights over a made-up shop, written in seconds: what the weights say changes nothing else."""

from __future__ import annotations

from pathlib import Path

import torch

from embedrec.bundle import Manifest, write_bundle
from embedrec.features import FeatureEncoder
from embedrec.models import TwoTowerConfig
from shops import history_of, small_shop


def write_fresh_bundle(
    folder: Path,
    seed: int = 0,
    *,
    customers: int = 40,
    products: int = 30,
    purchases: int = 600,
    views: int = 0,
    dim: int = 4,
) -> Manifest:
    """Write the bundle of a two-tower model that learned nothing; another seed is another shop and another model."""
    tables = small_shop(seed, customers, products, purchases, views=views)
    history, catalogue = history_of(tables)
    schema = FeatureEncoder.fit(history, catalogue, history.end).schema
    torch.manual_seed(seed)
    config = TwoTowerConfig(dim=dim, patterns=min(dim, 32))
    weights = config.build(schema).state_dict()
    weights["patterns"] = torch.randn_like(weights["patterns"])  # else all scores of towers that whisper are alike
    data = {"name": f"shop {seed}", "fingerprint": "", "dated": True, "from": "2024-01-01", "until": "2024-10-27"}
    data |= {"synthetic": True, "repeat_share": 0.5, "warnings": []}
    split = {"protocol": "global_time", "valid_from": "2024-09-01", "test_from": "2024-10-01"}
    manifest = Manifest(model=config, data=data, split=split, config={}, metrics={}, verdict="", files={})
    frames = {"customers": tables.customers, "products": tables.products, "events": tables.events}
    return write_bundle(folder, manifest, weights, schema, frames)

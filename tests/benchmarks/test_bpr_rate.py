"""How many purchases a second MF-BPR learns from, against RecBole's BPR in the same run.

RecBole wants older libraries, so it needs an environment of its own: `EMBEDREC_RECBOLE` names its Python.
"""

from __future__ import annotations

import json
import os
import subprocess
import time
from pathlib import Path

import numpy as np
import pytest
import torch
import yaml

from embedrec.data.pairs import Pairs
from embedrec.experiment.config import parse_config
from embedrec.experiment.examples import training_data
from embedrec.experiment.runner import Runner
from embedrec.experiment.shop import open_shop
from embedrec.training import fit

PEER = os.environ.get("EMBEDREC_RECBOLE")
pytestmark = [
    pytest.mark.benchmark,
    pytest.mark.timeout(1800),
    pytest.mark.skipif(not os.environ.get("EMBEDREC_DATA"), reason="EMBEDREC_DATA is not set: Gowalla is read there"),
    pytest.mark.skipif(
        not PEER, reason="EMBEDREC_RECBOLE is not set: the python of an environment with recbole==1.2.0"
    ),
]
BATCH, EPOCHS, ROUNDS = 4096, 2, 3


def test_rate(tmp_path: Path) -> None:
    """64 dimensions, one negative a purchase, 4,096 purchases a step; ours with Lightning's loop and checkpoints."""
    data = yaml.safe_load((Path(__file__).parents[2] / "conf/data/gowalla.yaml").read_text(encoding="utf-8"))
    data.pop("defaults")
    config = parse_config(
        {
            "data": data,
            "model": {"name": "mf_bpr"},
            "trainer": {"batch_size": BATCH, "max_epochs": EPOCHS + 1},
        }
    )
    shop = open_shop(config.data, config.split)
    runner = Runner(shop, progress=False)
    batches = training_data(config, config.model, shop, runner.before_valid)  # type: ignore[arg-type]
    assert isinstance(batches.examples, Pairs)
    np.savez(tmp_path / "pairs.npz", users=batches.examples.users, items=batches.examples.items)
    torch.set_num_threads(2)

    def ours(folder: Path, epochs: int) -> float:
        network = runner._network(config, config.model, runner.before_valid, batches)  # type: ignore[arg-type]
        start = time.perf_counter()
        fit(network, batches, config.loss, config.trainer, folder=folder, epochs=epochs, progress=False)
        return time.perf_counter() - start

    def theirs() -> float:
        script = str(Path(__file__).with_name("recbole_bpr.py"))
        words = [str(PEER), script, str(tmp_path / "pairs.npz"), str(tmp_path), str(BATCH), str(EPOCHS)]
        done = subprocess.run(words, capture_output=True, text=True, check=True, cwd=tmp_path)  # it writes logs there
        told = json.loads(done.stdout.splitlines()[-1])
        assert told["pairs"] == len(batches)
        return float(told["seconds"])

    ratios = []
    for turn in range(ROUNDS):
        long, short = (ours(tmp_path / f"{turn}-{epochs}", epochs) for epochs in (EPOCHS + 1, 1))
        own, peer = (long - short) / EPOCHS, theirs()
        ratios.append(peer / own)
        print(
            f"\nMF-BPR, {len(batches):,} purchases: {own:.2f} s an epoch, {len(batches) / own:,.0f} a second; "
            f"RecBole {peer:.2f} s, {len(batches) / peer:,.0f}; {ratios[-1]:.2f} times as fast"
        )
    torch.set_num_threads(1)
    assert np.median(ratios) >= 1.5

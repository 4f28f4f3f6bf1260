"""How long `two_tower_ids` takes on Gowalla to find what irspack's iALS finds, in the same run, on two cores.

irspack lives in an environment of its own: `EMBEDREC_IRSPACK` names its Python.
"""

from __future__ import annotations

import json
import os
import subprocess
import time
from pathlib import Path
from typing import Self

import numpy as np
import pytest
import torch
import yaml
from torch import Tensor

from embedrec.evaluation.ranking import Truth, rank
from embedrec.experiment.config import parse_config
from embedrec.experiment.examples import training_data
from embedrec.experiment.runner import Runner
from embedrec.experiment.shop import open_shop
from embedrec.features import Customers, Snapshot
from embedrec.models import Scorer, scorer_of
from embedrec.training import fit

PEER = os.environ.get("EMBEDREC_IRSPACK")
pytestmark = [
    pytest.mark.benchmark,
    pytest.mark.timeout(1800),
    pytest.mark.skipif(not os.environ.get("EMBEDREC_DATA"), reason="EMBEDREC_DATA is not set: Gowalla is read there"),
    pytest.mark.skipif(
        not PEER, reason="EMBEDREC_IRSPACK is not set: the python of an environment with irspack==0.5.2"
    ),
]
WANTED, ROUNDS = 0.1735, 3
OURS = {"name": "two_tower_ids", "dim": 16, "patterns": 256, "pattern_weight": 2.0}
LOSS, TRAINER = {"name": "basket_softmax", "negatives": 1024}, {"max_epochs": 1, "batch_size": 4096}
THEIRS = {"alpha0": 0.015, "reg": 0.003}
"""Both chosen on 10 % of train; the peer stops after the first of its epochs that suffices."""


class Vectors(Scorer):
    """The peer's vectors; rows follow the schema, as they do in the pairs it learned from."""

    def __init__(self, path: Path) -> None:
        found = np.load(path)
        self.customers, self.products = (torch.from_numpy(found[name]) for name in ("customers", "products"))

    def observe(self, snapshot: Snapshot) -> Self:
        self.lined_up = self.products[torch.from_numpy(snapshot.products.row)]
        return super().observe(snapshot)

    def score_parts(self, customers: Customers) -> dict[str, Tensor]:
        return {"dot product": self.customers[torch.from_numpy(customers.row)] @ self.lined_up.T}


def test_time_to_recall(tmp_path: Path) -> None:
    """From who bought what in memory to vectors; R@20 of the published test part, places visited before masked."""
    data = yaml.safe_load((Path(__file__).parents[2] / "conf/data/gowalla.yaml").read_text(encoding="utf-8"))
    data.pop("defaults")
    config = parse_config({"data": data, "model": OURS, "loss": LOSS, "trainer": TRAINER})
    shop = open_shop(config.data, config.split)
    runner = Runner(shop, progress=False)
    moment = runner.before_test
    examples = training_data(config, config.model, shop, moment)  # type: ignore[arg-type]
    np.savez(tmp_path / "pairs.npz", users=examples.examples.users, items=examples.examples.items)  # type: ignore[attr-defined]

    def recall(scorer: Scorer) -> float:
        truth = Truth.of_window(moment, shop.split.end)
        return float(rank(scorer.observe(moment), moment, truth, ("new",))["new"].metric("recall", 20).mean())

    def ours(folder: Path) -> tuple[float, Scorer]:
        start = time.perf_counter()
        network = runner._network(config, config.model, moment, examples)  # type: ignore[arg-type]
        fit(network, examples, config.loss, config.trainer, folder=folder, epochs=1, progress=False)
        return time.perf_counter() - start, scorer_of(network)

    def theirs(epochs: int) -> tuple[float, Scorer]:
        script, target = str(Path(__file__).with_name("irspack_ials.py")), tmp_path / "vectors.npz"
        words = [str(PEER), script, str(tmp_path / "pairs.npz"), str(target), "256"]
        words.append(json.dumps({**THEIRS, "train_epochs": epochs}))
        subprocess.run(words, capture_output=True, check=True, cwd=tmp_path)
        return float(np.load(target)["seconds"]), Vectors(target)

    ratios, threads = [], torch.get_num_threads()
    torch.set_num_threads(2)
    try:
        epochs = next(count for count in range(1, 20) if recall(theirs(count)[1]) >= WANTED)
        for turn in range(ROUNDS):
            (own, model), (peer, rival) = ours(tmp_path / str(turn)), theirs(epochs)
            ratios.append(own / peer)
            found, wanted = recall(model), recall(rival)
            print(
                f"\nGowalla: R@20 {found:.4f} after {own:.1f} s; irspack's iALS of 256 dimensions {wanted:.4f} after "
                f"{epochs} epochs, {peer:.1f} s; {ratios[-1]:.2f} of its time"
            )
            assert min(found, wanted) >= WANTED
    finally:
        torch.set_num_threads(threads)
    assert np.median(ratios) <= 1.0

"""What Lightning's loop and the checkpoints cost, against the bare steps over the same batches in the same run."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch

from embedrec.data.datamodule import TrainingData
from embedrec.demo_shop import write_demo_shop
from embedrec.experiment.config import RunConfig, parse_config
from embedrec.experiment.examples import training_data
from embedrec.experiment.runner import Runner
from embedrec.experiment.shop import open_shop
from embedrec.models import Network
from embedrec.training import fit
from embedrec.training.objectives import loss_of

pytestmark = [pytest.mark.benchmark, pytest.mark.timeout(1800)]
PAIRS = 5
EPOCHS = {"two_tower": 1, "mf_bpr": 10}


def bare(network: Network, data: TrainingData, config: RunConfig, epochs: int) -> int:
    """Forward, backward, clip, step; return how many steps."""
    steps = 0
    optimizer = torch.optim.AdamW(network.parameters(), lr=1e-2, weight_decay=0.05, fused=True)
    for epoch in range(epochs):
        for batch in data.epoch(epoch):
            optimizer.zero_grad()
            loss_of(network, batch, config.loss).backward()
            torch.nn.utils.clip_grad_norm_(network.parameters(), config.trainer.gradient_clip)
            optimizer.step()
            steps += 1
    return steps


def seconds(call: Callable[[], object]) -> float:
    """Processor time: a busy machine lengthens the wall time of whichever side meets it."""
    start = time.process_time()
    call()
    return time.process_time() - start


@pytest.mark.parametrize("model", EPOCHS)
def test_overhead(model: str, tmp_path: Path) -> None:
    """Peer: the same steps in a plain loop, without clipping's check, schedule, learning curve and checkpoints."""
    epochs, tables = EPOCHS[model], write_demo_shop(tmp_path / "shop")
    plain = {"data": {"name": "demo", "path": str(tables)}, "model": {"name": model}, "trainer": {"max_epochs": epochs}}
    config = parse_config(plain)
    shop = open_shop(config.data, config.split)
    runner = Runner(shop, progress=False)
    data = training_data(config, config.model, shop, runner.before_valid)  # type: ignore[arg-type]

    def network() -> Network:
        return runner._network(config, config.model, runner.before_valid, data)  # type: ignore[arg-type]

    steps = bare(network(), data, config, epochs)  # the snapshots are made

    def whole(number: int) -> None:
        fit(network(), data, config.loss, config.trainer, folder=tmp_path / str(number), epochs=epochs, progress=False)

    times = np.array(
        [[seconds(lambda: bare(network(), data, config, epochs)), seconds(lambda n=n: whole(n))] for n in range(PAIRS)]  # type: ignore[misc]
    )
    plain, ours = np.median(times, axis=0) / steps * 1000
    print(f"\n{model}: bare {plain:.2f} ms a step, trained {ours:.2f} ms, {ours / plain:.2f} × over {steps} steps")

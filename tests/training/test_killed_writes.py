"""kill -9 while checkpoints are written: what lies there is whole, and at most one write is lost."""

from __future__ import annotations

import multiprocessing
import os
import random
import tempfile
from multiprocessing.connection import Connection
from pathlib import Path

import pytest
import torch

from embedrec.training.checkpoints import AtomicCheckpointIO

KILLS = 200
NUMBERS = 250_000  # 1 MB
NAMES = ("last.ckpt", "best.ckpt")


def write(folder: Path, temporary: str, told: Connection) -> None:
    """Write checkpoints without end, going on from the last one; tell the number of each that was written."""
    os.environ["TMPDIR"], tempfile.tempdir = temporary, None
    io, last = AtomicCheckpointIO(), folder / NAMES[0]
    step = io.load_checkpoint(last)["step"] if last.exists() else 0
    while True:
        step += 1
        for name in reversed(NAMES):
            io.save_checkpoint({"step": step, "weights": torch.full((NUMBERS,), float(step))}, folder / name)
        told.send(step)


@pytest.mark.slow
@pytest.mark.timeout(900)
@pytest.mark.filterwarnings("ignore:.*fork:DeprecationWarning")  # one thread here
def test_killed_at_random_moments(tmp_path: Path) -> None:
    elsewhere = Path("/dev/shm")
    if not elsewhere.is_dir() or elsewhere.stat().st_dev == tmp_path.stat().st_dev:
        pytest.skip("no second filesystem for temporary files")
    rng, processes = random.Random(0), multiprocessing.get_context("fork")
    cut_short = known = 0
    for kill in range(KILLS):
        ours, theirs = processes.Pipe(duplex=False)
        temporary = str(elsewhere if kill % 2 else tmp_path)
        process = processes.Process(target=write, args=(tmp_path, temporary, theirs))
        process.start()
        theirs.close()
        assert ours.poll(60), "nothing was written"
        process.join(rng.uniform(0, 0.03))
        process.kill()
        process.join()
        try:
            while True:
                known = ours.recv()
        except EOFError:
            pass
        partials = [path.name for path in tmp_path.glob(".*.partial")]
        cut_short += bool(partials)
        assert sorted(path.name for path in tmp_path.iterdir()) == sorted([*NAMES, *partials])
        assert len(partials) <= 1
        for name in NAMES:
            content = AtomicCheckpointIO().load_checkpoint(tmp_path / name)
            assert content["step"] in (known, known + 1)
            assert torch.equal(content["weights"], torch.full((NUMBERS,), float(content["step"])))
        assert not list(elsewhere.glob("*.ckpt*"))
    print(f"\n{KILLS} kills, {cut_short} of them within a write")
    assert cut_short > KILLS // 10

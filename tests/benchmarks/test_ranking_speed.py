"""How fast the full catalogue is ranked for every customer, against `implicit` in the same run."""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import torch
from scipy import sparse
from threadpoolctl import threadpool_limits

from embedrec.ranking import RankedItems, top_k_dot

als = pytest.importorskip("implicit.als", reason="the peer is the extra [baselines]")
# A busy machine takes minutes; set OMP_WAIT_POLICY=PASSIVE there, or threads of torch that wait use up the cores.
pytestmark = [pytest.mark.benchmark, pytest.mark.timeout(900)]
PAIRS = 5
THREADS = 2
K = 20


@pytest.fixture(scope="module", autouse=True)
def two_threads() -> Iterator[None]:
    """Both sides get two threads; `implicit` has its own, and is fastest where its BLAS has no more than one."""
    before = torch.get_num_threads()
    torch.set_num_threads(THREADS)
    with threadpool_limits(1, "blas"):
        yield
    torch.set_num_threads(before)


@pytest.fixture(scope="module")
def bought() -> sparse.csr_matrix:
    """Gowalla's training check-ins, 29,858 customers × 40,981 places."""
    if not os.environ.get("EMBEDREC_DATA"):
        pytest.skip("EMBEDREC_DATA is not set: Gowalla is read from there")
    rows = pd.read_parquet(Path(os.environ["EMBEDREC_DATA"]) / "lightgcn_gowalla" / "interactions.parquet")
    train = rows[rows["split"] == "train"]
    shape = (rows["user_id"].max() + 1, rows["item_id"].max() + 1)
    ones = np.ones(len(train), dtype=np.float32)
    return sparse.csr_matrix((ones, (train["user_id"], train["item_id"])), shape=shape)


def seconds(call: Callable[[], object]) -> float:
    start = time.perf_counter()
    call()
    return time.perf_counter() - start


def peak_growth_mb(call: Callable[[], object]) -> float:
    """How far the memory of this process rises at most above what it held before the call (Linux counts it)."""

    def megabytes(field: str) -> float:
        lines = Path("/proc/self/status").read_text(encoding="ascii").splitlines()
        return next(int(line.split()[1]) for line in lines if line.startswith(field)) / 1024

    Path("/proc/self/clear_refs").write_text("5", encoding="ascii")  # the peak starts anew
    before = megabytes("VmRSS")
    call()
    return megabytes("VmHWM") - before


def test_all_customers(bought: sparse.csr_matrix) -> None:
    """Peer: `recommend` of implicit, the same 64-dimensional factors, what was bought masked on both sides."""
    model = als.AlternatingLeastSquares(factors=64, iterations=2, random_state=0, num_threads=THREADS)
    model.fit(bought, show_progress=False)
    everyone = np.arange(bought.shape[0])
    users, items = torch.from_numpy(model.user_factors), torch.from_numpy(model.item_factors)
    exclude = torch.from_numpy(bought.indptr.astype(np.int64)), torch.from_numpy(bought.indices.astype(np.int64))

    def ours(products: torch.dtype) -> RankedItems:
        return top_k_dot(users, items, K, exclude=exclude, products=products)

    def peer() -> np.ndarray:
        return model.recommend(everyone, bought, N=K, filter_already_liked_items=True)[0]

    kinds = (torch.float32, torch.bfloat16)
    growth = {kind: peak_growth_mb(lambda kind=kind: ours(kind)) for kind in kinds} if sys.platform == "linux" else {}
    lists, cheap = (ours(kind) for kind in kinds)
    assert torch.equal(lists.items, cheap.items)
    assert torch.equal(lists.scores, cheap.scores)
    same = float(np.mean(lists.items.numpy() == peer()))
    print(f"\ntop {K} of {items.shape[0]:,} for {len(users):,} customers, {same:.2%} of places as implicit fills them")
    assert same > 0.999
    times = np.array(
        [[seconds(peer), *(seconds(lambda kind=kind: ours(kind)) for kind in kinds)] for _ in range(PAIRS)]
    )
    ratios = np.median(times[:, :1] / times[:, 1:], axis=0)
    print(f"implicit {np.median(times[:, 0]):.2f} s (best {times[:, 0].min():.2f})")
    for number, kind in enumerate(kinds):
        own = times[:, number + 1]
        print(
            f"{kind} {np.median(own):.2f} s (best {own.min():.2f}), {ratios[number]:.2f} × implicit's speed, "
            f"{growth.get(kind, float('nan')):.0f} MB more at the peak"
        )
    assert all(megabytes < 1000 for megabytes in growth.values())
    assert ratios[0] >= 0.8
    assert ratios[1] >= 1.0

"""How fast everybody's lists are made in a shop of 100,000 products, against `implicit` and faiss in the same run.

The goal is a million customers; the rate is that of the first 20,480 of them. What is held at once does not grow with
the customers but for the bundle's own tables: a part is written in row groups of 4,096 customers.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest
import torch
from threadpoolctl import threadpool_limits

from embedrec.models.in_bulk import Many, VectorRanker
from embedrec.serving import Recommender
from embedrec.serving.everybody import AT_ONCE
from embedrec.serving.parts import Parts
from fresh_bundle import write_fresh_bundle

faiss = pytest.importorskip("faiss", reason="a peer is the extra [ann]")
topk = pytest.importorskip("implicit.cpu.topk", reason="a peer is the extra [baselines]").topk
pytestmark = [pytest.mark.benchmark, pytest.mark.timeout(900)]
CUSTOMERS, PRODUCTS, DIM, K = 5 * AT_ONCE, 100_000, 64, 20
THREADS, ROUNDS = 2, 3
GOAL_MB = 4000


@pytest.fixture(scope="module", autouse=True)
def two_threads() -> Iterator[None]:
    """All sides get two threads; `implicit` has its own, and is fastest where its BLAS has no more than one."""
    before = torch.get_num_threads()
    torch.set_num_threads(THREADS)
    faiss.omp_set_num_threads(THREADS)
    yield
    torch.set_num_threads(before)


def seconds(call: Callable[[], object]) -> float:
    start = time.perf_counter()
    call()
    return time.perf_counter() - start


def peak_mb() -> float:
    """The most memory that this process has held since the peak was set anew (Linux counts it)."""
    lines = Path("/proc/self/status").read_text(encoding="ascii").splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith("VmHWM")) / 1024


def test_random_vectors() -> None:
    """The function that the two-tower model's lists go through, of vectors alone."""
    torch.manual_seed(0)
    products, users = (torch.randn(count, DIM, dtype=torch.float64) for count in (PRODUCTS, CUSTOMERS))
    ranker = VectorRanker(products, torch.zeros(PRODUCTS).double(), torch.ones(PRODUCTS, dtype=torch.bool))
    single_products, single_users = products.float().numpy(), users.float().numpy()
    index = faiss.IndexFlatIP(DIM)
    index.add(single_products)
    none = torch.zeros(0, dtype=torch.int64)
    lists = {}

    def ours() -> None:
        found = [
            ranker.best(Many(some, none, none, torch.zeros(0).double()), K) for some in torch.split(users, AT_ONCE)
        ]
        assert all(bool(stands.all()) for _, stands in found)
        lists["ours"] = np.concatenate([ranked.items.numpy() for ranked, _ in found])

    def implicit() -> None:
        with threadpool_limits(1, "blas"):
            lists["implicit"] = topk(single_products, single_users, K, num_threads=THREADS)[0]

    def flat() -> None:
        lists["faiss-flat"] = index.search(single_users, K)[1]

    sides = {"ours": ours, "implicit": implicit, "faiss-flat": flat}
    times = [{name: seconds(call) for name, call in sides.items()} for _ in range(ROUNDS)]
    rates = {name: CUSTOMERS / float(np.median([one[name] for one in times])) for name in sides}
    print(f"\ntop {K} of {PRODUCTS:,} × {DIM}, {CUSTOMERS:,} customers, {THREADS} threads, median of {ROUNDS}")
    for name, rate in rates.items():
        same = float((lists["ours"] == lists[name]).mean())
        print(f"{name:10} {rate:7,.0f} customers/s, {1e6 / rate / 60:4.1f} min a million, {same:.2%} of places as ours")
        assert same > 0.999
    assert rates["ours"] >= 0.8 * rates["implicit"]


def test_a_whole_bundle(tmp_path: Path) -> None:
    """From a bundle to parquet on disk: features, towers, patterns, heads and writing are in the rate."""
    write_fresh_bundle(tmp_path / "bundle", customers=CUSTOMERS, products=PRODUCTS, purchases=10 * CUSTOMERS, dim=DIM)
    Path("/proc/self/clear_refs").write_text("5", encoding="ascii")
    loading = time.perf_counter()
    everybody = Recommender.load(tmp_path / "bundle").everybody(K)
    loaded = peak_mb()
    loading = time.perf_counter() - loading
    parts = Parts(tmp_path / "out", {}, everybody.count)
    with parts.begun():
        taken = seconds(lambda: [parts.write(number, everybody.lists) for number in parts.missing])
    print(
        f"\na bundle of {PRODUCTS:,} products, dim={DIM}: loaded in {loading:.0f} s, {loaded:,.0f} MB; "
        f"{everybody.count / taken:,.0f} customers/s to parquet, {peak_mb():,.0f} MB at the peak"
    )
    assert peak_mb() < GOAL_MB

"""A million products of 64 dimensions: an index against exact search, in one run.

Both find what comes into question, and the time of scoring those few exactly is in both. The vectors are made up:
around categories, in directions of unequal weight. The nearer they are to noise, alike in all directions, the more
cells must be searched for the same recall; a shop's own figure is in the manifest of its bundle.
"""

from __future__ import annotations

import time
from collections.abc import Callable

import numpy as np
import pytest
import torch
from torch import Tensor

from embedrec.bundle import MIN_RECALL
from embedrec.models.approximate import PLACES, ProductIndex
from embedrec.models.learned import SPARE, WIDE
from embedrec.models.quick_look import QuickLook
from embedrec.ranking import top_k

pytestmark = [pytest.mark.benchmark, pytest.mark.timeout(900)]
PRODUCTS, DIMS, CUSTOMERS, CATEGORIES = 1_000_000, 64, 300, 5_000
FOUND = WIDE * PLACES + SPARE


def drawn(count: int, seed: int) -> Tensor:
    """Vectors [count, DIMS] around categories; the weight of a direction falls as its rank does, as in real shops."""
    spread = torch.arange(1, DIMS + 1) ** -1.0
    centres = torch.randn(CATEGORIES, DIMS, generator=torch.Generator().manual_seed(0)) * spread
    chance = torch.Generator().manual_seed(seed)
    near = torch.randint(CATEGORIES, (count,), generator=chance)
    return (centres[near] + 0.5 * spread * torch.randn(count, DIMS, generator=chance)).double()


def timed(answer: Callable[[Tensor], Tensor], customers: Tensor) -> tuple[list[Tensor], float]:
    """The lists of customers asked one at a time, and the median time of one in milliseconds."""
    lists, times = [], []
    for user in customers.split(1):
        start = time.perf_counter()
        lists.append(answer(user))
        times.append(time.perf_counter() - start)
    return lists, 1000 * float(np.median(times))


def test_an_index_of_a_million_products() -> None:
    pytest.importorskip("faiss", reason="faiss is not installed: install embedrec[ann]")
    vectors, customers = drawn(PRODUCTS, 1), drawn(CUSTOMERS, 2)
    everybody = 0.1 * torch.randn(PRODUCTS, generator=torch.Generator().manual_seed(3)).double()
    look = QuickLook.of(vectors, everybody)

    def best(user: Tensor, items: Tensor) -> Tensor:
        within = top_k((user @ vectors[items].T + everybody[items]).float(), PLACES).items[0]
        return items[within]

    start = time.perf_counter()
    index = ProductIndex.build(vectors, everybody, torch.arange(PRODUCTS))
    built = time.perf_counter() - start
    exact, slow = timed(
        lambda user: best(user, look.scores(user).scores.topk(FOUND).indices[0].sort().values), customers
    )
    recall = 0.0
    while recall < MIN_RECALL and 2 * index.probes <= index.cells:
        index.probes *= 2
        found, quick = timed(lambda user: best(user, index.search(user, FOUND)[0].sort().values), customers)
        recall = float(
            np.mean([torch.isin(one, other).double().mean() for one, other in zip(exact, found, strict=True)])
        )
        print(f"\n{index.probes} of {index.cells} cells: {quick:.2f} ms, {slow / quick:.1f} times, recall {recall:.4f}")
    print(
        f"one of {CUSTOMERS} customers, {PRODUCTS} products: exact {slow:.1f} ms, index {quick:.2f} ms, ratio "
        f"{slow / quick:.1f}, recall@{PLACES} {recall:.4f}; built in {built:.0f} s, {len(index.plain()) / 1e6:.0f} MB"
    )
    assert recall >= MIN_RECALL
    assert slow / quick >= 10

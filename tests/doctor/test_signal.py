"""The demo shop has a signal; shuffled, it has none."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace

import numpy as np
import pytest

from embedrec.demo_shop import write_demo_shop
from embedrec.doctor.signal import STEPS, Signal, shuffled, signal
from embedrec.experiment.shop import Shop, open_shop
from embedrec.features import History
from embedrec.splits import SplitConfig
from embedrec.tables import DataConfig


@pytest.fixture(scope="module")
def shop(tmp_path_factory: pytest.TempPathFactory) -> Shop:
    folder = write_demo_shop(tmp_path_factory.mktemp("demo"), customers=800, products=150, seed=2)
    return open_shop(DataConfig(name="t", path=str(folder)), SplitConfig())


def without_signal(history: History, seed: int) -> History:
    """Give every purchase line the product of any other."""
    items = np.random.default_rng(seed).permutation(history.items)
    order = np.lexsort((items, history.times, history.users))
    return replace(history, items=items[order])


def test_the_demo_shop_has_a_signal(shop: Shop) -> None:
    steps: list[str] = []
    found = signal(shop.history, shop.catalogue, shop.split, say=steps.append)
    assert found is not None
    assert found.found
    assert found.low > 0.05
    assert found.finding().severity == "info"
    assert not found.sampled
    assert len(steps) == STEPS
    assert found == signal(shop.history, shop.catalogue, shop.split), "seeded"


@pytest.mark.parametrize("seed", range(3))
def test_a_permuted_shop_has_none(shop: Shop, seed: int) -> None:
    found = signal(without_signal(shop.history, seed), shop.catalogue, shop.split)
    assert found is not None
    assert not found.found
    assert found.finding().severity == "stop"
    assert "no quick model beats chance" in found.finding().sentence


def test_shuffling_keeps_what_sells_and_who_buys(shop: Shop) -> None:
    history, split = shop.history, shop.split
    copy = shuffled(history, split, np.random.default_rng(0))
    for start, end in ((0, split.valid_from), (split.valid_from, split.test_from), (split.test_from, split.end)):
        for name in ("items", "users"):
            ours, theirs = (
                Counter(getattr(one, name)[(one.times >= start) & (one.times < end)].tolist())
                for one in (history, copy)
            )
            assert ours == theirs
    assert (np.diff(copy.users) >= 0).all()
    assert (copy.items != history.items).mean() > 0.5


def test_where_nobody_buys_twice_nobody_does_in_the_copy(shop: Shop) -> None:
    history = shop.history
    _, first = np.unique(history.users * history.n_items + history.items, return_index=True)
    kept = np.sort(first)
    columns = ("users", "items", "times", "spend", "prices", "stars")
    once = replace(history, **{name: getattr(history, name)[kept] for name in columns})

    def repeated(one: History) -> float:
        pairs = one.users * one.n_items + one.items
        return 1 - len(np.unique(pairs)) / len(pairs)

    rng = np.random.default_rng(0)
    assert repeated(once) == 0
    assert repeated(shuffled(once, shop.split, rng)) > 0.05
    assert repeated(shuffled(once, shop.split, rng, repeats=False)) < 0.005


def test_too_few_customers_are_not_measured(shop: Shop, monkeypatch: pytest.MonkeyPatch) -> None:
    late = replace(shop.split, test_from=shop.split.end - 1)  # 25 customers buy on the last day
    assert signal(shop.history, shop.catalogue, late) is not None
    monkeypatch.setattr("embedrec.doctor.signal.FEWEST", 26)
    assert signal(shop.history, shop.catalogue, late) is None


def test_few_customers_do_not_prove_that_there_is_no_signal() -> None:
    few = Signal("item_knn", 0.2, 0.19, -0.1, 0.12, 0.9, 60, "popularity_recent")
    assert few.finding().severity == "warn"
    assert "−0.1000 to +0.1200, 60 customers" in few.finding().sentence


def test_an_interval_above_zero_that_the_better_of_two_models_may_reach_is_explained() -> None:
    lucky = Signal("item_knn", 0.21, 0.17, 0.004, 0.087, 0.06, 221, "popularity_recent").finding()
    assert lucky.severity == "stop"
    assert "221 customers; the best of 2 models may get so far by chance: p = 0.06" in lucky.sentence
    level = Signal("item_knn", 0.21, 0.2, -0.004, 0.03, 0.4, 221, "popularity_recent").finding()
    assert "may get so far" not in level.sentence

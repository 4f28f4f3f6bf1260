"""Batches of whole baskets: everybody once an epoch, with all they bought."""

from __future__ import annotations

import numpy as np
import torch

from embedrec.data.baskets import BasketBatch, BasketBatches
from embedrec.data.pairs import Pairs
from embedrec.features import FeatureEncoder
from shops import at_day, history_of, small_shop

NOW = at_day(200)
PAIRS = Pairs.bought(FeatureEncoder.fit(*history_of(small_shop(5)), NOW).at(NOW))


def batches(seed: int = 0, epoch: int = 0, start: int = 0, negatives: int = 6) -> list[BasketBatch]:
    return list(BasketBatches(PAIRS, 7, negatives, seed, epoch, start))


def baskets(batch: BasketBatch) -> dict[int, list[int]]:
    ends = [*batch.offsets[1:].tolist(), len(batch.bought)]
    places = zip(batch.users.tolist(), batch.offsets.tolist(), ends, strict=True)
    return {user: batch.items[batch.bought[start:end]].tolist() for user, start, end in places}


def equal(one: list[BasketBatch], other: list[BasketBatch]) -> bool:
    return len(one) == len(other) and all(
        torch.equal(a, b) for x, y in zip(one, other, strict=True) for a, b in zip(x, y, strict=True)
    )


def test_every_customer_once_with_all_they_bought() -> None:
    told: dict[int, list[int]] = {}
    for batch in batches():
        assert told.keys().isdisjoint(baskets(batch))
        told |= baskets(batch)
    truth: dict[int, list[int]] = {}
    for user, item in zip(PAIRS.users.tolist(), PAIRS.items.tolist(), strict=True):
        truth.setdefault(user, []).append(item)
    assert told == truth


def test_products_are_drawn_once_and_own_ones_are_marked() -> None:
    for batch in batches():
        drawn = batch.items[batch.drawn]
        assert len(drawn.unique()) == len(drawn) == 6
        assert (batch.items.diff() > 0).all()
        own = {(user, item) for user, basket in baskets(batch).items() for item in basket}
        expected = {
            (row, column)
            for row, user in enumerate(batch.users.tolist())
            for column, item in enumerate(drawn.tolist())
            if (user, item) in own
        }
        assert set(zip(batch.own_rows.tolist(), batch.own_columns.tolist(), strict=True)) == expected


def test_a_small_catalogue_is_drawn_whole() -> None:
    for batch in batches(negatives=4096):
        assert sorted(batch.items[batch.drawn].tolist()) == list(range(1, PAIRS.n_products + 1))


def test_an_epoch_is_a_function_of_seed_and_number() -> None:
    assert equal(batches(), batches())
    assert not equal(batches(), batches(seed=1))
    assert not equal(batches(), batches(epoch=1))
    assert equal(batches()[2:], batches(start=2))


def test_everything_is_drawn_alike() -> None:
    count = np.zeros(PAIRS.n_products + 1)
    for epoch in range(60):
        for batch in batches(epoch=epoch):
            count[batch.items[batch.drawn].numpy()] += 1
    share = count[1:] / count.sum() * PAIRS.n_products
    assert count[0] == 0
    assert share.min() > 0.75
    assert share.max() < 1.25

"""Batches of ordered purchases: everything but a customer's first is predicted once an epoch, from what came before."""

from __future__ import annotations

import numpy as np
import pandas as pd
import torch

from embedrec.columns import PRODUCT
from embedrec.data.sequences import SequenceBatch, SequenceBatches, Sequences
from embedrec.features import FeatureEncoder, Snapshot
from embedrec.tables.model import CUSTOMER_COLUMNS, PRODUCT_COLUMNS
from shops import at_day, before, frame, history_of, lines, small_shop, tables_of

NOW, EVENTS = at_day(200), 8
SHOP = small_shop(5)


def snapshot_of(history: tuple) -> Snapshot:  # type: ignore[type-arg]  # what `history_of` returns
    return FeatureEncoder.fit(*history, NOW).at(NOW)


SNAPSHOT = snapshot_of(history_of(SHOP))


def batches(
    snapshot: Snapshot = SNAPSHOT, seed: int = 0, epoch: int = 0, start: int = 0, negatives: int = 6
) -> list[SequenceBatch]:
    return list(SequenceBatches(Sequences(snapshot, EVENTS), 7, negatives, seed, epoch, start))


def equal(one: list[SequenceBatch], other: list[SequenceBatch]) -> bool:
    def same(a: SequenceBatch, b: SequenceBatch) -> bool:
        return a.pool == b.pool and all(torch.equal(x, y) for x, y in zip(a[:-1], b[:-1], strict=True))

    return len(one) == len(other) and all(map(same, one, other))


def told(found: list[SequenceBatch]) -> list[tuple[list[int], int]]:
    """Every (what came before, what is to be predicted)."""
    return sorted(
        (batch.items[batch.tokens[row, : column + 1]].tolist(), int(batch.items[wanted]))
        for batch in found
        for row, column, wanted in zip(batch.rows, batch.columns, batch.wanted, strict=True)
    )


def test_every_purchase_is_predicted_from_those_before_it() -> None:
    history = SNAPSHOT.history
    truth = []
    for user in range(history.n_users):
        items = history.items[(history.users == user) & (history.times < NOW)][-EVENTS - 1 :].tolist()
        truth += [(items[:place], items[place]) for place in range(1, len(items))]
    assert told(batches()) == sorted(truth)


def test_purchases_of_one_moment_have_no_order() -> None:
    """Were a basket read by product id, "the next id is greater" would be the first thing to learn."""
    basket = tables_of(
        frame(CUSTOMER_COLUMNS, {}),
        frame(PRODUCT_COLUMNS, {}),
        lines(*((f"c{n}", f"p{item}", 5) for n in range(6) for item in range(4))),
    )
    snapshot = snapshot_of(history_of(basket))
    first = {before[0] for epoch in range(6) for before, _ in told(batches(snapshot, epoch=epoch, negatives=2))}
    assert first == {0, 1, 2, 3}


def test_products_are_drawn_among_those_sold_and_the_wanted_one_is_marked() -> None:
    sold = set(np.flatnonzero(SNAPSHOT.products.row > 0).tolist())
    for batch in batches():
        drawn = batch.items[batch.drawn]
        assert len(set(drawn.tolist())) == len(drawn) == 6
        assert set(drawn.tolist()) <= sold
        assert batch.pool == len(sold)
        wanted = batch.items[batch.wanted]
        marked = torch.zeros(len(wanted), len(drawn), dtype=torch.bool)
        marked[batch.own_rows, batch.own_columns] = True
        assert torch.equal(marked, wanted[:, None] == drawn)


def test_gaps_are_days_between_purchases() -> None:
    assert all((batch.gaps[:, 0] == 0).all() and (batch.gaps >= 0).all() for batch in batches())
    assert max(float(batch.gaps.max()) for batch in batches()) > 1


def test_looks_are_read_and_purchases_alone_are_predicted() -> None:
    events = lines(("c", "p1", 10), ("c", "p2", 20), ("d", "p3", 30), ("d", "p1", 40))
    looks = lines(
        ("c", "p3", 15), ("c", "p2", 20), ("c", "p1", 25), ("d", "p2", 5), event=["cart", "view", "view", "view"]
    )
    snapshot = snapshot_of(
        history_of(tables_of(frame(CUSTOMER_COLUMNS, {}), frame(PRODUCT_COLUMNS, {}), pd.concat([events, looks])))
    )
    p1, p2, p3 = 0, 1, 2
    # a look on the day of a purchase follows it, and what follows the last purchase leads to none
    assert told(batches(snapshot, negatives=2)) == [([p1, p3], p2), ([p2], p3), ([p2, p3], p1)]
    (batch,) = batches(snapshot, negatives=2)
    assert sorted(batch.kinds[row, column].item() for row, column in zip(batch.rows, batch.columns, strict=True)) == [
        0,
        1,
        2,
    ]
    without = SequenceBatches(Sequences(snapshot, EVENTS, looks=False), 7, 2, 0, 0)
    assert told(list(without)) == [([p1], p2), ([p3], p1)]


def test_an_epoch_is_a_function_of_seed_and_number() -> None:
    assert equal(batches(), batches())
    assert not equal(batches(), batches(seed=1))
    assert not equal(batches(), batches(epoch=1))
    assert equal(batches()[2:], batches(start=2))


def test_what_comes_later_changes_nothing() -> None:
    assert told(batches(snapshot_of(history_of(before(SHOP, NOW))))) == told(batches())


def test_a_batch_does_not_grow_with_the_catalogue() -> None:
    """What is known of products is the network's to keep: copied to a device with each batch, it would cost more."""
    more = frame(PRODUCT_COLUMNS, {PRODUCT: [f"Z{number}" for number in range(500)]})
    larger = tables_of(SHOP.customers, pd.concat([SHOP.products, more]), SHOP.events)
    assert all(isinstance(part, torch.Tensor) for batch in batches() for part in batch[:-1])
    assert equal(batches(snapshot_of(history_of(larger))), batches())

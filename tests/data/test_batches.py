"""Batches are a function of (seed, epoch) and of the past alone."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pandas as pd
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from embedrec.data.batches import Batch, Batches, Snapshots
from embedrec.data.cuts import training_cuts
from embedrec.data.sampling import Draw, Negatives
from embedrec.features import DAY, FeatureEncoder
from embedrec.features.patterns import PatternSettings, patterns
from embedrec.models.inputs import customer_inputs, product_inputs
from embedrec.tables import Tables
from later_rows import later_rows, unshrunk
from shops import at_day, before, history_of, small_shop, with_events

UNTIL, HORIZON = at_day(200), 30 * DAY
PATTERNS = PatternSettings(3, 48.0)


def batches(tables: Tables, until: int = UNTIL, horizon: int = HORIZON, **changed: Any) -> list[Batch]:
    encoder = FeatureEncoder.fit(*history_of(tables), until)
    cuts = training_cuts(encoder.history, until, horizon, 3)
    settings = {"batch_size": 7, "negatives": 5, "seed": 1, "epoch": 0, **changed}
    return list(Batches(Snapshots(encoder, PATTERNS), cuts, **settings))


def flat(batch: Batch) -> list[torch.Tensor]:
    return [*batch.customers, *batch.products, *(value for value in batch[2:] if value is not None)]


def equal(one: list[Batch], other: list[Batch]) -> bool:
    if len(one) != len(other):
        return False
    pairs = zip([x for batch in one for x in flat(batch)], [x for batch in other for x in flat(batch)], strict=True)
    return all(a.shape == b.shape and np.array_equal(a, b, equal_nan=a.is_floating_point()) for a, b in pairs)


SHOP = small_shop(0)
FIRST = batches(SHOP)


def test_the_same_epoch_again() -> None:
    assert equal(FIRST, batches(SHOP))
    popular = batches(SHOP, draw="popularity")
    assert equal(popular, batches(SHOP, draw="popularity"))
    assert not equal(popular, FIRST)


@pytest.mark.parametrize("changed", [{"seed": 2}, {"epoch": 1}], ids=str)
def test_another_epoch_or_seed(changed: dict[str, int]) -> None:
    assert not equal(FIRST, batches(SHOP, **changed))


def test_a_batch_depends_on_its_place_and_not_on_those_before_it() -> None:
    encoder = FeatureEncoder.fit(*history_of(SHOP), UNTIL)
    cuts = training_cuts(encoder.history, UNTIL, HORIZON, 3)
    run = Batches(Snapshots(encoder, PATTERNS), cuts, 7, 5, 1, 0)
    assert equal([next(iter(run))], FIRST[:1])
    assert equal(list(run), FIRST)


def test_what_had_many_buyers_by_then_is_drawn_more() -> None:
    """The weight of a drawn product is one over its chance, which follows the buyers before the cut and one more."""
    encoder = FeatureEncoder.fit(*history_of(SHOP), UNTIL)
    (cut,) = training_cuts(encoder.history, UNTIL, HORIZON, 1)
    (batch,) = Batches(Snapshots(encoder, PATTERNS), [cut], 1000, 2, 0, 0, draw="popularity")
    events = before(SHOP, cut.as_of).events
    bought = events[events["event"] == "purchase"]
    buyers = bought.drop_duplicates(["customer_id", "product_id"])["product_id"].value_counts()
    ids = encoder.history.product_ids
    lines = 1 + buyers.reindex(ids).fillna(0).to_numpy()
    lines[~encoder.products(cut.as_of).candidates] = 0
    chance = 2 * lines / lines.sum()
    assert chance.max() < 1
    others = batch.log_weight.exp()
    told = others[(others > 0) & (others != 1)]
    wanted = torch.from_numpy(1 / chance[batch.items.numpy()]).float().expand_as(others)[(others > 0) & (others != 1)]
    assert len(told)
    torch.testing.assert_close(told, wanted)


def test_two_batches_draw_different_negatives() -> None:
    drawn = [tuple(batch.items.tolist()) for batch in FIRST]
    assert len(set(drawn)) > len(drawn) / 2


@pytest.mark.parametrize("size", [1, 7, 1000])
def test_every_customer_of_every_cut_comes_once(size: int) -> None:
    encoder = FeatureEncoder.fit(*history_of(SHOP), UNTIL)
    cuts = training_cuts(encoder.history, UNTIL, HORIZON, 3)
    run = Batches(Snapshots(encoder, PATTERNS), cuts, size, "all", 0, 0)
    wanted = sorted(row for cut in cuts for row in encoder.customers(cut.users, encoder.products(cut.as_of)).row)
    assert len(run) == sum(-(-len(cut.users) // size) for cut in cuts)
    assert sorted(torch.cat([batch.customers.row for batch in run]).tolist()) == wanted


def test_a_large_shop_learns_from_others_of_its_customers_in_each_epoch(monkeypatch: pytest.MonkeyPatch) -> None:
    encoder = FeatureEncoder.fit(*history_of(SHOP), UNTIL)
    cuts = training_cuts(encoder.history, UNTIL, HORIZON, 3)
    largest = sum(len(cut.users) for cut in cuts) // 3
    monkeypatch.setattr("embedrec.data.batches.LARGEST_EPOCH", largest)

    def drawn(epoch: int) -> list[tuple[int, ...]]:
        run = Batches(Snapshots(encoder, PATTERNS), cuts, 7, "all", 0, epoch)
        assert len(run) == sum(-(-math.ceil(len(cut.users) / 3) // 7) for cut in cuts)
        return sorted(tuple(batch.customers.row.tolist()) for batch in run)

    assert sum(map(len, drawn(0))) == pytest.approx(largest, abs=len(cuts))
    assert drawn(0) == drawn(0)
    assert drawn(0) != drawn(1)


def test_shapes_fit() -> None:
    for batch in FIRST:
        B, K = len(batch.customers.row), len(batch.items)
        assert batch.log_weight.shape == (B, K)
        assert batch.rows.max() < B
        assert batch.columns.max() < K
        assert (batch.log_weight[batch.rows, batch.columns] == 0).all()
        assert len(batch.first_time) == len(batch.rows)
        torch.testing.assert_close(batch.items[batch.bought_columns], batch.customers.bought_items)


def test_what_is_to_be_predicted_is_not_shown() -> None:
    """A batch describes customers and products as the shop stood before its cut."""
    encoder = FeatureEncoder.fit(*history_of(SHOP), UNTIL)
    (cut,) = training_cuts(encoder.history, UNTIL, HORIZON, 1)
    (batch,) = Batches(Snapshots(encoder, PATTERNS), [cut], 1000, "all", 0, 0)
    history, catalogue = history_of(before(SHOP, cut.as_of))
    assert history.product_ids.equals(encoder.history.product_ids)
    then = FeatureEncoder(encoder.schema, history, catalogue).at(cut.as_of)
    expected = [
        *customer_inputs(then.customers(cut.users)),
        *product_inputs(then.products, patterns=patterns(history, cut.as_of, PATTERNS)),
    ]
    for one, other in zip([*batch.customers, *batch.products], expected, strict=True):
        np.testing.assert_array_equal(one, other)
    bought = encoder.history.targets(cut.users, cut.as_of, cut.until)
    assert batch.rows.tolist() == bought.rows.tolist()
    assert batch.columns.tolist() == bought.values.tolist()


def by_id(batch: Batch, ids: pd.Index, known: pd.Index) -> dict[str, Any]:
    """A batch with product ids for numbers, so that shops with other products beside can be compared."""
    shown = ids if batch.items is None else ids[batch.items.numpy()]
    weight = pd.DataFrame(batch.log_weight.numpy(), columns=shown)
    new = shown.difference(known)
    assert (weight[new] == -np.inf).all().all()  # what comes later does not count for anybody
    customers, products = batch.customers._asdict(), batch.products._asdict()
    places = ids.get_indexer(known)
    return {
        "lines": ids[customers.pop("line_items").numpy()].tolist(),
        "bought": ids[customers.pop("bought_items").numpy()].tolist(),
        "seen": ids[customers.pop("seen_items").numpy()].tolist(),
        **{name: value.numpy() for name, value in customers.items()},
        **{f"products.{name}": value.numpy()[places] for name, value in products.items()},
        "items": [one for one in shown if one in known],
        "log_weight": weight.drop(columns=new).to_numpy(),
        "rows": batch.rows.numpy(),
        "targets": shown[batch.columns.numpy()].tolist(),
        "first_time": batch.first_time.numpy(),
        "bought_again": (batch.bought_rows.numpy(), shown[batch.bought_columns.numpy()].tolist()),
    }


@settings(unshrunk, max_examples=25)
@given(
    st.data(),
    st.integers(0, 20),
    st.integers(20 * 24, 60 * 24),
    st.sampled_from([("all", "uniform"), (3, "uniform"), (3, "mixed"), ("in_batch", "uniform")]),
)
def test_nothing_at_or_after_the_end_of_training(
    data: st.DataObject, seed: int, hour: int, how: tuple[Negatives, Draw]
) -> None:
    negatives, draw = how
    whole, until = small_shop(seed, customers=9, products=8, purchases=60, days=60, views=20), at_day(hour / 24)
    past = before(whole, until)
    later = with_events(data.draw(st.sampled_from([past, whole])), data.draw(later_rows(whole, until)))
    ids = [history_of(tables)[0].product_ids for tables in (past, later)]
    chosen = {"batch_size": 3, "negatives": negatives, "draw": draw}
    runs = [batches(tables, until, 10 * DAY, **chosen) for tables in (past, later)]
    assert len(runs[0]) == len(runs[1])
    for one, other in zip(*runs, strict=True):
        expected, found = by_id(one, ids[0], ids[0]), by_id(other, ids[1], ids[0])
        for name, value in expected.items():
            np.testing.assert_equal(found[name], value, err_msg=name)

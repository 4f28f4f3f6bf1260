"""The order of rows in the tables leaves no trace."""

from __future__ import annotations

import dataclasses

import numpy as np
import pandas as pd
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from embedrec.features import Catalogue, FeatureEncoder, History, build_history
from embedrec.models import TwoTowerConfig, TwoTowerScorer
from embedrec.tables import Tables
from shops import at_day, history_of, small_shop, with_events


def shuffled(table: pd.DataFrame, rng: np.random.Generator) -> pd.DataFrame:
    return table.iloc[rng.permutation(len(table))]


def scores(encoder: FeatureEncoder) -> torch.Tensor:
    torch.manual_seed(0)
    scorer = TwoTowerScorer(TwoTowerConfig(dim=6).build(encoder.schema))
    return scorer.observe(encoder.at(at_day(50))).score(np.arange(encoder.history.n_users))


def fields(shop: History | Catalogue) -> dict[str, object]:
    return {field.name: getattr(shop, field.name) for field in dataclasses.fields(shop)}


@settings(max_examples=15)
@given(st.integers(0, 10), st.integers(0, 1000), st.sampled_from([0, 40]))
def test_shuffled_tables_are_the_same_shop(shop: int, order: int, views: int) -> None:
    rng = np.random.default_rng(order)
    tables: Tables = small_shop(shop, customers=9, products=8, purchases=60, days=60, views=views)
    # lines alike in all but what they cost: six in total, as 1 x 6, 2 x 3 and 3 x 2
    twins = pd.concat([tables.events.head(1)] * 3).assign(quantity=[1.0, 2.0, 3.0], price=[6.0, 3.0, 2.0])
    tables = with_events(tables, twins)
    mixed = build_history(*(shuffled(table, rng) for table in (tables.customers, tables.products, tables.events)))
    for one, other in zip(history_of(tables), mixed, strict=True):
        for name, value in fields(one).items():
            np.testing.assert_array_equal(value, getattr(other, name), err_msg=name)
    encoders = [FeatureEncoder.fit(*shop, at_day(50)) for shop in (history_of(tables), mixed)]
    assert encoders[0].schema.hash() == encoders[1].schema.hash()
    assert torch.equal(*map(scores, encoders))

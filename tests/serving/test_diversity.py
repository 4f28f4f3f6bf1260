"""Maximal marginal relevance on numbers worked by hand, and in the lists of a shop."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
import torch

from embedrec import Recommender
from embedrec.columns import PRODUCT, RANK, SCORE
from embedrec.errors import RequestError
from embedrec.serving.diversity import POOL, diversified
from runs import Trained

# Relevance 1, 0.9, 0.5, 0. The first two are near twins; -inf: nothing in common; below 0 is as unlike as 0.
ALIKE = torch.tensor(
    [[1.0, 0.9, 0.0, -1.0], [0.9, 1.0, 0.2, 0.0], [0.0, 0.2, 1.0, -torch.inf], [-1.0, 0.0, -torch.inf, 1.0]]
)
SCORES = torch.tensor([3.0, 2.9, 2.5, 2.0])


@pytest.mark.parametrize(
    ("diversity", "order"),
    [
        (0.0, [0, 1, 2, 3]),
        (0.2, [0, 1, 2, 3]),  # 0.8 · 0.9 − 0.2 · 0.9 = 0.54 against 0.8 · 0.5 = 0.40
        (0.5, [0, 2, 1, 3]),  # 0.5 · 0.9 − 0.5 · 0.9 = 0 against 0.25; then 1: 0, and 3: 0, the better one first
        (1.0, [0, 2, 3, 1]),  # only what is unlike counts; 2 and 3 have nothing in common with what stands there
    ],
)
def test_the_order_of_choice(diversity: float, order: list[int]) -> None:
    places = diversified(np.arange(4), SCORES, 4, diversity, lambda item: ALIKE[item])
    assert places.tolist() == order
    assert diversified(np.arange(4), SCORES, 2, diversity, lambda item: ALIKE[item]).tolist() == order[:2]


def test_what_lies_beyond_the_pool_keeps_its_place_and_nothing_is_nothing() -> None:
    scores = -torch.arange(POOL + 20, dtype=torch.float64)
    places = diversified(np.arange(POOL + 20), scores, POOL + 10, 0.5, lambda _: torch.zeros(POOL + 20))
    assert places[POOL:].tolist() == list(range(POOL, POOL + 10))
    assert sorted(places) == list(range(POOL + 10))
    assert diversified(np.empty(0, np.int64), torch.empty(0), 5, 0.5, lambda _: torch.empty(0)).tolist() == []
    equal = torch.full((3,), 7.0)
    assert diversified(np.arange(3), equal, 3, 0.5, lambda _: torch.zeros(3)).tolist() == [0, 1, 2]


@pytest.fixture(scope="module", params=["trained", "simple"])
def shop(request: pytest.FixtureRequest) -> Recommender:
    run: Trained = request.getfixturevalue(request.param)
    return Recommender.load(run.bundle)


def likeness(shop: Recommender, products: pd.Series) -> float:
    """Mean similarity of two products of a list."""
    items = [shop._item("product_id", one) for one in products]
    alike = torch.stack([shop._scorer.similar(one)[items] for one in items]).double().clamp(0, 1)
    return float((alike.sum() - alike.diagonal().sum()) / (len(items) * (len(items) - 1)))


def test_lists_become_less_alike_and_keep_their_scores(shop: Recommender) -> None:
    before, after = [], []
    for customer in shop.customer_ids[:20]:
        plain, mixed = shop.recommend(customer), shop.recommend(customer, diversity=0.6)
        pd.testing.assert_frame_equal(shop.recommend(customer, diversity=0), plain)
        assert mixed[RANK].tolist() == list(range(1, 11))
        assert mixed[PRODUCT].is_unique
        assert mixed[PRODUCT][0] == plain[PRODUCT][0], "the best one stays first"
        scores = shop.recommend(customer, k=1000).set_index(PRODUCT)[SCORE]
        assert mixed[SCORE].tolist() == scores[mixed[PRODUCT]].tolist()
        before.append(likeness(shop, plain[PRODUCT]))
        after.append(likeness(shop, mixed[PRODUCT]))
    assert np.mean(after) < np.mean(before)


def test_filters_hold_and_a_full_list_is_the_same_set(shop: Recommender) -> None:
    customer = shop.customer_ids[0]
    assert set(shop.recommend(customer, k=1000, diversity=1.0)[PRODUCT]) == set(shop.product_ids)
    new = shop.recommend(customer, k=1000, diversity=0.5, only="new")[PRODUCT]
    assert not set(new) & set(shop.purchases(customer)[PRODUCT])
    assert len(shop.recommend("nobody", diversity=0.5)) == 10
    assert len(shop.recommend_new(list(shop.product_ids[:2]), diversity=0.5)) == 10


@pytest.mark.parametrize("value", [-0.1, 1.1, True, "0.5", None, float("nan"), float("inf")])
def test_diversity_is_refused(shop: Recommender, value: object) -> None:
    with pytest.raises(RequestError, match="^diversity: "):
        shop.recommend(shop.customer_ids[0], diversity=value)  # type: ignore[arg-type]
    with pytest.raises(RequestError, match="^diversity: "):
        shop.recommend_new(diversity=value)  # type: ignore[arg-type]

"""A score taken apart: the parts add up, in words that people know, for every model."""

from __future__ import annotations

import math
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from embedrec import Recommender
from embedrec.columns import PRODUCT, REASON, SCORE, TITLE
from embedrec.errors import RequestError
from embedrec.serving.explaining import AVERAGE, PART, PART_WORDS, VALUE, WORDS, table_of
from fresh_bundle import write_fresh_bundle
from runs import Trained


@pytest.fixture(scope="module", params=["trained", "simple"])
def shop(request: pytest.FixtureRequest) -> Recommender:
    return Recommender.load(request.getfixturevalue(request.param).bundle)


def test_it_is_the_listed_score_and_reason_taken_apart(shop: Recommender) -> None:
    for customer in shop.customer_ids[:40:4]:
        listed = shop.recommend(customer, k=1000)
        chances = shop.probability(listed[SCORE].to_numpy())
        assert chances is not None
        for place in (0, 3, 50, len(listed) - 1):
            told = shop.explain(customer, listed[PRODUCT][place])
            assert (told.customer_id, told.product_id) == (customer, listed[PRODUCT][place])
            assert told.score == listed[SCORE][place]
            assert told.reason == listed[REASON][place]
            assert told.probability == chances[place]
            assert not told.cold_start
            assert math.fsum(told.parts[VALUE]) == pytest.approx(told.score, rel=1e-12, abs=1e-12)
            assert list(told.parts.columns) == [PART, WORDS, VALUE, AVERAGE]
            lift = told.parts[VALUE] - told.parts[AVERAGE]
            assert lift.is_monotonic_decreasing


def test_a_score_is_explained_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write_fresh_bundle(tmp_path / "bundle", 1)
    shop = Recommender.load(tmp_path / "bundle")
    asked, explain = [], type(shop._scorer).explain

    def counted(self: object, customer: object, items: np.ndarray) -> object:
        asked.append(items.tolist())
        return explain(self, customer, items)

    product = shop.recommend("C0001", k=3)[PRODUCT][2]
    monkeypatch.setattr(type(shop._scorer), "explain", counted)
    shop.explain("C0001", product)
    assert asked == [[list(shop.product_ids).index(product)]]


def test_bought_products_add_up_to_the_history(trained: Trained) -> None:
    shop = Recommender.load(trained.bundle)
    for customer in shop.customer_ids[:10]:
        bought = set(shop.purchases(customer)[PRODUCT])
        fresh = shop.recommend(customer, k=1, exclude_bought=True)[PRODUCT][0]
        told = shop.explain(customer, fresh)
        assert list(told.purchases.columns) == [PRODUCT, TITLE, VALUE]
        assert set(told.purchases[PRODUCT]) <= bought
        assert told.purchases[VALUE].is_monotonic_decreasing
        history = told.parts.set_index(PART)[VALUE]["history"]
        assert told.purchases[VALUE].sum() == pytest.approx(history, rel=1e-6, abs=1e-6)
        again = shop.explain(customer, next(iter(bought)))
        assert again.purchases.empty, "of what they bought before, the repeat head speaks alone"


@pytest.mark.parametrize("customer", ["nobody", "' OR 1=1 --"])
def test_an_unknown_customer_is_shown_what_sells(shop: Recommender, customer: str) -> None:
    listed = shop.recommend(customer, k=5)
    told = shop.explain(customer, listed[PRODUCT][2])
    assert told.cold_start
    assert told.score == listed[SCORE][2]
    assert told.reason == listed[REASON][2]
    assert told.probability is None, "the map is of the scores of known customers"
    assert told.parts[[PART, VALUE]].to_numpy().tolist() == [["popularity", told.score]]
    assert told.purchases.empty


def test_refusals(shop: Recommender) -> None:
    for customer, product, field in (("", "P001", "customer_id"), ("C0001", "P999999", "product_id")):
        with pytest.raises(RequestError) as caught:
            shop.explain(customer, product)
        assert caught.value.field == field


def test_a_table_adds_up_and_leaves_out_what_says_nothing() -> None:
    score = float(np.float32(0.1) + np.float32(0.2))
    table = table_of({"taste": 0.2, "looks": 0.0, "history": 0.1}, {"taste": 0.1, "looks": 0.0, "history": 0.3}, score)
    expected = pd.DataFrame({PART: ["taste", "history"], WORDS: [PART_WORDS["taste"], PART_WORDS["history"]]})
    pd.testing.assert_frame_equal(table[[PART, WORDS]], expected, check_dtype=False)
    assert table[VALUE].sum() == pytest.approx(score, rel=1e-15)
    assert table[VALUE][1] == 0.1
    assert table[AVERAGE].tolist() == [0.1, 0.3]

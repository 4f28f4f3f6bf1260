"""What every model owes to the evaluator and to the page; a model earns these tests in four lines.

class TestMyModel(ModelContract):
    config = MyModelConfig()
"""

from __future__ import annotations

import math
from typing import Any, ClassVar

import numpy as np
import pandas as pd
import pytest
import torch

from embedrec.columns import CATEGORY, PRICE, PRODUCT
from embedrec.features import FeatureEncoder, Snapshot
from embedrec.models import Scorer, learned, scorer_of
from embedrec.ranking import top_k
from embedrec.serving.explaining import PART_WORDS, take_apart
from embedrec.tables import Tables
from shops import START, at_day, before, history_of, small_shop, tables_of

UNTIL, NOW = at_day(220), at_day(250)
SHOP = small_shop(5)


def snapshot_of(tables: Tables) -> Snapshot:
    """Fit on what lies before day 220 and look at the shop on day 250: some ids are new since."""
    return FeatureEncoder.fit(*history_of(tables), UNTIL).at(NOW)


def with_new_products(snapshot: Snapshot) -> tuple[int, Snapshot]:
    """Let three products come into the shop; two have the details of one that nobody bought, whose number is told."""
    listed = SHOP.products.set_index(PRODUCT)
    twin = next(one for one in listed.index if one not in set(SHOP.purchases[PRODUCT]))
    details = {
        "A twin": listed.loc[twin],
        "Z twin": listed.loc[twin],
        "Other": {**listed.loc[twin], CATEGORY: None, PRICE: 99.0},
    }
    products = pd.concat([SHOP.products, pd.DataFrame(details).T.rename_axis(PRODUCT).reset_index()])
    tables = tables_of(SHOP.customers, products.astype(SHOP.products.dtypes), SHOP.events)
    larger = FeatureEncoder(snapshot.encoder.schema, *history_of(tables)).at(NOW)
    return int(snapshot.history.product_ids.get_loc(twin)), larger


class ModelContract:
    """Everything here holds for any model; subclasses name a `config`."""

    config: ClassVar[Any]

    @classmethod
    def make(cls, snapshot: Snapshot) -> Scorer:
        """Fit a counting model; give a network weights far from its initial ones, so that every part speaks."""
        torch.manual_seed(0)
        model = cls.config.build(snapshot.encoder.schema)
        if isinstance(model, Scorer):
            return model.fit(snapshot)
        with torch.no_grad():
            for weight in model.parameters():
                weight.add_(0.3 * torch.randn_like(weight))
        return scorer_of(model).observe(snapshot)

    @pytest.fixture(scope="class")
    @classmethod
    def snapshot(cls) -> Snapshot:
        return snapshot_of(SHOP)

    @pytest.fixture(scope="class")
    @classmethod
    def scorer(cls, snapshot: Snapshot) -> Scorer:
        return cls.make(snapshot)

    @pytest.fixture(scope="class")
    @classmethod
    def everybody(cls, snapshot: Snapshot) -> np.ndarray:
        """All customers, also those without a purchase."""
        users = np.arange(snapshot.history.n_users)
        lengths = np.diff(snapshot.customers(users).lines.offsets)
        assert lengths.min() == 0
        assert lengths.max() > 5
        return users

    def test_one_score_for_every_customer_and_product(
        self, scorer: Scorer, snapshot: Snapshot, everybody: np.ndarray
    ) -> None:
        scores = scorer.score(everybody)
        assert scores.shape == (len(everybody), snapshot.history.n_items)
        assert scores.dtype in (torch.float32, torch.float64)

    def test_every_score_is_a_number(self, scorer: Scorer, snapshot: Snapshot, everybody: np.ndarray) -> None:
        never_sold = ~np.isin(np.arange(snapshot.history.n_items), snapshot.history.items)
        assert never_sold.any()
        assert torch.isfinite(scorer.score(everybody)).all()
        for part in scorer.score_parts(snapshot.customers(everybody)).values():
            assert torch.isfinite(part).all()
        nobody = snapshot.encoder.newcomer(np.empty(0, np.int64), snapshot.products)
        assert torch.isfinite(scorer.score(nobody)).all()
        for item in range(snapshot.history.n_items):
            assert not scorer.similar(item).isnan().any()

    def test_before_the_first_purchase(self, snapshot: Snapshot, everybody: np.ndarray) -> None:
        opening = snapshot.encoder.at(START)
        scorer = self.make(opening)
        assert torch.isfinite(scorer.score(everybody)).all()
        told = scorer.explain(opening.customers(everybody[:1]), np.arange(5))
        assert all(torch.isfinite(part).all() for part in told.parts.values())
        assert not scorer.similar(0).isnan().any()

    def test_product_vectors_are_what_similar_compares(self, scorer: Scorer) -> None:
        vectors = scorer.product_vectors()
        if vectors is None:
            assert type(scorer).similar is Scorer.similar
            return
        known = vectors.any(dim=1)
        torch.testing.assert_close(vectors[known].norm(dim=1), torch.ones_like(vectors[known, 0]))
        for item in known.nonzero()[:5, 0].tolist():
            torch.testing.assert_close(scorer.similar(item)[known], (vectors @ vectors[item])[known])
            assert not scorer.similar(item)[~known].isfinite().any()

    def test_parts_add_up_to_the_score(self, scorer: Scorer, snapshot: Snapshot, everybody: np.ndarray) -> None:
        parts = scorer.score_parts(snapshot.customers(everybody))
        assert {part.dtype for part in parts.values()} == {torch.float64}
        # parts are float64, a learned score is rounded to float32
        torch.testing.assert_close(sum(parts.values()), scorer.score(everybody).double(), rtol=1e-6, atol=1e-5)

    def test_a_customer_alone_is_the_customer_in_a_batch(self, scorer: Scorer, everybody: np.ndarray) -> None:
        together = scorer.score(everybody)
        alone = torch.cat([scorer.score(user[None]) for user in everybody])
        assert torch.equal(alone, together)
        assert torch.equal(scorer.score(everybody[::-1].copy()), together.flip(0))

    def test_users_or_their_description(self, scorer: Scorer, snapshot: Snapshot, everybody: np.ndarray) -> None:
        assert torch.equal(scorer.score(everybody), scorer.score(snapshot.customers(everybody)))

    def test_items_select_columns(self, scorer: Scorer, everybody: np.ndarray) -> None:
        items = np.array([9, 2, 2, 17])
        assert torch.equal(scorer.score(everybody, items), scorer.score(everybody)[:, items])
        assert scorer.score(everybody, items[:0]).shape == (len(everybody), 0)

    def test_a_crowd_gives_the_same_scores(self, scorer: Scorer, snapshot: Snapshot, everybody: np.ndarray) -> None:
        crowd, every = scorer.crowd(everybody), np.arange(snapshot.history.n_items)
        expected = scorer.score(everybody).float()
        torch.testing.assert_close(crowd.scores(every), expected, rtol=1e-5, atol=1e-5)
        items = np.array([9, 2, 27])
        torch.testing.assert_close(crowd.scores(items), expected[:, items], rtol=1e-5, atol=1e-5)
        assert scorer.crowd(everybody[:0]).scores(items).shape == (0, 3)

    def test_nobody_is_no_error(self, scorer: Scorer, snapshot: Snapshot, everybody: np.ndarray) -> None:
        assert scorer.score(everybody[:0]).shape == (0, snapshot.history.n_items)

    def test_the_same_seed_gives_the_same_model(self, scorer: Scorer, everybody: np.ndarray) -> None:
        again = self.make(snapshot_of(SHOP))
        assert torch.equal(again.score(everybody), scorer.score(everybody))

    def test_the_future_changes_nothing(self, scorer: Scorer, everybody: np.ndarray) -> None:
        then = snapshot_of(before(SHOP, NOW))
        ids = then.history.product_ids
        assert ids.equals(snapshot_of(SHOP).history.product_ids)
        assert len(then.history.times) < len(scorer.snapshot_.history.times)
        cut = self.make(then)
        assert torch.equal(cut.score(everybody), scorer.score(everybody))
        assert torch.equal(cut.similar(3), scorer.similar(3))

    def test_another_date_changes_the_answer_and_back(self, scorer: Scorer, snapshot: Snapshot) -> None:
        users = np.arange(5)
        before_it = scorer.score(users)
        scorer.observe(snapshot.encoder.at(at_day(100)))
        scorer.observe(snapshot)
        assert torch.equal(scorer.score(users), before_it)

    def test_new_products_are_scored_and_change_no_other_score(self, snapshot: Snapshot, everybody: np.ndarray) -> None:
        scorer = self.make(snapshot)
        before_them, ids = scorer.score(everybody), snapshot.history.product_ids
        twin, larger = with_new_products(snapshot)
        after = scorer.observe(larger).score(everybody)
        place = larger.history.product_ids.get_indexer
        assert torch.equal(after[:, place(ids)], before_them)
        first, last, other = place(["A twin", "Z twin", "Other"])
        assert torch.equal(after[:, first], before_them[:, twin])
        assert torch.equal(after[:, last], before_them[:, twin])
        assert scorer.reads_features == (not torch.equal(after[:, other], after[:, first]))
        parts = sum(scorer.score_parts(larger.customers(everybody)).values())
        torch.testing.assert_close(parts, after.double(), rtol=1e-6, atol=1e-5)

    def test_an_explanation_is_the_score_taken_apart(
        self, scorer: Scorer, snapshot: Snapshot, everybody: np.ndarray
    ) -> None:
        items = np.array([8, 1, 20, 3])
        for user in everybody:
            customer = snapshot.customers(user[None])
            parts = scorer.score_parts(customer)
            told = scorer.explain(customer, items)
            assert told.parts.keys() == told.average.keys() == parts.keys()
            for name, part in parts.items():
                # products of matrices of another shape may round the last place of a float64 in another way
                torch.testing.assert_close(told.parts[name], part[0, items], rtol=1e-12, atol=1e-12)
                assert told.average[name] == pytest.approx(float(part[0].mean()))
            assert told.pull.shape == (len(items), len(told.bought))
            assert set(told.bought) <= set(customer.bought.values)
            if len(told.bought):
                new = ~np.isin(items, customer.bought.values)
                pulled = told.pull.sum(1)[new]
                torch.testing.assert_close(pulled, told.parts["history"][new], rtol=1e-9, atol=1e-9)
                assert not told.pull[~new].any()

    def test_a_table_of_parts_adds_up_to_the_score_in_words(
        self, scorer: Scorer, snapshot: Snapshot, everybody: np.ndarray
    ) -> None:
        for user in everybody[::4]:
            customer = snapshot.customers(user[None])
            for item in (0, 8, 29):
                score = float(scorer.score(customer)[0, item])
                parts, purchases = take_apart(scorer.explain(customer, np.array([item])), score, snapshot)
                assert math.fsum(parts["value"]) == pytest.approx(score, rel=1e-12, abs=1e-12)
                assert set(purchases[PRODUCT]) <= set(snapshot.history.product_ids[customer.bought.values])
                told = scorer.score_parts(customer).keys()
                assert set(parts["part"]) <= set(told) <= set(PART_WORDS)

    def test_many_explanations_are_those_of_each_alone(
        self, scorer: Scorer, snapshot: Snapshot, everybody: np.ndarray
    ) -> None:
        lists = [np.random.default_rng(int(user)).permutation(snapshot.history.n_items)[:5] for user in everybody]
        customers = snapshot.customers(everybody)
        for user, items, told in zip(everybody, lists, scorer.explain_many(customers, lists), strict=True):
            alone = scorer.explain(snapshot.customers(user[None]), items)
            assert told.parts.keys() == alone.parts.keys()
            for name, part in told.parts.items():
                torch.testing.assert_close(part, alone.parts[name], rtol=1e-9, atol=1e-12)
                assert told.average[name] == pytest.approx(alone.average[name], abs=1e-12)
            assert told.bought.tolist() == alone.bought.tolist()
            torch.testing.assert_close(told.pull, alone.pull, rtol=1e-9, atol=1e-12)

    @pytest.mark.parametrize("k", [1, 3, 100])
    def test_the_best_are_those_of_all_scores(
        self, scorer: Scorer, snapshot: Snapshot, everybody: np.ndarray, k: int, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """Same products, same scores to the last bit, whatever way a model has to find them."""
        for name in ("WIDE", "FEW", "SPARE"):
            monkeypatch.setattr(learned, name, 1)  # or a shop this small is scored as a whole
        customers, scores = snapshot.customers(everybody), scorer.score(everybody)
        chance = torch.Generator().manual_seed(0)
        for allowed in (
            torch.ones(scores.shape[1], dtype=torch.bool),
            torch.rand(scores.shape[1], generator=chance) < 0.3,
            torch.rand(scores.shape, generator=chance) < 0.5,
        ):
            wanted = top_k(scores.masked_fill(~allowed, -torch.inf), k)
            found = scorer.best(customers, k, allowed)
            assert torch.equal(found.items, wanted.items)
            assert torch.equal(found.scores, wanted.scores)

    def test_a_product_is_closest_to_itself(self, scorer: Scorer, snapshot: Snapshot) -> None:
        sold = np.unique(snapshot.history.items[snapshot.history.times < NOW])
        for item in sold:
            closeness = scorer.similar(int(item))
            assert closeness.shape == (snapshot.history.n_items,)
            assert closeness[item] == pytest.approx(1)
            assert closeness.max() <= closeness[item] + 1e-12

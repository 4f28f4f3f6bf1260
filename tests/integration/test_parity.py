"""The measured list is the list a customer sees: evaluator and Recommender agree to the last place."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from embedrec.columns import PRODUCT, SCORE
from embedrec.evaluation.ranking import RankedView, rank
from embedrec.experiment.runner import Runner
from embedrec.experiment.shop import open_shop
from embedrec.models import Scorer, scorer_of
from embedrec.serving import Recommender
from embedrec.training.fit import load_weights
from runs import Trained, train_here

SHOWN = 20


def runner_of(run: Trained) -> Runner:
    """Read the shop and fit the encoders again, as the run did."""
    return Runner(open_shop(run.config.data, run.config.split), progress=False)


def refitted(run: Trained, runner: Runner) -> Scorer:
    """Return the model whose test figures stand in metrics.json, without a look into the bundle."""
    model = run.config.model.build(runner.before_test.encoder.schema)
    if isinstance(model, Scorer):
        return model.fit(runner.before_test)
    load_weights(model, run.folder / "checkpoints" / "refit" / "last.ckpt")
    return scorer_of(model).observe(runner.before_test)


def assert_parity(run: Trained) -> None:
    runner = runner_of(run)
    scorer = refitted(run, runner)
    measured = rank(scorer, runner.before_test, runner.test_truth)
    shop = Recommender.load(run.bundle, as_of=run.manifest["split"]["test_from"])
    assert_same_lists(shop, measured["all"], runner, exclude_bought=False)
    assert_same_lists(shop, measured["new"], runner, exclude_bought=True)

    figures = run.metrics["models"][run.config.model.name]["test"]
    for view in ("all", "new", "repeat"):
        if not len(measured[view].users):
            continue  # a random split holds out whole products of a customer: none comes back
        value = float(measured[view].metric("ndcg", 10).mean())
        assert figures[view]["ndcg@10"]["value"] == pytest.approx(value, abs=1e-12)


def assert_same_lists(shop: Recommender, view: RankedView, runner: Runner, *, exclude_bought: bool) -> None:
    history = runner.shop.history
    assert len(view.users) > 100
    for user, top in zip(view.users, view.top, strict=True):
        customer = str(history.customer_ids[user])
        shown = shop.recommend(customer, k=SHOWN, exclude_bought=exclude_bought)
        assert shown[PRODUCT].tolist() == list(history.product_ids[top[top >= 0]]), customer
        assert not shown.attrs["cold_start"]


def test_two_tower(trained: Trained) -> None:
    assert_parity(trained)


def test_personal_frequency(simple: Trained) -> None:
    assert_parity(simple)


@pytest.mark.parametrize("model", ["random", "popularity", "popularity_recent", "user_knn", "item_knn", "svd", "ials"])
def test_other_counting_models(model: str, demo_tables: Path, tmp_path: Path) -> None:
    run = train_here(demo_tables, tmp_path / "out", f"model={model}", "seed=5", "tracking.enabled=false")
    assert_parity(run)


@pytest.mark.parametrize("model", ["two_tower_ids", "two_tower_sequence", "mf_bpr", "neural_mf"])
def test_other_learned_models(model: str, demo_tables: Path, tmp_path: Path) -> None:
    quick = ("model.dim=8", "trainer.max_epochs=2", "trainer.cuts=3", "tracking.enabled=false")
    assert_parity(train_here(demo_tables, tmp_path / "out", f"model={model}", *quick))


def test_a_shop_without_dates(demo_tables: Path, tmp_path: Path) -> None:
    run = train_here(demo_tables, tmp_path / "out", "model=item_knn", "split.protocol=random", "tracking.enabled=false")
    assert_parity(run)
    assert run.metrics["data"]["test"]["from"] is None
    shop = Recommender.load(run.bundle)
    assert shop.info.data_until is None
    assert "last on" not in " ".join(shop.recommend("C0001", k=50)["reason"])
    assert shop.purchases("C0001")["purchase_date"].isna().all()


def test_scores_are_those_of_the_evaluator(trained: Trained) -> None:
    runner = runner_of(trained)
    scorer = refitted(trained, runner)
    shop = Recommender.load(trained.bundle, as_of=trained.manifest["split"]["test_from"])
    history, users = runner.shop.history, runner.test_truth.users[:50]
    scores = scorer.score(users).numpy()
    for row, user in enumerate(users):
        shown = shop.recommend(str(history.customer_ids[user]), k=SHOWN)
        items = history.product_ids.get_indexer(shown[PRODUCT])
        np.testing.assert_array_equal(shown[SCORE].to_numpy(), scores[row, items].astype(np.float64))


def test_a_shorter_list_is_the_beginning_of_a_longer_one(trained: Trained) -> None:
    shop = Recommender.load(trained.bundle)
    for customer in shop.customer_ids[:20]:
        longest = shop.recommend(customer, k=1000)[PRODUCT].tolist()
        assert len(longest) == len(shop.product_ids)
        for k in (1, 7, SHOWN):
            assert shop.recommend(customer, k=k)[PRODUCT].tolist() == longest[:k]


def test_the_end_of_the_data_is_the_default_date(trained: Trained) -> None:
    later, at_cutoff = (
        Recommender.load(trained.bundle, date) for date in (None, trained.manifest["split"]["test_from"])
    )
    bought = [sum(len(shop.purchases(one)) for one in shop.customer_ids) for shop in (later, at_cutoff)]
    assert bought[0] == trained_purchases(trained)
    assert bought[1] < bought[0]


def trained_purchases(run: Trained) -> int:
    return len(open_shop(run.config.data, run.config.split).history.times)

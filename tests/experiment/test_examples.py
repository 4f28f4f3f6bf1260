"""What a model learns from is what its recipe names, in batches of the size and with as many products drawn as set."""

from __future__ import annotations

from pathlib import Path
from typing import Any, get_args

import numpy as np
import pandas as pd
import pytest
import torch

from embedrec.columns import CUSTOMER_RATING
from embedrec.data.baskets import BasketBatch
from embedrec.data.batches import Batch
from embedrec.data.pairs import PairBatch
from embedrec.data.sequences import SequenceBatch
from embedrec.errors import ConfigError
from embedrec.experiment import runner as runner_module
from embedrec.experiment.config import RECIPES, RunConfig, parse_config
from embedrec.experiment.examples import LACKING, training_data
from embedrec.experiment.runner import Runner
from embedrec.experiment.shop import Shop, open_shop
from embedrec.features import FeatureEncoder
from embedrec.models import LearnedConfig, MfBprConfig
from embedrec.tables.model import CUSTOMER_COLUMNS, PRODUCT_COLUMNS
from embedrec.training.objectives import loss_of
from shops import frame, lines, small_shop, tables_of, write_shop

SIZE = 7


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    made = small_shop(3)
    stars = made.events.assign(**{CUSTOMER_RATING: np.arange(len(made.events)) % 5 + 1.0})
    return write_shop(tmp_path_factory.mktemp("examples") / "shop", tables_of(made.customers, made.products, stars))


@pytest.fixture(scope="module")
def shop(folder: Path) -> Shop:
    config = config_of(folder, "two_tower")
    return open_shop(config.data, config.split)


def config_of(folder: Path, model: str, **loss: Any) -> RunConfig:
    plain = {"data": {"name": "t", "path": str(folder), "columns": {"customer_rating": CUSTOMER_RATING}}}
    return parse_config({**plain, "model": {"name": model}, "trainer": {"batch_size": SIZE}, "loss": loss, "seed": 2})


def first_batch(shop: Shop, folder: Path, model: str, **loss: Any) -> Any:
    config = config_of(folder, model, **loss)
    assert isinstance(config.model, LearnedConfig)
    moment = FeatureEncoder.fit(shop.history, shop.catalogue, shop.split.valid_from).at(shop.split.valid_from)
    data = training_data(config, config.model, shop, moment)
    assert len(data) == len(data.examples) > SIZE
    assert data.seed == 2
    return next(iter(data.epoch(0)))


KINDS = {"cuts": Batch, "pairs": PairBatch, "ratings": PairBatch, "baskets": BasketBatch, "sequences": SequenceBatch}


@pytest.mark.parametrize("model", RECIPES)
def test_batches_of_the_kind_that_the_recipe_names(shop: Shop, folder: Path, model: str) -> None:
    batch = first_batch(shop, folder, model)
    assert type(batch) is KINDS[RECIPES[model].examples]
    rows = batch.tokens if isinstance(batch, SequenceBatch) else range(batch.size)
    assert 0 < len(rows) <= SIZE


@pytest.mark.parametrize("examples", [kind for kind in KINDS if kind != "sequences"])  # whose model says how many
def test_the_recipe_alone_decides(shop: Shop, folder: Path, examples: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(MfBprConfig, "recipe", MfBprConfig.recipe._replace(examples=examples))
    assert type(first_batch(shop, folder, "mf_bpr")) is KINDS[examples]


def test_every_kind_is_tested() -> None:
    assert {recipe.examples for recipe in RECIPES.values()} == set(KINDS)
    assert len(RECIPES) == len(get_args(LearnedConfig))


def test_as_many_products_are_drawn_as_set(shop: Shop, folder: Path) -> None:
    assert first_batch(shop, folder, "mf_bpr", negatives=3).negatives.shape == (SIZE, 3)
    assert len(first_batch(shop, folder, "two_tower_ids", negatives=3).drawn) == 3
    assert len(first_batch(shop, folder, "two_tower_sequence", negatives=3).drawn) == 3
    assert first_batch(shop, folder, "biased_mf").negatives.shape == (SIZE, 0)


def test_all_products(shop: Shop, folder: Path) -> None:
    assert first_batch(shop, folder, "two_tower", negatives="all").items is None
    ordered = first_batch(shop, folder, "two_tower_sequence", negatives="all")
    assert len(ordered.drawn) == ordered.pool


def test_what_the_batch_buys(shop: Shop, folder: Path) -> None:
    batch = first_batch(shop, folder, "two_tower", name="in_batch")
    assert torch.equal(batch.items, batch.items[batch.columns].unique())


def test_how_they_are_drawn_means_nothing_where_all_are_scored(folder: Path) -> None:
    with pytest.raises(ConfigError, match=r"^loss\.draw='mixed': nothing is drawn with loss\.negatives=all"):
        config_of(folder, "two_tower", negatives="all", draw="mixed")


# No setting of a loss is without effect


def loss_by(shop: Shop, folder: Path, model: str, **loss: Any) -> float:
    """The loss of the first batch before training."""
    config = config_of(folder, model, **loss)
    assert isinstance(config.model, LearnedConfig)
    runner = Runner(shop, progress=False)
    data = training_data(config, config.model, shop, runner.before_valid)
    network = runner._network(config, config.model, runner.before_valid, data).eval()
    return loss_of(network, next(iter(data.epoch(0))), config.loss).item()


@pytest.mark.parametrize(
    ("model", "loss"), [(model, loss) for model, recipe in RECIPES.items() for loss in recipe.losses]
)
def test_a_setting_of_the_loss_changes_it_or_is_refused(shop: Shop, folder: Path, model: str, loss: str) -> None:
    plain = config_of(folder, model, name=loss).loss.model_dump(exclude={"name"})
    default = loss_by(shop, folder, model, name=loss)
    few = loss_by(shop, folder, model, name=loss, negatives=3) if "draw" in plain else default
    for key, value in plain.items():
        changed = {"name": loss, key: 3 if key == "negatives" else value / 2 if key != "draw" else "popularity"}
        if key == "draw":
            changed["negatives"] = 3  # of a small catalogue nothing is drawn
        if key in RECIPES[model].unread:
            with pytest.raises(ConfigError, match=rf"^loss\.{key}='.*': {model} learns without it; leave it out"):
                loss_by(shop, folder, model, **changed)
        else:
            assert loss_by(shop, folder, model, **changed) != (few if key == "draw" else default), key


@pytest.mark.parametrize("model", RECIPES)
def test_what_is_refused_is_a_setting_and_its_default_is_none_of_the_users(folder: Path, model: str) -> None:
    recipe, config = RECIPES[model], config_of(folder, model)
    assert set(recipe.unread) <= config.loss.model_dump().keys()
    assert parse_config(config.model_dump(mode="json")) == config


def test_a_look_at_an_epoch_costs_alike_in_all_catalogues(shop: Shop, monkeypatch: pytest.MonkeyPatch) -> None:
    everybody = Runner(shop, progress=False)
    buyers, products = len(everybody.valid_truth.users), everybody.candidates(everybody.before_valid)
    assert len(everybody._watched.users) == buyers
    monkeypatch.setattr(runner_module, "FEWEST_WATCHED", 1)
    monkeypatch.setattr(runner_module, "WATCHED_SCORES", products * -(-buyers // 3))
    assert len(Runner(shop, progress=False)._watched.users) == -(-buyers // 3)
    monkeypatch.setattr(runner_module, "FEWEST_WATCHED", -(-buyers // 2))
    assert len(Runner(shop, progress=False)._watched.users) == -(-buyers // 2)


# Why there is nothing to learn from


def lacking(folder: Path, bought: pd.DataFrame, model: str, **split: str) -> str:
    """Return why a model could not be measured, in words."""
    tables = tables_of(frame(CUSTOMER_COLUMNS, {}), frame(PRODUCT_COLUMNS, {}), bought)
    plain = {"data": {"name": "t", "path": str(write_shop(folder / "shop", tables))}, "model": {"name": model}}
    config = parse_config({**plain, "split": {"valid_from": "2024-01-11", "test_from": "2024-01-21", **split}})
    runner = Runner(open_shop(config.data, config.split), progress=False)
    assert runner.measure(config, folder / "checkpoints", test=False) is None
    return runner.nothing_to_learn(config)


NEIGHBOURS = ("mf_bpr", "neural_mf", "two_tower_ids")


@pytest.mark.parametrize("model", [*NEIGHBOURS, "two_tower", "two_tower_sequence"])
def test_nobody_comes_back_in_validation(tmp_path: Path, model: str) -> None:
    bought = lines(*((f"c{n}", f"p{n % 4}", day) for n in range(9) for day in (n, n + 0.5)), ("c1", "p2", 25))
    if model == "two_tower":  # which would lack dates to learn from as well
        bought = lines(*((f"c{n}", f"p{n % 4}", day) for n in range(9) for day in (0, 9)), ("c1", "p2", 25))
    assert lacking(tmp_path, bought, model) == "no customer bought both before and within the validation window"


@pytest.mark.parametrize("model", NEIGHBOURS)
def test_nothing_was_bought_before_validation(tmp_path: Path, model: str) -> None:
    bought = lines(*((f"c{n}", f"p{n % 4}", day) for n in range(9) for day in (11 + n, 22 + n)))
    assert lacking(tmp_path, bought, model, valid_from="2024-01-12") == LACKING["pairs"]


def test_nobody_bought_twice_before_validation(tmp_path: Path) -> None:
    bought = lines(*((f"c{n}", f"p{n % 4}", day) for n in range(9) for day in (n, n + 10, n + 20)))
    why = lacking(tmp_path, bought, "two_tower_sequence")
    assert why == "no customer made two purchases before the validation window"


def test_nobody_came_back_within_a_training_window(tmp_path: Path) -> None:
    bought = lines(*((f"c{n}", f"p{n % 4}", day) for n in range(9) for day in (n, n + 10, n + 20)))
    assert lacking(tmp_path, bought, "two_tower") == "no customer bought both before and within a training window"


def test_every_kind_says_what_is_lacking() -> None:
    assert LACKING.keys() == KINDS.keys()

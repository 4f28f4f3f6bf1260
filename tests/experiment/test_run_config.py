"""A config is checked once, as a whole, and a refusal names the setting as the user wrote it."""

from __future__ import annotations

import json
from typing import Any

import pytest

from embedrec.errors import ConfigError
from embedrec.experiment import RunConfig, parse_config


def plain(**changes: Any) -> dict[str, Any]:
    return {"data": {"name": "files", "path": "shop"}, "model": {"name": "two_tower"}, **changes}


def test_defaults() -> None:
    config = parse_config(plain())
    assert config.model.name == "two_tower"
    assert config.split.protocol is None
    assert config.loss.name == "softmax"
    assert config.outputs == "outputs"
    assert config.tracking.enabled


def test_it_survives_its_own_plain_form() -> None:
    config = parse_config(plain(model={"name": "personal_frequency", "half_life": 30.0}, seed=7))
    assert parse_config(json.loads(json.dumps(config.model_dump(mode="json")))) == config


def test_it_cannot_be_changed() -> None:
    with pytest.raises(ValueError, match="frozen"):
        parse_config(plain()).seed = 3  # type: ignore[misc]


WRONG = {
    "model.dim='abc'": {"model": {"name": "two_tower", "dim": "abc"}},
    "model.dim='0'": {"model": {"name": "two_tower", "dim": 0}},
    "model.dim='4.5'": {"model": {"name": "two_tower", "dim": 4.5}},
    "model.half_life='-1'": {"model": {"name": "personal_frequency", "half_life": -1}},
    "seed='-1'": {"seed": -1},
    "seed='x'": {"seed": "x"},
    "loss.temperature='0'": {"loss": {"name": "softmax", "temperature": 0}},
    "trainer.max_epochs='0'": {"trainer": {"max_epochs": 0}},
    "trainer.learning_rate='nan'": {"trainer": {"learning_rate": float("nan")}},
    "trainer.accelerator='tpu'": {"trainer": {"accelerator": "tpu"}},
    "split.test_quantile='1.5'": {"split": {"test_quantile": 1.5}},
    "name='../x'": {"name": "../x"},
    "name='a b'": {"name": "a b"},
    "name='.hidden'": {"name": ".hidden"},
    "tracking.enabled='2'": {"tracking": {"enabled": 2}},
}


@pytest.mark.parametrize("start", WRONG)
def test_wrong_values(start: str) -> None:
    with pytest.raises(ConfigError) as caught:
        parse_config(plain(**WRONG[start]))
    message = str(caught.value)
    assert message.startswith(f"{start}: ")
    assert "\n" not in message


UNKNOWN = {
    "model.dimm": ({"model": {"name": "two_tower", "dimm": 3}}, None),
    "sed": ({"sed": 3}, "seed"),
    "trainer.max_epoch": ({"trainer": {"max_epoch": 3, "max_epochs": 3}}, "max_epochs"),
    "data.columns.custmer_id": (
        {"data": {"name": "files", "columns": {"custmer_id": "x", "customer_id": None}}},
        "customer_id",
    ),
}


@pytest.mark.parametrize("key", UNKNOWN)
def test_unknown_settings(key: str) -> None:
    changes, near = UNKNOWN[key]
    with pytest.raises(ConfigError, match=f"^{key}: there is no such setting") as caught:
        parse_config(plain(**changes))
    if near:
        assert f"did you mean '{near}'" in str(caught.value)


@pytest.mark.parametrize("model", [{"name": "no_such_model"}, {}, None, "two_tower"])
def test_a_model_that_is_none(model: Any) -> None:
    with pytest.raises(ConfigError, match="^model"):
        parse_config(plain(model=model))


@pytest.mark.parametrize("value", ["soon", "2024-13-01", "99999-01-01"])
def test_dates_of_the_split(value: str) -> None:
    with pytest.raises(ConfigError, match=r"split\.test_from=.*is not a date"):
        parse_config(plain(split={"test_from": value}))


def test_quantiles_in_order() -> None:
    with pytest.raises(ConfigError, match=r"split\.valid_quantile=0\.9 must be below"):
        parse_config(plain(split={"valid_quantile": 0.9, "test_quantile": 0.8}))


def test_more_than_one_mistake_is_counted() -> None:
    with pytest.raises(ConfigError, match=r"\(1 more\)$"):
        parse_config(plain(seed="x", trainer={"max_epochs": 0}))


def test_every_setting_of_conf_is_known() -> None:
    """The YAML files name what the code knows: composing them is covered by the runs; here their keys."""
    from omegaconf import OmegaConf

    from runs import CONF

    for group in ("split", "loss", "trainer", "tracking", "model"):
        field = RunConfig.model_fields[group]
        for path in sorted((CONF / group).glob("*.yaml")):
            values = OmegaConf.to_container(OmegaConf.load(path))
            assert isinstance(values, dict)
            for base in values.pop("defaults", []):
                values = {**OmegaConf.load(path.with_stem(base)), **values}
            model = {"model": {"name": "two_tower_ids"}} if values.get("name") in ("basket_softmax", "bsl") else {}
            config = parse_config(plain(**{**model, group: values}))
            assert field is not None
            section = getattr(config, group)
            told = section.model_dump(mode="json")
            assert values.keys() == told.keys(), f"{path} leaves a setting out"
            given = {key: value for key, value in values.items() if value is not None}
            assert given == {key: told[key] for key in given}, f"{path} differs from the default"


def test_experiments_are_runs() -> None:
    """Each file of conf/experiment composes over the other groups, and what it sets stands in the run."""
    from hydra import compose, initialize_config_dir
    from omegaconf import OmegaConf

    from embedrec.search.settings import GROUP
    from runs import CONF

    for path in sorted((CONF / "experiment").glob("*.yaml")):
        with initialize_config_dir(str(CONF.resolve()), version_base="1.3"):
            composed = OmegaConf.to_container(compose("train", [f"experiment={path.stem}"]), resolve=True)
        assert isinstance(composed, dict)
        composed.pop(GROUP, None)
        told = parse_config(composed).model_dump(mode="json")
        given = OmegaConf.to_container(OmegaConf.load(path))
        assert isinstance(given, dict)
        given.pop("defaults", None)
        assert told["data"]["name"] == path.stem
        for group, values in given.items():
            assert values == {key: told[group][key] for key in values}


# What is left open, the model's recipe decides


def learned(model: str, **changes: Any) -> RunConfig:
    return parse_config(plain(model={"name": model}, **changes))


def test_each_learned_model_has_its_own_loss_and_pace() -> None:
    assert learned("mf_bpr").loss.model_dump() == {"name": "bpr", "negatives": 1}
    assert learned("neural_mf").loss.model_dump() == {"name": "bce", "negatives": 4}
    assert learned("biased_mf").loss.name == "mse"
    assert learned("two_tower_ids").loss.name == "basket_softmax"
    assert learned("mf_bpr").trainer.batch_size != learned("two_tower").trainer.batch_size


def test_what_is_left_at_null_is_open() -> None:
    opened = learned("mf_bpr", loss={"name": None, "negatives": None}, trainer={"max_epochs": None, "patience": 9})
    closed = learned("mf_bpr", trainer={"patience": 9})
    assert opened == closed
    assert opened.trainer.patience == 9


def test_what_is_given_wins() -> None:
    config = learned("mf_bpr", loss={"negatives": 7}, trainer={"max_epochs": 2})
    assert (config.loss.negatives, config.trainer.max_epochs) == (7, 2)  # type: ignore[union-attr]
    other = learned("mf_bpr", loss={"name": "bce"})
    assert other.loss.name == "bce"


def test_a_loss_the_model_does_not_know() -> None:
    with pytest.raises(ConfigError, match="loss=softmax: mf_bpr is trained with bpr or bce"):
        learned("mf_bpr", loss={"name": "softmax"})
    with pytest.raises(ConfigError, match="loss.temperature: there is no such setting"):
        learned("mf_bpr", loss={"temperature": 0.5})


@pytest.mark.parametrize("name", ["softmax", "in_batch", "bpr", "bce", "mse"])
def test_the_two_tower_model_knows_every_loss(name: str) -> None:
    config = learned("two_tower", loss={"name": name})
    assert config.loss.name == name
    assert parse_config(json.loads(json.dumps(config.model_dump(mode="json")))) == config


def test_models_of_pairs_draw_as_many_negatives_with_another_loss() -> None:
    assert learned("mf_bpr", loss={"name": "bce"}).loss.negatives == 1  # type: ignore[union-attr]
    assert learned("neural_mf", loss={"name": "bpr"}).loss.negatives == 4  # type: ignore[union-attr]
    with pytest.raises(ConfigError, match="loss.negatives=all: mf_bpr draws some products"):
        learned("mf_bpr", loss={"negatives": "all"})

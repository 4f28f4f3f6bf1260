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
    assert config.split.protocol == "global_time"
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
            config = parse_config(plain(**{group: values}))
            assert field is not None
            section = getattr(config, group)
            assert section.model_dump(mode="json") == values, (
                f"{path} leaves a setting out, or differs from its default"
            )

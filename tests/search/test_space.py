"""What a sweep varies: the command line's own syntax, files of axes, settings that only one model has."""

from __future__ import annotations

from pathlib import Path

import optuna
import pytest
from hydra.core.override_parser.overrides_parser import OverridesParser
from hypothesis import given
from hypothesis import strategies as st
from optuna.distributions import BaseDistribution, CategoricalDistribution, FloatDistribution, IntDistribution

from embedrec.errors import ConfigError
from embedrec.experiment.config import parse_config
from embedrec.search.driver import Sweep
from embedrec.search.settings import parse_search
from embedrec.search.space import Space, make_space, swept_axis


def axis(override: str) -> BaseDistribution:
    (parsed,) = OverridesParser.create().parse_overrides([override])
    return swept_axis(parsed.get_key_element(), parsed)


def drawn(space: Space, seed: int = 0, count: int = 1) -> list[list[str]]:
    study = optuna.create_study(sampler=optuna.samplers.RandomSampler(seed))
    return [space.suggest(study.ask()) for _ in range(count)]


@pytest.mark.parametrize(
    ("override", "expected"),
    [
        ("model.dim=32,64", CategoricalDistribution(["32", "64"])),
        ("model.dim=64,32,64", CategoricalDistribution(["64", "32"])),
        ("model.dim=range(1,4)", CategoricalDistribution(["1", "2", "3"])),
        ("loss.temperature=interval(0.1,1)", FloatDistribution(0.1, 1.0)),
        ("loss.temperature=interval(1.0,2)", FloatDistribution(1.0, 2.0)),
        ("model.dim=interval(8,64)", IntDistribution(8, 64)),
        ("model.dim=tag(log,interval(8,64))", IntDistribution(8, 64, log=True)),
        ("data.path='a b',c", CategoricalDistribution(["'a b'", "c"])),
        ("model=svd,ials", CategoricalDistribution(["svd", "ials"])),
    ],
)
def test_the_command_lines_sweeps(override: str, expected: BaseDistribution) -> None:
    assert axis(override) == expected


@pytest.mark.parametrize(
    ("override", "said"),
    [
        ("a.b=interval(2,1)", "a.b: low must lie below high, got 2 and 1"),
        ("a.b=tag(log,interval(0,1))", "a.b: log: true wants low above 0, got 0"),
        ("a.b=range(3,3)", r"a.b='range\(3,3\)' holds no value to try"),
    ],
)
def test_a_sweep_without_values_is_refused(override: str, said: str) -> None:
    with pytest.raises(ConfigError, match=f"^{said}$"):
        axis(override)


def test_axes_of_a_file() -> None:
    search = parse_search(
        {
            "space": {
                "a": [1, 0.5, True, None, "x y"],
                "b": {"low": 1, "high": 10, "step": 4},
                "c": {"low": 1.0, "high": 2},
            }
        }
    )
    space = make_space({}, search, "svd")
    assert space.shared == {
        "a": CategoricalDistribution(["1", "0.5", "true", "null", "'x y'"]),
        "b": IntDistribution(1, 9, step=4),
        "c": FloatDistribution(1.0, 2.0),
    }


@pytest.mark.parametrize(
    ("plain", "said"),
    [
        ({"sampler": "tpu"}, "hparams_search.sampler='tpu'"),
        ({"n_trials": 0}, "hparams_search.n_trials='0'"),
        ({"n_trails": 3}, "hparams_search.n_trails: there is no such setting, did you mean 'n_trials'"),
        ({"space": {"a": []}}, r"hparams_search.space.a='\[\]': wanted at least one value to try"),
        ({"space": {"a": 8}}, "hparams_search.space.a='8': wanted a list of values, .* or an interval"),
        ({"space": {"a": [[1]]}}, "wanted single values"),
        ({"space": {"a": {"lo": 1, "high": 2}}}, "an interval wants two numbers"),
        ({"space": {"a": {"low": 1, "high": 2, "lg": True}}}, "has low, high, step and log, and no lg"),
        ({"storage": "postgresql://me:word@host/db"}, "set what the database's own driver reads, such as PGUSER"),
        ({"space": {"a": {"low": 2, "high": 1}}}, "hparams_search.space.a.*low must lie below high"),
        ({"space": {"a": {"low": 1, "high": 2, "log": True, "step": 1}}}, "do not go together"),
    ],
)
def test_a_wrong_search_names_the_setting(plain: dict[str, object], said: str) -> None:
    with pytest.raises(ConfigError, match=said):
        parse_search(plain)


def test_a_value_named_twice_is_refused() -> None:
    with pytest.raises(ConfigError, match="a names a value twice"):
        make_space({}, parse_search({"space": {"a": [1, 1]}}), "svd")


def test_the_command_line_wins() -> None:
    search = parse_search({"space": {"seed": [1, 2]}, "models": {"svd": {"model.dim": [4, 8], "split.x": [1]}}})
    space = make_space({"model.dim": axis("model.dim=16,32")}, search, "svd")
    assert space.axes("svd") == {
        "seed": CategoricalDistribution(["1", "2"]),
        "model.dim": CategoricalDistribution(["16", "32"]),
        "split.x": CategoricalDistribution(["1"]),
    }


def test_nothing_to_search_is_refused() -> None:
    search = parse_search({"models": {"ials": {"model.dim": [1]}, "svd": None}})
    for one in (search, None):
        with pytest.raises(ConfigError, match="nothing to search for model=svd"):
            make_space({}, one, "svd")


CONDITIONAL = parse_search(
    {"models": {"svd": {"model.dim": [4, 8]}, "ials": {"model.alpha": {"low": 1.0, "high": 9.0}}, "random": {"x": [1]}}}
)


def test_settings_of_one_model_come_with_that_model_alone() -> None:
    space = make_space({"model": axis("model=svd,ials")}, CONDITIONAL, "two_tower")
    found = drawn(space, count=30)
    assert {one[0] for one in found} == {"model=svd", "model=ials"}
    for model, *own in found:
        assert [one.partition("=")[0] for one in own] == (["model.dim"] if model == "model=svd" else ["model.alpha"])


def test_a_grid_holds_every_combination_once() -> None:
    search = parse_search(
        {"space": {"seed": {"low": 0, "high": 4, "step": 2}}, "models": {"svd": {"model.dim": [4, 8]}}}
    )
    space = make_space({"model": axis("model=svd,ials")}, search, "two_tower")
    grid = list(space.grid())
    assert len(grid) == 3 * 2 + 3
    assert len({tuple(sorted(one.items())) for one in grid}) == len(grid)
    assert {one["seed"] for one in grid} == {0, 2, 4}


@pytest.mark.parametrize(
    ("axes", "said"),
    [
        ({"a": {"low": 0.0, "high": 1.0}}, "a: a grid wants single values"),
        ({"a": {"low": 1, "high": 9, "log": True}}, "a: a grid wants single values"),
        ({"a": {"low": 1, "high": 1_000_000}}, "a has over 10,000 values"),
        ({"a": list(range(200)), "b": list(range(200))}, "over 10,000 combinations"),
    ],
)
def test_a_grid_without_end_is_refused(axes: dict[str, object], said: str) -> None:
    with pytest.raises(ConfigError, match=said):
        list(make_space({}, parse_search({"space": axes}), "svd").grid())


@given(low=st.floats(1e-6, 1e3), factor=st.floats(1.01, 1e4), log=st.booleans(), seed=st.integers(0, 2**31))
def test_numbers_are_drawn_within_their_interval_and_written_short(
    low: float, factor: float, log: bool, seed: int
) -> None:
    search = parse_search({"space": {"a": {"low": low, "high": low * factor, "log": log}}})
    ((written,),) = drawn(make_space({}, search, "svd"), seed)
    number = written.removeprefix("a=")
    assert low * 0.999 <= float(number) <= low * factor * 1.001
    assert len(number) <= 10
    (parsed,) = OverridesParser.create().parse_overrides([written])
    assert parsed.value() == float(number)


def test_the_first_of_every_axis() -> None:
    space = make_space({"model": axis("model=svd,ials")}, CONDITIONAL, "two_tower")
    assert space.first("ials") == ["model=ials", "model.alpha=1"]
    assert space.first("svd") == ["model=svd", "model.dim=4"]


def test_a_search_begins_with_the_settings_as_they_stand(tmp_path: Path) -> None:
    """Where null follows the data, with what it stands for in most shops; drawn, it would be nobody's setting."""
    base = parse_config({"data": {"name": "t", "path": str(tmp_path)}, "model": {"name": "two_tower", "dim": 16}})
    search = parse_search(
        {
            "models": {"two_tower": {"model.id_prior": {"low": 10.0, "high": 1000.0}, "model.dim": [16, 32]}},
        }
    )
    sweep = Sweep(base, search, make_space({}, search, "two_tower"), [], {}, tmp_path, "", 1)
    assert sweep.first == {"model.id_prior": 200.0, "model.dim": "16"}

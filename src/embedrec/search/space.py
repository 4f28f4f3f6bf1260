"""`Space`: the settings a sweep varies, as Optuna distributions, and back as overrides of the command line.

The command line's own sweeps are `key=a,b`, `key=range(1,5)`, `key=interval(0.1,1)` and `key=tag(log,interval(…))`;
files of conf/hparams_search name further axes, of every model or of one.
"""

from __future__ import annotations

import itertools
import json
import math
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from omegaconf import OmegaConf
from optuna.distributions import (
    BaseDistribution,
    CategoricalDistribution,
    FloatDistribution,
    IntDistribution,
)
from optuna.trial import Trial
from pydantic import ValidationError

from embedrec.errors import ConfigError, quoted
from embedrec.search.settings import Axes, Interval, Scalar, SearchConfig

MODEL = "model"
DIGITS = 4  # of a number drawn from an interval; more would be noise in a command line
LARGEST_GRID = 10_000
Axis = tuple[str, BaseDistribution]


@dataclass(frozen=True)
class Space:
    """Axes of every trial, and those that only trials of one model have; values of choices are override texts."""

    shared: Mapping[str, BaseDistribution]
    of_model: Mapping[str, Mapping[str, BaseDistribution]]
    model: str
    """The model of all trials, where `model` is no axis itself."""

    @property
    def models(self) -> tuple[str, ...]:
        """Models that trials may have."""
        axis = self.shared.get(MODEL)
        return tuple(map(str, axis.choices)) if isinstance(axis, CategoricalDistribution) else (self.model,)

    def axes(self, model: str) -> dict[str, BaseDistribution]:
        """Return all axes of a trial of this model."""
        return {**self.shared, **self.of_model.get(model, {})}

    def suggest(self, trial: Trial) -> list[str]:
        """Draw a trial's settings, conditional ones after the model, as overrides."""
        drawn = {key: _draw(trial, key, axis) for key, axis in self.shared.items()}
        own = self.of_model.get(str(drawn.get(MODEL, self.model)), {})
        drawn |= {key: _draw(trial, key, axis) for key, axis in own.items()}
        return overrides(drawn)

    def grid(self) -> Iterator[dict[str, Any]]:
        """Yield every combination.

        Raises:
            ConfigError: an axis has no end of values, or there are too many combinations.
        """
        total = 0
        for model in self.models:
            axes = {key: _values(key, axis) for key, axis in self.axes(model).items()}
            if MODEL in axes:
                axes[MODEL] = [model]
            total += math.prod(map(len, axes.values()))
            if total > LARGEST_GRID:
                raise ConfigError(f"the grid has over {LARGEST_GRID:,} combinations; name fewer values, or sample them")
            for combination in itertools.product(*axes.values()):
                yield dict(zip(axes, combination, strict=True))

    def first(self, model: str) -> list[str]:
        """Return one possible combination of a model, to see that its settings exist."""
        values = {key: _first(axis) for key, axis in self.axes(model).items()}
        return overrides(values | ({MODEL: model} if MODEL in values else {}))

    def within(self, model: str, settings: Mapping[str, Any]) -> dict[str, Any]:
        """Return what of a model's settings lies within the space, as Optuna would have drawn it."""
        found = {key: _drawn_as(axis, settings[key]) for key, axis in self.axes(model).items()}
        return {key: value for key, value in found.items() if value is not None}

    def plain(self) -> dict[str, str]:
        """Return the space as text, by which two sweeps are compared."""
        groups = {"": self.shared, **{f"{model}: ": axes for model, axes in self.of_model.items()}}
        return {f"{of}{key}": describe(axis) for of, axes in groups.items() for key, axis in axes.items()}


def _drawn_as(axis: BaseDistribution, value: Any) -> Any:
    if isinstance(axis, CategoricalDistribution):
        return next((choice for choice in axis.choices if parsed([f"value={choice}"])["value"] == value), None)
    known = isinstance(value, int | float) and not isinstance(value, bool)
    return value if known and axis._contains(value) else None


def parsed(words: Sequence[str]) -> dict[str, Any]:
    """Return the values that overrides stand for, by setting."""
    pairs = (word.partition("=") for word in words)
    return {key: OmegaConf.from_dotlist([f"value={value}"])["value"] for key, _, value in pairs}


def selected(plain: Mapping[str, Any], keys: Iterable[str]) -> dict[str, Any]:
    """Return single settings of nested ones, by dotted name; None where there is none."""
    nested = OmegaConf.create(dict(plain))
    return {key: OmegaConf.select(nested, key) for key in keys}


def overrides(settings: Mapping[str, Any]) -> list[str]:
    """Write settings as the command line takes them."""
    return [f"{key}={text(value)}" for key, value in settings.items()]


def text(value: Any) -> str:
    """Write a drawn value: choices are texts already, numbers are rounded."""
    return f"{value:.{DIGITS}g}" if isinstance(value, float) else str(value)


def describe(axis: BaseDistribution) -> str:
    """Say what an axis holds."""
    if isinstance(axis, CategoricalDistribution):
        return ", ".join(map(str, axis.choices))
    assert isinstance(axis, IntDistribution | FloatDistribution)
    step = f", step {axis.step}" if axis.step not in (None, 1) else ""
    return f"{axis.low} to {axis.high}{step}{', log' if axis.log else ''}"


def make_space(swept: Mapping[str, BaseDistribution], search: SearchConfig | None, model: str) -> Space:
    """Join the axes of the command line with those of conf/hparams_search; where both name one, the command line's.

    Raises:
        ConfigError: nothing is varied.
    """
    shared = {**_axes("space", (search and search.space) or {}), **swept}
    space = Space(shared, {}, model)
    names = space.models
    of_model = {name: _axes(f"models.{name}", axes or {}) for name, axes in ((search and search.models) or {}).items()}
    own = {
        name: {key: axis for key, axis in axes.items() if key not in shared}
        for name, axes in of_model.items()
        if name in names
    }
    space = Space(shared, {name: axes for name, axes in own.items() if axes}, model)
    if not any(space.axes(name) for name in names):
        raise ConfigError(
            f"there is nothing to search for model={model}: name values, such as -m model.dim=32,64, or a space in "
            "conf/hparams_search"
        )
    return space


def swept_axis(key: str, override: Any) -> BaseDistribution:
    """Translate a sweep of the command line, parsed by Hydra.

    Raises:
        ConfigError: it holds nothing to choose from.
    """
    if override.is_interval_sweep():
        sweep, written = override.value(), override.input_line.partition("=")[2]
        # Hydra hands over floats in any case; `interval(8,64)` means whole numbers, `interval(8.0,64)` does not
        whole = float(sweep.start).is_integer() and float(sweep.end).is_integer() and "." not in written
        low, high = (int(end) if whole else float(end) for end in (sweep.start, sweep.end))
        return _interval(_checked(key, low=low, high=high, log="log" in sweep.tags))
    values = list(dict.fromkeys(override.sweep_string_iterator()))
    if not values:
        raise ConfigError(f"{key}={quoted(override.input_line.partition('=')[2])} holds no value to try")
    return CategoricalDistribution(values)


def _draw(trial: Trial, key: str, axis: BaseDistribution) -> Any:
    if isinstance(axis, CategoricalDistribution):
        return trial.suggest_categorical(key, axis.choices)
    if isinstance(axis, IntDistribution):
        return trial.suggest_int(key, axis.low, axis.high, step=axis.step, log=axis.log)
    assert isinstance(axis, FloatDistribution)
    return trial.suggest_float(key, axis.low, axis.high, step=axis.step, log=axis.log)


def _checked(key: str, **interval: Any) -> Interval:
    try:
        return Interval(**interval)
    except ValidationError as error:
        raise ConfigError(f"{key}: {error.errors()[0]['msg'].removeprefix('Value error, ')}") from None


def _axes(where: str, axes: Axes) -> dict[str, BaseDistribution]:
    return {
        key: _interval(axis) if isinstance(axis, Interval) else _choices(where, key, axis) for key, axis in axes.items()
    }


def _choices(where: str, key: str, values: Sequence[Scalar]) -> CategoricalDistribution:
    words = [_word(value) for value in values]
    if len(set(words)) < len(words):
        raise ConfigError(f"hparams_search.{where}: {key} names a value twice")
    return CategoricalDistribution(words)


def _interval(interval: Interval) -> IntDistribution | FloatDistribution:
    if interval.whole:
        step = int(interval.step or 1)
        high = int(interval.low) + (int(interval.high) - int(interval.low)) // step * step
        return IntDistribution(int(interval.low), high, interval.log, step)
    return FloatDistribution(float(interval.low), float(interval.high), interval.log, interval.step)


def _word(value: Scalar) -> str:
    """Write a value as an override; text with special signs is quoted."""
    if isinstance(value, str) and not re.fullmatch(r"[\w./-]+", value):
        return "'" + value.replace("\\", "\\\\").replace("'", "\\'") + "'"
    return value if isinstance(value, str) else json.dumps(value)


def _first(axis: BaseDistribution) -> Any:
    if isinstance(axis, CategoricalDistribution):
        return axis.choices[0]
    assert isinstance(axis, IntDistribution | FloatDistribution)
    return axis.low


def _values(key: str, axis: BaseDistribution) -> list[Any]:
    if isinstance(axis, CategoricalDistribution):
        return list(axis.choices)
    assert isinstance(axis, IntDistribution | FloatDistribution)
    if axis.step is None or axis.log:
        raise ConfigError(f"{key}: a grid wants single values, not an interval; name them, or give it a step")
    count = math.floor((axis.high - axis.low) / axis.step + 1e-9) + 1
    if count > LARGEST_GRID:
        raise ConfigError(f"{key} has over {LARGEST_GRID:,} values; take a larger step")
    return [axis.low + place * axis.step for place in range(count)]

"""Settings of a comparison: what it adds to a run's, and one validated run for each model."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator

from embedrec.errors import ConfigError, nearest
from embedrec.experiment.config import RECIPES, RunConfig, complaint, parse_config
from embedrec.training import processes

ON_REQUEST = ("two_tower_sequence",)
"""Models that take minutes where the others take seconds, and are compared where they are named."""


class ComparisonConfig(BaseModel):
    """What a comparison adds to the settings of a run."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    models: tuple[str, ...] | None = None
    """Names of the models; None compares every one that suits the data, but for those of `ON_REQUEST`."""
    seeds: int = Field(1, ge=1, le=100, strict=True)
    """How often each learned model is trained: with seed, seed + 1, …"""
    windows: int = Field(1, ge=1, le=50, strict=True)
    """Test windows of a backtest, one before the other; 1 is the test window alone."""
    tune: int = Field(0, ge=0, le=10_000, strict=True)
    """Validation trials to choose each model's settings by; 0 leaves them as they are."""
    hparams_search: dict[str, Any] | None = None
    """Where to look for better settings; read by the search alone."""
    export: str | None = None
    """The model to make a bundle of."""
    settings: dict[str, dict[str, Any]]
    """Settings of each model, under its name."""

    @field_validator("models", mode="before")
    @classmethod
    def _one_or_many(cls, value: Any) -> Any:
        return (value,) if isinstance(value, str) else value

    @property
    def chosen(self) -> tuple[str, ...]:
        """Names of the models to compare, each once."""
        usual = [name for name in self.settings if name not in ON_REQUEST]
        return tuple(dict.fromkeys(usual if self.models is None else self.models))


@dataclass(frozen=True)
class Comparison:
    """A validated comparison: its own settings, and one run's settings for each model."""

    config: ComparisonConfig
    runs: Mapping[str, RunConfig]

    @property
    def base(self) -> RunConfig:
        """Settings that all models share."""
        return next(iter(self.runs.values()))


def parse_comparison(plain: Mapping[str, Any]) -> Comparison:
    """Validate the composed config of a comparison.

    Raises:
        ConfigError: names the first setting at fault.
    """
    own = {name: plain[name] for name in ComparisonConfig.model_fields if name in plain}
    shared = {name: value for name, value in plain.items() if name not in own}
    try:
        config = ComparisonConfig.model_validate(own)
    except ValidationError as error:
        raise complaint(error, dict(plain), ()) from None
    if not config.chosen:
        raise ConfigError("models=[]: name at least one model")
    for name in config.chosen:
        if name not in config.settings:
            raise ConfigError(
                f"models: there is no model {name}{nearest(name, list(config.settings))}; "
                f"known: {', '.join(config.settings)}"
            )
    if config.export is not None and config.export not in config.chosen:
        raise ConfigError(f"export={config.export} is not among the models compared: {', '.join(config.chosen)}")
    comparison = Comparison(config, {name: _run_of(name, config, shared) for name in config.chosen})
    processes.refuse(comparison.base.trainer.processes, "compare.py")
    return comparison


def _run_of(name: str, config: ComparisonConfig, shared: Mapping[str, Any]) -> RunConfig:
    """Settings of one model's run; a loss given is that of models of past dates, the others keep their own."""
    run = {**shared, "model": config.settings[name]}
    if name in RECIPES and RECIPES[name].examples != "cuts":
        run["loss"] = None
    try:
        return parse_config(run)
    except ConfigError as error:
        said = str(error)
        raise ConfigError(
            f"settings.{name}" + said.removeprefix("model") if said.startswith("model.") else said
        ) from None

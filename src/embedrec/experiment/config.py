"""`RunConfig`: every setting of a run, validated once, before a file is opened."""

from __future__ import annotations

from typing import Any

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from embedrec.errors import ConfigError, nearest, quoted
from embedrec.models import ModelConfig
from embedrec.splits import SplitConfig
from embedrec.tables import DataConfig
from embedrec.tracking import TrackingConfig
from embedrec.training import SoftmaxConfig, TrainerConfig


class RunConfig(BaseModel):
    """One training run. Unknown keys are refused; the plain dump goes into checkpoint, MLflow and bundle alike."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    data: DataConfig
    split: SplitConfig = SplitConfig()
    model: ModelConfig
    loss: SoftmaxConfig = SoftmaxConfig()
    trainer: TrainerConfig = TrainerConfig()
    tracking: TrackingConfig = TrackingConfig()
    seed: int = Field(0, ge=0, lt=2**31, strict=True)
    name: str | None = Field(None, pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]{0,99}$")
    """Name of the run or sweep; letters, digits, dot, dash and underscore."""
    outputs: str = "outputs"
    """Folder for everything a run writes."""
    resume: str | None = None
    """Folder of a killed run to continue."""


UNION_TAGS = ("constrained-int", "literal['all']")  # pydantic's words for the branches of "a number or all"


def parse_config(plain: dict[str, Any]) -> RunConfig:
    """Validate a composed config.

    Raises:
        ConfigError: names the first field at fault, what was wanted, and what came.
    """
    try:
        return RunConfig.model_validate(plain)
    except ValidationError as error:
        first = error.errors(include_url=False, include_context=False)[0]
        # a discriminated union puts the chosen tag into the path; the user never typed it
        path = [str(part) for part in first["loc"] if str(part) not in _tags(plain) and part not in UNION_TAGS]
        where = ".".join(path)
        if first["type"] == "extra_forbidden":
            known = RunConfig.model_fields if len(path) == 1 else _siblings(plain, path)
            raise ConfigError(f"{where}: there is no such setting{nearest(path[-1], known)}") from None
        more = f" ({error.error_count() - 1} more)" if error.error_count() > 1 else ""
        raise ConfigError(f"{where}={quoted(first['input'])}: {_lower(first['msg'])}{more}") from None


def _tags(plain: dict[str, Any]) -> set[str]:
    groups = (plain.get(group) for group in ("model", "loss"))
    return {str(group.get("name")) for group in groups if isinstance(group, dict)}


def _siblings(plain: dict[str, Any], path: list[str]) -> list[str]:
    for part in path[:-1]:
        plain = plain.get(part, {})
    return [str(key) for key in plain if key != path[-1]]


def _lower(sentence: str) -> str:
    return sentence[:1].lower() + sentence[1:]

"""`RunConfig`: every setting of a run, validated once, before a file is opened."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, get_args

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from embedrec.errors import ConfigError, nearest, quoted
from embedrec.models import LearnedConfig, ModelConfig, Recipe
from embedrec.splits import SplitConfig
from embedrec.tables import DataConfig
from embedrec.tracking import TrackingConfig, refuse_password
from embedrec.training import LossConfig, SoftmaxConfig, TrainerConfig


class RunConfig(BaseModel):
    """One training run. Unknown keys are refused; the plain dump goes into checkpoint, MLflow and bundle alike."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    data: DataConfig
    split: SplitConfig = SplitConfig()
    model: ModelConfig
    loss: LossConfig = SoftmaxConfig()
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
    """Validate a composed config; where loss and trainer are left open (null), the model's recipe decides.

    Raises:
        ConfigError: names the first field at fault, what was wanted, and what came.
    """
    plain = _settled(plain)
    tracking = plain.get("tracking")
    if isinstance(tracking, dict):
        refuse_password("tracking.uri", str(tracking.get("uri")))
    try:
        return RunConfig.model_validate(plain)
    except ValidationError as error:
        raise complaint(error, plain, tuple(RunConfig.model_fields)) from None


def complaint(error: ValidationError, plain: dict[str, Any], known: Sequence[str]) -> ConfigError:
    """Say in one line what is wrong with a config: the setting as the user wrote it, what came, what was wanted."""
    first = error.errors(include_url=False, include_context=False)[0]
    # a discriminated union puts the chosen tag into the path; the user never typed it
    path = [str(part) for part in first["loc"] if str(part) not in _tags(plain) and part not in UNION_TAGS]
    where = ".".join(path)
    if first["type"] == "extra_forbidden":
        near = nearest(path[-1], known if len(path) == 1 else _siblings(plain, path))
        return ConfigError(f"{where}: there is no such setting{near}")
    more = f" ({error.error_count() - 1} more)" if error.error_count() > 1 else ""
    return ConfigError(f"{where}={quoted(first['input'])}: {_lower(first['msg'])}{more}")


RECIPES: dict[str, Recipe] = {
    learned.model_fields["name"].default: learned.recipe for learned in get_args(LearnedConfig)
}


def _settled(plain: dict[str, Any]) -> dict[str, Any]:
    """Fill what loss and trainer leave open from the recipe of the model."""
    model = plain.get("model")
    name = model.get("name") if isinstance(model, dict) else None
    if isinstance(model, dict) and "seed" in model and model["seed"] is None:
        plain = {**plain, "model": {**model, "seed": plain.get("seed", 0)}}
    recipe = RECIPES.get(str(name), Recipe("cuts", {}, {}))
    loss, trainer = (_given(plain.get(group)) for group in ("loss", "trainer"))
    if isinstance(loss, dict):
        if loss.get("name", recipe.loss.get("name")) == recipe.loss.get("name"):
            loss = {**recipe.loss, **loss}
        loss = {"name": "softmax", **loss}
        if name in RECIPES and loss["name"] in _LOSSES and loss["name"] not in recipe.losses:
            raise ConfigError(f"loss={loss['name']}: {name} is trained with {' or '.join(recipe.losses)}")
        for key in recipe.unread:
            default = _LOSSES[loss["name"]].model_fields[key].default if loss["name"] in _LOSSES else None
            if loss.get(key, default) != default:  # a config that was written out tells every default
                raise ConfigError(f"loss.{key}={quoted(loss[key])}: {name} learns without it; leave it out, or null")
        if loss.get("negatives") == "all" and loss.get("draw", "uniform") != "uniform":
            raise ConfigError(
                f"loss.draw={quoted(loss['draw'])}: nothing is drawn with loss.negatives=all; give a number"
            )
        if recipe.examples == "pairs":
            loss = {"negatives": recipe.loss["negatives"], **loss}  # of each purchase, whichever the loss
            if loss["negatives"] == "all":
                raise ConfigError(f"loss.negatives=all: {name} draws some products for each purchase; give a number")
    if isinstance(trainer, dict):
        trainer = {**recipe.trainer, **trainer}
    return {**plain, "loss": loss, "trainer": trainer}


_LOSSES = {one.model_fields["name"].default: one for one in get_args(get_args(LossConfig)[0])}


def _given(group: Any) -> Any:
    """Drop the settings left at null; anything but a mapping is left for the validation to refuse."""
    if group is None:
        return {}
    return {key: value for key, value in group.items() if value is not None} if isinstance(group, dict) else group


def _tags(plain: dict[str, Any]) -> set[str]:
    groups = (plain.get(group) for group in ("model", "loss"))
    return {str(group.get("name")) for group in groups if isinstance(group, dict)}


def _siblings(plain: dict[str, Any], path: list[str]) -> list[str]:
    for part in path[:-1]:
        plain = plain.get(part, {})
    return [str(key) for key in plain if key != path[-1]]


def _lower(sentence: str) -> str:
    return sentence[:1].lower() + sentence[1:]

"""`SearchConfig`: what is searched, how, and for how long (conf/hparams_search)."""

from __future__ import annotations

from typing import Annotated, Any, Literal, Self

from pydantic import BaseModel, BeforeValidator, ConfigDict, Discriminator, Field, Tag, ValidationError, model_validator

from embedrec.errors import ConfigError
from embedrec.experiment.config import complaint
from embedrec.tracking import refuse_password

Scalar = bool | int | float | str | None
GROUP = "hparams_search"
OF_DATABASE = "what the database's own driver reads, such as PGUSER and PGPASSWORD, or a .pgpass file"


class Interval(BaseModel):
    """Numbers from `low` to `high`, both included; whole numbers where both are."""

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True)
    low: int | float
    high: int | float
    step: int | float | None = Field(None, gt=0)
    log: bool = False
    """Draw evenly among orders of magnitude; does not go with a step."""

    @model_validator(mode="after")
    def _possible(self) -> Self:
        if not self.low < self.high:
            raise ValueError(f"low must lie below high, got {self.low} and {self.high}")
        if self.log and self.low <= 0:
            raise ValueError(f"log: true wants low above 0, got {self.low}")
        if self.log and self.step is not None:
            raise ValueError("log: true and step do not go together")
        return self

    @property
    def whole(self) -> bool:
        """Whether only whole numbers are meant."""
        return isinstance(self.low, int) and isinstance(self.high, int) and not isinstance(self.step, float)


CHOICES, INTERVAL = "(list)", "(interval)"  # pydantic puts them into the names of settings at fault


def _shape(value: Any) -> Any:
    """Refuse what is no axis before pydantic says it in words of its own."""
    if isinstance(value, dict):
        numbers = [value.get(end) for end in ("low", "high")]
        if not all(isinstance(one, int | float) and not isinstance(one, bool) for one in numbers):
            raise ValueError("an interval wants two numbers, {low: 8, high: 64}")
        if other := set(value) - set(Interval.model_fields):
            raise ValueError(f"an interval has low, high, step and log, and no {', '.join(sorted(map(str, other)))}")
    elif not isinstance(value, list | tuple | Interval):
        raise ValueError("wanted a list of values, [8, 16], or an interval, {low: 8, high: 64}")
    elif not isinstance(value, Interval) and not all(one is None or isinstance(one, Scalar) for one in value):
        raise ValueError("wanted single values: numbers, words, true, false or null")
    elif not value:
        raise ValueError("wanted at least one value to try")
    return value


Axis = Annotated[
    Annotated[tuple[Scalar, ...], Tag(CHOICES)] | Annotated[Interval, Tag(INTERVAL)],
    Discriminator(lambda value: INTERVAL if isinstance(value, dict | Interval) else CHOICES),
    BeforeValidator(_shape),
]
Axes = dict[str, Axis]


class SearchConfig(BaseModel):
    """How a space of settings is searched."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    sampler: Literal["tpe", "random", "grid"] = "tpe"
    pruner: Literal["median", "halving"] | None = "median"
    """Ends trials whose validation figures lag behind those of others at the same epoch; None ends none."""
    n_trials: int = Field(30, ge=1, le=100_000, strict=True)
    """Trials that finish, are pruned, or fail by their own fault; killed ones are run again."""
    minutes: float | None = Field(None, gt=0)
    """No trial but the first is begun after so many minutes of this command."""
    storage: str | None = None
    """URL of the database that holds the study; None is study.db in the folder of the sweep."""
    space: Axes | None = None
    """Settings of every model: a list of values, or an interval."""
    models: dict[str, Axes | None] | None = None
    """Settings of one model, searched where that model is the one trained; None has none."""


def parse_search(plain: Any) -> SearchConfig:
    """Validate the group `hparams_search` of a composed config.

    Raises:
        ConfigError: names the first setting at fault.
    """
    if not isinstance(plain, dict):
        raise ConfigError(f"{GROUP}: wanted one of the files of conf/{GROUP}, such as {GROUP}=optuna")
    refuse_password(f"{GROUP}.storage", str(plain.get("storage")), OF_DATABASE)
    try:
        return SearchConfig.model_validate(plain)
    except ValidationError as error:
        said = str(complaint(error, plain, tuple(SearchConfig.model_fields)))
        for word in (f".{CHOICES}", f".{INTERVAL}", "value error, "):
            said = said.replace(word, "")
        raise ConfigError(f"{GROUP}.{said}") from None

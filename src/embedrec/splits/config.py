"""`SplitConfig`: what is held out."""

from __future__ import annotations

from typing import Literal

from pydantic import BaseModel, ConfigDict, Field

from embedrec.errors import ConfigError
from embedrec.splits.dates import parse_date

Protocol = Literal["global_time", "given", "leave_last_out", "random"]


class SplitConfig(BaseModel):
    """What is held out for validation and test."""

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True)

    protocol: Protocol | None = None
    """Without one: given where the data carry a published split, else global_time where they carry dates, else random.

    global_time     what happened from one date on, the same for everybody
    given           the parts of the column `data.columns.split`
    leave_last_out  each customer's last purchase, and the one before for validation
    random          10 % of each customer's products, and 10 % for validation
    """
    seed: int = Field(0, ge=0, lt=2**31)
    """Draws what is held out at random, and the order of purchases of one moment where the protocol needs one."""
    valid_from: str | None = None
    """global_time: date (and time) at which validation begins; without it the `valid_quantile` of purchase times."""
    test_from: str | None = None
    """global_time: date (and time) at which the test begins; without it the `test_quantile` of purchase times."""
    valid_quantile: float = Field(0.8, gt=0, lt=1)
    test_quantile: float = Field(0.9, gt=0, lt=1)

    def model_post_init(self, context: object) -> None:
        """Refuse what can be refused before a file is opened."""
        for name in ("valid_from", "test_from"):
            if (given := getattr(self, name)) is not None:
                parse_date(f"split.{name}", given)
        if self.protocol is not None:
            self.check_dates(self.protocol)
        if self.valid_quantile >= self.test_quantile:
            raise ConfigError(
                f"split.valid_quantile={self.valid_quantile} must be below split.test_quantile={self.test_quantile}"
            )

    def check_dates(self, protocol: Protocol) -> None:
        """Raise ConfigError if dates are given to a protocol that has none."""
        for name in ("valid_from", "test_from"):
            if protocol != "global_time" and getattr(self, name) is not None:
                raise ConfigError(
                    f"split.{name}={getattr(self, name)} has no meaning with split.protocol={protocol}: "
                    "drop it, or set split.protocol=global_time"
                )

"""`Finding`: one thing worth knowing, in one plain sentence."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

Severity = Literal["stop", "warn", "info"]
SEVERITIES: tuple[Severity, ...] = ("stop", "warn", "info")  # the gravest first


@dataclass(frozen=True)
class Finding:
    """What was found.

    severity   stop: what follows cannot be trusted as it is; warn: read figures with this in mind; info: good to know
    sentence   for people who read no tables
    figures    the numbers it rests on, as JSON holds them
    """

    severity: Severity
    sentence: str
    figures: Mapping[str, float | int | str | None] = field(default_factory=dict)

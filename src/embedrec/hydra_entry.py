"""Hydra kept to our manners: its refusals become one line, and a failing task is not announced twice."""

from __future__ import annotations

import os
import re
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

from embedrec.errors import ConfigError, nearest, quoted

Task = Callable[[Any], None]


def with_hydra(task: Task, arguments: list[str], conf: Path, config_name: str) -> None:
    """Compose a config from `arguments` and hand it to `task`; Hydra's own refusals become ConfigError."""
    import hydra
    from hydra.errors import HydraException
    from omegaconf.errors import OmegaConfBaseException

    failed: list[Exception] = []

    def kept(composed: Any) -> None:
        try:
            task(composed)
        except Exception as error:
            failed.append(error)

    os.environ["HYDRA_FULL_ERROR"] = "1"  # or Hydra prints several lines itself and exits with 1
    sys.argv = [sys.argv[0], *arguments]
    try:
        hydra.main(version_base="1.3", config_path=str(conf.resolve()), config_name=config_name)(kept)()
    except (HydraException, OmegaConfBaseException) as error:
        raise ConfigError(explain(error)) from error
    if failed:
        raise failed[0]


def select_files(arguments: list[str]) -> list[str]:
    """`data.path=DIR` without `data=NAME` means one's own files."""
    named = any(argument.startswith("data=") for argument in arguments)
    path = any(argument.startswith("data.path=") for argument in arguments)
    return [*arguments, "data=files"] if path and not named else arguments


def explain(error: Exception) -> str:
    """Say in one line what Hydra found wrong."""
    text = str(error)
    if choice := re.search(r"Could not find '([^']+)/([^'/]+)'", text):
        group, name = choice.groups()
        known = re.findall(r"^\t(\S+)$", text, flags=re.MULTILINE)
        return f"{group}={name}: there is no such choice{nearest(name, known)}; known: {', '.join(known)}"
    if key := re.search(r"Could not override '([^']+)'", text):
        path = key.group(1)
        cause = error.__cause__
        parent = getattr(cause, "parent_node", None)
        siblings = [str(name) for name in parent] if parent is not None and hasattr(parent, "keys") else []
        return f"{path}: there is no such setting{nearest(path.rsplit('.', 1)[-1], siblings)}"
    if group := re.search(r"Could not override '?([\w./]+)'?\. No match", text):
        return f"{group.group(1)}: there is no such group of settings"
    if given := re.search(r"rror parsing override '(.*?)'", text):
        return f"{quoted(given.group(1))} is not of the form key=value; quote values with special signs"
    return " ".join(text.split())[:300]

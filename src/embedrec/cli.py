"""What every command shares: one clear line and exit code 2 for a user's mistake, and Hydra kept to that too."""

from __future__ import annotations

import argparse
import os
import re
import sys
import traceback
from collections.abc import Callable
from pathlib import Path
from typing import Any

from embedrec.errors import ConfigError, EmbedrecError, nearest, quoted

Task = Callable[[Any], None]
MISTAKE, BUG, INTERRUPTED = 2, 1, 130


class Parser(argparse.ArgumentParser):
    """Refuses wrong flags in one line."""

    def error(self, message: str) -> Any:
        """Raise instead of printing the usage."""
        raise ConfigError(f"{message}; see --help")


def guarded(command: Callable[[], int | None]) -> int:
    """Run a command; return its exit code, after one line on stderr where the user can mend it."""
    try:
        return command() or 0
    except EmbedrecError as error:
        print(f"error: {' '.join(str(error).split())}", file=sys.stderr)
        return MISTAKE
    except KeyboardInterrupt:
        print("stopped", file=sys.stderr)
        return INTERRUPTED
    except Exception:
        traceback.print_exc()
        return BUG


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

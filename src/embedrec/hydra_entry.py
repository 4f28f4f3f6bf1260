"""Hydra kept to our manners: its refusals become one line, and a failing task is not announced twice."""

from __future__ import annotations

import logging
import os
import re
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any, NoReturn

from embedrec.errors import ConfigError, masked, nearest, quoted

Task = Callable[[Any], Any]
LAUNCHERS = {"joblib": "search", "submitit_local": "search", "submitit_slurm": "search", "ray": "ray"}
"""Launchers of Hydra that an extra brings."""


def with_hydra(task: Task, arguments: list[str], conf: Path, config_name: str) -> None:
    """Compose a config from `arguments` and hand it to `task`; Hydra's own refusals become ConfigError."""
    import hydra
    from hydra.errors import HydraException
    from omegaconf.errors import OmegaConfBaseException

    check_flags(arguments)
    check_spaces(arguments)
    arguments = [named_by_text(one) for one in arguments]
    failed: list[Exception] = []

    def kept(composed: Any) -> Any:
        try:
            return task(composed)
        except Exception as error:
            failed.append(error)
            return None

    os.environ["HYDRA_FULL_ERROR"] = "1"  # or Hydra prints several lines itself and exits with 1
    sys.argv = [sys.argv[0], *arguments]
    try:
        hydra.main(version_base="1.3", config_path=str(conf.resolve()), config_name=config_name)(kept)()
    except (HydraException, OmegaConfBaseException, ValueError) as error:
        raise ConfigError(explain(error)) from error
    if failed:  # outside: the task's own errors are no refusals of Hydra's
        raise failed[0]


def check_flags(arguments: list[str]) -> None:
    """Refuse flags that Hydra does not know, in one line; its own parser would print its usage and exit."""
    from hydra._internal.utils import get_args_parser

    def refuse(message: str) -> NoReturn:
        raise ConfigError(f"{message}; see --help")

    parser = get_args_parser()
    parser.error = refuse  # type: ignore[method-assign]
    parser.parse_args(arguments)


def check_spaces(arguments: list[str]) -> None:
    """Refuse to change the space of one model here: Hydra merges it with the one there is, or finds no such setting."""
    for argument in arguments:
        if re.match(r"[+]{0,2}hparams_search\.models(\.[^=]*)?=(?!null$)", argument):
            raise ConfigError(
                f"{argument.partition('=')[0]}: the space of a model cannot be changed on the command line; sweep the "
                "setting itself, such as -m model.dim=8,16, or write a file into conf/hparams_search"
            )


def named_by_text(argument: str) -> str:
    """Quote a name that begins like a number: 2024 is a name as well."""
    given = re.fullmatch(r"name=(\d[\w.-]*)", argument)
    return f'name="{given.group(1)}"' if given else argument


def select_files(arguments: list[str]) -> list[str]:
    """`data.path=DIR` without `data=NAME` means one's own files."""
    paths = [place for place, argument in enumerate(arguments) if argument.startswith("data.path=")]
    if not paths or any(argument.startswith("data=") for argument in arguments):
        return arguments
    # beside the path: Hydra's parser takes no setting apart from the others, behind a flag
    return [*arguments[: paths[0]], "data=files", *arguments[paths[0] :]]


def plain_settings(composed: Any) -> dict[str, Any]:
    """Return a composed config as plain data.

    Raises:
        ConfigError: a value refers to a setting that is not there.
    """
    from omegaconf import OmegaConf
    from omegaconf.errors import OmegaConfBaseException

    try:
        plain = OmegaConf.to_container(composed, resolve=True)
    except OmegaConfBaseException as error:
        raise ConfigError(explain(error)) from error
    assert isinstance(plain, dict)
    return {str(key): value for key, value in plain.items()}


def saved_settings(folder: Path) -> dict[str, Any]:
    """Read the settings that a run or comparison kept in its folder.

    Raises:
        ConfigError: there are none, or they are damaged.
    """
    from omegaconf import OmegaConf
    from omegaconf.errors import OmegaConfBaseException
    from yaml import YAMLError

    saved = folder / ".hydra" / "config.yaml"
    if not saved.is_file():
        raise ConfigError(f"resume={folder}: no run lies there ({saved.name} is missing); give the folder of a run")
    try:
        plain = OmegaConf.to_container(OmegaConf.load(saved))
    except (YAMLError, OmegaConfBaseException, OSError, ValueError) as error:
        raise ConfigError(f"{saved} is damaged ({type(error).__name__}); start a new run") from error
    if not isinstance(plain, dict):
        raise ConfigError(f"{saved} is damaged: it holds no settings; start a new run")
    return {str(key): value for key, value in plain.items()}


def needs_extra(setting: str, extra: str) -> ConfigError:
    """Say of a setting which extra it wants installed."""
    return ConfigError(
        f"{setting} needs what is not installed: pip install -c constraints.txt 'embedrec[{extra}]', or make setup"
    )


def quiet() -> None:
    """Keep Lightning's advertisements and hardware lines off the terminal."""
    for name in ("pytorch_lightning", "lightning.pytorch", "lightning_fabric"):
        logging.getLogger(name).setLevel(logging.WARNING)


def explain(error: Exception) -> str:
    """Say in one line what Hydra found wrong."""
    from hydra.errors import OverrideParseException

    text = str(error)
    if choice := re.search(r"Could not find '([^']+)/([^'/]+)'", text):
        group, name = choice.groups()
        if group == "hydra/launcher" and name in LAUNCHERS:
            return str(needs_extra(f"{group}={name}", LAUNCHERS[name]))
        known = re.findall(r"^\t(\S+)$", text, flags=re.MULTILINE)
        return f"{group}={name}: there is no such choice{nearest(name, known)}; known: {', '.join(known)}"
    if key := re.search(r"Could not override '([^']+)'", text):
        path = key.group(1)
        cause = error.__cause__
        parent = getattr(cause, "parent_node", None)
        siblings = [str(name) for name in parent] if parent is not None and hasattr(parent, "keys") else []
        unknown = str(getattr(cause, "key", None) or path.rsplit(".", 1)[-1])  # the first part that is
        return f"{path}: there is no such setting{nearest(unknown, siblings)}"
    if group := re.search(r"Could not override '?([\w./]+)'?\. No match", text):
        return f"{group.group(1)}: there is no such group of settings"
    if isinstance(error, OverrideParseException):
        why = re.search(r"while evaluating '.*': (.*)", text)
        said = f": {why.group(1)}" if why else " is not of the form key=value; quote values with special signs"
        return f"{quoted(error.override)}{said}"
    return masked(" ".join(text.split()))[:300]

"""The git commit that a run was made with."""

from __future__ import annotations

import os
import subprocess
from functools import cache
from pathlib import Path

SECONDS = 10
PACKAGE = Path(__file__).resolve().parents[1]
# the user's configuration must not start anything here, and nobody is there to answer a question
ALONE = ("-c", "core.fsmonitor=false", "-c", "core.hooksPath=/dev/null", "--no-optional-locks")
SILENT = {"GIT_TERMINAL_PROMPT": "0", "GIT_OPTIONAL_LOCKS": "0"}


@cache
def commit(package: Path = PACKAGE) -> dict[str, str]:
    """Name the commit of the checkout that holds this package, and whether it was changed; nothing outside of one."""
    try:
        _git(package, "ls-files", "--error-unmatch", "__init__.py")  # else it merely lies in someone's checkout
        name, changes = (_git(package, *words) for words in (("rev-parse", "HEAD"), ("status", "--porcelain")))
    except (OSError, subprocess.SubprocessError):
        return {}
    # the first is what the MLflow UI shows as the version
    return {"mlflow.source.git.commit": name, "git.commit": name, "git.dirty": str(bool(changes)).lower()}


def _git(package: Path, *words: str) -> str:
    done = subprocess.run(  # noqa: S603 - fixed words
        ["git", *ALONE, "-C", str(package), *words],  # noqa: S607 - git as the user's PATH has it
        capture_output=True,
        text=True,
        check=True,
        timeout=SECONDS,
        stdin=subprocess.DEVNULL,
        env={**os.environ, **SILENT},
    )
    return done.stdout.strip()

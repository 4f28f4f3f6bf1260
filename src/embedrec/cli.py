"""What every command shares: one clear line and exit code 2 for a user's mistake."""

from __future__ import annotations

import argparse
import errno
import os
import sys
import traceback
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from embedrec.errors import ConfigError, EmbedrecError

MISTAKE, BUG, INTERRUPTED = 2, 1, 130
REFUSED = (errno.ENOSPC, errno.EDQUOT, errno.EROFS, errno.EACCES, errno.EPERM)  # what only the user can mend
# Threads that wait by spinning make training ten times slower as soon as another job wants a core. Read when torch
# is first imported, which no command does before this line.
os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")


class Parser(argparse.ArgumentParser):
    """Refuses wrong flags in one line."""

    def error(self, message: str) -> Any:
        """Raise instead of printing the usage."""
        raise ConfigError(f"{message}; see --help")


def check_target(out: str, sources: Mapping[str, str | None]) -> None:
    """Refuse a file of --out that cannot be written, or that is one of the files read; sources are by their flags.

    Raises:
        ConfigError: it is a folder, its folder is missing, or it is a source.
    """
    if Path(out).is_dir() or not Path(out).name:
        raise ConfigError(f"--out {out}: wanted a file, found a folder; name a CSV file")
    for flag, source in sources.items():
        if source is not None and os.path.realpath(out) == os.path.realpath(source):
            raise ConfigError(f"--out {out} is the file of {flag}; name another")
    if not Path(os.path.realpath(out)).parent.is_dir():
        raise ConfigError(f"--out {out}: there is no such folder; make it first")


def write_whole(target: Path, text: str) -> None:
    """Write a file of --out whole or not at all.

    Raises:
        ConfigError: it cannot be written.
    """
    partial = target.with_name(f".{target.name}.partial")
    try:
        partial.write_text(text, encoding="utf-8", newline="")
        partial.replace(target)
    except OSError as error:
        partial.unlink(missing_ok=True)
        raise ConfigError(f"--out {target} cannot be written ({error.strerror})") from error


def guarded(command: Callable[[], int | None]) -> int:
    """Run a command; return its exit code, after one line on stderr where the user can mend it."""
    try:
        return command() or 0
    except EmbedrecError as error:
        print(f"error: {' '.join(str(error).split())}", file=sys.stderr)
        return MISTAKE
    except BrokenPipeError:  # the reader, such as head, has seen enough
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 0
    except OSError as error:
        if error.errno not in REFUSED:
            traceback.print_exc()
            return BUG
        where = f"{error.filename}: " if error.filename else ""
        print(f"error: {where}{error.strerror}; free some space or choose another place", file=sys.stderr)
        return MISTAKE
    except KeyboardInterrupt:
        print("stopped", file=sys.stderr)
        return INTERRUPTED
    except Exception:
        traceback.print_exc()
        return BUG

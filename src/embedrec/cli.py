"""What every command shares: one clear line and exit code 2 for a user's mistake."""

from __future__ import annotations

import argparse
import errno
import os
import sys
import traceback
from collections.abc import Callable
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

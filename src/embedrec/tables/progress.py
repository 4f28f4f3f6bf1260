"""Tells on the terminal how far reading is, where it takes longer than a moment."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

Tell = Callable[[str, float], None]
"""Takes what is being done, and what share of it is done, 0 to 1."""
MOMENT = 1.0  # seconds: what is over by then shows nothing


def silent(doing: str, share: float) -> None:
    """Tell nobody."""


@contextmanager
def told(progress: bool = True) -> Iterator[Tell]:
    """Yield what shows a bar on stderr until the end; nothing is shown there where it is no terminal."""
    if not progress or not sys.stderr.isatty():
        yield silent
        return
    from rich.console import Console  # serving does without it
    from rich.markup import escape
    from rich.progress import Progress

    bar, begun = Progress(console=Console(stderr=True), transient=True), time.monotonic()
    task = bar.add_task("", total=1.0)

    def tell(doing: str, share: float) -> None:
        if time.monotonic() - begun >= MOMENT:
            bar.start()
        bar.update(task, description=escape(doing), completed=share)

    try:
        yield tell
    finally:
        bar.stop()

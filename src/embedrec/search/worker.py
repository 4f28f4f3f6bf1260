"""A launcher's worker ends with the driver that started it: one that waits for more trials holds hundreds of MB."""

from __future__ import annotations

import os
import threading
import time
from functools import cache

POLL = 1.0  # seconds
AT_WORK = threading.Lock()
"""Held while a trial runs: it ends first, and leaves its outcome to whoever continues the sweep."""


@cache  # one watch a process
def end_with(driver: str) -> None:
    """Watch the driver, named by its process, from a worker of its; a driver that runs trials itself just goes on."""
    process = int(driver.split("-")[0])
    if process != os.getpid():
        threading.Thread(target=_watch, args=(process,), daemon=True, name="driver watch").start()


def _watch(driver: int) -> None:
    while os.getppid() == driver:  # not so from the first where the driver died while this worker was starting
        time.sleep(POLL)
    with AT_WORK:
        os._exit(0)

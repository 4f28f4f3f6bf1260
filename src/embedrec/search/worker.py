"""A launcher's worker ends with the driver that started it: one that waits for more trials holds hundreds of MB."""

from __future__ import annotations

import os
import threading
import time
from functools import cache
from pathlib import Path

from embedrec.experiment.folders import held

POLL = 1.0  # seconds
AT_WORK = threading.Lock()
"""Held while a trial runs: it ends first, and leaves its outcome to whoever continues the sweep."""


@cache  # one watch a process
def end_with(driver: str, alive: Path) -> None:
    """Watch over a driver, which holds the file `alive` locked; one that runs trials itself just goes on.

    The worker may be its child (joblib), a grandchild (submitit), or live on another machine (Slurm, Ray). So it is
    the worker's own parent that is watched from here on: the driver, or what ends its workers when it goes.
    """
    if int(driver.split("-")[0]) != os.getpid():
        watched = os.getppid()  # before the look at the file: a driver that dies in between is seen by one of the two
        threading.Thread(target=_watch, args=(watched, held(alive)), daemon=True, name="driver watch").start()


def _watch(parent: int, driver_lives: bool) -> None:
    while driver_lives and os.getppid() == parent:
        time.sleep(POLL)
    with AT_WORK:
        os._exit(0)

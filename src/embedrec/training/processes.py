"""Several processes that train one model: which of them this is, and what they tell each other.

torchrun starts them (`launch`, or the user where there are many machines), and its variables say which is which. The
first reads the tables before the others, and it alone writes and prints. They are `together` while one model is
trained and measured; before and after, each is alone.
"""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from typing import TypeVar

from torch import distributed

from embedrec.errors import ConfigError

Told = TypeVar("Told")

PATIENCE = timedelta(hours=3)
"""How long one waits for another, which may be reading tables; that one has ended is known at once."""

POLL = 1.0  # seconds


class Lost(KeyboardInterrupt):
    """Another process has ended: this one stops as if it were asked to."""


def started() -> int:
    """Return how many processes torchrun started on all machines; 1 where it started none."""
    return int(os.environ["WORLD_SIZE"]) if "TORCHELASTIC_RUN_ID" in os.environ else 1


def is_first() -> bool:
    """Tell whether this is the process that writes."""
    return started() == 1 or os.environ["RANK"] == "0"


def on_this_machine() -> int:
    """Return how many of the processes run here."""
    return int(os.environ["LOCAL_WORLD_SIZE"])


def refuse(wanted: int, command: str) -> None:
    """Refuse several processes for a command that trains many models.

    Raises:
        ConfigError: several are wanted, or were started by torchrun.
    """
    if wanted > 1 or started() > 1:
        raise ConfigError(
            f"trainer.processes={max(wanted, started())}: {command} trains each of its models in one process; leave "
            "out trainer=ddp, trainer=ray and torchrun, or train one model with train.py"
        )


@contextmanager
def together() -> Iterator[None]:
    """Work as one of all processes that torchrun started, where it started several.

    Raises:
        Lost: another process has ended.
    """
    if started() == 1:
        yield
        return
    threading.Thread(target=_end_with, args=(os.getppid(),), daemon=True, name="torchrun watch").start()
    distributed.init_process_group(timeout=PATIENCE)
    try:
        yield
    except RuntimeError as error:
        if isinstance(error, distributed.DistError) or "gloo" in str(error):
            raise Lost from error
        raise
    finally:
        distributed.destroy_process_group()


def _end_with(torchrun: int) -> None:
    """End when torchrun was killed: nobody else would end this process with the others."""
    while os.getppid() == torchrun:
        time.sleep(POLL)
    os._exit(1)


def count() -> int:
    """Return how many processes are together; 1 where this one is alone."""
    return distributed.get_world_size() if distributed.is_initialized() else 1


def place() -> int:
    """Return which of them this is: 0 … count - 1."""
    return distributed.get_rank() if distributed.is_initialized() else 0


def from_first(value: Told) -> Told:
    """Return what the first process says, whatever the others say; plain data."""
    if count() == 1:
        return value
    told = [value]
    distributed.broadcast_object_list(told)
    return told[0]


def gathered(value: Told) -> list[Told]:
    """Return what every process says, in their order; plain data or arrays."""
    said: list[Told] = [value] * count()
    if count() > 1:
        distributed.all_gather_object(said, value)
    return said

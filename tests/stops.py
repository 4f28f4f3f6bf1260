"""Training that ends before a chosen step, as if killed; `python stops.py STEP EVERY ARGUMENT…` is such a train.py."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import SimpleNamespace
from typing import Any

import pytest

from embedrec.training import checkpoints
from embedrec.training.module import RecommenderModule

ENDED = 9  # exit code


class Killed(BaseException):
    """Stands in for a kill: nothing may catch it."""


class Steps:
    """How many steps were taken."""

    taken = 0


def kill() -> None:
    """End in the process itself."""
    raise Killed


@contextmanager
def stopping(stop: int | None = None, every: float = 1, end: Callable[[], Any] = kill) -> Iterator[Steps]:
    """Write a checkpoint after every so many steps and `end` before the step `stop`, counted over all trainings."""
    steps, take = Steps(), RecommenderModule.training_step

    def counted(self: RecommenderModule, batch: Any, batch_idx: int) -> Any:
        if steps.taken == stop:
            end()
        steps.taken += 1
        return take(self, batch, batch_idx)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(RecommenderModule, "training_step", counted)
        patch.setattr(checkpoints, "INTERVAL", every)
        patch.setattr(checkpoints, "time", SimpleNamespace(monotonic=lambda: steps.taken))  # a step takes a second
        yield steps


if __name__ == "__main__":
    from embedrec.training_command import train
    from runs import CONF

    with stopping(int(sys.argv[1]), float(sys.argv[2]), lambda: os._exit(ENDED)):
        train(sys.argv[3:], CONF)

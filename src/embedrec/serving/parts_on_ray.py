"""The parts of a folder made by workers of Ray Data: the same files, whoever makes them.

Each worker loads the bundle once and takes one part after the other. On several machines the bundle and the folder
must lie where all of them see them, under the same path.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from embedrec.errors import ConfigError, quoted
from embedrec.ray_session import start_ray
from embedrec.serving.parts import Parts, Progress
from embedrec.serving.recommender import Recommender

Batch = dict[str, npt.NDArray[np.int64]]
NUMBER = "part"


class PartMaker:
    """What a worker keeps between parts."""

    def __init__(self, bundle: Path, question: Mapping[str, Any], parts: Parts) -> None:
        self._everybody, self._parts = Recommender.load(bundle).everybody(**question), parts

    def __call__(self, batch: Batch) -> Batch:
        """Make the parts of these numbers; made a second time, after a worker died, they are the same."""
        for number in batch[NUMBER].tolist():
            self._parts.write(number, self._everybody.lists)
        return batch


def write_on_ray(parts: Parts, bundle: Path, question: Mapping[str, Any], progress: Progress) -> None:
    """Make what is missing of `parts`: the answers of a bundle to `Recommender.everybody(**question)`.

    Raises:
        ConfigError: Ray is not there, or a worker cannot go on.
    """
    missing = parts.missing
    if not missing:
        return
    elsewhere = "RAY_ADDRESS" in os.environ
    ray = start_ray("--engine ray", 1 if elsewhere else min(len(missing), os.cpu_count() or 1))
    from ray import data  # once started, for it reads the settings of the session

    data.DataContext.get_current().enable_progress_bars = False
    workers = min(len(missing), int(ray.cluster_resources()["CPU"]))
    numbers = data.from_items([{NUMBER: number} for number in missing], override_num_blocks=len(missing))
    made = numbers.map_batches(
        PartMaker,
        fn_constructor_args=(bundle.resolve(), dict(question), parts),
        batch_size=1,
        compute=data.ActorPoolStrategy(size=workers),
    )
    try:
        for row in made.iter_rows():
            start, stop = parts.span(row[NUMBER])
            progress(stop - start)
    except ray.exceptions.RayError as error:
        reason = str(error).strip().splitlines()[-1]
        raise ConfigError(f"--engine ray stopped ({quoted(reason, 300)}); the same command again goes on") from error

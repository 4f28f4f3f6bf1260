"""This command once more, in several processes of this machine, by torchrun's own library."""

from __future__ import annotations

import logging
import os
import signal
import sys
import tempfile
import uuid
from pathlib import Path

from embedrec.errors import TrainingError

INTERRUPTED = 130


def launch(processes: int, runs: Path) -> int:
    """Run the command line of this process in so many; return the exit code of the one that ended badly first.

    Each process says itself what went wrong. `runs` is the folder in which the run is to be found again.

    Raises:
        TrainingError: a process was killed, and could not.
    """
    from torch.distributed.elastic.multiprocessing import DefaultLogsSpecs
    from torch.distributed.elastic.multiprocessing.api import SignalException
    from torch.distributed.elastic.multiprocessing.errors import ChildFailedError
    from torch.distributed.launcher.api import LaunchConfig, elastic_launch

    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    os.environ.setdefault("OMP_NUM_THREADS", str(max(cores // processes, 1)))
    os.environ.setdefault("TORCH_CPP_LOG_LEVEL", "ERROR")  # DDP warns of unused weights that are used this time
    logging.disable()  # torchrun announces every failure in many lines
    with tempfile.TemporaryDirectory() as logs:
        config = LaunchConfig(
            min_nodes=1,
            max_nodes=1,
            nproc_per_node=processes,
            run_id=uuid.uuid4().hex,
            rdzv_backend="c10d",
            rdzv_endpoint="127.0.0.1:0",
            local_addr="127.0.0.1",
            max_restarts=0,
            logs_specs=DefaultLogsSpecs(log_dir=logs),
        )
        try:
            elastic_launch(config, sys.executable)(*sys.argv)
        except ChildFailedError as error:
            for rank, failure in error.failures.items():
                if failure.exitcode < 0:
                    raise TrainingError(
                        f"process {rank} of {processes} was ended by {signal.Signals(-failure.exitcode).name}, perhaps "
                        f"for want of memory; continue with resume=DIR, the run in {runs}"
                    ) from error
            return int(error.get_first_failure()[1].exitcode)
        except SignalException:
            return INTERRUPTED
    return 0

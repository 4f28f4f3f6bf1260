"""`SystemLoad`: the load of the machine while a run goes on, sampled by MLflow's own monitors."""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Callable
from typing import Any

from embedrec.errors import ConfigError

INTERVAL = "MLFLOW_SYSTEM_METRICS_SAMPLING_INTERVAL"
SECONDS = 10.0
"""Between two samples, unless MLflow's own environment variable says otherwise."""


class SystemLoad:
    """Samples processor, memory, disk, network and, where there is one, GPU, in a thread of its own.

    Raises:
        ConfigError: psutil is not installed.
    """

    def __init__(self, seconds: float | None = None) -> None:
        try:
            from mlflow.system_metrics.metrics.cpu_monitor import CPUMonitor
            from mlflow.system_metrics.metrics.disk_monitor import DiskMonitor
            from mlflow.system_metrics.metrics.network_monitor import NetworkMonitor
        except ImportError as error:
            raise ConfigError(
                "tracking.system_metrics=true needs psutil, which is not installed: pip install psutil"
            ) from error
        kinds: list[Any] = [CPUMonitor, DiskMonitor, NetworkMonitor]
        self._monitors = [*(kind() for kind in kinds), *_gpu()]
        self._seconds = seconds or float(os.environ.get(INTERVAL, SECONDS))
        self._ended = threading.Event()
        self._thread: threading.Thread | None = None

    def start(self, record: Callable[[dict[str, float], int], None]) -> None:
        """Hand figures to `record`, with the seconds since the start, until `stop`."""
        self._thread = threading.Thread(target=self._sample, args=(record,), daemon=True, name="system load")
        self._thread.start()

    def stop(self) -> None:
        """Wait for the last sample."""
        self._ended.set()
        if self._thread:
            self._thread.join()

    def _sample(self, record: Callable[[dict[str, float], int], None]) -> None:
        start = time.monotonic()
        while not self._ended.wait(self._seconds):
            figures: dict[str, float] = {}
            for monitor in self._monitors:
                monitor.collect_metrics()
                figures.update(monitor.aggregate_metrics())
                monitor.clear_metrics()
            record({f"system/{name}": value for name, value in figures.items()}, round(time.monotonic() - start))


def _gpu() -> list[Any]:
    """Return the monitor of NVIDIA GPUs; none where there is no GPU, or not the library that reads it."""
    from mlflow.system_metrics.metrics.gpu_monitor import GPUMonitor

    try:
        kind: Any = GPUMonitor
        return [kind()]
    except Exception:  # noqa: BLE001 - whatever pynvml says, there is nothing to sample
        return []

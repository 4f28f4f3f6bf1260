"""Ray for this process: a cluster where `RAY_ADDRESS` names one, else one of its own that only this machine reaches."""

from __future__ import annotations

import logging
import os
import socket
from types import ModuleType

from embedrec.errors import ConfigError, quoted

HERE = {
    "RAY_ENABLE_WINDOWS_OR_OSX_CLUSTER": "0",  # Ray's word for: listen on 127.0.0.1 and nowhere else
    "RAY_AUTH_MODE": "token",  # other users of this machine stay out; Ray makes the token
}

KNOCK = 10.0  # seconds


def start_ray(asked_by: str, workers: int) -> ModuleType:
    """Return `ray`, connected; once started it stays until the process ends, and ends with it.

    `asked_by` is the setting that wants it, for the messages. Each of the `workers` takes one processor of the cluster.
    On one machine as many are started as it takes, whatever its processors.

    Raises:
        ConfigError: Ray is not installed, cannot start or be reached, or the cluster is too small.
    """
    # read when ray is imported, and by the processes that it starts
    os.environ["RAY_USAGE_STATS_ENABLED"] = "0"
    elsewhere = os.environ.get("RAY_ADDRESS")
    if not elsewhere:
        for name, value in HERE.items():
            os.environ.setdefault(name, value)
    try:
        import ray
    except ImportError as error:
        raise ConfigError(
            f"{asked_by} needs Ray, which is not installed: pip install -c constraints.txt 'embedrec[ray]'"
        ) from error
    if not ray.is_initialized():
        where = {} if elsewhere else {"num_cpus": workers, "include_dashboard": False}
        try:
            _knock(elsewhere or "local")
            ray.init(address=elsewhere or "local", log_to_driver=False, logging_level=logging.ERROR, **where)
        except (OSError, RuntimeError, ValueError, ray.exceptions.RayError) as error:
            at = f"at RAY_ADDRESS={quoted(elsewhere)}" if elsewhere else "on this machine"
            raise ConfigError(
                f"{asked_by}: there is no Ray {at} ({quoted(error, 200)}); mend that and try again"
            ) from error
    room = int(ray.cluster_resources().get("CPU", 0))
    if room < workers:
        raise ConfigError(f"{asked_by} wants {workers} processors, Ray has {room}; ask for fewer, or add a machine")
    module: ModuleType = ray
    return module


def _knock(address: str) -> None:
    """Raise OSError where nobody listens; Ray itself would try for minutes and say so in many lines."""
    host, colon, port = address.removeprefix("ray://").rpartition(":")
    if colon:
        socket.create_connection((host, int(port)), KNOCK).close()

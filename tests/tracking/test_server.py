"""A real MLflow server that dies while a run goes on, and is up again when the run is continued."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
import requests
from mlflow import MlflowClient

from embedrec.tracking import Tracker, TrackingConfig


class Server:
    """`mlflow server` on a port of its own."""

    def __init__(self, folder: Path) -> None:
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            self._port = free.getsockname()[1]
        self._folder, self.uri = folder, f"http://127.0.0.1:{self._port}"

    def start(self) -> None:
        mlflow = Path(sys.executable).with_name("mlflow")
        places = ["--backend-store-uri", f"sqlite:///{self._folder}/server.db"]
        places += ["--artifacts-destination", str(self._folder / "artifacts"), "--port", str(self._port)]
        self._process = subprocess.Popen(
            [mlflow, "server", "--workers", "1", *places],
            env={**os.environ, "MLFLOW_DISABLE_TELEMETRY": "true"},
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            start_new_session=True,  # it starts workers, which have to go with it
        )
        for _ in range(400):
            try:
                if requests.get(f"{self.uri}/health", timeout=1).ok:
                    return
            except requests.RequestException:
                time.sleep(0.3)
        raise AssertionError("mlflow server did not start")

    def kill(self) -> None:
        os.killpg(self._process.pid, signal.SIGKILL)
        self._process.wait()


@pytest.fixture
def server(tmp_path: Path) -> Iterator[Server]:
    one = Server(tmp_path)
    one.start()
    yield one
    one.kill()


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore")  # of broken connections
def test_a_server_that_dies_and_comes_back(server: Server, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    outputs = tmp_path / "out"
    folder = outputs / "run"
    folder.mkdir(parents=True)
    (folder / "report.html").write_text("report")

    def opened() -> Tracker:
        return Tracker(TrackingConfig(uri=server.uri), outputs, "run", folder=folder)

    tracker = opened()
    there = tracker.run_id
    for epoch in range(3):
        if epoch == 2:
            tracker._flush()
            server.kill()
        tracker.lightning_logger().log_metrics({"a": float(epoch), "epoch": epoch})
    start = time.monotonic()
    tracker.artifacts(folder / "report.html")
    tracker.finish()
    assert time.monotonic() - start < 60
    assert capsys.readouterr().err.count("warning: ") == 1
    here = MlflowClient(f"sqlite:///{outputs / 'mlflow.db'}")
    assert here.get_run(tracker.run_id).info.status == "FINISHED"
    assert len(here.get_metric_history(tracker.run_id, "a")) == 3

    server.start()
    client = MlflowClient(server.uri)
    assert client.get_run(there).info.status == "RUNNING"
    again = opened()
    again.finish()
    assert again.run_id == there
    assert client.get_run(there).info.status == "FINISHED"
    assert [one.step for one in client.get_metric_history(there, "a")] == [1, 2, 3]
    assert [one.path for one in client.list_artifacts(there)] == ["report.html"]

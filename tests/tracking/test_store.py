"""A store that many write to at once, that is made while processes die, and a server that is not there."""

from __future__ import annotations

import json
import shutil
import signal
import socket
import sqlite3
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest
from mlflow import MlflowClient
from mlflow.entities import Run

from embedrec.errors import ConfigError
from embedrec.experiment.config import parse_config
from embedrec.promotion_command import push
from embedrec.search.settings import parse_search
from embedrec.tracking import PARENT_TAG, Tracker, TrackingConfig
from embedrec.tracking.push import push as send
from embedrec.tracking.reaching import probe
from embedrec.tracking.store import KIND, connect, experiment_of, shown
from runs import SIMPLE, Trained, command, read_json

WRITE = """
import sys; from pathlib import Path; from embedrec.tracking import Tracker, TrackingConfig
tracker = Tracker(TrackingConfig(), Path(sys.argv[1]), sys.argv[2])
logger = tracker.lightning_logger()
for step in range(int(sys.argv[3])):
    logger.log_metrics({"a": step, "b": -step}, step)
tracker.finish()
"""


def writers(outputs: Path, processes: int, steps: int) -> None:
    words = [sys.executable, "-c", WRITE, str(outputs)]
    pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.STDOUT, "text": True}
    started = [subprocess.Popen([*words, str(number), str(steps)], **pipes) for number in range(processes)]  # type: ignore[call-overload]
    said = [(one.communicate()[0], one.returncode) for one in started]
    assert all(code == 0 for _, code in said), said
    with sqlite3.connect(outputs / "mlflow.db") as store:
        rows = store.execute("select count(*), count(distinct run_uuid), sum(value) from metrics").fetchone()
        states = store.execute("select distinct status from runs").fetchall()
    assert rows == (2 * processes * steps, processes, 0.0)
    assert states == [("FINISHED",)]


def test_many_processes_on_one_fresh_store(tmp_path: Path) -> None:
    writers(tmp_path / "out", processes=2, steps=25)


@pytest.mark.slow
@pytest.mark.timeout(900)
def test_sixteen_processes_and_a_thousand_metrics_each(tmp_path: Path) -> None:
    writers(tmp_path / "out", processes=16, steps=500)


@pytest.mark.slow
def test_a_store_is_whole_or_absent_when_its_maker_is_killed(tmp_path: Path) -> None:
    """MLflow makes its tables in many steps; a store left half-made refuses ever after."""
    words = [sys.executable, "-c", WRITE, str(tmp_path), "x", "1"]
    for tenth in range(20, 60, 5):
        process = subprocess.Popen(words)
        time.sleep(tenth / 10)
        process.send_signal(signal.SIGKILL)
        process.wait()
        if (tmp_path / "mlflow.db").exists():
            break
    subprocess.run(words, check=True)
    assert len(MlflowClient(f"sqlite:///{tmp_path / 'mlflow.db'}").search_experiments()) == 2


# A server that is not there


@pytest.fixture
def refused() -> str:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        return f"http://127.0.0.1:{free.getsockname()[1]}"


@pytest.fixture
def silent() -> Iterator[str]:
    """Takes connections and never answers."""
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        yield f"http://127.0.0.1:{taken.getsockname()[1]}"


@pytest.mark.parametrize("kind", ["refused", "silent"])
def test_a_server_that_is_down_costs_seconds_and_a_warning(
    kind: str, demo_tables: Path, tmp_path: Path, request: pytest.FixtureRequest, capsys: pytest.CaptureFixture[str]
) -> None:
    uri = request.getfixturevalue(kind)
    start = time.monotonic()
    tracker = Tracker(TrackingConfig(uri=uri), tmp_path, "alone")
    assert time.monotonic() - start < 20  # most of it makes the store here
    said = capsys.readouterr().err
    assert said.count("\n") == 1
    assert f"warning: tracking.uri={uri} does not answer" in said
    assert "scripts/push.py" in said
    tracker.parameters({"model": {"dim": 3}}, {})
    tracker.finish()
    assert MlflowClient(f"sqlite:///{tmp_path / 'mlflow.db'}").get_run(tracker.run_id).info.status == "FINISHED"


def test_who_needs_the_server_is_told(refused: str, tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="does not answer"):
        Tracker(TrackingConfig(uri=refused), tmp_path, "x", elsewhere=False)


class Dying(BaseHTTPRequestHandler):
    """As much of MLflow's server as opening a run takes; then it breaks off."""

    def answer(self) -> None:
        answers = {
            "/health": b"OK",
            "experiments/search": b'{"experiments": []}',
            "experiments/get-by-name": b'{"experiment": {"experiment_id": "1", "name": "embedrec"}}',
            "experiments/set-experiment-tag": b"{}",
            "runs/create": b'{"run": {"info": {"run_id": "r", "experiment_id": "1", "status": "RUNNING"}, "data": {}}}',
            "runs/get": b'{"run": {"info": {"run_id": "r", "experiment_id": "1", "status": "RUNNING"}, "data": {}}}',
        }
        known = [body for path, body in answers.items() if path in self.path]
        if not known:
            self.connection.close()
            return
        self.send_response(200)
        self.send_header("Content-Length", str(len(known[0])))
        self.end_headers()
        self.wfile.write(known[0])

    do_GET = do_POST = answer

    def log_message(self, *_: object) -> None:
        pass


@pytest.fixture
def dying() -> Iterator[str]:
    server = ThreadingHTTPServer(("127.0.0.1", 0), Dying)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()
    server.server_close()


@pytest.mark.filterwarnings("ignore")  # of broken connections
def test_a_server_that_dies_on_the_way(
    dying: str, demo_tables: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    start = time.monotonic()
    tracker = Tracker(TrackingConfig(uri=dying), tmp_path, "half")
    assert tracker.run_id == "r"
    tracker.parameters({"seed": 4}, {"data.name": "demo"})
    tracker.metrics({"ndcg@10": 0.5}, step=2)
    tracker.finish()
    assert time.monotonic() - start < 60
    assert capsys.readouterr().err.count("warning: ") == 1
    record = MlflowClient(f"sqlite:///{tmp_path / 'mlflow.db'}").get_run(tracker.run_id)
    assert record.info.status == "FINISHED"
    assert record.data.params == {"seed": "4"}
    assert record.data.tags["data.name"] == "demo"
    assert record.data.metrics == {"ndcg_at_10": 0.5}


def test_a_sweep_is_recorded_here_and_sent_later(
    refused: str,
    demo_tables: Path,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    asked: list[str] = []
    monkeypatch.setattr("embedrec.tracking.store.probe", lambda uri: asked.append(uri) or probe(uri))
    given = [f"data.path={demo_tables}", f"outputs={tmp_path}", "name=s", "model=svd", "model.dim=2,4", "seed=3"]
    command("-m", *given, f"tracking.uri={refused}")
    assert asked.count(refused) == 1, "trials go where the sweep went"
    folder, there = tmp_path / "sweeps" / "s", f"sqlite:///{tmp_path / 'there.db'}"
    for _ in range(2):  # twice sends nothing twice
        push([str(folder), "--uri", there, "--outputs", str(tmp_path)])
    *lines, last = capsys.readouterr().out.splitlines()
    assert last == there
    here, server = MlflowClient(f"sqlite:///{tmp_path / 'mlflow.db'}"), MlflowClient(there)
    assert len(runs_of(server)) == 3
    sent = {old: server.get_run(new) for old, new in (line.split(" → ") for line in lines if "→" in line)}
    assert len(sent) == 3
    parent = sent[read_json(folder / "run.json")["run_id"]]
    for number in ("0", "1"):
        old = here.get_run(read_json(folder / number / "run.json")["run_id"])
        new = sent[old.info.run_id]
        assert new.data.params == old.data.params
        assert new.data.metrics == old.data.metrics
        assert new.data.tags[PARENT_TAG] == parent.info.run_id
        assert new.info.status == old.info.status == "FINISHED"
        assert [one.dataset.digest for one in new.inputs.dataset_inputs] == [
            one.dataset.digest for one in old.inputs.dataset_inputs
        ]
        assert {one.path for one in server.list_artifacts(new.info.run_id)} == {
            one.path for one in here.list_artifacts(old.info.run_id)
        }


def runs_of(client: MlflowClient) -> list[Run]:
    return list(client.search_runs([client.get_experiment_by_name("embedrec").experiment_id]))


@pytest.fixture
def two(trained: Trained, tmp_path: Path) -> tuple[Path, str]:
    """An outputs folder with the folders of a sweep, and a second store; copies, because a fresh one costs seconds."""
    (tmp_path / "s" / "0").mkdir(parents=True)
    (tmp_path / "s" / "1").mkdir()
    for name in ("mlflow.db", "there.db"):
        shutil.copy(trained.outputs / "mlflow.db", tmp_path / name)
    return tmp_path, f"sqlite:///{tmp_path / 'there.db'}"


def test_a_server_that_comes_up_in_the_middle_of_a_sweep(two: tuple[Path, str]) -> None:
    """The sweep and one trial are recorded here, the other trial there, below a parent that is not there."""
    outputs, there = two
    before = len(runs_of(MlflowClient(there)))
    parent = Tracker(TrackingConfig(), outputs, "s", folder=outputs / "s")
    for number, uri in enumerate((None, there)):
        config = TrackingConfig(uri=uri, parent_run=parent.run_id)
        Tracker(config, outputs, f"s/{number}", folder=outputs / "s" / str(number)).finish()
    parent.finish()
    kept = read_json(outputs / "s" / "run.json")
    ids = dict(send(outputs / "s", outputs, there))
    assert dict(send(outputs / "s", outputs, there)) == ids
    assert read_json(outputs / "s" / "run.json") == kept, "it stays known here under its id"
    server = MlflowClient(there)
    children = [one for one in runs_of(server) if one.data.tags.get(PARENT_TAG) == ids[parent.run_id]]
    assert {one.info.run_name for one in children} == {"s/0", "s/1"}
    assert len(runs_of(server)) == before + 3


def test_a_server_that_dies_in_the_middle_of_a_sweep(two: tuple[Path, str]) -> None:
    outputs, there = two
    server, before = MlflowClient(there), len(runs_of(MlflowClient(there)))
    parent = Tracker(TrackingConfig(uri=there), outputs, "s", folder=outputs / "s")
    child = Tracker(TrackingConfig(uri=there, parent_run=parent.run_id), outputs, "s/0", folder=outputs / "s" / "0")
    known = {parent.run_id, child.run_id}
    for one in (child, parent):
        assert one._store
        one._leave(one._store, OSError())
        assert one.here
        one.metrics({"a": 1.0})
        one.finish()
    assert {server.get_run(one).info.status for one in known} == {"RUNNING"}
    assert {new for _, new in send(outputs / "s", outputs, there)} == known
    assert len(runs_of(server)) == before + 2
    for run_id in known:
        run = server.get_run(run_id)
        assert (run.info.status, run.data.metrics) == ("FINISHED", {"a": 1.0})


def test_the_experiment_is_one_of_models_and_not_of_chats(two: tuple[Path, str]) -> None:
    """MLflow's page opens it by its kind; one made before has none."""
    outputs, uri = two
    client = connect(uri, outputs)
    client.create_experiment("older")
    for name in ("older", "new"):
        experiment_of(client, uri, name, outputs)
        assert client.get_experiment_by_name(name).tags.items() >= KIND.items()


@pytest.mark.parametrize("missing", ["folder", "uri"])
def test_push_says_what_it_needs(missing: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("MLFLOW_TRACKING_URI", raising=False)
    more = ["--uri", "sqlite:///x.db"] if missing == "folder" else []
    with pytest.raises(ConfigError, match="run.json" if missing == "folder" else "--uri"):
        push([str(tmp_path), *more])


# What must not be written down


@pytest.mark.parametrize("uri", ["http://me:secret@host:5000", "postgresql://me:secret@host/db"])
def test_a_password_is_refused_and_not_repeated(uri: str) -> None:
    for refuse in (
        lambda: parse_config({"data": {}, "model": {"name": "svd"}, "tracking": {"uri": uri}}),
        lambda: parse_search({"storage": uri}),
    ):
        with pytest.raises(ConfigError, match="holds a password") as caught:
            refuse()
        assert "secret" not in str(caught.value)
    assert shown(uri).endswith(uri.partition("@")[2])
    assert "secret" not in shown(uri)


def test_data_of_a_run(demo_tables: Path, tmp_path: Path) -> None:
    command(f"data.path={demo_tables}", f"outputs={tmp_path}", *SIMPLE)
    (kept,) = tmp_path.glob("runs/*/*/run.json")
    run = MlflowClient(f"sqlite:///{tmp_path / 'mlflow.db'}").get_run(read_json(kept)["run_id"])
    windows = {one.tags[0].value: one.dataset for one in run.inputs.dataset_inputs}
    assert set(windows) == {"train", "validation", "test"}
    for data in windows.values():
        assert data.digest == run.data.tags["data.fingerprint"][:36]
        assert str(demo_tables) not in data.source
    kept_report = read_json(kept.with_name("data_report.json"))
    profiles = [json.loads(one.profile) for one in windows.values()]
    assert sum(one["purchases"] for one in profiles) == kept_report["purchases"]
    assert max(one["customers"] for one in profiles) <= kept_report["customers"] == 300
    (model,) = MlflowClient(f"sqlite:///{tmp_path / 'mlflow.db'}").search_logged_models([run.info.experiment_id])
    assert model.source_run_id == run.info.run_id
    assert [one.model_id for one in run.outputs.model_outputs] == [model.model_id]
    folder = kept.parent
    there = MlflowClient(f"sqlite:///{tmp_path / 'there.db'}")
    ((_, new),) = send(folder, tmp_path, f"sqlite:///{tmp_path / 'there.db'}")
    (sent,) = there.search_logged_models([there.get_run(new).info.experiment_id])
    assert [one.model_id for one in there.get_run(new).outputs.model_outputs] == [sent.model_id]


def test_figures_of_the_machine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("psutil")
    monkeypatch.setenv("MLFLOW_SYSTEM_METRICS_SAMPLING_INTERVAL", "1")
    tracker = Tracker(TrackingConfig(system_metrics=True), tmp_path, "watched")
    client = MlflowClient(f"sqlite:///{tmp_path / 'mlflow.db'}")
    for _ in range(20):
        time.sleep(0.5)
        if any(name.startswith("system/") for name in client.get_run(tracker.run_id).data.metrics):
            break
    tracker.finish()
    recorded = client.get_run(tracker.run_id).data.metrics
    assert "system/cpu_utilization_percentage" in recorded, recorded

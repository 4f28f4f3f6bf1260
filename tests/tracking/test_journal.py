"""What a run records outlives its store, its server and its own death; and what it keeps to itself."""

from __future__ import annotations

import os
import shutil
import signal
import stat
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from mlflow import MlflowClient
from mlflow.entities import Run

from embedrec.errors import ConfigError
from embedrec.experiment.recording import closing
from embedrec.tracking import Tracker, TrackingConfig, refuse_password
from embedrec.tracking.commit import commit
from embedrec.tracking.config import masked, shown
from embedrec.tracking.journal import Journal
from runs import Trained, read_json

Open = Callable[[], Tracker]


@pytest.fixture
def outputs(trained: Trained, tmp_path: Path) -> Path:
    """An outputs folder with a store; a copy, because a fresh one costs seconds."""
    shutil.copy(trained.outputs / "mlflow.db", tmp_path)
    (tmp_path / "run").mkdir()
    return tmp_path


@pytest.fixture
def opened(outputs: Path) -> Open:
    """Open the one run of the folder `run`, again and again."""
    return lambda: Tracker(TrackingConfig(), outputs, "run", folder=outputs / "run")


def client_of(outputs: Path) -> MlflowClient:
    return MlflowClient(f"sqlite:///{outputs / 'mlflow.db'}")


def record_of(outputs: Path) -> Run:
    return client_of(outputs).get_run(read_json(outputs / "run" / "run.json")["run_id"])


def history(outputs: Path, name: str) -> list[tuple[int, float]]:
    run_id = read_json(outputs / "run" / "run.json")["run_id"]
    return sorted((one.step, one.value) for one in client_of(outputs).get_metric_history(run_id, name))


# How a run ends


@pytest.mark.parametrize(
    ("error", "status"), [(None, "FINISHED"), (ValueError, "FAILED"), (KeyboardInterrupt, "KILLED")]
)
def test_the_status_tells_how_it_ended(
    opened: Open, outputs: Path, error: type[BaseException] | None, status: str
) -> None:
    try:
        with closing(opened()):
            assert record_of(outputs).info.status == "RUNNING"
            if error:
                raise error
    except (ValueError, KeyboardInterrupt):
        pass
    assert record_of(outputs).info.status == status


def test_a_request_to_end_is_a_kill_and_the_run_goes_on_under_its_id(opened: Open, outputs: Path) -> None:
    with pytest.raises(KeyboardInterrupt), closing(opened()):
        os.kill(os.getpid(), signal.SIGTERM)
    assert signal.getsignal(signal.SIGTERM) == signal.SIG_DFL
    killed = record_of(outputs)
    assert killed.info.status == "KILLED"
    with closing(opened()) as _:
        assert record_of(outputs).info.status == "RUNNING"
        assert record_of(outputs).info.run_id == killed.info.run_id
    assert record_of(outputs).info.status == "FINISHED"


# The journal


def test_a_killed_process_loses_nothing(opened: Open, outputs: Path) -> None:
    """Figures wait up to a second before they are sent; what was never sent comes with the continued run."""
    lost = opened()
    for step in range(50):
        lost.metrics({"a": step / 2}, step)
    assert len(history(outputs, "a")) < 50
    opened().finish()
    assert history(outputs, "a") == [(step, step / 2) for step in range(50)]


def test_what_is_recorded_again_is_not_doubled(opened: Open, outputs: Path) -> None:
    for _ in range(3):
        tracker = opened()
        tracker.metrics({"valid/ndcg@10": 0.5})
        tracker.parameters({"seed": 1}, {"kind": "test"})
        tracker.finish()
    assert history(outputs, "valid/ndcg_at_10") == [(0, 0.5)]
    assert (
        len(client_of(outputs).search_runs([record_of(outputs).info.experiment_id], "attributes.run_name='run'")) == 1
    )


def test_a_store_that_is_gone_costs_one_warning(
    opened: Open, outputs: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    tracker, store = opened(), outputs / "mlflow.db"
    tracker.metrics({"a": 1.0}, 1)
    tracker._flush()
    whole = store.read_bytes()
    store.write_bytes(b"no database any more")
    for step in (2, 3):
        tracker.metrics({"a": float(step)}, step)
        tracker._flush()
    tracker.finish()
    said = capsys.readouterr().err
    assert said.count("\n") == 1
    assert f"kept in {outputs / 'run'} alone" in said

    store.write_bytes(whole)
    opened().finish()
    assert history(outputs, "a") == [(1, 1.0), (2, 2.0), (3, 3.0)]


def test_a_line_cut_off_by_a_kill_is_left_out(tmp_path: Path) -> None:
    journal = Journal(tmp_path)
    journal.append({"tags": {"a": "1"}})
    path = tmp_path / "tracking" / "journal.jsonl"
    path.write_text(path.read_text() + '{"tags": {"b"')
    again = Journal(tmp_path)
    again.append({"tags": {"c": "3"}})
    assert [one["tags"] for one in Journal(tmp_path).records] == [{"a": "1"}, {"c": "3"}]
    assert again.records == Journal(tmp_path).records


def test_epochs_are_counted_from_one(opened: Open, outputs: Path) -> None:
    tracker = opened()
    logger = tracker.lightning_logger()
    for epoch in range(3):
        logger.log_metrics({"train_loss": 1.0 / (epoch + 1), "epoch": epoch}, step=100 * epoch)
    tracker.finish()
    assert [step for step, _ in history(outputs, "train_loss")] == [1, 2, 3]
    assert "epoch" not in record_of(outputs).data.metrics


def test_many_settings_are_sent_in_portions(opened: Open, outputs: Path) -> None:
    tracker = opened()
    tracker.parameters({"model": {f"p{number}": number for number in range(250)}}, {})
    tracker.finish()
    assert len(record_of(outputs).data.params) == 250


# What nobody is told


def test_where_a_run_is_recorded_is_not_recorded(opened: Open, outputs: Path) -> None:
    tracker = opened()
    tracker.parameters({"seed": 1, "tracking": {"uri": "http://me:word@host"}, "place": "s3://me:word@bucket"}, {})
    tracker.finish()
    assert record_of(outputs).data.params == {"seed": "1", "place": "s3://***@bucket"}
    assert "word" not in (outputs / "run" / "tracking" / "journal.jsonl").read_text()


@given(st.text(st.characters(min_codepoint=33, max_codepoint=126, exclude_characters="'\"/"), min_size=1))
def test_no_password_is_shown(password: str) -> None:
    uri = f"http://me:{password}<@host:5000/path"
    assert masked(f"trouble at {uri}") == "trouble at http://***@host:5000/path"
    assert shown(uri) == "http://host:5000/path"
    with pytest.raises(ConfigError) as caught:
        refuse_password("tracking.uri", uri)
    assert f"{password}<" not in str(caught.value)


@pytest.mark.parametrize("uri", ["sqlite:////home/me@work/mlflow.db", "http://host:5000", "sqlite:///a.db", "None"])
def test_an_address_without_a_password_stays_as_it_is(uri: str) -> None:
    refuse_password("tracking.uri", uri)
    assert masked(uri) == shown(uri) == uri


def test_a_token_behind_the_question_mark_is_a_password_too() -> None:
    with pytest.raises(ConfigError, match="holds a password") as caught:
        refuse_password("tracking.uri", "postgresql://host/db?sslmode=on&sslpassword=word")
    assert "word=" not in str(caught.value)
    assert "=word" not in str(caught.value)


def test_the_environment_names_the_store(outputs: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    elsewhere = f"sqlite:///{outputs / 'mlflow.db'}"
    monkeypatch.setenv("MLFLOW_TRACKING_URI", elsewhere)
    assert TrackingConfig().uri_in(Path("other")) == elsewhere
    assert TrackingConfig(uri="http://host").uri_in(Path("other")) == "http://host"


# The commit


def git(*words: str, at: Path) -> None:
    identity = ("-c", "user.name=x", "-c", "user.email=x@example.com")
    subprocess.run(["git", *identity, *words], cwd=at, check=True, capture_output=True)


def test_the_commit_and_whether_it_was_changed(tmp_path: Path) -> None:
    git("init", at=tmp_path)
    (tmp_path / "__init__.py").write_text("")
    assert commit(tmp_path) == {}, "the package lies in a checkout, but is no part of it"
    commit.cache_clear()
    git("add", ".", at=tmp_path)
    git("commit", "-m", "x", at=tmp_path)
    hook = tmp_path / "hook.sh"
    hook.write_text(f"#!/bin/sh\ntouch {tmp_path}/ran\nsleep 60\n")
    hook.chmod(hook.stat().st_mode | stat.S_IXUSR)
    (tmp_path / ".git" / "info" / "exclude").write_text("hook.sh\nran\n")
    git("config", "core.fsmonitor", str(hook), at=tmp_path)
    clean = commit(tmp_path)
    assert clean["git.dirty"] == "false"
    assert clean["mlflow.source.git.commit"] == clean["git.commit"]
    commit.cache_clear()
    (tmp_path / "__init__.py").write_text("changed")
    assert commit(tmp_path) == {**clean, "git.dirty": "true"}
    assert not (tmp_path / "ran").exists(), "nothing of the user's may be started"


def test_no_commit_outside_a_checkout(tmp_path: Path) -> None:
    assert commit(tmp_path) == {}


def test_system_metrics_say_what_they_need(outputs: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in [one for one in sys.modules if one.startswith("mlflow.system_metrics.metrics")]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.setitem(sys.modules, "psutil", None)
    with pytest.raises(ConfigError, match="pip install psutil"):
        Tracker(TrackingConfig(system_metrics=True), outputs, "x")

"""What MLflow keeps of a run, and that its store can be opened by many at once."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from mlflow import MlflowClient
from mlflow.entities import Run

from embedrec.errors import ConfigError, EmbedrecError
from embedrec.tracking import PARENT_TAG, Tracker, TrackingConfig
from embedrec.tracking.tracker import flat
from runs import QUICK, SIMPLE, Trained, command, comparable, read_json, train_here, weights_hash


def client_of(outputs: Path) -> MlflowClient:
    return MlflowClient(f"sqlite:///{outputs / 'mlflow.db'}")


def record_of(run: Trained) -> Run:
    return client_of(run.outputs).get_run(read_json(run.folder / "run.json")["run_id"])


@pytest.fixture(scope="module")
def store(trained: Trained, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An outputs folder with a store of its own; a copy, because a fresh one costs seconds."""
    outputs = tmp_path_factory.mktemp("store")
    shutil.copy(trained.outputs / "mlflow.db", outputs / "mlflow.db")
    return outputs


def test_one_run_is_recorded_as_finished(trained: Trained) -> None:
    record = record_of(trained)
    assert record.info.status == "FINISHED"
    assert record.info.run_id == trained.metrics["run_id"]
    assert record.info.run_name == trained.folder.name


def test_parameters_are_the_settings_under_dotted_names(trained: Trained) -> None:
    settings = flat(trained.config.model_dump(mode="json", exclude={"outputs", "resume", "tracking"}))
    assert record_of(trained).data.params == {key: str(value) for key, value in settings.items()}
    assert settings["model.dim"] == 8


def test_tags(trained: Trained) -> None:
    tags = record_of(trained).data.tags
    assert tags["data.fingerprint"] == trained.metrics["data"]["fingerprint"]
    assert tags["data.name"] == "files"
    assert PARENT_TAG not in tags
    commit = subprocess.run(["git", "rev-parse", "HEAD"], capture_output=True, text=True)
    if commit.returncode:
        assert "git.commit" not in tags, "outside a checkout there is no commit"
    else:
        assert len(tags["git.commit"]) == len(commit.stdout.strip())
        assert tags["git.dirty"] in ("true", "false")


def test_metrics_of_every_epoch(trained: Trained) -> None:
    client, run_id = client_of(trained.outputs), trained.metrics["run_id"]
    epochs = trained.config.trainer.max_epochs
    for name in ("train_loss", "valid_ndcg_at_10"):
        assert len(client.get_metric_history(run_id, name)) == epochs
    best = max(point.value for point in client.get_metric_history(run_id, "valid_ndcg_at_10"))
    reported = trained.metrics["models"]["two_tower"]["valid"]["all"]["ndcg@10"]["value"]
    assert best == pytest.approx(reported, abs=1e-6)


def test_final_figures_of_every_model(trained: Trained) -> None:
    recorded = record_of(trained).data.metrics
    for model, one in trained.metrics["models"].items():
        for window in ("valid", "test"):
            for view in ("all", "new", "repeat"):
                value = one[window][view]["ndcg@10"]["value"]
                assert recorded[f"{window}/{view}/ndcg_at_10/{model}"] == value


def test_artifacts(trained: Trained) -> None:
    client, run_id = client_of(trained.outputs), trained.metrics["run_id"]
    names = {one.path for one in client.list_artifacts(run_id)}
    assert names == {"report.html", "metrics.json", "data_report.json", ".hydra", "bundle"}
    kept = client.download_artifacts(run_id, "bundle/manifest.json")
    assert json.loads(Path(kept).read_text(encoding="utf-8")) == trained.manifest


def test_everything_lies_under_outputs(trained: Trained) -> None:
    assert {"mlflow.db", "mlartifacts", "runs", "latest"} <= {one.name for one in trained.outputs.iterdir()}


def test_a_failed_run_is_recorded_as_failed_and_goes_on_under_its_id(
    trained: Trained, store: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fails(*_: Any) -> None:
        raise EmbedrecError("stopped here")

    data = trained.config.data.path
    assert data is not None
    with monkeypatch.context() as patch, pytest.raises(EmbedrecError, match="stopped here"):
        patch.setattr(sys.modules["embedrec.experiment.run"], "write_report", fails)
        train_here(Path(data), store, *QUICK, "name=broken")
    (folder,) = store.glob("runs/*/*-broken")
    broken = Trained(store, folder, "")
    assert record_of(broken).info.status == "FAILED"
    run_id = read_json(folder / "run.json")["run_id"]

    command(f"resume={folder}")
    assert record_of(broken).info.status == "FINISHED"
    assert broken.metrics["run_id"] == run_id
    assert comparable(broken.metrics) == comparable(trained.metrics)
    assert weights_hash(broken) == weights_hash(trained)
    assert len(client_of(store).get_metric_history(run_id, "train_loss")) == trained.config.trainer.max_epochs


def test_a_run_whose_record_was_deleted_is_recorded_anew(trained: Trained, store: Path) -> None:
    tracker = Tracker(TrackingConfig(), store, "again", run_id="0" * 32)
    assert tracker.run_id != "0" * 32
    tracker.finish()
    assert client_of(store).get_run(tracker.run_id).info.status == "FINISHED"


def test_parameters_are_recorded_once(store: Path) -> None:
    """A resumed run sends its settings again."""
    tracker = Tracker(TrackingConfig(), store, "twice")
    for _ in range(2):
        tracker.parameters({"model": {"dim": 8}, "name": None, "long": "x" * 10_000}, {"kind": "test"})
    seen = client_of(store).get_run(tracker.run_id)
    assert (seen.data.params["model.dim"], seen.info.status) == ("8", "RUNNING"), "not only when it is over"
    tracker.finish("KILLED")
    record = client_of(store).get_run(tracker.run_id)
    assert record.data.params["model.dim"] == "8"
    assert record.data.params["name"] == "None"
    assert record.data.tags["kind"] == "test"
    assert record.info.status == "KILLED"


@pytest.mark.parametrize("uri", ["nonsense://x", "sqlite:////proc/none/mlflow.db"])
def test_a_store_that_cannot_be_opened(tmp_path: Path, uri: str) -> None:
    with pytest.raises(ConfigError, match=r"^tracking\.uri=") as caught:
        Tracker(TrackingConfig(uri=uri), tmp_path, "x")
    assert "\n" not in str(caught.value)


def test_tracking_can_be_switched_off(simple: Trained) -> None:
    assert not (simple.outputs / "mlflow.db").exists()
    assert not (simple.folder / "run.json").exists()
    assert SIMPLE


def test_dotted_names() -> None:
    assert flat({"a": {"b": {"c": 1}, "d": {}}, "e": [1]}) == {"a.b.c": 1, "a.d": {}, "e": [1]}

"""A grid sweep: trials under one parent, measured on validation only; one that fails stops no other."""

from __future__ import annotations

import csv
import re
import shutil
from pathlib import Path

import pytest
from mlflow import MlflowClient
from mlflow.entities import Run

from embedrec.columns import TABLE_NAMES
from embedrec.errors import ConfigError, TrainingError
from embedrec.experiment.folders import write_json
from embedrec.sweep import read_trials
from embedrec.tracking import PARENT_TAG
from runs import QUICK, UNTRACKED, Trained, command, read_json

SETTINGS = [one for one in QUICK if not one.startswith("model.dim")]


class Sweep:
    """A finished sweep over model.dim=4,0,8, of which the second cannot be built."""

    def __init__(self, outputs: Path, data: Path) -> None:
        self.outputs = outputs
        arguments = ["-m", f"data.path={data}", f"outputs={outputs}", *SETTINGS, "model.dim=4,0,8", "name=widths"]
        self.stdout = command(*arguments)
        self.folder = outputs / "sweeps" / "widths"

    @property
    def table(self) -> list[dict[str, str]]:
        with (self.folder / "trials.csv").open(newline="", encoding="utf-8") as file:
            return list(csv.DictReader(file))

    def records(self) -> list[Run]:
        client = MlflowClient(f"sqlite:///{self.outputs / 'mlflow.db'}")
        experiment = client.get_experiment_by_name("embedrec")
        before = f"attributes.run_name != '{(self.outputs / 'latest').resolve().name}'"
        return list(client.search_runs([experiment.experiment_id], before))


@pytest.fixture(scope="module")
def sweep(trained: Trained, demo_tables: Path, tmp_path_factory: pytest.TempPathFactory) -> Sweep:
    """Started where an earlier run left a store and `latest`."""
    outputs = tmp_path_factory.mktemp("sweep")
    shutil.copy(trained.outputs / "mlflow.db", outputs)
    (outputs / trained.folder.name).mkdir()
    (outputs / "latest").symlink_to(trained.folder.name)
    return Sweep(outputs, demo_tables)


def test_a_folder_for_each_trial(sweep: Sweep) -> None:
    assert sorted(one.name for one in sweep.folder.iterdir() if one.is_dir()) == ["0", "1", "2"]
    for trial in ("0", "2"):
        left = {one.name for one in (sweep.folder / trial).iterdir()}
        assert {"metrics.json", "outcome.json", "checkpoints", ".hydra"} <= left


def test_the_table_lists_the_best_first_and_the_failed_last(sweep: Sweep) -> None:
    assert [set(row) for row in sweep.table] == [{"trial", "overrides", "valid_ndcg@10", "error"}] * 3
    first, second, failed = sweep.table
    assert float(first["valid_ndcg@10"]) >= float(second["valid_ndcg@10"]) > 0
    assert {first["trial"], second["trial"]} == {"0", "2"}
    assert failed["trial"] == "1"
    assert failed["valid_ndcg@10"] == ""
    assert re.match("model.dim='0': ", failed["error"])
    for row, width in ((failed, 0), (first, 4 if first["trial"] == "0" else 8)):
        assert f"model.dim={width}" in row["overrides"].split()
        assert "parent_run" not in row["overrides"]


def test_trials_are_measured_on_validation_only(sweep: Sweep) -> None:
    for trial in ("0", "2"):
        metrics = read_json(sweep.folder / trial / "metrics.json")
        assert list(metrics["models"]) == ["two_tower"]
        one = metrics["models"]["two_tower"]
        assert one["test"] == {}
        assert one["valid"]["all"]["ndcg@10"]["value"] == read_json(sweep.folder / trial / "outcome.json")["ndcg@10"]
        assert metrics["verdict"] == ""
        assert not (sweep.folder / trial / "bundle").exists()
        assert not (sweep.folder / trial / "checkpoints" / "refit").exists()


def test_a_trial_scores_as_the_whole_run_does_on_validation(sweep: Sweep, trained: Trained) -> None:
    """The third trial has the settings of the shared run."""
    whole = trained.metrics["models"]["two_tower"]["valid"]
    assert read_json(sweep.folder / "2" / "metrics.json")["models"]["two_tower"]["valid"] == whole


def test_latest_stays_where_it_was(sweep: Sweep, trained: Trained) -> None:
    assert (sweep.outputs / "latest").readlink() == Path(trained.folder.name)
    assert not (sweep.outputs / "runs").exists()


def test_a_parent_and_its_children(sweep: Sweep) -> None:
    records = sweep.records()
    (parent,) = (one for one in records if PARENT_TAG not in one.data.tags)
    children = [one for one in records if one.data.tags.get(PARENT_TAG) == parent.info.run_id]
    assert len(children) == len(records) - 1 == 2
    assert {one.data.params["model.dim"] for one in children} == {"4", "8"}
    assert {one.info.status for one in records} == {"FINISHED"}
    assert parent.info.run_name == "widths"
    assert parent.data.metrics["valid/all/ndcg_at_10/best"] == float(sweep.table[0]["valid_ndcg@10"])


def test_the_last_line_is_the_folder(sweep: Sweep) -> None:
    assert sweep.stdout.splitlines()[-1] == str(sweep.folder)
    assert "failed: model.dim='0'" in re.sub(r"[│\s]+", " ", sweep.stdout)


def test_the_best_can_be_trained_in_full(sweep: Sweep) -> None:
    (line,) = (one for one in sweep.stdout.splitlines() if one.startswith("train the best in full"))
    assert line.endswith(f"python scripts/train.py {sweep.table[0]['overrides']}")


def test_a_sweep_is_never_overwritten(sweep: Sweep, demo_tables: Path) -> None:
    with pytest.raises(ConfigError, match="name=widths: .* exists and is never overwritten"):
        Sweep(sweep.outputs, demo_tables)


# What goes wrong


def test_no_trial_finishes(demo_tables: Path, tmp_path: Path) -> None:
    with pytest.raises(TrainingError, match=r"no trial of .* finished; the first said: model\.dim='0'"):
        command("-m", f"data.path={demo_tables}", f"outputs={tmp_path}", "model.dim=0,-1", "name=none", UNTRACKED)
    assert (tmp_path / "sweeps" / "none" / "trials.csv").exists()


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["model.dimm=4,8"], "model.dimm: there is no such setting, did you mean 'dim'"),
        (["model=two_towers,random"], "model=two_towers: there is no such choice"),
        (["seed=x", "model.dim=4,8"], "seed='x': "),
        (["model.dim=4,8", "nonsense"], "not of the form key=value"),
    ],
)
def test_a_mistake_leaves_nothing_behind(demo_tables: Path, tmp_path: Path, words: list[str], message: str) -> None:
    with pytest.raises(ConfigError, match=re.escape(message)):
        command("-m", f"data.path={demo_tables}", f"outputs={tmp_path}", "name=free", UNTRACKED, *words)
    assert not (tmp_path / "sweeps" / "free").exists()


def test_outputs_that_cannot_be_written(demo_tables: Path, tmp_path: Path) -> None:
    (tmp_path / "taken").write_text("")
    with pytest.raises(ConfigError, match="no folder can be made"):
        command("-m", f"data.path={demo_tables}", f"outputs={tmp_path / 'taken'}", "model.dim=4,8", UNTRACKED)


def test_missing_tables_fail_every_trial(tmp_path: Path) -> None:
    missing = tmp_path / TABLE_NAMES[0]
    with pytest.raises(TrainingError, match="does not exist"):
        command("-m", f"data.path={missing}", f"outputs={tmp_path}", "model.dim=4,8", UNTRACKED)


def test_a_score_of_zero_is_better_than_a_failure(tmp_path: Path) -> None:
    outcomes = [{"error": "failed"}, {"ndcg@10": None}, {"ndcg@10": 0.0}, {"ndcg@10": 0.2}, {"ndcg@10": 0.2}]
    for trial, outcome in enumerate(outcomes):
        (tmp_path / str(trial)).mkdir()
        write_json(tmp_path / str(trial) / "outcome.json", {"overrides": [], **outcome})
    assert [one["trial"] for one in read_trials(tmp_path)] == [3, 4, 2, 1, 0]

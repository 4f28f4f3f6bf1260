"""Sweeps in process: trials under one parent, measured on validation only; one that fails stops no other."""

from __future__ import annotations

import contextlib
import csv
import io
import re
import shlex
import shutil
import sqlite3
from pathlib import Path

import numpy as np
import optuna
import pytest
from mlflow import MlflowClient
from mlflow.entities import Run
from optuna.exceptions import StorageInternalError
from sqlalchemy.exc import OperationalError

from embedrec.columns import TABLE_NAMES
from embedrec.errors import ConfigError, DataError, TrainingError
from embedrec.models.classic.svd import SvdConfig
from embedrec.search.record import State, SweepRecord, TrialRecord
from embedrec.search.table import best_first
from embedrec.search.trial import _shop
from embedrec.tracking import PARENT_TAG
from embedrec.training_command import train
from runs import CONF, QUICK, UNTRACKED, Trained, command, read_json, unchanged_process

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
    assert sorted(one.name for one in sweep.folder.iterdir() if one.name.isdigit()) == ["0", "1", "2"]
    for trial in ("0", "2"):
        left = {one.name for one in (sweep.folder / trial).iterdir()}
        assert {"metrics.json", "outcome.json", "checkpoints", ".hydra"} <= left


def test_the_table_lists_the_best_first_and_the_failed_last(sweep: Sweep) -> None:
    assert [set(row) for row in sweep.table] == [
        {"trial", "overrides", "valid_ndcg@10", "error", "state", "seconds"}
    ] * 3
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
        assert one["valid"]["all"]["ndcg@10"]["value"] == read_json(sweep.folder / trial / "outcome.json")["value"]
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
    assert len(children) == len(records) - 1 == 3
    assert {(one.info.run_name, one.data.tags["sweep"], one.data.tags["trial"]) for one in children} == {
        (f"widths/{number}", "widths", str(number)) for number in range(3)
    }
    first, failed, second = sorted(children, key=lambda one: one.info.run_name)
    assert (first.data.params["model.dim"], second.data.params["model.dim"]) == ("4", "8")
    assert {one.info.status for one in (parent, first, second)} == {"FINISHED"}
    assert [one.data.tags["trial.state"] for one in (first, failed, second)] == ["finished", "failed", "finished"]
    assert [one.data.metrics["objective"] for one in (first, second)] == [
        read_json(sweep.folder / trial / "outcome.json")["value"] for trial in ("0", "2")
    ]
    assert [one.tags[0].value for one in first.inputs.dataset_inputs] == ["train", "validation"], (
        "no trial reads a test"
    )
    assert failed.info.status == "FAILED"
    assert failed.data.tags["trial.error"].startswith("model.dim='0': ")
    assert parent.info.run_name == "widths"
    assert parent.data.metrics["valid/ndcg_at_10/best"] == float(sweep.table[0]["valid_ndcg@10"])


def test_the_last_line_is_the_folder(sweep: Sweep) -> None:
    assert sweep.stdout.splitlines()[-1] == str(sweep.folder)
    assert "failed: model.dim='0'" in re.sub(r"[│\s]+", " ", sweep.stdout)


def test_the_best_can_be_trained_in_full(sweep: Sweep) -> None:
    (line,) = (one for one in sweep.stdout.splitlines() if one.startswith("train the best in full"))
    assert line.endswith(f"python scripts/train.py {sweep.table[0]['overrides']}")


def test_the_same_command_again_changes_nothing(sweep: Sweep, demo_tables: Path) -> None:
    before, records = sweep.table, len(sweep.records())
    again = Sweep(sweep.outputs, demo_tables)
    assert again.table == before
    assert len(again.records()) == records
    assert "[1/3]" not in again.stdout


def test_another_command_of_the_same_name_is_refused(sweep: Sweep, demo_tables: Path) -> None:
    given = ["-m", f"data.path={demo_tables}", f"outputs={sweep.outputs}", *SETTINGS, "name=widths"]
    with pytest.raises(ConfigError, match=r"name=widths: .* space model.dim was '4, 0, 8', now '4, 0'"):
        command(*given, "model.dim=4,0")
    with pytest.raises(ConfigError, match=r"trainer.max_epochs was '3', now '2'"):
        command(*given, "model.dim=4,0,8", "trainer.max_epochs=2")


def test_a_folder_that_holds_no_sweep_is_refused(demo_tables: Path, tmp_path: Path) -> None:
    (tmp_path / "sweeps" / "mine").mkdir(parents=True)
    (tmp_path / "sweeps" / "mine" / "letter.txt").write_text("")
    with pytest.raises(ConfigError, match="holds no sweep"):
        command("-m", f"data.path={demo_tables}", f"outputs={tmp_path}", "model.dim=4,8", "name=mine", UNTRACKED)


# A search


SEARCH = ["hparams_search=optuna", UNTRACKED]


def searching(data: Path, outputs: Path, *more: str) -> list[str]:
    return ["-m", f"data.path={data}", f"outputs={outputs}", "name=search", "seed=3", *SEARCH, *more]


def search(data: Path, outputs: Path, *more: str) -> tuple[str, list[dict[str, str]]]:
    stdout = command(*searching(data, outputs, *more))
    with (outputs / "sweeps" / "search" / "trials.csv").open(newline="", encoding="utf-8") as file:
        return stdout, list(csv.DictReader(file))


def test_a_search_over_models_with_settings_of_their_own(demo_tables: Path, tmp_path: Path) -> None:
    stdout, table = search(demo_tables, tmp_path, "model=svd,personal_frequency", "hparams_search.n_trials=5")
    assert [row["state"] for row in table] == ["finished"] * 5
    for row in table:
        assert ("model.dim=" in row["overrides"]) == ("model=svd" in row["overrides"])
        assert ("model.half_life=" in row["overrides"]) == ("model=personal_frequency" in row["overrides"])
    report = (tmp_path / "sweeps" / "search" / "report.html").read_text(encoding="utf-8")
    assert "model.half_life" in report
    command(*shlex.split(stdout.partition("train the best in full: ")[2].splitlines()[0])[2:], UNTRACKED)
    (best,) = (tmp_path / "runs").glob("*/*/metrics.json")
    (measured, *_) = read_json(best)["models"].values()
    assert measured["valid"]["all"]["ndcg@10"]["value"] == float(table[0]["valid_ndcg@10"])


def test_a_search_is_the_same_for_the_same_seed(demo_tables: Path, tmp_path: Path) -> None:
    more = ["model=svd", "hparams_search.n_trials=4"]
    tables = [search(demo_tables, tmp_path / name, *more)[1] for name in ("one", "two")]
    plain = [
        [(row["trial"], row["overrides"].partition("seed=3")[2], row["valid_ndcg@10"]) for row in one] for one in tables
    ]
    assert plain[0] == plain[1]


def test_pruned_trials_end_early_and_count(demo_tables: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("embedrec.search.study.pruner", lambda _: optuna.pruners.PercentilePruner(1.0, 1, 1))
    quick = [*QUICK[1:-1], "hparams_search.n_trials=4", "model.dim=4,8"]
    _, table = search(demo_tables, tmp_path, *quick)
    states = [row["state"] for row in table]
    assert len(states) == 4
    assert states.count("pruned") >= 1, states
    for row in table:
        curve = read_json(tmp_path / "sweeps" / "search" / row["trial"] / "outcome.json")["curve"]
        assert (len(curve) < 3) == (row["state"] == "pruned")


def test_a_model_of_ratings_is_chosen_by_its_error(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    rows = [(f"c{rng.integers(60)}", f"p{rng.integers(40)}", rng.integers(1, 6)) for _ in range(3000)]
    lines = [f"{c},{p},2024-01-{1 + place % 28:02d},{stars}" for place, (c, p, stars) in enumerate(rows)]
    source = tmp_path / "ratings.csv"
    source.write_text("\n".join(["customer_id,product_id,purchase_date,rating", *lines]))
    columns = "data.columns.customer_rating=rating"
    given = ["model=biased_mf", "model.dim=4,8", "trainer.max_epochs=2", columns]
    command("-m", f"data.path={source}", f"outputs={tmp_path}", "name=stars", *given, UNTRACKED)
    with (tmp_path / "sweeps" / "stars" / "trials.csv").open(newline="", encoding="utf-8") as file:
        first, second = csv.DictReader(file)
    assert 0 < float(first["valid_rmse"]) <= float(second["valid_rmse"])


def test_any_folder_will_do(demo_tables: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "Łódź é").mkdir()
    monkeypatch.chdir(tmp_path / "Łódź é")
    _, table = search(demo_tables, Path("out"), "model=svd", "hparams_search.n_trials=1")
    assert [row["state"] for row in table] == ["finished"]


def test_an_error_outside_of_the_trial_stops_the_sweep_and_is_named(
    demo_tables: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def locked(*_: object, **__: object) -> None:
        raise ZeroDivisionError("odd store")

    monkeypatch.setattr("embedrec.search.trial.running_trial", locked)
    with pytest.raises(TrainingError, match="ZeroDivisionError: odd store"):
        search(demo_tables, tmp_path, "model=svd", "hparams_search.n_trials=2")


def test_time_is_up(demo_tables: Path, tmp_path: Path) -> None:
    stdout, table = search(demo_tables, tmp_path, "model=svd", "hparams_search.minutes=0.0001")
    assert "no further trial is begun" in stdout
    assert len(table) == 1
    assert f"{30 - 1} of 30 trials are left; continue with: python scripts/train.py -m" in stdout


# What goes wrong


def test_no_trial_finishes(trained: Trained, demo_tables: Path, tmp_path: Path) -> None:
    shutil.copy(trained.outputs / "mlflow.db", tmp_path)
    with pytest.raises(TrainingError, match=r"no trial of .* finished; the first said: model\.dim='0'"):
        command("-m", f"data.path={demo_tables}", f"outputs={tmp_path}", "model.dim=0,-1", "name=none")
    assert (tmp_path / "sweeps" / "none" / "trials.csv").exists()
    client = MlflowClient(f"sqlite:///{tmp_path / 'mlflow.db'}")
    experiment = client.get_experiment_by_name("embedrec").experiment_id
    found = client.search_runs([experiment], "attributes.run_name LIKE 'none%'")
    assert [one.info.status for one in found] == ["FAILED"] * 3


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["model.dimm=4,8"], "model.dimm: there is no such setting, did you mean 'dim'"),
        (["model=two_towers,random"], "model=two_towers: there is no such choice"),
        (["seed=x", "model.dim=4,8"], "seed='x': "),
        (["model.dim=4,8", "nonsense"], "not of the form key=value"),
        (["modle.dim=4"], "modle.dim: there is no such setting, did you mean 'model'"),
        (["hparams_search=optuna", "hparams_search.models.svd={model.dim:[8]}"], "cannot be changed on the command"),
        (["hparams_search=optuna", "hparams_search.models.svd.model.dim=[8]"], "cannot be changed on the command line"),
        (["hparams_search=optuna", "hparams_search.models={}"], "cannot be changed on the command line"),
        (["hparams_search=optuna", "model=svd", "hparams_search.models.svd=null"], "nothing to search for model=svd"),
    ],
)
def test_a_mistake_leaves_nothing_behind(demo_tables: Path, tmp_path: Path, words: list[str], message: str) -> None:
    with pytest.raises(ConfigError, match=re.escape(message)):
        command("-m", f"data.path={demo_tables}", f"outputs={tmp_path}", "name=free", UNTRACKED, *words)
    assert not (tmp_path / "sweeps" / "free").exists()


def test_outputs_that_cannot_be_written(demo_tables: Path, tmp_path: Path) -> None:
    (tmp_path / "taken").write_text("")
    with pytest.raises(ConfigError, match="no folder can be made"):  # and not that 2024 is no name
        command(
            "-m", f"data.path={demo_tables}", f"outputs={tmp_path / 'taken'}", "model.dim=4,8", "name=2024", UNTRACKED
        )


@pytest.mark.parametrize("more", [[], ["hydra/launcher=joblib", "hydra.launcher.n_jobs=2"]])
def test_missing_tables_leave_the_name_free(more: list[str], tmp_path: Path) -> None:
    missing = tmp_path / TABLE_NAMES[0]
    with pytest.raises(DataError, match="does not exist"):
        command("-m", f"data.path={missing}", f"outputs={tmp_path}", "model.dim=4,8", "name=free", UNTRACKED, *more)
    assert not (tmp_path / "sweeps").exists()


def test_missing_tables_stop_a_sweep_over_tables(demo_tables: Path, tmp_path: Path) -> None:
    missing = tmp_path / TABLE_NAMES[0]
    with pytest.raises(TrainingError, match="does not exist"):
        command("-m", f"data.path={missing},{demo_tables}", f"outputs={tmp_path}", UNTRACKED)


def test_a_score_of_zero_is_better_than_a_failure() -> None:
    def trial(number: int, state: State, value: float | None = None) -> TrialRecord:
        return TrialRecord(number, state, {}, value, None, None, (), "", "")

    trials: tuple[TrialRecord, ...] = (
        trial(0, "failed"),
        trial(1, "finished"),
        trial(2, "finished", 0.0),
        trial(3, "finished", 0.2),
    )
    sweep = SweepRecord(
        "s", "NDCG@10", True, 6, "", "", None, (*trials, trial(4, "finished", 0.2), trial(5, "pruned", 0.9)), "", 1
    )
    assert [one.number for one in best_first(sweep)] == [3, 4, 2, 1, 5, 0]


def test_changed_data_stop_the_sweep(demo_tables: Path, tmp_path: Path) -> None:
    data = tmp_path / "data"
    shutil.copytree(demo_tables, data)
    search(data, tmp_path, "model=svd", "hparams_search.n_trials=1")
    purchases = data / "purchase_history.csv"
    lines = purchases.read_text(encoding="utf-8").splitlines()
    purchases.write_text("\n".join(lines[:-1]), encoding="utf-8")
    _shop.cache_clear()
    with pytest.raises(TrainingError, match="have changed since this sweep began"):
        search(data, tmp_path, "model=svd", "hparams_search.n_trials=2")
    purchases.write_text("\n".join(lines), encoding="utf-8")
    _shop.cache_clear()
    assert len(search(data, tmp_path, "model=svd", "hparams_search.n_trials=2")[1]) == 2


def test_a_full_disk_stops_the_sweep_and_the_trial_is_run_again(
    demo_tables: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    more = [*QUICK[1:-1], "hparams_search.n_trials=1"]
    with monkeypatch.context() as patched:
        patched.setattr("torch.save", lambda *_: (_ for _ in ()).throw(OSError(28, "No space left on device")))
        with (
            contextlib.redirect_stdout(io.StringIO()) as out,
            pytest.raises(TrainingError, match="could not be written .*repeat the command to continue"),
        ):
            command_loud(*searching(demo_tables, tmp_path, *more))
        assert "[1/1] trial 0: stopped\n" in out.getvalue()
        assert "was killed" not in out.getvalue()
    assert [row["state"] for row in search(demo_tables, tmp_path, *more)[1]] == ["finished"]


@pytest.mark.parametrize("place", ["create_study", "Study.ask", "trial.Trial.report"])
def test_a_study_that_cannot_be_written_stops_the_sweep(
    place: str, demo_tables: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    full = StorageInternalError("An exception is raised during the commit.")
    full.__cause__ = OperationalError("", None, sqlite3.OperationalError("database or disk is full"))
    more = [*QUICK[1:-1], "hparams_search.n_trials=1"]
    with monkeypatch.context() as patched:
        patched.setattr(f"optuna.{place}", lambda *_, **__: (_ for _ in ()).throw(full))
        with pytest.raises(TrainingError, match=r"the study of .* \(database or disk is full\); mend that"):
            search(demo_tables, tmp_path, *more)
    assert [row["state"] for row in search(demo_tables, tmp_path, *more)[1]] == ["finished"]


def test_a_crash_of_one_trial_is_its_outcome(
    demo_tables: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    real = SvdConfig.build

    def build(self: SvdConfig, schema: object) -> object:
        if self.dim == 8:
            raise RuntimeError(
                "[enforce fail] DefaultCPUAllocator: can't allocate memory: you tried to allocate 1 byte"
            )
        if self.dim == 16:
            raise ZeroDivisionError("odd")
        return real(self, schema)  # type: ignore[arg-type]

    monkeypatch.setattr(SvdConfig, "build", build)
    given = [f"data.path={demo_tables}", f"outputs={tmp_path}", "name=odd", "model=svd", "model.dim=4,8,16"]
    command("-m", *given, UNTRACKED)
    with (tmp_path / "sweeps" / "odd" / "trials.csv").open(newline="", encoding="utf-8") as file:
        errors = {row["trial"]: row["error"] for row in csv.DictReader(file)}
    assert errors["0"] == ""
    assert errors["1"].startswith("out of memory")
    assert errors["2"].startswith("ZeroDivisionError: odd (see ")
    assert "ZeroDivisionError" in (tmp_path / "sweeps" / "odd" / "2" / "error.txt").read_text()


def test_ctrl_c_leaves_a_summary_and_the_command_to_go_on(
    demo_tables: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    real = SvdConfig.build

    def build(self: SvdConfig, schema: object) -> object:
        if self.dim == 8:
            raise KeyboardInterrupt
        return real(self, schema)  # type: ignore[arg-type]

    given = ["-m", f"data.path={demo_tables}", f"outputs={tmp_path}", "name=stop", "model=svd", "model.dim=4,8,16"]
    with monkeypatch.context() as patched, contextlib.redirect_stdout(io.StringIO()) as out:
        patched.setattr(SvdConfig, "build", build)
        with pytest.raises(KeyboardInterrupt):
            command_loud(*given)
    (line,) = (one for one in out.getvalue().splitlines() if one.startswith("2 of 3 trials are left; continue with: "))
    said = shlex.split(line.partition("continue with: ")[2])
    assert said[:2] == ["python", "scripts/train.py"]
    assert [one for one in said[2:] if one != "data=files"] == given
    client = MlflowClient(f"sqlite:///{tmp_path / 'mlflow.db'}")
    experiment = client.get_experiment_by_name("embedrec").experiment_id
    assert sorted(one.info.status for one in client.search_runs([experiment])) == ["FINISHED", "KILLED", "KILLED"]
    command(*given)
    assert [one.info.status for one in client.search_runs([experiment])] == ["FINISHED"] * 4


def command_loud(*arguments: str) -> None:
    """Call the command of `train.py` in process, printing."""
    with unchanged_process():
        train(list(arguments), CONF)

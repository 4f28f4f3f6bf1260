"""One comparison: what it leaves, what one model's failure costs, and what a killed one does again."""

from __future__ import annotations

import contextlib
import csv
import io
import re
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from embedrec.comparison_command import compare_models
from embedrec.demo_shop import write_demo_shop
from embedrec.errors import ConfigError, TrainingError
from embedrec.experiment import comparison
from embedrec.experiment.comparison_config import parse_comparison
from embedrec.experiment.config import RunConfig
from embedrec.experiment.runner import Runner
from embedrec.models.classic.item_knn import ItemKnnConfig
from embedrec.serving import Recommender
from runs import CONF, UNTRACKED, read_json, unchanged_process

SMALL = (
    "trainer.max_epochs=2",
    "trainer.cuts=4",
    "trainer.learning_rate=0.01",
    "settings.two_tower.dim=8",
    "settings.mf_bpr.dim=8",
)


def compare_here(data: Path, outputs: Path, *overrides: str) -> Path:
    """Run `compare.py` in process on a folder of tables; return its folder."""
    return Path(said(f"data.path={data}", f"outputs={outputs}", *SMALL, *overrides).splitlines()[-1])


def said(*arguments: str) -> str:
    out = io.StringIO()
    with contextlib.redirect_stdout(out), contextlib.redirect_stderr(io.StringIO()), unchanged_process():
        compare_models(list(arguments), CONF)
    return out.getvalue()


@pytest.fixture(scope="module")
def folder(demo_tables: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A tracked comparison of four models, two seeds of the learned ones, with a bundle."""
    models = "models=[random,personal_frequency,biased_mf,mf_bpr,two_tower]"
    return compare_here(demo_tables, tmp_path_factory.mktemp("compared"), models, "seeds=2", "export=mf_bpr")


@pytest.fixture(scope="module")
def metrics(folder: Path) -> dict[str, Any]:
    return read_json(folder / "metrics.json")  # type: ignore[no-any-return]


MEASURED = ["random", "personal_frequency", "mf_bpr", "two_tower"]


def test_every_model_is_on_the_board(metrics: dict[str, Any]) -> None:
    assert list(metrics["models"]) == MEASURED
    for one in metrics["models"].values():
        assert one["test"]["all"]["ndcg@10"]["n"] > 100
    assert metrics["seeds"] == 2
    assert metrics["protocol"]["split"] == "global_time"
    assert metrics["verdict"]


def test_a_model_that_does_not_suit_the_data_is_left_out_with_a_reason(metrics: dict[str, Any]) -> None:
    assert list(metrics["left_out"]) == ["biased_mf"]
    assert "no customer rated anything" in metrics["left_out"]["biased_mf"]
    assert "table look-up" in metrics["left_out"]["biased_mf"]


def test_learned_models_have_every_seed(metrics: dict[str, Any]) -> None:
    for name in ("mf_bpr", "two_tower"):
        seeds = metrics["models"][name]["seeds_ndcg@10"]["all"]
        assert len(set(seeds)) == 2
        assert metrics["models"][name]["test"]["all"]["ndcg@10"]["value"] == pytest.approx(sum(seeds) / 2)
    assert "seeds_ndcg@10" not in metrics["models"]["random"]


def test_differences_are_from_the_best_simple_rival(metrics: dict[str, Any]) -> None:
    found = metrics["significance"]
    assert found["rival"] == "personal_frequency"
    for view in ("all", "new"):
        assert set(found["ndcg@10"][view]) == {"mf_bpr", "two_tower"}
        for name, row in found["ndcg@10"][view].items():
            ours, theirs = (
                metrics["models"][one]["test"][view]["ndcg@10"]["value"] for one in (name, "personal_frequency")
            )
            assert row["difference"] == pytest.approx(ours - theirs, abs=1e-9)
            assert row["holm_bootstrap"] >= row["p_bootstrap"]


def test_files(folder: Path, metrics: dict[str, Any]) -> None:
    with (folder / "leaderboard.csv").open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    assert {row["model"] for row in rows} == set(MEASURED)
    page = (folder / "report.html").read_text(encoding="utf-8")
    assert metrics["verdict"].split(":")[0] in page
    assert not re.search(r"""(src|href)=["']?(https?:)?//""", page)
    for name in ("random", "mf_bpr-seed0", "mf_bpr-seed1"):
        assert (folder / "models" / name / "outcome.json").exists()


def test_the_exported_model_serves(folder: Path, metrics: dict[str, Any]) -> None:
    shop = Recommender.load(folder / "bundle")
    assert shop.info.model == "mf_bpr"
    assert len(shop.recommend("C0001", k=5)) == 5
    again = Recommender.load(folder / "bundle", as_of=metrics["data"]["test"]["from"])
    assert len(again.similar("P001", k=3)) == 3


def test_one_parent_and_a_child_for_each(folder: Path, metrics: dict[str, Any]) -> None:
    from mlflow import MlflowClient

    client = MlflowClient(f"sqlite:///{folder.parents[2] / 'mlflow.db'}")
    (experiment,) = (one for one in client.search_experiments() if one.name == "embedrec")
    children = client.search_runs(
        [experiment.experiment_id], f"tags.`mlflow.parentRunId` = '{metrics['run_id']}'", max_results=50
    )
    assert client.get_run(metrics["run_id"]).info.status == "FINISHED"
    names = {child.info.run_name for child in children}
    assert {"random", "personal_frequency", "mf_bpr-seed0", "mf_bpr-seed1", "two_tower-seed0"} <= names
    assert {child.info.status for child in children} == {"FINISHED"}
    (bpr,) = (child for child in children if child.info.run_name == "mf_bpr-seed1")
    assert bpr.data.metrics["test/all/ndcg_at_10/mf_bpr"] == metrics["models"]["mf_bpr"]["seeds_ndcg@10"]["all"][1]


# Failures and kills


class Killed(BaseException):
    """Stands in for a kill: nothing may catch it."""


Measure = Callable[..., Any]


def counting(monkeypatch: pytest.MonkeyPatch, at: int | None = None, error: BaseException | None = None) -> list[str]:
    """Watch which models are measured; raise `error` when the model number `at` is asked for."""
    seen: list[str] = []
    measure: Measure = Runner.measure

    def watched(self: Runner, config: RunConfig, *arguments: Any, **named: Any) -> Any:
        seen.append(config.model.name)
        if error is not None and len(seen) - 1 == at:
            raise error
        return measure(self, config, *arguments, **named)

    monkeypatch.setattr(comparison.Runner, "measure", watched)
    return seen


COUNTED = "models=[random,popularity,item_knn]"


def test_a_killed_comparison_goes_on_where_it_stood(
    demo_tables: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole = compare_here(demo_tables, tmp_path / "whole", COUNTED, UNTRACKED)
    with monkeypatch.context() as patch, pytest.raises(Killed):
        counting(patch, 2, Killed())
        compare_here(demo_tables, tmp_path / "killed", COUNTED, UNTRACKED)
    (stopped,) = (tmp_path / "killed").glob("runs/*/*")
    assert not (stopped / "metrics.json").exists()
    seen = counting(monkeypatch)
    assert said(f"resume={stopped}").splitlines()[-1] == str(stopped)
    assert seen == ["item_knn"]
    one, other = (plain(read_json(place / "metrics.json")) for place in (whole, stopped))
    assert one == other


def plain(metrics: dict[str, Any]) -> dict[str, Any]:
    models = {
        name: {key: value for key, value in one.items() if key not in ("fit_seconds", "peak_mb")}
        for name, one in metrics["models"].items()
    }
    return {**metrics, "run_id": None, "models": models}


def test_a_finished_comparison_measures_nothing_again_but_exports(
    folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The weights of the exported model come from its checkpoints and are the same bytes."""
    copy = tmp_path / "copy"
    shutil.copytree(folder, copy)
    shutil.rmtree(copy / "bundle")
    seen = counting(monkeypatch)
    said(f"resume={copy}")
    assert seen == ["biased_mf", "mf_bpr"]  # what left nothing behind, and what is exported
    weights = [(place / "bundle" / "model.safetensors").read_bytes() for place in (folder, copy)]
    assert weights[0] == weights[1]


def test_one_crash_does_not_lose_the_others(demo_tables: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    counting(monkeypatch, 1, ZeroDivisionError("of all things"))
    folder = compare_here(demo_tables, tmp_path, COUNTED, UNTRACKED, "export=item_knn")
    metrics = read_json(folder / "metrics.json")
    assert Recommender.load(folder / "bundle").info.model == "item_knn"
    assert metrics["models"]["popularity"].keys() == {"error"}
    assert "ZeroDivisionError: of all things" in metrics["models"]["popularity"]["error"]
    assert "Traceback" in (folder / "models" / "popularity" / "error.txt").read_text(encoding="utf-8")
    assert metrics["models"]["item_knn"]["test"]
    assert metrics["models"]["random"]["test"]


def test_what_was_measured_outlives_a_failed_export(
    demo_tables: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    counting(monkeypatch, 1, ZeroDivisionError("of all things"))
    with pytest.raises(TrainingError, match="export=popularity: that model could not be measured"):
        compare_here(demo_tables, tmp_path, COUNTED, UNTRACKED, "export=popularity")
    (folder,) = tmp_path.glob("runs/*/*")
    assert read_json(folder / "metrics.json")["models"]["item_knn"]["test"]
    assert (folder / "report.html").exists()


def test_a_wrong_setting_is_no_property_of_the_data(demo_tables: Path, tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="there is no GPU here"):
        compare_here(demo_tables, tmp_path, "models=[popularity,mf_bpr]", "trainer.accelerator=gpu", UNTRACKED)


def test_a_shop_too_small_to_train_on_gets_popular_products(tmp_path: Path) -> None:
    tables = write_demo_shop(tmp_path / "shop", customers=30, products=40, seed=1)
    folder = compare_here(tables, tmp_path / "out", "models=[popularity,mf_bpr]", "export=mf_bpr", UNTRACKED)
    manifest = read_json(folder / "bundle" / "manifest.json")
    assert manifest["model"]["name"] == "popularity_recent"
    assert manifest["fallback_from"] == "mf_bpr"


def test_nothing_measured_is_an_error(demo_tables: Path, tmp_path: Path) -> None:
    with pytest.raises(TrainingError, match="no model could be measured: biased_mf"):
        compare_here(demo_tables, tmp_path, "models=biased_mf", UNTRACKED)


# A backtest


def test_windows_go_back_in_time(demo_tables: Path, tmp_path: Path) -> None:
    folder = compare_here(demo_tables, tmp_path, "models=[popularity,item_knn]", "windows=3", UNTRACKED)
    metrics = read_json(folder / "metrics.json")
    windows = metrics["backtest"]["windows"]
    assert [one["from"] for one in windows] == sorted(one["from"] for one in windows)
    assert windows[-1]["from"] == metrics["data"]["test"]["from"]
    for name in ("popularity", "item_knn"):
        values = [one["ndcg@10"][name]["all"] for one in windows]
        assert values[-1] == metrics["models"][name]["test"]["all"]["ndcg@10"]["value"]
        told = metrics["backtest"]["models"][name]["all"]
        assert told["mean"] == pytest.approx(sum(values) / 3)
        assert told["std"] > 0


def test_windows_need_dates(demo_tables: Path, tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="windows=2: only split.protocol=global_time has windows"):
        compare_here(demo_tables, tmp_path, "models=popularity", "windows=2", "split.protocol=random", UNTRACKED)


# Tuning


TUNED = ("models=[popularity,popularity_recent,svd,mf_bpr]", "tune=3", UNTRACKED)


@pytest.fixture(scope="module")
def tuned_folder(demo_tables: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A comparison of four models, three of which can be tuned, with a bundle of a tuned one."""
    return compare_here(demo_tables, tmp_path_factory.mktemp("tuned"), *TUNED, "export=popularity_recent")


@pytest.fixture(scope="module")
def tuned_metrics(tuned_folder: Path) -> dict[str, Any]:
    return read_json(tuned_folder / "metrics.json")  # type: ignore[no-any-return]


def figures(entry: dict[str, Any], split: str = "test") -> dict[str, Any]:
    return {view: entry[split][view]["ndcg@10"] for view in ("all", "new")}


def test_every_model_with_settings_has_as_many_trials(tuned_folder: Path, tuned_metrics: dict[str, Any]) -> None:
    models = tuned_metrics["models"]
    assert tuned_metrics["tune"] == 3
    assert {name: one["tuned"]["trials"] for name, one in models.items() if "tuned" in one} == {
        "popularity_recent": 3,
        "svd": 3,
        "mf_bpr": 3,
    }
    for name, one in models.items():
        if name == "popularity":
            continue
        tuned = one["tuned"]
        trials = read_json(tuned_folder / "tuning" / name / "trials.json")
        assert trials[0]["settings"] == tuned["default"]["settings"]
        assert tuned["default"]["valid"] == trials[0]["score"]
        assert tuned["valid"] == max(trial["score"] for trial in trials) >= tuned["default"]["valid"]
        assert tuned["valid"] == one["valid"]["all"]["ndcg@10"]["value"], "what was chosen is what is shown"
        assert not list((tuned_folder / "tuning" / name).glob("[0-9]*/checkpoints")), "trials leave no weights"
    assert any(
        one["tuned"]["settings"] != one["tuned"]["default"]["settings"] for one in models.values() if "tuned" in one
    )


def test_both_settings_are_measured_as_if_they_alone_had_been_asked_for(
    demo_tables: Path, tmp_path: Path, tuned_metrics: dict[str, Any]
) -> None:
    """Tuned and default figures are those of comparisons without tuning: no test figure depends on the search."""
    models = tuned_metrics["models"]
    plain = read_json(compare_here(demo_tables, tmp_path / "a", TUNED[0], UNTRACKED) / "metrics.json")
    for name in ("popularity_recent", "svd", "mf_bpr"):
        assert figures(models[name]["tuned"]["default"]) == figures(plain["models"][name])
    assert figures(models["popularity"]) == figures(plain["models"]["popularity"])
    chosen = [
        f"settings.{name}.{key.removeprefix('model.')}={value}"
        for name in ("popularity_recent", "svd")
        for key, value in models[name]["tuned"]["settings"].items()
    ]
    other = read_json(compare_here(demo_tables, tmp_path / "b", TUNED[0], UNTRACKED, *chosen) / "metrics.json")
    for name in ("popularity_recent", "svd"):
        assert figures(other["models"][name]) == figures(models[name])


def test_the_gain_is_that_of_the_figures(tuned_metrics: dict[str, Any]) -> None:
    for one in tuned_metrics["models"].values():
        for view, gain in one.get("tuned", {}).get("gain_ndcg@10", {}).items():
            ours, before = (part["test"][view]["ndcg@10"]["value"] for part in (one, one["tuned"]["default"]))
            assert gain["difference"] == pytest.approx(ours - before, abs=1e-9)


def test_tuned_and_default_stand_side_by_side(tuned_folder: Path, tuned_metrics: dict[str, Any]) -> None:
    with (tuned_folder / "leaderboard.csv").open(encoding="utf-8", newline="") as file:
        rows = {row["model"]: row for row in csv.DictReader(file)}
    for name, row in rows.items():
        tuned = tuned_metrics["models"][name].get("tuned")
        if tuned is None:
            assert row["trials"] == row["settings"] == row["default_ndcg@10_all"] == ""
            continue
        assert row["trials"] == "3"
        assert dict(one.split("=") for one in row["settings"].split()).keys() == tuned["settings"].keys()
        before = tuned["default"]["test"]["all"]["ndcg@10"]["value"]
        assert float(row["default_ndcg@10_all"]) == pytest.approx(before, rel=1e-5)
    page = (tuned_folder / "report.html").read_text(encoding="utf-8")
    assert "What did tuning change?" in page
    assert "the test had no say in the choice" in page
    assert "Nothing to tune, measured as they are: popularity." in page


def test_the_bundle_is_of_the_tuned_settings(tuned_folder: Path, tuned_metrics: dict[str, Any]) -> None:
    manifest = read_json(tuned_folder / "bundle" / "manifest.json")
    days = tuned_metrics["models"]["popularity_recent"]["tuned"]["settings"]["model.days"]
    assert manifest["model"]["days"] == days


@pytest.mark.parametrize("at", [1, 3, 5, 6])
def test_a_killed_tuning_goes_on_where_it_stood(
    demo_tables: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, at: int
) -> None:
    """Killed in the first trial, in the last, between trials and the test, and in another model."""
    few = ("models=[popularity_recent,svd]", "tune=3", UNTRACKED)
    with monkeypatch.context() as patch:
        whole_seen = counting(patch)
        whole = compare_here(demo_tables, tmp_path / "whole", *few)
    with monkeypatch.context() as patch, pytest.raises(Killed):
        counting(patch, at, Killed())
        compare_here(demo_tables, tmp_path / "killed", *few)
    (stopped,) = (tmp_path / "killed").glob("runs/*/*")
    seen = counting(monkeypatch)
    said(f"resume={stopped}")
    assert seen == whole_seen[at:], "what was measured is not measured again"
    one, other = (untimed(read_json(place / "metrics.json")) for place in (whole, stopped))
    assert one == other
    settled = [
        [trial["settings"] for trial in read_json(place / "tuning/svd/trials.json")] for place in (whole, stopped)
    ]
    assert settled[0] == settled[1]


def untimed(content: Any) -> Any:
    """metrics.json without what may differ between two equal comparisons, on every level."""
    if isinstance(content, dict):
        return {key: untimed(one) for key, one in content.items() if key not in ("fit_seconds", "peak_mb", "run_id")}
    return content


def test_where_every_trial_fails_the_default_is_measured(
    demo_tables: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    measure: Measure = Runner.measure

    def fragile(self: Runner, config: RunConfig, *arguments: Any, test: bool, **named: Any) -> Any:
        if not test and config.model.name == "svd":
            raise ZeroDivisionError("of all things")
        return measure(self, config, *arguments, test=test, **named)

    monkeypatch.setattr(comparison.Runner, "measure", fragile)
    folder = compare_here(demo_tables, tmp_path, "models=[popularity_recent,svd]", "tune=2", UNTRACKED)
    entry = read_json(folder / "metrics.json")["models"]["svd"]
    assert entry["test"]["all"]["ndcg@10"]["value"] > 0
    assert entry["tuned"]["failed"] == entry["tuned"]["trials"] == 2
    assert entry["tuned"]["reason"] == "ZeroDivisionError: of all things (see tuning/svd/0/error.txt)"
    assert entry["tuned"]["settings"] == entry["tuned"]["default"]["settings"] == {"model.dim": 64}
    assert "every trial failed, so its default settings stay" in (folder / "report.html").read_text(encoding="utf-8")


def test_each_window_is_tuned_on_what_was_known_by_then(demo_tables: Path, tmp_path: Path) -> None:
    folder = compare_here(
        demo_tables, tmp_path, "models=[popularity,popularity_recent]", "windows=2", "tune=2", UNTRACKED
    )
    places = ("tuning", "windows/1/tuning")
    late, early = (read_json(folder / place / "popularity_recent" / "trials.json") for place in places)
    assert [len(late), len(early)] == [2, 2]
    assert late[0]["settings"] == early[0]["settings"]
    assert late[0]["score"] != early[0]["score"], "another validation period"
    assert not (folder / "windows/1/tuning/popularity_recent/default").exists()


def test_seeds_share_the_settings_of_the_first(demo_tables: Path, tmp_path: Path) -> None:
    folder = compare_here(demo_tables, tmp_path, "models=[popularity,mf_bpr]", "seeds=2", "tune=2", UNTRACKED)
    entry = read_json(folder / "metrics.json")["models"]["mf_bpr"]
    assert len(entry["seeds_ndcg@10"]["all"]) == 2
    if entry["tuned"]["settings"] != entry["tuned"]["default"]["settings"]:
        assert {one.name for one in (folder / "tuning/mf_bpr").glob("default*")} == {"default-seed0", "default-seed1"}


def test_without_tuning_nothing_of_a_search_is_kept(folder: Path, metrics: dict[str, Any]) -> None:
    assert "tune" not in metrics
    assert not (folder / "tuning").exists()
    assert "hparams_search" not in (folder / ".hydra" / "config.yaml").read_text(encoding="utf-8")


# Settings


def settings(**changes: Any) -> dict[str, Any]:
    models = {
        "item_knn": ItemKnnConfig().model_dump(),
        "two_tower": {"name": "two_tower"},
        "mf_bpr": {"name": "mf_bpr"},
    }
    return {"data": {"name": "files", "path": "shop"}, "settings": models, **changes}


def test_all_models_unless_some_are_named() -> None:
    assert list(parse_comparison(settings()).runs) == ["item_knn", "two_tower", "mf_bpr"]
    assert list(parse_comparison(settings(models="mf_bpr")).runs) == ["mf_bpr"]


@pytest.mark.parametrize("name", ["mf_bpr", "biased_mf", "two_tower_ids", "two_tower_sequence"])
@pytest.mark.parametrize("loss", [{"name": "softmax", "temperature": 0.2}, {"first_time_weight": 3.0}], ids=str)
def test_only_models_of_past_dates_take_the_loss_given(name: str, loss: dict[str, Any]) -> None:
    models = {"two_tower": {"name": "two_tower"}, name: {"name": name}}
    given, alone = (
        parse_comparison(settings(settings=models, models=list(models), **more)).runs for more in ({"loss": loss}, {})
    )
    assert loss.items() <= given["two_tower"].loss.model_dump().items()
    assert given[name].loss == alone[name].loss


REFUSED = {
    "models: there is no model item_kn, did you mean 'item_knn'": {"models": ["item_kn"]},
    "models=.*: name at least one model": {"models": []},
    "export=mf_bpr is not among the models compared": {"models": ["item_knn"], "export": "mf_bpr"},
    "seeds='0'": {"seeds": 0},
    "settings.mf_bpr.dim='-1'": {"settings": {"mf_bpr": {"name": "mf_bpr", "dim": -1}}},
    "windows='x'": {"windows": "x"},
    "tune='-1'": {"tune": -1},
}


@pytest.mark.parametrize("message", REFUSED)
def test_refusals(message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        parse_comparison(settings(**REFUSED[message]))


def test_a_sweep_of_comparisons_is_refused() -> None:
    with pytest.raises(ConfigError, match="drop -m"):
        said("-m", "seed=1,2")


def test_runs_and_comparisons_are_not_mixed_up(folder: Path) -> None:
    from runs import command

    with pytest.raises(ConfigError, match=r"continue it with compare\.py"):
        command(f"resume={folder}")

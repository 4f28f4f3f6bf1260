"""What a run leaves, and that its test figures come from the refit."""

from __future__ import annotations

import re
import sys
from collections import defaultdict
from html import escape
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
import torch
from omegaconf import OmegaConf

from embedrec.columns import CUSTOMER, PRODUCT, TIME
from embedrec.errors import ConfigError, EmbedrecError
from embedrec.evaluation.ranking import KS, VIEWS
from embedrec.experiment.runner import Runner
from embedrec.experiment.shop import open_shop
from embedrec.metrics import METRICS
from embedrec.models import RIVALS
from embedrec.tables import Tables
from runs import QUICK, SIMPLE, UNTRACKED, Trained, command, read_json, train_here

RIVAL_NAMES = {rival.name for rival in RIVALS}


@pytest.fixture(scope="module", params=["trained", "simple"])
def finished(request: pytest.FixtureRequest) -> Trained:
    run: Trained = request.getfixturevalue(request.param)
    return run


@pytest.fixture(scope="module")
def tables(trained: Trained) -> Tables:
    return open_shop(trained.config.data, trained.config.split).tables


# Files


def test_files(finished: Trained) -> None:
    left = {str(path.relative_to(finished.folder)) for path in finished.folder.rglob("*") if path.is_file()}
    wanted = {".hydra/config.yaml", "metrics.json", "report.html", "data_report.json", "bundle/manifest.json"}
    learned = {"checkpoints/best.ckpt", "checkpoints/last.ckpt", "checkpoints/refit/last.ckpt"}
    if finished.config.model.name == "two_tower":
        wanted |= learned
    assert wanted <= left
    assert not [name for name in left if "partial" in name]


def test_the_last_line_is_the_path_of_the_bundle(finished: Trained) -> None:
    lines = finished.stdout.splitlines()
    assert lines[-1] == str(finished.folder / "bundle")
    assert finished.metrics["verdict"] in lines


def test_the_folder_carries_date_and_time(finished: Trained) -> None:
    date, name = finished.folder.parts[-2:]
    assert re.fullmatch(r"\d{4}-\d\d-\d\d", date)
    assert re.fullmatch(r"\d\d-\d\d-\d\d", name)
    assert finished.folder.parent.parent == finished.outputs / "runs"


def test_latest(finished: Trained) -> None:
    latest = finished.outputs / "latest"
    assert latest.is_symlink()
    assert not latest.readlink().is_absolute(), "outputs may be moved as a whole"
    assert latest.resolve() == finished.folder.resolve()


def test_the_config_is_kept_and_plain(finished: Trained) -> None:
    kept = OmegaConf.to_container(OmegaConf.load(finished.folder / ".hydra" / "config.yaml"))
    assert kept == finished.config.model_dump(mode="json")


def test_the_report_opens_offline(finished: Trained) -> None:
    page = (finished.folder / "report.html").read_text(encoding="utf-8")
    assert finished.metrics["verdict"].split(":")[0] in page
    assert not re.search(r"""(src|href)=["']?(https?:)?//""", page)


def test_data_report(finished: Trained, tables: Tables) -> None:
    report = read_json(finished.folder / "data_report.json")
    assert report["fingerprint"] == tables.fingerprint
    assert report["purchases"] == len(tables.purchases)
    assert report["too_little"] is None
    assert report["facts"]["customers"] == tables.purchases["customer_id"].nunique()
    found = [one["sentence"] for one in report["findings"]]
    page = (finished.folder / "report.html").read_text(encoding="utf-8")
    assert set(tables.warnings) <= set(found)
    assert all(escape(sentence)[1:] in page for sentence in found)
    assert {one["table"] for one in report["tables"]} == {
        "purchase_history",
        "product_details",
        "customer_interactions",
    }
    for one in report["tables"]:
        assert one["read"] == one["used"] + one["quarantined"] + one["duplicates"] + one["set_aside"]


# metrics.json


def test_the_schema_of_metrics(finished: Trained, tables: Tables) -> None:
    metrics = finished.metrics
    assert {"run_id", "seed", "data", "protocol", "models", "verdict"} <= metrics.keys()
    assert metrics["protocol"] == {"split": "global_time", "candidates": "all"}
    assert metrics["seed"] == finished.config.seed
    assert metrics["data"]["fingerprint"] == tables.fingerprint
    assert set(metrics["models"]) == RIVAL_NAMES | {finished.config.model.name}
    for one in metrics["models"].values():
        assert {"valid", "test", "fit_seconds", "peak_mb"} <= one.keys()
        for window in ("valid", "test"):
            assert set(VIEWS) <= one[window].keys()
            for view in VIEWS:
                assert_figures(one[window][view])
                assert one[window][view]["ndcg@10"]["n"] > 0 or view == "cold_item"


def assert_figures(view: dict[str, dict[str, Any]]) -> None:
    assert {f"{name}@{k}" for name in [*METRICS, "coverage", "gini"] for k in KS} | {"auc"} <= view.keys()
    n = view["ndcg@10"]["n"]
    for name, entry in view.items():
        assert entry.keys() == {"value", "low", "high", "n"}
        assert isinstance(entry["n"], int)
        partial = name == "auc" or name.startswith("diversity")  # not every customer has one
        assert entry["n"] <= n if partial else entry["n"] == n
        if entry["value"] is None:
            assert entry["n"] == 0
            continue
        if not name.startswith(("novelty", "mean_popularity")):
            assert 0 <= entry["value"] <= 1
        if not name.startswith(("coverage", "gini")):
            slack = 1e-9 * max(1.0, abs(entry["value"]))  # where everybody has the same value
            assert entry["low"] - slack <= entry["value"] <= entry["high"] + slack


def test_more_than_ranking_figures(finished: Trained) -> None:
    for one in finished.metrics["models"].values():
        assert {"history_length", "item_popularity", "customer"} <= one["slices"].keys()
        known = sum(entry["ndcg@10"]["n"] for entry in one["slices"]["history_length"].values())
        assert known == one["test"]["all"]["ndcg@10"]["n"] > 0
        chance = one["calibration"]
        assert 0 <= chance["brier"] <= 1
        assert 0 <= chance["ece"] <= 1
        assert sum(part["n"] for part in chance["bins"]) == chance["n"] > 0
        assert "ratings" not in one, "no customer of this shop rated anything"


def test_windows_follow_each_other(finished: Trained, tables: Tables) -> None:
    windows = finished.metrics["data"]
    assert windows["train"]["to"] == windows["valid"]["to"] == windows["test"]["from"]  # the refit sees both
    assert windows["train"]["from"] < windows["valid"]["from"] < windows["test"]["from"]
    times = tables.purchases[TIME]
    assert windows["train"]["from"] == times.min().isoformat()
    assert windows["test"]["to"] == times.max().isoformat()
    assert windows["train"]["purchases"] == int((times < pd.Timestamp(windows["test"]["from"])).sum())
    for window in ("valid", "test"):
        n = {one[window]["all"]["ndcg@10"]["n"] for one in finished.metrics["models"].values()}
        assert n == {windows[window]["customers"]}


def test_only_a_tracked_run_has_an_id(trained: Trained, simple: Trained) -> None:
    assert re.fullmatch(r"[0-9a-f]{32}", trained.metrics["run_id"])
    assert simple.metrics["run_id"] is None


# The protocol


def recall_of_popularity(tables: Tables, since: pd.Timestamp, until: pd.Timestamp) -> tuple[float, int]:
    """Recall@10 of popularity, counted by hand from purchases before `since`, and the number of customers."""
    bought = tables.purchases
    fans: dict[str, set[str]] = defaultdict(set)
    known: set[str] = set()
    wanted: dict[str, set[str]] = defaultdict(set)
    for time, customer, product in bought[[TIME, CUSTOMER, PRODUCT]].itertuples(index=False):
        if time < since:
            fans[product].add(customer)
            known.add(customer)
        elif time < until:
            wanted[customer].add(product)
    products = sorted(set(fans) | set(tables.products[PRODUCT]))
    top = sorted(products, key=lambda one: (-len(fans[one]), one))[:10]
    recalls = [len(wanted[one] & set(top)) / len(wanted[one]) for one in wanted if one in known]
    return sum(recalls) / len(recalls), len(recalls)


def test_test_figures_come_from_the_refit(finished: Trained, tables: Tables) -> None:
    """Popularity on test counts train and validation; on validation it counts train only."""
    windows = finished.metrics["data"]
    valid, test = (pd.Timestamp(windows[name]["from"]) for name in ("valid", "test"))
    end = tables.purchases[TIME].max() + pd.Timedelta(seconds=1)
    figures = finished.metrics["models"]["popularity"]
    for window, (since, until) in {"valid": (valid, test), "test": (test, end)}.items():
        recall, customers = recall_of_popularity(tables, since, until)
        entry = figures[window]["all"]["recall@10"]
        assert entry["value"] == pytest.approx(recall, abs=1e-12)
        assert entry["n"] == customers


def test_the_refit_runs_for_as_many_epochs_as_were_best(
    demo_tables: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    figures = iter([0.1, 0.5, 0.2])
    monkeypatch.setattr(Runner, "_ndcg", lambda *_: next(figures))
    run = train_here(demo_tables, tmp_path, *QUICK, "trainer.max_epochs=3", UNTRACKED)
    epochs = {
        name: torch.load(run.folder / "checkpoints" / f"{name}.ckpt", weights_only=True)["epoch"] + 1
        for name in ("best", "last", "refit/last")
    }
    assert epochs == {"best": 2, "last": 3, "refit/last": 2}


def test_the_model_learns_something(trained: Trained) -> None:
    figures = {name: one["test"]["all"]["ndcg@10"]["value"] for name, one in trained.metrics["models"].items()}
    assert figures["two_tower"] > 1.5 * figures["random"]


def test_the_asked_rival_stands_once(simple: Trained) -> None:
    assert simple.config.model.name in RIVAL_NAMES
    assert len(simple.metrics["models"]) == len(RIVAL_NAMES)


def test_a_synthetic_shop_is_called_so(trained: Trained) -> None:
    assert trained.manifest["data"]["synthetic"] is True


# What goes wrong


def counting(tables: Path, outputs: Path, *more: str) -> Trained:
    return train_here(tables, outputs, *SIMPLE, UNTRACKED, *more)


@pytest.mark.parametrize("step", ["export", "write_report", "write_json"])
def test_latest_moves_at_the_end_only(
    demo_tables: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, step: str
) -> None:
    (tmp_path / "latest").symlink_to("runs/earlier")

    def fails(*arguments: Any) -> None:
        if step != "write_json" or arguments[0].name == "metrics.json":
            raise EmbedrecError("stopped here")

    monkeypatch.setattr(sys.modules["embedrec.experiment.run"], step, fails)  # the package hides the module
    with pytest.raises(EmbedrecError, match="stopped here"):
        counting(demo_tables, tmp_path)
    assert (tmp_path / "latest").readlink() == Path("runs/earlier")


def test_latest_moves_on(demo_tables: Path, tmp_path: Path) -> None:
    (tmp_path / "latest").symlink_to("runs/earlier")
    run = counting(demo_tables, tmp_path)
    assert (tmp_path / "latest").resolve() == run.folder.resolve()


def test_a_name_is_part_of_the_folder(demo_tables: Path, tmp_path: Path) -> None:
    run = counting(demo_tables, tmp_path, "name=my-run_1.0")
    assert run.folder.name.endswith("-my-run_1.0")
    assert run.manifest == counting(demo_tables, tmp_path, "name=other").manifest


def test_outputs_that_cannot_be_written(demo_tables: Path, tmp_path: Path) -> None:
    (tmp_path / "taken").write_text("a file")
    with pytest.raises(ConfigError, match="outputs=.*taken: no folder can be made there"):
        command(f"data.path={demo_tables}", f"outputs={tmp_path / 'taken'}", *SIMPLE, UNTRACKED)


def test_dates_win_over_quantiles(demo_tables: Path, tmp_path: Path) -> None:
    run = counting(demo_tables, tmp_path, "split.valid_from=2025-06-01", "split.test_from=2025-09-01")
    windows = run.metrics["data"]
    assert (windows["valid"]["from"], windows["test"]["from"]) == ("2025-06-01T00:00:00", "2025-09-01T00:00:00")
    assert "oracle" not in run.metrics, "the oracle was computed for another window"

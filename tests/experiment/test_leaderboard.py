"""The leaderboard fits a terminal of 80 columns and a spreadsheet, whatever could not be measured."""

from __future__ import annotations

import copy
import csv
from pathlib import Path
from typing import Any

import pytest

from embedrec.experiment.leaderboard import print_leaderboard, write_leaderboard_csv

MODELS = (
    *("random", "popularity", "popularity_recent", "personal_frequency", "user_knn", "item_knn", "svd", "ials"),
    *("mf_bpr", "biased_mf", "neural_mf", "two_tower_ids", "two_tower_sequence", "two_tower"),
)


def entry(value: float | None, n: int) -> dict[str, Any]:
    low, high = (None, None) if value is None else (value * 0.9, value * 1.1)
    return {"value": value, "low": low, "high": high, "n": n if value is not None else 0}


def view(value: float | None, n: int) -> dict[str, Any]:
    names = ("ndcg@10", "recall@10", "hit_rate@10", "mrr@10", "map@10", "auc", "coverage@10")
    return {name: entry(value, n) for name in names}


def metrics_of(values: dict[str, float | None]) -> dict[str, Any]:
    """A comparison with these values of NDCG@10, half as much for new products."""
    models: dict[str, Any] = {}
    for name, value in values.items():
        half = None if value is None else value / 2
        test = {"all": view(value, 1012), "new": view(half, 884)}
        models[name] = {"valid": {}, "test": test, "fit_seconds": 610.04, "peak_mb": 812}
    return {"data": {"test": {"from": "2024-11-20T09:00:00"}}, "models": models}


FULL = metrics_of({name: 0.36 * place / (len(MODELS) - 1) for place, name in enumerate(MODELS)})
FULL["models"]["lightgcn"] = {"error": "12 GB asked for"}
FULL["left_out"] = {"transformer": "no dates"}
FULL["models"]["biased_mf"]["ratings"] = {name: entry(0.862, 5123) for name in ("rmse", "mse", "mae")}
FULL["ratings_reference"] = {"means": {"rmse": entry(0.8, 9)}, "global_mean": {"rmse": entry(1.1, 9)}}
FULL["significance"] = {
    "rival": "popularity",
    "ndcg@10": {"all": {"two_tower": {"difference": 0.33, "holm_bootstrap": 0.004}}, "new": {}},
}


def printed(metrics: dict[str, Any], capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> list[str]:
    monkeypatch.setenv("COLUMNS", "80")
    print_leaderboard(metrics)
    return capsys.readouterr().out.splitlines()


def test_all_models_fit_eighty_columns_whole(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    small = metrics_of({name: 0.001 * place for place, name in enumerate(MODELS)})
    for metrics in (FULL, small):
        lines = printed(metrics, capsys, monkeypatch)
        assert max(map(len, lines)) <= 80
        assert not any("…" in line for line in lines), "nothing is cut"


def test_the_best_comes_first_and_the_failed_last(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    lines = printed(FULL, capsys, monkeypatch)
    first = [line.split()[0] for line in lines if line.split()]
    board = first[first.index("two_tower") : first.index("lightgcn") + 1]
    assert board == [*reversed(MODELS), "lightgcn"]
    row = next(line for line in lines if line.split()[:1] == ["two_tower"])
    assert row.split() == ["two_tower", "0.360", "(0.324–0.396)", "0.180", "(0.162–0.198)", "10", "min"]
    assert lines[0].strip() == "Test from 2024-11-20: 1,012 customers (all), 884 customers (new)"


def test_reasons_and_ratings_follow(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    lines = printed(FULL, capsys, monkeypatch)
    assert "lightgcn: failed: 12 GB asked for" in lines
    assert "transformer: left out: no dates" in lines
    ratings = lines[next(at for at, line in enumerate(lines) if "Predicted ratings" in line) :]
    names = [
        line.split()[0] for line in ratings if line.split() and line.split()[0] in ("means", "biased_mf", "global_mean")
    ]
    assert names == ["means", "biased_mf", "global_mean"], "lowest error first"


def test_what_is_missing_is_a_dash(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    metrics = metrics_of({"svd": None, "ials": 0.2})
    metrics["models"] = {"lightgcn": {"error": "x"}} | metrics["models"]
    metrics["models"]["ials"]["test"]["new"]["ndcg@10"] |= {"low": None, "high": None}
    metrics["data"]["test"]["from"] = None
    metrics["models"]["svd"]["fit_seconds"] = None
    lines = printed(metrics, capsys, monkeypatch)
    assert lines[0].strip().startswith("Test: 1,012 customers")
    rows = [line.split() for line in lines if line.split()]
    assert rows[-4][0] == "ials"
    assert rows[-4][3:5] == ["0.100", "10"], "a figure without an interval stands alone"
    assert rows[-3:-1] == [["svd", "–", "–", "–"], ["lightgcn", "–", "–", "–"]], "what failed comes last"


def test_nobody_tested_is_still_a_table(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    assert "0 customers" in " ".join(printed({"models": {"svd": {"error": "x"}}}, capsys, monkeypatch))
    assert printed({"models": {}}, capsys, monkeypatch)


def test_a_synthetic_shop_has_shares_of_what_is_achievable(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    oracle = {"oracle": {"ndcg@10": {"all": 0.5, "new": 0.25}}}
    said = " ".join(printed(metrics_of({"ials": 0.2, "svd": None}) | oracle, capsys, monkeypatch))
    assert "share of what is achievable, all (NDCG@10 0.500): ials 40%, svd –" in said


def read(path: Path, metrics: dict[str, Any]) -> list[dict[str, str]]:
    write_leaderboard_csv(path / "leaderboard.csv", metrics)
    with (path / "leaderboard.csv").open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


def test_the_file_has_one_row_a_model_best_first(tmp_path: Path) -> None:
    rows = read(tmp_path, FULL)
    assert [row["model"] for row in rows] == [*reversed(MODELS), "lightgcn"]
    best, failed = rows[0], rows[-1]
    assert (best["ndcg@10_all"], best["ndcg@10_all_low"], best["ndcg@10_all_high"]) == ("0.36", "0.324", "0.396")
    assert best["hit_rate@10_new"] == best["coverage@10_new"] == "0.18"
    assert (best["fit_seconds"], best["peak_mb"]) == ("610.04", "812")
    assert (best["rival"], best["difference_all"], best["holm_p_all"]) == ("popularity", "0.33", "0.004")
    assert best["difference_new"] == best["rmse"] == best["error"] == ""
    assert next(row for row in rows if row["model"] == "biased_mf")["mae"] == "0.862"
    assert (failed["error"], failed["ndcg@10_all"]) == ("12 GB asked for", "")


def test_odd_reasons_keep_their_row(tmp_path: Path) -> None:
    metrics = copy.deepcopy(FULL)
    metrics["models"]["lightgcn"]["error"] = 'a "quoted", long\nreason – with a dash'
    assert read(tmp_path, metrics)[-1]["error"] == 'a "quoted", long\nreason – with a dash'
    assert read(tmp_path, {"models": {}}) == []


def test_an_unmeasured_figure_is_an_empty_cell(tmp_path: Path) -> None:
    measured, unmeasured = read(tmp_path, metrics_of({"svd": None, "ials": 0.2}))
    assert (measured["model"], unmeasured["model"]) == ("ials", "svd")
    assert unmeasured["ndcg@10_all"] == unmeasured["auc_new"] == unmeasured["rival"] == ""

"""The report shows tuned and default settings side by side, and says what could not be tuned and why."""

from __future__ import annotations

import copy
import re
from html import unescape
from pathlib import Path
from typing import Any

import pytest

from embedrec.evaluation.comparison_report import write_comparison_report
from embedrec.evaluation.verdict import Verdict

VERDICT = Verdict("SVD it is.", "svd", beyond_chance=True, enough_data=True)


def entry(value: float, n: int = 1012) -> dict[str, Any]:
    return {"ndcg@10": {"value": value, "low": value - 0.01, "high": value + 0.01, "n": n}}


def views(value: float) -> dict[str, Any]:
    return {"all": entry(value), "new": entry(value / 2, 884)}


def gain(difference: float, n: int = 1012) -> dict[str, Any]:
    return {"difference": difference, "low": difference - 0.01, "high": difference + 0.01, "n": n}


def tuned(settings: dict[str, Any], default: dict[str, Any], test: float, **more: Any) -> dict[str, Any]:
    return {
        "settings": settings,
        "objective": "ndcg@10",
        "valid": 0.21,
        "trials": 10,
        "failed": 0,
        "reason": "",
        "exhausted": False,
        "fit_seconds": 75.0,
        "default": {"settings": default, "valid": 0.2, "test": views(test)},
    } | more


def model(value: float, **more: Any) -> dict[str, Any]:
    return {"valid": views(value), "test": views(value), "fit_seconds": 1.0, "peak_mb": 1} | more


METRICS: dict[str, Any] = {
    "tune": 10,
    "models": {
        "svd": model(
            0.31,
            tuned=tuned({"model.dim": 128}, {"model.dim": 64}, 0.28)
            | {"gain_ndcg@10": {"all": gain(0.03), "new": gain(-0.03)}},
        ),
        "ials": model(0.25, tuned=tuned({"model.alpha": 5.0}, {"model.alpha": 5.0}, 0.25)),
        "item_knn": model(
            0.2,
            tuned=tuned({"model.neighbours": 20}, {"model.neighbours": 200}, 0.199)
            | {"gain_ndcg@10": {"all": gain(0.001), "new": gain(0.05, n=30)}},
        ),
        "popularity": model(0.1),
        "lightgcn": {"error": "no memory"},
    },
    "verdict": VERDICT.sentence,
}


def written(path: Path, **changes: Any) -> str:
    """The section as text."""
    write_comparison_report(path / "report.html", copy.deepcopy(METRICS) | changes, verdict=VERDICT)
    page = (path / "report.html").read_text(encoding="utf-8")
    said = " ".join(unescape(re.sub(r"<[^>]+>", " ", page[page.index("<body>") :])).split())
    start = said.find("What did tuning change?")
    return said[start : said.index("Leaderboard")] if start >= 0 else ""


@pytest.fixture(scope="module")
def said(tmp_path_factory: pytest.TempPathFactory) -> str:
    return written(tmp_path_factory.mktemp("page"))


def test_how_it_was_chosen_is_said(said: str) -> None:
    assert "the same number of trials, 10, the first of them with its default settings" in said
    assert "validation period alone" in said
    assert "the test had no say in the choice" in said
    assert "first seed" not in said
    assert "backtest" not in said


def test_settings_are_named_with_their_defaults(said: str) -> None:
    assert "svd 0.200 0.210 10 75 s" in said
    assert "svd dim 128 (default 64)" in said
    assert "ials default: alpha 5" in said


def test_both_stand_side_by_side(said: str) -> None:
    assert "svd 0.280 0.270–0.290 0.310 0.300–0.320 +0.0300 +0.0200 to +0.0400 yes, better 1,012" in said
    assert "svd 0.140 0.130–0.150 0.155 0.145–0.165 −0.0300 −0.0400 to −0.0200 yes, worse 884" in said
    assert "item_knn 0.199 0.189–0.209 0.200 0.190–0.210 +0.0010 −0.0090 to +0.0110 no 1,012" in said
    assert "too few to tell" in said, "30 customers"
    assert re.search("ials 0.250 0.240–0.260 0.250 0.240–0.260 – default chosen", said)


def test_what_could_not_be_tuned_is_named(said: str, tmp_path: Path) -> None:
    assert "Nothing to tune, measured as they are: popularity." in said
    models = copy.deepcopy(METRICS["models"])
    models["ials"]["tuned"] |= {"failed": 2, "reason": "loss not finite"}
    models["item_knn"]["tuned"] |= {"trials": 4, "exhausted": True}
    del models["item_knn"]["tuned"]["default"]["test"]
    del models["item_knn"]["tuned"]["gain_ndcg@10"]
    other = written(tmp_path, models=models)
    assert "ials: 2 of 10 trials failed, the first of them: loss not finite." in other
    assert "item_knn: there are no more than 4 different settings to try." in other
    assert re.search(r"item_knn – 0\.200 0\.190–0\.210 – – 1,012", other), "the default could not be tested"


def test_every_trial_failed(tmp_path: Path) -> None:
    models = copy.deepcopy(METRICS["models"])
    models["svd"]["tuned"] |= {"failed": 10, "reason": "no memory", "valid": None, "settings": {"model.dim": 64}}
    assert "svd: every trial failed, so its default settings stay: no memory." in written(tmp_path, models=models)


def test_errors_of_ratings_are_named_as_such(tmp_path: Path) -> None:
    one = tuned({"model.dim": 8}, {"model.dim": 16}, 0.1, objective="rmse")
    rmse = {
        name: {"rmse": {"value": value, "low": 0.8, "high": 1.0, "n": 512}}
        for name, value in (("a", 0.91), ("b", 0.87))
    }
    one["default"]["ratings"] = rmse["a"]
    said = written(tmp_path, models={"biased_mf": model(0.1, tuned=one, ratings=rmse["b"])})
    assert "0.200 RMSE, lower is better 0.210 RMSE, lower is better 10" in said
    assert "biased_mf 0.910 0.800–1.000 0.870 0.800–1.000 512" in said


def test_seeds_and_windows_are_said(tmp_path: Path) -> None:
    said = written(tmp_path, seeds=5, backtest={"windows": []})
    assert "searched with the first seed" in said
    assert "At each earlier date of the backtest the search was repeated" in said


def test_without_tuning_there_is_no_section(tmp_path: Path) -> None:
    assert written(tmp_path, tune=0) == ""
    nothing = written(tmp_path, models={"popularity": model(0.1)})
    assert "Nothing to tune, measured as they are: popularity." in nothing

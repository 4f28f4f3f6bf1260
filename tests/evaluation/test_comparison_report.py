"""The comparison report shows what metrics.json says, for many models or few, and copes with what is absent."""

from __future__ import annotations

import base64
import copy
import math
import re
from html import unescape
from pathlib import Path
from typing import Any

import pytest

from embedrec.evaluation.comparison_report import write_comparison_report
from embedrec.evaluation.verdict import Verdict
from embedrec.report import Finding
from embedrec.report.drawing import HIGHLIGHT

VERDICT = Verdict("two_tower finds the next products best.", "two_tower", beyond_chance=True, enough_data=True)
NAMES = {"two_tower": "Two-tower", "popularity": "Popularity", "personal_frequency": "Personal frequency"}
QUALITY = {
    "random": 0.003,
    "popularity": 0.07,
    "popularity_recent": 0.138,
    "personal_frequency": 0.335,
    "user_knn": 0.152,
    "item_knn": 0.145,
    "svd": 0.23,
    "ials": 0.244,
    "mf_bpr": 0.214,
    "biased_mf": 0.041,
    "neural_mf": 0.226,
    "two_tower_ids": 0.282,
    "two_tower": 0.378,
}
RIVAL = "personal_frequency"


def entry(value: float | None, n: int = 1012) -> dict[str, Any]:
    low, high = (None, None) if value is None else (value - 0.01, value + 0.01)
    return {"value": value, "low": low, "high": high, "n": n}


def view(value: float | None, n: int) -> dict[str, Any]:
    names = ("ndcg@10", "recall@10", "hit_rate@10", "mrr@10", "map@10", "auc")
    names += ("gini@10", "novelty@10", "diversity@10", "mean_popularity@10")
    return {name: entry(value, n) for name in names} | {"coverage@10": {"value": value, "low": None, "high": None}}


def model(value: float, seconds: float) -> dict[str, Any]:
    views = {
        "all": view(value, 1012),
        "new": view(value / 2, 884),
        "repeat": view(value, 611),
        "cold_item": view(None, 0),
    }
    sliced = {"ndcg@10": entry(value, 120)}
    bins = [{"predicted": 0.1, "observed": 0.2, "n": 5}, {"predicted": 0.3, "observed": 0.25, "n": 5}]
    return {
        "valid": views,
        "test": views,
        "slices": {
            "history_length": {"1": sliced, "2-5": sliced},
            "item_popularity": {"head": sliced, "tail": sliced, "cold": {"ndcg@10": entry(None, 0)}},
            "category": {"Tea & coffee": sliced},
            "customer": {"warm": sliced, "cold": {"ndcg@10": entry(0.09, 77)}},
        },
        "calibration": {"brier": 0.04, "brier_base": 0.05, "ece": 0.01, "n": 10, "bins": bins},
        "fit_seconds": seconds,
        "peak_mb": 800,
    }


def difference(value: float, holm: float, n: int = 1012) -> dict[str, Any]:
    p_values = {"p_bootstrap": 0.01, "p_wilcoxon": 0.01, "holm_bootstrap": holm, "holm_wilcoxon": 0.5}
    return {"difference": value, "low": value - 0.01, "high": value + 0.01, "n": n, **p_values}


METRICS: dict[str, Any] = {
    "run_id": "compare-7",
    "seed": 0,
    "seeds": 5,
    "data": {
        "name": "corner shop",
        "train": {"from": "2023-01-01T00:00:00", "to": "2024-11-20T09:00:00", "purchases": 5},
        "test": {"from": "2024-11-20T09:00:00", "to": "2024-12-31T00:00:00", "customers": 1012},
    },
    "protocol": {"split": "global_time", "candidates": "all"},
    "models": {name: model(value, 10.0 * place) for place, (name, value) in enumerate(QUALITY.items())}
    | {"lightgcn": {"error": "it <ran> out of memory"}},
    "left_out": {"transformer": "no dates"},
    "significance": {
        "rival": RIVAL,
        "ndcg@10": {
            "all": {
                "two_tower": difference(0.043, 0.0002),
                "ials": difference(-0.091, 0.0004),
                "svd": difference(0.012, 0.06),
            },
            "new": {"two_tower": difference(0.05, 0.01, 884)},
        },
    },
    "backtest": {
        "windows": [
            {
                "from": f"2024-{month}-20T09:00:00",
                "ndcg@10": {name: {"all": value, "new": value} for name, value in QUALITY.items()},
            }
            for month in ("11", "10", "09")
        ]
    },
    "verdict": VERDICT.sentence,
}
METRICS["models"]["two_tower"]["seeds_ndcg@10"] = {"all": [0.37, 0.38], "new": [0.18, 0.2]}


def written(path: Path, metrics: dict[str, Any] = METRICS, verdict: Verdict = VERDICT, **extras: Any) -> str:
    write_comparison_report(path / "report.html", metrics, verdict=verdict, names=NAMES, **extras)
    return (path / "report.html").read_text(encoding="utf-8")


def text(page: str) -> str:
    body = page[page.index("<body>") :]
    return " ".join(unescape(re.sub(r"<[^>]+>", " ", body)).split())


def figures(page: str) -> dict[str, str]:
    """{caption: SVG text}"""
    found = re.findall(r"<figcaption>([^<]*)</figcaption><img[^>]*base64,([A-Za-z0-9+/=]+)", page)
    return {unescape(caption): base64.b64decode(image).decode() for caption, image in found}


@pytest.fixture(scope="module")
def page(tmp_path_factory: pytest.TempPathFactory) -> str:
    """The whole comparison, drawn once."""
    return written(tmp_path_factory.mktemp("comparison"))


def section(said: str, heading: str, following: str) -> str:
    return said[said.index(heading) : said.index(following)]


def test_questions_come_in_the_order_people_ask_them(page: str) -> None:
    said = text(page)
    parts = [
        "Which model suits corner shop?",
        VERDICT.sentence,
        "13 models compared",
        "Who finds what customers buy next?",
        "What does quality cost?",
        "For whom, and for which products?",
        "Can it be trusted?",
        "Leaderboard",
        "Models without figures",
        "Better than Personal frequency?",
        "What the lists are like",
        "Probabilities",
        "Parts of the shop",
        "The data",
        "How this was measured",
        "Run compare-7, seed 0, seeds for each learned model: 5.",
        "Words explained",
    ]
    places = [said.index(part) for part in parts]
    assert places == sorted(places)


def test_every_figure_is_there_and_names_its_models(page: str) -> None:
    drawn = figures(page)
    assert len(drawn) == 2 + 2 + 2 + 2 + 2
    everybody = [NAMES.get(name, name) for name in QUALITY]
    for caption in drawn:
        if "quality of the first" in caption or "Best is the upper" in caption:
            assert all(f">{name}<" in drawn[caption] for name in everybody), caption
    assert "each seed a dot" in " ".join(drawn)


def test_the_backtest_runs_forward_in_time(page: str) -> None:
    (svg,) = (svg for caption, svg in figures(page).items() if "several dates" in caption)
    months = re.findall(r">(\d\d)-20<", svg)
    assert months == ["09", "10", "11"]


def test_the_leaderboard_is_sorted_and_leaves_out_views_of_nobody(page: str) -> None:
    said = section(text(page), "Leaderboard", "Models without figures")
    places = [said.index(f" {NAMES.get(name, name)} 0.") for name in sorted(QUALITY, key=lambda name: -QUALITY[name])]
    assert places == sorted(places)
    assert "Two-tower 0.378 0.368–0.388" in said
    assert "1,012 customers." in said
    assert "611 customers." in said
    assert "never sold" not in said
    assert "2 min" in said, "twelve times ten seconds"


def test_differences_are_said_in_words(page: str) -> None:
    said = section(text(page), "Better than Personal frequency?", "Parts of the shop")
    assert "Two-tower +0.0430 +0.0330 to +0.0530 yes, better <0.001 0.500 1,012" in said
    assert "ials −0.0910 −0.1010 to −0.0810 yes, worse <0.001 0.500 1,012" in said
    assert "svd +0.0120 +0.0020 to +0.0220 no 0.060 0.500 1,012" in said, "its interval excludes 0, Holm's p does not"
    assert said.index("Two-tower") < said.index("svd") < said.index("ials")
    assert "+0.0500 +0.0400 to +0.0600 yes, better 0.010 0.500 884" in said


@pytest.mark.parametrize(("n", "said"), [(1, "too few to tell"), (199, "too few to tell"), (200, "yes, better")])
def test_few_customers_are_not_beyond_chance(tmp_path: Path, n: int, said: str) -> None:
    metrics = copy.deepcopy(METRICS)
    metrics["significance"]["ndcg@10"] = {"all": {"two_tower": difference(0.043, 0.0002, n)}}
    page = written(tmp_path, metrics)
    assert f"+0.0430 +0.0330 to +0.0530 {said} <0.001 0.500 {n} " in text(page)
    (svg,) = (svg for caption, svg in figures(page).items() if "better or worse" in caption)
    assert (f"fill: {HIGHLIGHT}".lower() in svg) is (n >= 200), "a full dot is a claim"


def test_one_customer_has_no_interval(tmp_path: Path) -> None:
    metrics = copy.deepcopy(METRICS)
    row = difference(0.043, 0.0002, 1) | dict.fromkeys(("low", "high", "p_bootstrap", "holm_bootstrap"))
    metrics["significance"]["ndcg@10"] = {"all": {"two_tower": row}}
    page = written(tmp_path, metrics)
    assert "Two-tower +0.0430 too few to tell – 0.500 1 " in text(page)
    assert not any("nan" in svg for svg in figures(page).values())


def test_lists_are_described(page: str) -> None:
    said = section(text(page), "What the lists are like", "Probabilities")
    assert "Coverage@10 Gini@10 Novelty@10 Diversity@10 Mean popularity@10 Two-tower 0.378 0.378 0.368–0.388" in said


def test_models_without_figures_say_why(page: str) -> None:
    said = text(page)
    assert "lightgcn failed: it <ran> out of memory" in said
    assert "transformer was left out: no dates" in said


def test_parts_of_the_shop_have_their_customers(page: str) -> None:
    said = section(text(page), "Parts of the shop", "The data")
    assert "1 bought before 2–5 bought before First-time customers Bestsellers Long tail Two-tower" in said
    assert "Customers 120 120 77 120 120" in said
    assert "Tea & coffee" in said


@pytest.mark.parametrize(
    ("verdict", "kind"),
    [
        (VERDICT, "good"),
        (VERDICT._replace(winner=RIVAL), "good"),
        (VERDICT._replace(beyond_chance=False), "caution"),
        (VERDICT._replace(winner=""), "caution"),
    ],
)
def test_a_proven_verdict_is_green_whoever_wins(tmp_path: Path, verdict: Verdict, kind: str) -> None:
    few = {"models": {name: {"test": {"all": view(QUALITY[name], 1012)}} for name in ("two_tower", RIVAL)}}
    assert f'<p class="callout verdict {kind}">' in written(tmp_path, few, verdict)


@pytest.mark.parametrize("winner", ["two_tower", RIVAL, "ials"])
def test_the_recommended_model_is_blue_and_highlighted(tmp_path: Path, winner: str) -> None:
    page = written(tmp_path, verdict=VERDICT._replace(winner=winner))
    called = NAMES.get(winner, winner)
    assert f'<i style="background:{HIGHLIGHT}"></i>{called} (recommended)' in page
    highlighted = set(re.findall(r'<tr class="highlight"><th scope="row">([^<]+)', page))
    assert highlighted == {called, "Two-tower"}


@pytest.mark.parametrize("verdict", [VERDICT._replace(winner=""), VERDICT._replace(enough_data=False)])
def test_where_none_is_recommended_the_best_is_not_called_so(tmp_path: Path, verdict: Verdict) -> None:
    page = written(tmp_path, verdict=verdict)
    assert "(recommended)" not in page
    assert "Two-tower (best figures)" in page


def test_ratings_stand_beside_the_averages(page: str, tmp_path: Path) -> None:
    metrics = copy.deepcopy(METRICS)
    errors = {name: entry(value, 5123) for name, value in (("rmse", 0.862), ("mse", 0.743), ("mae", 0.664))}
    metrics["models"]["biased_mf"]["ratings"] = errors
    metrics["ratings_reference"] = {
        "means": errors | {"rmse": entry(0.8, 5123)},
        "global_mean": errors | {"rmse": entry(1.1)},
    }
    said = section(text(written(tmp_path, metrics)), "Predicted ratings", "Probabilities")
    order = ["means of product and customer 0.800", "biased_mf 0.862", "the mean rating for everything 1.100"]
    places = [said.index(one) for one in order]
    assert places == sorted(places)
    assert "5,123" in said
    assert "Predicted ratings" not in text(page)


def test_words_are_explained_where_they_are_used(page: str, tmp_path: Path) -> None:
    bare = {"models": {"two_tower": {"test": {"all": {"ndcg@10": entry(0.3)}}}}}
    full, little = text(page), text(written(tmp_path, bare))
    for word in ("AUC", "Gini@10", "Novelty@10", "ECE", "Holm", "Wilcoxon", "Cold start", "Backtest", "Calibration"):
        assert f"{word} " in full[full.index("Words explained") :]
        assert word not in little


def test_data_without_dates_have_no_dates(tmp_path: Path) -> None:
    metrics = copy.deepcopy(METRICS)
    for period in ("train", "test"):
        metrics["data"][period] |= {"from": None, "to": None}
    for window in metrics["backtest"]["windows"]:
        window["from"] = None
    page = written(tmp_path, metrics)
    assert "None" not in text(page)
    assert "Learned from" not in text(page)
    assert not any("None" in svg for svg in figures(page).values())


@pytest.mark.parametrize("absent", [None, math.nan])
def test_missing_figures_are_dashes(tmp_path: Path, absent: float | None) -> None:
    metrics = copy.deepcopy(METRICS)
    for name in ("ndcg@10", "hit_rate@10", "coverage@10"):
        metrics["models"]["svd"]["test"]["all"][name] = dict.fromkeys(("value", "low", "high", "n"), absent)
    metrics["models"]["ials"]["fit_seconds"] = absent
    metrics["models"]["two_tower"]["calibration"] |= {"brier": None, "bins": []}
    metrics["significance"]["ndcg@10"]["all"]["ials"] = dict.fromkeys(difference(0.1, 0.1), absent)
    page = written(tmp_path, metrics)
    assert "svd – 0.230" in text(page)
    assert not re.search(r"\b(nan|None)\b", text(page))
    assert not any("nan" in svg for svg in figures(page).values())


@pytest.mark.parametrize(
    "metrics",
    [
        {"models": {}},
        {"models": {"two_tower": {"error": "no"}}, "left_out": {}},
        {"models": {"two_tower": {"valid": {}}, "popularity": {"test": {"all": view(None, 0), "new": view(None, 0)}}}},
        {"models": {"popularity": {"test": {"all": view(0.1, 300)}}}},
        {"models": {"random": {"test": {"all": view(0.0, 300)}, "fit_seconds": 0.0}}},
    ],
)
def test_little_is_still_a_page(tmp_path: Path, metrics: dict[str, Any]) -> None:
    said = text(written(tmp_path, metrics, VERDICT._replace(winner="", beyond_chance=False)))
    assert said.startswith("Which model suits this shop?")
    assert "Words explained" in said


def test_hostile_text_stays_text(tmp_path: Path) -> None:
    bad = "<script>alert(1)</script>"
    metrics = copy.deepcopy(METRICS)
    metrics["data"]["name"] = bad
    metrics["models"]["lightgcn"]["error"] = bad
    metrics["models"][bad] = metrics["models"]["svd"]
    metrics["models"]["ials"]["slices"]["category"] = {bad: {"ndcg@10": entry(0.1)}}
    page = written(tmp_path, metrics, VERDICT._replace(sentence=bad), findings=[Finding("stop", bad)])
    assert "<script" not in page
    assert text(page).count(bad) >= 7


def test_the_same_comparison_gives_the_same_bytes(page: str, tmp_path: Path) -> None:
    assert page == written(tmp_path, copy.deepcopy(METRICS))

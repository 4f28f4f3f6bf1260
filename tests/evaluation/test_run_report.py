"""The run report shows what metrics.json says, in the order people read, and copes with what is absent."""

from __future__ import annotations

import base64
import copy
import json
import math
import re
from html import unescape
from pathlib import Path
from typing import Any

import pytest

from embedrec.evaluation.run_report import write_run_report
from embedrec.evaluation.verdict import Verdict
from embedrec.evaluation.words import TERMS
from embedrec.report import Finding
from embedrec.tables.model import TableAccount

VERDICT = Verdict("two_tower finds the next products best.", "two_tower", beyond_chance=True, enough_data=True)
NAMES = {"two_tower": "Two-tower", "popularity": "Popularity"}


def figures(value: float, n: int) -> dict[str, dict[str, float | None]]:
    names = ("ndcg", "recall", "hit_rate", "mrr", "map")
    entries: dict[str, dict[str, float | None]] = {
        f"{name}@10": {"value": value, "low": value - 0.01, "high": value + 0.01, "n": n} for name in names
    }
    return entries | {"coverage@10": {"value": 0.4321, "low": None, "high": None, "n": n}}


METRICS: dict[str, Any] = {
    "run_id": "run-7",
    "seed": 11,
    "data": {
        "name": "corner shop",
        "train": {"from": "2023-01-01T00:00:00", "to": "2024-11-20T09:00:00"},
        "test": {"from": "2024-11-20T09:00:00", "to": "2024-12-31T00:00:00", "customers": 1012},
    },
    "protocol": {"split": "global_time", "candidates": "all"},
    "models": {
        "popularity": {"test": {"all": figures(0.125, 1012), "new": figures(0.0625, 884)}},
        "two_tower": {"test": {"all": figures(0.375, 1012), "new": figures(0.2, 884)}},
        "personal_frequency": {"test": {"all": figures(0.25, 1012)}},
    },
    "verdict": VERDICT.sentence,
}
EXTRAS: dict[str, Any] = {
    "learning_curve": [{"epoch": e, "train_loss": 3.0 - e, "valid_ndcg": 0.1 * e} for e in range(3)],
    "recall_curves": {"two_tower": {5: (0.2, 0.1, 0.3), 10: (0.3, 0.2, 0.4)}},
    "popularity": {"two_tower": [0.5, 0.3, 0.1, 0.1]},
    "accounts": [TableAccount("purchase_history", "p.csv", 1234, 1200, 4, 20, 10, ("a note <on> repairs",))],
    "findings": [Finding("warn", "few purchases & fewer customers"), Finding("info", "good to know")],
    "oracle": {"synthetic": True, "ndcg@10": {"all": 0.5, "new": 0.25}},
    "names": NAMES,
}


def written(path: Path, metrics: dict[str, Any] = METRICS, verdict: Verdict = VERDICT, **extras: Any) -> str:
    write_run_report(path / "report.html", metrics, champion="two_tower", verdict=verdict, **extras)
    return (path / "report.html").read_text(encoding="utf-8")


def text(page: str) -> str:
    body = page[page.index("<body>") :]
    return " ".join(unescape(re.sub(r"<[^>]+>", " ", body)).split())


def test_the_verdict_stands_first_and_the_figures_follow(tmp_path: Path) -> None:
    said = text(written(tmp_path, **EXTRAS))
    parts = [
        "Two-tower on corner shop",
        "Learned from purchases 2023-01-01 to 2024-11-20, tested on 2024-11-20 to 2024-12-31.",
        VERDICT.sentence,
        "In pictures",
        "Leaderboard",
        "The data",
        "purchase_history p.csv 1,234 1,200 4 20 10",
        "a note <on> repairs",
        "Few purchases & fewer customers",
        "Good to know",
        "How this was measured",
        "Run run-7, seed 11.",
        "Words explained",
    ]
    places = [said.index(part) for part in parts]
    assert places == sorted(places)
    assert all(word in said for word in TERMS)


def test_the_leaderboard_is_sorted_and_complete(tmp_path: Path) -> None:
    said = text(written(tmp_path, **EXTRAS))
    board = said[said.index("Leaderboard") : said.index("The data")]
    both = board.split("Only products the customer never bought")
    assert [both[0].index(name) for name in ("Two-tower", "personal_frequency", "Popularity")] == sorted(
        both[0].index(name) for name in ("Two-tower", "personal_frequency", "Popularity")
    )
    assert "Two-tower 0.375 0.365–0.385 75 % 0.375" in both[0]
    assert "1,012 customers." in both[0]
    assert "0.365–0.385 0.432 personal_frequency" in both[0], "coverage, the last column, has no interval"
    assert "Two-tower 0.200 0.190–0.210 80 %" in both[1]
    assert "884 customers." in both[1]
    assert "personal_frequency" not in both[1], "a model without this view is not in its table"


def test_the_trained_model_is_highlighted_once_a_table(tmp_path: Path) -> None:
    page = written(tmp_path, **EXTRAS)
    assert re.findall(r'<tr class="highlight"><th scope="row">([^<]+)', page) == ["Two-tower", "Two-tower"]


def test_the_tile_counts_customers_in_plain_words(tmp_path: Path) -> None:
    said = text(written(tmp_path, **EXTRAS))
    assert "38 of 100 customers bought at least one of the 10 products recommended; 25 with personal_frequency" in said
    assert "75 % of the quality that the best possible model reaches" in said


@pytest.mark.parametrize(
    ("verdict", "kind"),
    [
        (VERDICT, "good"),
        (VERDICT._replace(beyond_chance=False), "caution"),
        (VERDICT._replace(winner="popularity"), "caution"),
        (Verdict("Too few customers to tell.", "", beyond_chance=False, enough_data=False), "caution"),
    ],
)
def test_only_a_proven_win_of_the_trained_model_is_green(tmp_path: Path, verdict: Verdict, kind: str) -> None:
    assert f'<p class="callout verdict {kind}">{verdict.sentence}' in written(tmp_path, verdict=verdict)


def test_without_extras_only_what_was_measured_is_shown(tmp_path: Path) -> None:
    page = written(tmp_path)
    assert page.count("<figure>") == 2, "one a view"
    assert "possible" not in text(page)
    assert "Two_tower on corner shop" in text(page)


def test_every_extra_has_its_figure(tmp_path: Path) -> None:
    assert written(tmp_path, **EXTRAS).count("<figure>") == 2 + 1 + 1 + 2


def with_slices() -> dict[str, Any]:
    metrics = copy.deepcopy(METRICS)
    for value, entry in enumerate(metrics["models"].values(), 1):
        lengths = {name: {"ndcg@10": {"value": 0.1 * value, "low": 0.0, "high": 1.0, "n": 7}} for name in ("1", "2-5")}
        nobody = {"ndcg@10": {"value": None, "low": None, "high": None, "n": 0}}
        entry["slices"] = {"history_length": lengths | {"21+": nobody}, "item_popularity": {"head": lengths["1"]}}
        bins = [{"predicted": 0.1, "observed": 0.2, "n": 5}, {"predicted": 0.3, "observed": 0.25, "n": 5}]
        entry["calibration"] = {"brier": 0.05 / value, "brier_base": 0.06, "ece": 0.01, "n": 10, "bins": bins}
    return metrics


def test_slices_and_probabilities_are_drawn_where_they_were_measured(tmp_path: Path) -> None:
    page = written(tmp_path, with_slices(), **EXTRAS)
    assert page.count("<figure>") == 6 + 2 + 1
    said = text(page)
    board = said[said.index("Probabilities") : said.index("The data")]
    assert board.index("personal_frequency 0.0167") < board.index("Two-tower 0.0250") < board.index("Popularity 0.0500")
    assert "Brier score Mean squared distance" in said, "new words are explained"
    assert "Brier" not in text(written(tmp_path, **EXTRAS)), "but only where they are used"


def test_a_slice_of_nobody_is_not_drawn(tmp_path: Path) -> None:
    images = re.findall(r"base64,([A-Za-z0-9+/=]+)", written(tmp_path, with_slices()))
    drawn = "".join(base64.b64decode(image).decode() for image in images)
    assert "2–5" in drawn
    assert "21+" not in drawn
    assert "Long tail" not in drawn


def test_the_lowest_rating_error_is_the_best_epoch(tmp_path: Path) -> None:
    curve = [{"epoch": e, "train_loss": 3.0 - e, "valid_rmse": value} for e, value in enumerate((1.1, 0.9, 1.0))]
    page = written(tmp_path, learning_curve=curve)
    images = re.findall(r"base64,([A-Za-z0-9+/=]+)", page)
    assert sum("best 0.9000" in base64.b64decode(image).decode() for image in images) == 1
    assert "error of predicted ratings" in text(page)


def test_nothing_measured_is_still_a_page(tmp_path: Path) -> None:
    empty = {"models": {"two_tower": {"valid": {}}}}
    said = text(written(tmp_path, empty, learning_curve=[{"epoch": 0, "train_loss": None, "valid_ndcg": None}]))
    assert "Two_tower on this shop" in said
    assert "Words explained" in said


@pytest.mark.parametrize("absent", [None, math.nan])
def test_a_missing_figure_is_a_dash(tmp_path: Path, absent: float | None) -> None:
    metrics = copy.deepcopy(METRICS)
    for name in ("ndcg@10", "hit_rate@10"):
        metrics["models"]["popularity"]["test"]["all"][name] = dict.fromkeys(("value", "low", "high", "n"), absent)
    del metrics["models"]["two_tower"]["test"]["new"]["map@10"]
    said = text(written(tmp_path, metrics, **EXTRAS))
    assert "Popularity – – 0.125" in said, "the value, the share of the best possible, then recall"
    assert "nan" not in said.lower()


def test_small_figures_get_a_fourth_decimal(tmp_path: Path) -> None:
    metrics = copy.deepcopy(METRICS)
    metrics["models"] = {"two_tower": {"test": {"all": figures(0.0267, 300)}}}
    assert "two_tower 0.0267 0.0167–0.0367" in text(written(tmp_path, metrics))


def test_hostile_names_and_notes_stay_text(tmp_path: Path) -> None:
    bad = "<script>alert(1)</script>"
    page = written(
        tmp_path,
        METRICS | {"data": {"name": bad}, "run_id": bad},
        VERDICT._replace(sentence=bad),
        names={"popularity": bad},
        findings=[Finding("stop", bad)],
        accounts=[TableAccount(bad, bad, 1, 1, notes=(bad,))],
        popularity={bad: [1.0, 0.0, 0.0, 0.0]},
    )
    assert "<script" not in page
    assert text(page).count(bad) >= 7


def test_the_same_run_gives_the_same_bytes(tmp_path: Path) -> None:
    first = written(tmp_path, **EXTRAS)
    assert first == written(tmp_path, json.loads(json.dumps(METRICS)), **EXTRAS)
    assert "http" not in re.sub(r"base64,[A-Za-z0-9+/=]+", "", first).replace("http-equiv", "")

"""What the doctor advises, for shops that differ in one thing."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from test_detectors import FACTS, SPAN

from embedrec.columns import CUSTOMER_RATING, PART
from embedrec.doctor.advice import Advice, advise
from embedrec.doctor.examination import Examination
from embedrec.doctor.signal import Signal
from embedrec.report import Finding
from shops import small_shop

SIGNAL = Signal("item_knn", 0.2, 0.01, 0.1, 0.2, 0.0001, 400, "item_knn")
CHANCE = replace(SIGNAL, ndcg=0.01, low=-0.01, high=0.01, p_value=0.9)
WARN, STOP = Finding("warn", "a doubt (0.3)"), Finding("stop", "no way; none at all")
NO_ATTRIBUTES: dict[str, Any] = {"filled": {}, "histograms": {}}


def advised(
    facts: dict[str, Any] | None = None,
    time: str = "dates",
    signal: Signal | None = SIGNAL,
    findings: tuple[Finding, ...] = (),
    too_little: str = "",
    **columns: object,
) -> Advice:
    tables = small_shop(0)
    tables = replace(tables, time=time, events=tables.events.assign(**columns))
    return advise(tables, Examination(replace(FACTS, **(facts or {})), findings, too_little), signal)


@pytest.mark.parametrize(
    ("shop", "model", "why"),
    [
        ({}, "two_tower", "against item_knn, the best quick model"),
        ({"signal": None}, "two_tower", "the default; the verdict"),
        ({"signal": CHANCE}, "popularity_recent", "looks like chance"),
        ({"too_little": "12 purchases"}, "popularity_recent", "too little to train on"),
        ({"facts": {"held_out": None}}, "popularity_recent", "too little to train on"),
        ({"facts": {"held_out": replace(FACTS.held_out, repeat_share=0.5)}}, "two_tower", "against personal_frequency"),
        ({CUSTOMER_RATING: 4.0}, "two_tower", "biased_mf predicts the stars"),
        ({"time": "order", "facts": {"time": None}}, "two_tower_sequence", "the order is what it reads"),
        ({"time": "none", "facts": {"time": None}}, "two_tower", "the default"),
        ({"time": "none", "facts": {"time": None, **NO_ATTRIBUTES}}, "two_tower_ids", "only ids to learn from"),
        ({"time": "none", "facts": {"time": None, "looks": 9, **NO_ATTRIBUTES}}, "two_tower", "the default"),
    ],
)
def test_a_model(shop: dict[str, Any], model: str, why: str) -> None:
    advice = advised(**shop)
    assert advice.model.startswith(f"{model}: ")
    assert why in advice.model
    assert advice.settings["model"] == model


@pytest.mark.parametrize(
    ("shop", "protocol"),
    [
        ({}, "global_time"),
        ({PART: "train"}, "given"),
        ({"time": "order", "facts": {"time": None}}, "leave_last_out"),
        ({"time": "none", "facts": {"time": None}}, "random"),
        ({"facts": {"time": replace(SPAN, moments=1)}}, "random"),
    ],
)
def test_a_protocol(shop: dict[str, Any], protocol: str) -> None:
    assert advised(**shop).settings["split.protocol"] == protocol


def test_a_short_time_is_said() -> None:
    assert "14 days are short" in advised({"time": replace(SPAN, days=14.0)}).protocol
    assert "short" not in advised().protocol


@pytest.mark.parametrize(
    ("findings", "trusted", "said"),
    [
        ((), "yes", "Yes, as far as"),
        ((WARN,), "care", "keep the warning in mind"),
        ((WARN, WARN), "care", "keep 2 warnings in mind"),
        ((STOP, WARN), "no", "No: no way."),
        ((STOP, STOP, WARN), "no", "No: no way, and 1 more."),
    ],
)
def test_trust(findings: tuple[Finding, ...], trusted: str, said: str) -> None:
    advice = advised(findings=findings)
    assert advice.trusted == trusted
    assert said in advice.trust

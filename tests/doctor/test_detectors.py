"""Each detector speaks where it should, and is silent just beside."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from embedrec.doctor.detectors.dates import dates
from embedrec.doctor.detectors.ids import ids
from embedrec.doctor.detectors.size import size
from embedrec.doctor.detectors.spread import spread
from embedrec.doctor.facts import Concentration, Facts, Joins, Span
from embedrec.doctor.held_out import HeldOut
from embedrec.doctor.histograms import Histogram

SPAN = Span("2024-01-01T08:00:00", "2024-12-31T09:00:00", 365.0, 3.0, "2024-12-25", 5000, 0.01, 0.02, False)
HELD_OUT = HeldOut("global_time", "2024-11-01", 900, 400, 400, 0.1, 0.05, 0.1)
FACTS = Facts(
    purchases=10_000,
    customers=1_000,
    products=500,
    looks=0,
    joins=Joins(0, 0, None, None),
    time=SPAN,
    concentration=Concentration(0.5, 0.1, 0.4, 0.01, 0.1),
    repeat_share=0.1,
    filled={"category": 1.0},
    histograms={"price": Histogram((1.0, 2.0), (500,))},
    held_out=HELD_OUT,
)


def test_a_good_shop_gets_no_warning() -> None:
    found = [*dates(SPAN), *ids(FACTS), *spread(FACTS), *size(FACTS, "")]
    assert [(one.severity, one.sentence[:4]) for one in found] == [("info", "10 %")]


@pytest.mark.parametrize(
    ("change", "severity", "said"),
    [
        ({"moments": 1}, "stop", "the same timestamp"),
        ({"same_moment": 0.51}, "warn", "51 % of the purchases carry the date of one moment"),
        ({"same_day": 0.6}, "warn", "60 % of the purchases carry the date of one day"),
        ({"whole_days": True}, "info", "no time of day"),
        ({"longest_gap_days": 40.0}, "warn", "no purchase for 40 of 365 days, from 2024-12-25 on"),
    ],
)
def test_dates(change: dict[str, Any], severity: str, said: str) -> None:
    (found,) = dates(replace(SPAN, **change))
    assert found.severity == severity
    assert said in found.sentence


def test_a_short_busy_day_and_a_short_gap_are_nothing() -> None:
    assert dates(replace(SPAN, days=3.0, same_day=0.9, longest_gap_days=2.0)) == []
    assert "no dates" in dates(None)[0].sentence


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"products": 20}, "product_id has 20 values for 10,000 purchases: is it a category"),
        ({"customers": 3}, "customer_id has 3 values for 10,000 purchases: is it a shop or channel"),
        ({"customers": 9_000}, "customer_id has 9,000 values for 10,000 purchases: is it the number of a row"),
        ({"products": 9_999}, "product_id has 9,999 values for 10,000 purchases: is it the number of a row"),
    ],
)
def test_ids_that_are_something_else(change: dict[str, int], said: str) -> None:
    (found,) = ids(replace(FACTS, **change))
    assert found.severity == "warn"
    assert said in found.sentence


def test_few_ids_of_few_purchases_are_a_small_shop() -> None:
    assert ids(replace(FACTS, products=20, customers=30, purchases=900)) == []


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"largest_customer": 0.06}, "one customer made 6 % of all purchases"),
        ({"customers_once": 0.9}, "90 % of the customers bought once"),
        ({"top_1_percent": 0.6}, "60 % of the purchases are of 1 % of the products"),
    ],
)
def test_concentration(change: dict[str, float], said: str) -> None:
    found = spread(replace(FACTS, concentration=replace(FACTS.concentration, **change)))
    assert said in found[0].sentence
    assert len(found) == 2


@pytest.mark.parametrize(
    ("share", "said"), [(0.48, "exclude_bought=false"), (0.1, "earn their places"), (0.0, "exclude_bought=true")]
)
def test_what_the_repeat_share_means_for_the_list(share: float, said: str) -> None:
    (found,) = spread(replace(FACTS, held_out=replace(HELD_OUT, repeat_share=share)))
    assert said in found.sentence
    assert found.figures == {"repeat_share": share}


def test_a_random_part_says_nothing_of_repeats() -> None:
    assert spread(replace(FACTS, held_out=replace(HELD_OUT, protocol="random", repeat_share=0.0))) == []
    assert spread(replace(FACTS, held_out=replace(HELD_OUT, customers=24))) == []


def test_cold_products_are_said() -> None:
    found = spread(replace(FACTS, held_out=replace(HELD_OUT, cold_share=0.25)))
    assert [one.severity for one in found] == ["info", "warn"]
    assert "25 % of what is bought after the cut had never been sold" in found[1].sentence


def test_too_little() -> None:
    few = replace(FACTS, held_out=replace(HELD_OUT, customers=0, validation_customers=7), filled={}, histograms={})
    found = size(few, "7 purchases before the test")
    assert [one.severity for one in found] == ["stop", "stop", "info", "info"]
    assert "7 purchases before the test" in found[0].sentence
    assert found[1].figures == {"test": 0, "validation": 7}
    assert [one.sentence.split(":")[0] for one in found[2:]] == ["no price is known", "no product has a category"]

"""The tab Model, and the banner on every tab: figures of the bundle in plain words, and when not to trust it."""

from __future__ import annotations

from datetime import date

import pytest
from fake_shop import HOSTILE, MANIFEST, UNTESTED, FakeShop, Info, figure, measured_as

from embedrec.app.model_views import model_page, weak_slices
from embedrec.app.service import Service
from embedrec.app.views import OLD, header
from embedrec.bundle import Manifest


def changed(**own: object) -> Manifest:
    """The manifest with other figures of the model itself."""
    return MANIFEST.model_copy(
        update={"metrics": {**MANIFEST.metrics, "two_tower": {**MANIFEST.metrics["two_tower"], **own}}}
    )


def test_the_leaderboard_ranks_by_quality_with_intervals():
    html = model_page(MANIFEST, Info(), 10)
    assert html.index("The trained model <") < html.index("The list of what each") < html.index("The list of the last")
    assert '53 of 100 <span class="er-range">(52–54)</span>' in html
    assert '0.310 <span class="er-range">(0.300–0.320)</span>' in html
    assert html.count("in use") == 2  # of all purchases, and of new products
    assert "1,012 customers" in html
    for meaning in ("also called NDCG@10", "of 100 tested customers", "where the figure would mostly fall"):
        assert meaning in html


@pytest.mark.parametrize(
    ("own", "said"),
    [
        (measured_as(0.53, 0.31, 0.4), "It is not clearly better than the best other"),
        (
            measured_as(0.6, 0.4, 0.5),
            "It is clearly better than everything else that was tried: of 100 customers, 60 bought",
        ),
        (measured_as(0.2, 0.1, 0.1), "Something else is clearly better"),
    ],
)
def test_the_verdict_in_plain_words(own, said):
    assert said in model_page(changed(**own), Info(), 10)


def test_weak_slices_are_those_below_the_average_beyond_chance():
    found = weak_slices(MANIFEST.metrics["two_tower"])
    assert [(one.value, one.n) for one in found] == [(0.1, 90), (0.2, 120)]  # not Toys: three customers
    assert found[1].words == "Customers with 1 product bought before"
    html = model_page(MANIFEST, Info(), 10)
    assert "On average 40 % of what customers then bought was" in html
    assert "<script" not in html
    fine = changed(slices={"history_length": {"1": {"recall@10": figure(0.4, n=100)}}})
    assert "No group of customers or products does clearly worse." in model_page(fine, Info(), 10)
    empty = changed(slices={"category": {"Toys": {"recall@10": {"value": None, "low": None, "high": None, "n": 0}}}})
    assert weak_slices(empty.metrics["two_tower"]) == []


@pytest.mark.parametrize(
    ("observed", "said"), [(0.19, "taken at their word"), (0.1, "come out too high"), (0.4, "come out too low")]
)
def test_chances_are_held_against_what_happened(observed, said):
    bins = [{"predicted": 0.2, "observed": observed, "n": 500}]
    html = model_page(changed(calibration={"ece": 0.012, "n": 500, "bins": bins}), Info(), 10)
    assert f"Where it said 20 %, {100 * observed:.0f} % were bought" in html
    assert said in html
    assert "off by 1.2 percentage points" in html


def test_a_bundle_that_nobody_measured_has_a_page():
    info = Info(model="popularity_recent", fallback_from="two_tower", verdict="Too little data to tell.")
    html = model_page(UNTESTED, info, None)
    for words in ("Nobody was tested", "Nobody has measured how good it is.", "Too little data to tell.",
                  "does not say for whom", "was not measured for this bundle", "everybody gets what most customers",
                  "It was not tested on held-back purchases"):  # fmt: skip
        assert words in html
    assert "since then" not in html


def test_undated_data_and_other_splits_are_told():
    undated = MANIFEST.model_copy(update={"split": {**MANIFEST.split, "protocol": "random"}})
    html = model_page(undated, Info(data_from=None, data_until=None), None)
    assert "The data carry no dates." in html
    assert "the figures say little about the future" in html


def test_the_card_says_what_it_is_and_when_not_to_trust_it():
    html = model_page(MANIFEST, Info(), OLD + 1)
    for words in ("in one space", "before 29 Oct 2025", "The shop is made up", f"ended {OLD + 1} days ago",
                  "Of the data: page_views carry no date.", "Days after which a purchase counts half", "softmax",
                  "not what an e-mail or a discount would change"):  # fmt: skip
        assert words in html
    few = changed(test={"all": {"ndcg@10": figure(0.3, n=40), "hit_rate@10": figure(0.5, n=40)}})
    assert "only 40 customers" in model_page(few, Info(), 1)


@pytest.mark.parametrize("hostile", HOSTILE)
def test_hostile_names_stay_text(hostile):
    parts = {hostile: {"recall@10": figure(0.1, n=90)}}
    manifest = changed(slices={"category": parts, hostile: parts}).model_copy(
        update={
            "data": {**MANIFEST.data, "warnings": [hostile]},
            "config": {"loss": {"name": hostile}, "seed": hostile},
        }
    )
    manifest.metrics[hostile] = measured_as(0.4, 0.2, 0.2)
    html = model_page(manifest, Info(data_name=hostile, verdict=hostile), 400)
    assert "<script" not in html
    assert "<img" not in html


def test_old_data_are_said_on_every_tab():
    service = Service(FakeShop(products=20), today=lambda: date(2026, 3, 31))
    assert service.age_days() == OLD
    assert "The data are old" not in header(service.shop.info, service.age_days())
    service = Service(FakeShop(products=20), today=lambda: date(2026, 4, 1))
    assert "They end 91 days ago" in header(service.shop.info, service.age_days())
    assert "old" not in header(Info(data_from=None, data_until=None), None)


def test_age_is_unknown_without_dates():
    assert Service(FakeShop(products=20, data_until=None)).age_days() is None

"""What the tabs Customer and New customer say: who somebody is, how likely, what drove the list; and what they save."""

from __future__ import annotations

import csv
import io
import re
from datetime import date

import pandas as pd
import pytest
from fake_shop import FakeShop, Profile

from embedrec.app.chance import as_odds, in_words, meaning
from embedrec.app.controls import leave_out
from embedrec.app.customer_tab import FOUND, find_customers
from embedrec.app.customer_views import customer_result, new_customer_result
from embedrec.app.downloads import as_csv, file_name
from embedrec.app.questions import CustomerQuestion, NewCustomerQuestion
from embedrec.app.service import Item, Service, listed
from embedrec.app.suggestions import Chances, suggestions
from embedrec.app.timeline import timeline
from embedrec.serving.profile import Month


def item(**known: object) -> Item:
    given = {"rank": 1, "product_id": "P1", "title": None, "category": None, "price": None, "rating": None}
    return Item(**(given | {"score": 1.0, "probability": None, "reason": "Popular this month"} | known))


def test_a_chance_in_words_and_as_odds() -> None:
    words = [in_words(chance, 0.1) for chance in (0.5, 0.2, 0.19, 0.1, 0.09, 0.05, 0.04, 0.0)]
    assert words == ["strong", "strong", "good", "good", "fair", "fair", "faint", "faint"]
    assert in_words(0.5, None) == ""
    assert [as_odds(one) for one in (1.0, 0.31, 0.0099, 0.0042, 0.0001)] == [
        "over 99 in 100", "31 in 100", "10 in 1,000", "4 in 1,000", "under 1 in 1,000"
    ]  # fmt: skip
    assert "within 30 days" in meaning(30, 0.1)
    assert "(10 in 100)" in meaning(30, 0.1)
    assert "days" not in meaning(None, None)


def test_chances_are_shown_only_where_they_are_known() -> None:
    with_map = suggestions("Next", [item(probability=0.31), item(rank=2)], [], Chances(30, 0.1))
    assert '<span class="er-word er-strong">strong</span> <span class="er-odds">31 in 100</span>' in with_map
    without = suggestions("Next", [item()], [], Chances(None, None))
    assert "Chance" not in without


@pytest.mark.parametrize(
    ("share", "start", "why"),
    [
        (0.31, "everything", "About 31 % of purchases in this shop are of something bought before, so it starts with"),
        (0.02, "new", "About 2 % of purchases in this shop are of something bought before, so it starts without"),
        (None, "everything", None),
    ],
)
def test_the_measured_repeat_rate_sets_the_default_and_says_so(
    share: float | None, start: str, why: str | None
) -> None:
    found, told = leave_out(share)
    assert found == start
    assert told is None if why is None else (told or "").startswith(why)


def test_customers_are_found_by_what_their_id_holds() -> None:
    service = Service(FakeShop(products=40, customers=300))
    assert find_customers(service, " c0042") == ["C0042"]
    assert find_customers(service, "42")[:2] == ["C0042", "C0142"]
    assert len(find_customers(service)) == FOUND
    mixed = FakeShop(products=40)
    mixed.customer_ids = ["X1A", "A7", "7A", "A1"]
    assert find_customers(Service(mixed), "a") == ["A7", "A1", "X1A", "7A"]


def page(shop: FakeShop, customer: str, **options: object) -> str:
    answer = Service(shop).recommend(CustomerQuestion(customer_id=customer, **options))
    return customer_result(shop, shop.customer(customer), shop.purchases(customer), answer, answer.returned == 0)


def test_the_segment_says_its_rule_and_numbers() -> None:
    html = page(FakeShop(products=40), "C0001")
    assert "<summary>Loyal, buys often</summary>" in html
    for words in ("shopped on many days", "Last purchase 12 days", "on 13 days: fifth 5 of 5", "Spent 412.50: fifth 3"):
        assert words in html


def test_a_part_of_an_id_brings_real_ones() -> None:
    shop = FakeShop(products=40)
    answer = Service(shop).recommend(CustomerQuestion(customer_id="277"))
    html = customer_result(shop, None, shop.purchases("277"), answer, like=["C0277", "<b>277"])
    assert "Did you mean C0277 or &lt;b&gt;277?" in html


def test_a_list_of_nothing_to_buy_again_says_so() -> None:
    class Once(FakeShop):
        def purchases(self, customer_id: str) -> pd.DataFrame:
            return super().purchases(customer_id).head(0)

    html = page(Once(products=40), "C0001", only="again")
    assert "Nothing to buy again." in html
    assert "Choose “Everything”" in html


def months(*spend: float | None, purchases: int = 2) -> tuple[Month, ...]:
    return tuple(Month(date(2025, 1 + i, 1), purchases if one != 0 else 0, one) for i, one in enumerate(spend))


def test_the_timeline_is_a_picture_with_words() -> None:
    html = timeline(months(10.0, 0.0, 40.0))
    assert html.count('<rect class="er-bar"') == 3
    heights = [float(one) for one in re.findall(r'class="er-bar"[^>]* height="([\d.]+)"', html)]
    assert heights == [13.0, 0.0, 52.0]
    assert "<desc>4 purchases in 2 of 3 months, most in Mar 2025 (40.00)</desc>" in html
    assert "<title>Jan 2025: 2 purchases, 10.00</title>" in html
    assert ">Jan 2025</text>" in html
    assert ">Mar 2025</text>" in html


def test_without_prices_purchases_are_counted_and_without_purchases_there_is_no_picture() -> None:
    assert "most in Jan 2025 (2 purchases)" in timeline(months(None, 0.0))
    assert timeline(()) == timeline(months(0.0, 0.0)) == ""


def test_what_drove_the_list_of_a_new_customer() -> None:
    shop = FakeShop(products=40)
    answer = Service(shop).recommend_new(NewCustomerQuestion(history=["P0001"]))
    drivers = pd.DataFrame(
        [
            ("history", "", "P0001", 3.0),
            ("popularity", "what sells to everybody", None, 1.0),
            ("price", "x", None, -2.0),
        ],
        columns=["part", "words", "product_id", "lift"],
    )
    html = new_customer_result(shop, ["P0001"], answer, drivers)
    told = re.findall(r'<span class="er-driver">(.*?)</li>', html)
    assert [re.sub("<[^>]+>", " ", one).split() for one in told] == [
        ["In", "the", "basket:", "Sample", "product", "0001", "75", "%"],
        ["What", "sells", "to", "everybody", "25", "%"],
    ]
    assert "What drives" not in new_customer_result(shop, [], answer, drivers.head(0))


def test_a_saved_list_is_a_table_that_a_spreadsheet_may_open() -> None:
    shop = FakeShop(products=40)
    shop.titles = dict.fromkeys(shop.product_ids, "=cmd()")
    answer = Service(shop).recommend(CustomerQuestion(customer_id="C0001", k=2))
    text = as_csv(listed(answer))
    assert text.startswith("\ufeffcustomer_id,rank,product_id,title,category,price,rating,score,probability,reason\n")
    rows = list(csv.DictReader(io.StringIO(text.removeprefix("\ufeff"))))
    assert [row["customer_id"] for row in rows] == ["C0001"] * 2
    assert {row["title"] for row in rows} == {"'=cmd()"}
    nobody = as_csv(listed(Service(shop).recommend_new(NewCustomerQuestion(price=[0, 0.1]))))
    assert nobody == "\ufeffrank,product_id,title,category,price,rating,score,probability,reason\n"


def test_file_names_are_plain() -> None:
    assert file_name("suggestions", "../../etc/passwd\n<b>") == "suggestions-etc-passwd-b.csv"
    assert len(file_name("x" * 300)) == 84


def test_a_profile_without_dates_has_neither_segment_nor_picture() -> None:
    class Undated(FakeShop):
        def customer(self, customer_id: str) -> Profile:
            return Profile(customer_id, segment=None, months=(), first_purchase=None, last_purchase=None)

    html = page(Undated(products=40), "C0001")
    assert "er-segment" not in html
    assert "<svg" not in html

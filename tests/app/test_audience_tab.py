"""The tab *Audience* as functions: what is sent, what is chosen, what the HTML says; nothing hostile becomes markup."""

from __future__ import annotations

import base64
import csv
import io

import pandas as pd
import pytest
from fake_shop import HOSTILE, FakeShop

from embedrec.app.audience_tab import CATEGORY_CHOICE, FILE_CHOICE, PRODUCT_CHOICE, _chosen
from embedrec.app.audience_views import SHOWN, audience_result, curve, file_refused, lists_result
from embedrec.app.downloads import as_csv
from embedrec.app.uploads import LARGEST_FILE, TOO_LARGE, received
from embedrec.errors import DataError
from embedrec.serving import Reach
from embedrec.serving.lists import customer_lists


def sent(content: bytes) -> str:
    return base64.b64encode(content).decode()


# What the browser sends


def test_a_file_arrives_as_it_is() -> None:
    assert received(sent(bytes(range(256)))) == bytes(range(256))
    assert received(sent(b"x" * LARGEST_FILE)) == b"x" * LARGEST_FILE


@pytest.mark.parametrize(
    ("given", "why"),
    [("", "no file was chosen"), (None, "no file was chosen"), (TOO_LARGE, "larger than 700 kB"),
     (sent(b"x" * (LARGEST_FILE + 3)), "larger than 700 kB"), ("no base64!", "cannot be read"), ("é", "be read")],
)  # fmt: skip
def test_what_is_no_file(given: str | None, why: str) -> None:
    with pytest.raises(DataError, match=why):
        received(given)


# What is to be sold


def test_a_product_a_category_or_a_file() -> None:
    shop = FakeShop()
    assert _chosen(shop, "", PRODUCT_CHOICE, None, "Toys") is None
    assert _chosen(shop, "", CATEGORY_CHOICE, "P0001", None) is None
    assert _chosen(shop, "", PRODUCT_CHOICE, "P0001", None) == ({"product_id": "P0001"}, "Sample product 0001")
    assert _chosen(shop, "", CATEGORY_CHOICE, None, "Toys") == ({"categories": ["Toys"]}, "Toys")
    file = sent(b"Product ID\nP0002\nP0001\nnone such\n")
    found = ({"products": ["P0002", "P0001"]}, "2 products (of 3 in your file)")
    assert _chosen(shop, file, FILE_CHOICE, None, None) == found
    with pytest.raises(DataError, match="none of its products is in the shop"):
        _chosen(shop, sent(b"product_id\nnone such\n"), FILE_CHOICE, None, None)


# What is shown


def test_an_audience_in_words() -> None:
    shop = FakeShop()
    shown = audience_result("Coffee", shop.audience("P0345", exclude_recent_days=9), shop.reach("P0345"))
    for words in ("297 of 300", "Expected to buy within 30 days", "Left out, bought it lately", "3 customers",
                  "The best 10 % of the list held 38 % of them: 3.8 times", "40 in 100", "bought 2 times",
                  f"the first {SHOWN} of 297"):  # fmt: skip
        assert words in shown
    assert shown.count("<tr>") == 1 + SHOWN + 1 + 7


def test_too_few_buyers_and_nobody_left() -> None:
    shop = FakeShop()
    shown = audience_result("x", shop.audience("P0001"), shop.reach("P0001"))
    assert "Too little to say.</strong> Only 4 of 280 customers bought within the test window." in shown
    nobody = shop.audience("P0001").head(0)
    nobody.attrs.update(customers=300, left_out=300, expected_buyers=0.0, days=None, products=1)
    shown = audience_result("x", nobody, shop.reach("P0001"))
    assert "Nobody is left in this list." in shown
    assert "0 of 300" in shown


def test_without_probabilities_and_dates() -> None:
    found = FakeShop().audience("P0001", n=2).assign(probability=float("nan"), last_purchase=pd.NaT)
    found.attrs.update(customers=300, left_out=0, expected_buyers=None, days=None, products=1)
    shown = audience_result("x", found, FakeShop().reach("P0001"))
    assert "Expected to buy" not in shown
    assert "nan" not in shown.lower().replace("nanny", "")


def test_the_picture_has_a_dot_for_each_figure_and_stays_inside() -> None:
    points = FakeShop().reach("P0345")
    assert points.curve is not None
    drawn = curve(points.curve)
    assert drawn.count("<circle") == len(points.curve)
    assert "the best 10 % of customers hold 38 % of the buyers" in drawn


@pytest.mark.parametrize("hostile", HOSTILE)
def test_hostile_text_is_escaped(hostile: str) -> None:
    shop = FakeShop()
    audience = shop.audience("P0345").assign(customer_id=hostile, reason=hostile)
    for shown in (
        audience_result(hostile, audience, Reach(9, 1, None, hostile)),
        lists_result(1, [hostile] * 5, 9, 2),
        file_refused(hostile),
    ):
        assert "<script" not in shown
        assert "<img" not in shown


def test_lists_of_many_customers_are_safe_to_open() -> None:
    told: list[int] = []
    table = customer_lists(FakeShop(), ["C0001", "=cmd()"], 3, {}, lambda done, _: told.append(done))
    rows = list(csv.DictReader(io.StringIO(as_csv(table).removeprefix("\ufeff"))))
    assert told == [2], "told after each block of customers"
    assert [row["customer_id"] for row in rows] == ["C0001"] * 3 + ["'=cmd()"] * 3
    assert [row["cold_start"] for row in rows] == ["False"] * 3 + ["True"] * 3

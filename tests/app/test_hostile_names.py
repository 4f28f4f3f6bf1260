"""Forty hostile names in a real browser: on every tab they stand as text, and nothing of them comes to life."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from hostile_shop import NAMES, HostileShop
from live_app import live

pytest.importorskip("selenium", reason="selenium is not installed")

from visiting import CHROMIUM, DRIVER, Visitor, visit

pytestmark = [
    pytest.mark.browser,
    pytest.mark.skipif(not (CHROMIUM and DRIVER), reason="chromium or chromedriver is not installed"),
]
# What the page never puts into a result or a list of choices; the scripts and styles of Gradio's own lie elsewhere.
ALIVE = """
    const tags = 'script,img,iframe,object,embed,style,link,meta,base,form,video,source,math,a';
    const leads = /^(href|src|data|action|formaction|xlink:href)$/i;
    return [...document.querySelectorAll('.er-bare *, [role=option], [role=option] *')]
        .filter(e => e.matches(tags) || [...e.attributes].some(
            a => /^on/i.test(a.name) || (leads.test(a.name) && /^\\s*javascript:/i.test(a.value))))
        .map(e => e.outerHTML.slice(0, 200));"""
DROPPED = "'; DROP TABLE customers; --"
TEXTS = "return [...document.querySelectorAll(arguments[0])].map(e => e.textContent)"


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Visitor, str]]:
    folder = tmp_path_factory.mktemp("browser")
    with live(HostileShop()) as address, visit(folder / "profile", folder) as visitor:
        yield visitor, address


@pytest.fixture
def guest(place: tuple[Visitor, str]) -> Visitor:
    visitor, address = place
    visitor.open(address)
    return visitor


def texts(guest: Visitor, selector: str) -> list[Any]:
    return guest.browser.execute_script(TEXTS, selector)


def assert_nothing_is_alive(guest: Visitor) -> None:
    assert guest.browser.execute_script("return window.hacked") is None
    assert guest.browser.execute_script(ALIVE) == []


def test_there_are_forty() -> None:
    assert len(set(NAMES)) == 40


def test_the_header(guest: Visitor) -> None:
    for name in (NAMES[0], NAMES[3], NAMES[6], NAMES[9]):
        assert name in guest.find(".er-header").get_property("textContent")
    assert_nothing_is_alive(guest)


def test_every_customer_and_reason_of_an_audience_and_every_category_and_product_to_choose(guest: Visitor) -> None:
    assert guest.open_tab("Audience")
    guest.wait(lambda: guest.find("#audience-product input").is_displayed())
    guest.find("#audience-product input").click()
    guest.wait(lambda: len(texts(guest, "#audience-product [role=option]")) == len(NAMES))
    for name, shown in zip(NAMES, texts(guest, "#audience-product [role=option]"), strict=True):
        assert name in shown
    assert_nothing_is_alive(guest)
    guest.browser.execute_script("document.activeElement.blur()")
    guest.wait(lambda: not texts(guest, "#audience-product [role=option]"))
    guest.choose("#audience-kind", "A category")
    guest.wait(lambda: guest.find("#audience-category input").is_displayed())
    guest.find("#audience-category input").click()
    guest.wait(lambda: len(texts(guest, "#audience-category [role=option]")) == len(NAMES))
    for name, shown in zip(sorted(NAMES), texts(guest, "#audience-category [role=option]"), strict=True):
        assert name in shown
    guest.find("#audience-category input").send_keys("drop table")
    guest.wait(lambda: len(texts(guest, "#audience-category [role=option]")) == 1)
    guest.find("#audience-category input").send_keys("\n")
    guest.click("Find customers")
    guest.wait(lambda: len(texts(guest, ".er-buyers .er-name")) == len(NAMES))
    assert texts(guest, ".er-buyers .er-name") == NAMES
    assert texts(guest, ".er-buyers .er-why") == [*reversed(NAMES)]
    assert_nothing_is_alive(guest)


def test_products_titles_categories_and_reasons_of_a_customer(guest: Visitor) -> None:
    assert guest.open_tab("Customer")
    shop = HostileShop()
    for name in NAMES[::8]:
        guest.ask(name)
        guest.wait(lambda asked=name: texts(guest, "#customer-result .er-id") == [asked])
        items = shop.recommend(name)
        table = "#customer-result .er-suggestions tbody"
        assert texts(guest, f"{table} .er-name") == [shop.titles[one] for one in items["product_id"]]
        assert texts(guest, f"{table} .er-category") == items["category"].tolist()
        assert texts(guest, f"{table} .er-why") == items["reason"].tolist()
        assert_nothing_is_alive(guest)


@pytest.mark.parametrize(
    ("tab", "box", "result"),
    [
        ("New customer", "#basket input", "#new-customer-result"),
        ("Products", "#product input, #product textarea", "#product-card, #catalogue, #similar-products"),
        ("Compare", "#compare-customer input, #compare-customer textarea", "#comparison"),
    ],
)
def test_the_other_tabs(guest: Visitor, tab: str, box: str, result: str) -> None:
    assert guest.open_tab(tab)
    guest.wait(lambda: guest.find(box).is_displayed())
    guest.wait(lambda: tab != "Products" or texts(guest, "#product-card .er-id"))  # of the best seller
    guest.browser.execute_script("arguments[0].select()", guest.find(box))
    guest.find(box).send_keys(DROPPED, "\n")
    guest.wait(lambda: sum(name in "".join(texts(guest, result)) for name in NAMES) >= 10)
    assert_nothing_is_alive(guest)


def test_the_model(guest: Visitor) -> None:
    assert guest.open_tab("Model")
    guest.wait(lambda: guest.find("#model .er-card").is_displayed())
    assert_nothing_is_alive(guest)

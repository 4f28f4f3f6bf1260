"""The tab Products: the card, what is like a product, and the picture, whatever a shop knows or is called."""

from __future__ import annotations

import json
import re
from dataclasses import replace
from html import unescape
from html.parser import HTMLParser

import pytest
from fake_shop import HOSTILE, FakeShop, Product

from embedrec.app.catalogue_picture import DRAWN, HEIGHT, NAMED, WIDTH, marks, picture
from embedrec.app.products_views import matches, product_card, similar_products
from embedrec.app.questions import SimilarQuestion
from embedrec.app.service import Service
from embedrec.columns import CATEGORY


def dots(html: str) -> list[list[object]]:
    return json.loads(unescape(re.search('data-dots="([^"]*)"', html)[1]))


class Tags(HTMLParser):
    def __init__(self, html: str):
        super().__init__()
        self.found: list[tuple[str, dict[str, str | None]]] = []
        self.feed(html)

    def handle_starttag(self, tag, attrs):
        self.found.append((tag, dict(attrs)))

    def named(self, word: str) -> list[dict[str, str | None]]:
        return [attrs for _, attrs in self.found if word in (attrs.get("class") or "").split()]


def test_every_drawn_product_has_a_dot_and_its_words():
    shop = FakeShop(products=3000)
    html = picture(shop)
    told = dots(html)
    assert len(told) == DRAWN
    assert len(re.findall(r"M\d+ \d+h0", html)) == DRAWN
    assert told[0][:2] == ["P0001", "Sample product 0001 · P0001 · Coffee & Tea · 1.50"]
    assert all(0 <= x <= WIDTH and 0 <= y <= HEIGHT for _, _, x, y, _ in told)
    assert "the 2,000 best sold of 3,000 products" in html
    assert "shows 40 %" in html
    assert len(html) < 400_000


def test_eight_categories_have_colours_of_their_own_and_the_rest_share_one():
    html = Tags(picture(FakeShop(products=3000)))
    classes = [part for dot in html.named("er-dot") for part in dot["class"].split()]
    assert sorted(one for one in classes if one.startswith("er-c")) == [
        *(f"er-c{i}" for i in range(NAMED)),
        "er-cn",
        "er-co",
    ]
    assert len(html.named("er-group")) == NAMED + 2


def test_categories_within_categories_are_cut_where_they_part():
    class Nested(FakeShop):
        def _category(self, product):
            return f"Shop > {['Tea', 'Food'][self._products[product] % 2]} > Kind {self._products[product]}"

    legend = re.findall('<span dir="auto">([^<]*)</span>', picture(Nested(products=40)))
    assert sorted(legend) == ["Shop &gt; Food", "Shop &gt; Tea"]


def test_the_chosen_product_and_its_like_are_marked_and_apart():
    shop = FakeShop(products=60)
    found = Tags(marks(shop, "P0003", ["P0009", "P0010", "P0011", "no place"])).named("er-mark")
    assert [one["data-product"] for one in found] == ["P0011", "P0010", "P0009", "P0003"]
    assert found[-1]["aria-label"].startswith("Chosen: Sample product 0003 · P0003")
    assert found[2]["aria-label"].startswith("1: ")
    places = {one["style"] for one in found}
    assert len(places) == 4


def test_products_in_one_place_do_not_hide_each_other():
    class Heap(FakeShop):
        def catalogue_map(self):
            table = super().catalogue_map()
            return table.assign(x=1.0, y=1.0)

    shop = Heap(products=40)
    found = Tags(marks(shop, "P0003", ["P0009", "P0010", "P0011"])).named("er-mark")
    assert len({one["style"] for one in found}) == 4
    assert len(dots(picture(shop))) == 40


def test_a_model_that_knows_too_few_products_has_no_picture():
    class Few(FakeShop):
        def catalogue_map(self):
            return super().catalogue_map().head(2)

    assert "No picture yet." in picture(Few(products=40))
    assert marks(Few(products=40), "P0001", ["P0040"]).count("<button") == 1


def test_a_product_is_described():
    html = product_card(Product("P7", title="Green tea"), 800)
    for words in ("Green tea", "P7", "Toys", "4.50", "4.2", "120", "12 of 800", "15 % of its buyers", "19 Dec 2025"):
        assert words in html
    assert "The last four weeks: 6; the four before: 11." in html


def test_what_is_not_known_of_a_product_is_left_out():
    bare = Product("P7", category=None, price=None, rating=None, first_sale=None, last_sale=None, weeks=())
    html = product_card(bare, 800)
    for words in ("Category", "Price", "Rating", "First sold", "weeks"):
        assert words not in html
    unsold = product_card(replace(bare, buyers=0, purchases=0, again=None, place=700), 800)
    assert "Nobody has bought it yet." in unsold
    assert "Best-seller place" not in unsold
    assert "Not sold in the last twelve weeks" in product_card(Product("P7", weeks=(0,) * 12), 800)


@pytest.mark.parametrize("hostile", HOSTILE)
def test_hostile_names_stay_text(hostile):
    shop = FakeShop(products=40)
    shop.titles = dict.fromkeys(shop.product_ids, hostile)
    items = Service(shop).similar(SimilarQuestion(product_id=hostile, k=5)).items
    plane = shop.catalogue_map().assign(**{CATEGORY: hostile})
    shop.catalogue_map = lambda: plane  # type: ignore[method-assign]
    pages = [
        picture(shop),
        marks(shop, hostile, [item.product_id for item in items]),
        product_card(Product(hostile, title=hostile, category=hostile), 40),
        similar_products(items, shop.titles),
        matches([(hostile, hostile)]),
    ]
    for html in pages:
        assert {tag for tag, _ in Tags(html).found}.isdisjoint({"script", "img"})
    assert dots(pages[0])[-1][1].startswith(f"{hostile} · ")  # as text for textContent
    assert hostile in [one.get("data-product") for _, one in Tags(pages[4]).found]


def test_nothing_found_and_nothing_alike_say_so():
    assert "No product has this in its name or ID." in matches([])
    assert "Nothing is known to be like it." in similar_products([], {})


def test_a_shop_without_categories_has_one_colour_and_no_legend():
    class Plain(FakeShop):
        def _category(self, product):
            return None

        def _price(self, product):
            return float("nan")

    shop = Plain(products=40)
    shop.titles = {}
    html = picture(shop)
    assert "er-legend" not in html
    assert [words for _, words, *_ in dots(html)][:2] == ["P0001", "P0002"]

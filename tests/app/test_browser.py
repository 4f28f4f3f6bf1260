"""The page in a real browser: someone types an ID and reads the answer; nothing leaves the machine."""

from __future__ import annotations

import json
import statistics
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import urlsplit

import pytest
from fake_shop import HOSTILE

pytest.importorskip("selenium", reason="selenium is not installed")

from visiting import CHROMIUM, DRIVER, ID_BOX, Visitor, visit

pytestmark = [
    pytest.mark.browser,
    pytest.mark.skipif(not (CHROMIUM and DRIVER), reason="chromium or chromedriver is not installed"),
]
RESULT, NEW_RESULT, AUDIENCE = "#customer-result", "#new-customer-result", "#audience-result"


@pytest.fixture(scope="module")
def downloads(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("downloads")


@pytest.fixture(scope="module")
def visitor(tmp_path_factory: pytest.TempPathFactory, downloads: Path) -> Iterator[Visitor]:
    with visit(tmp_path_factory.mktemp("browser"), downloads) as visitor:
        yield visitor


@pytest.fixture
def at_page(visitor: Visitor, address: str) -> Visitor:
    visitor.open(address)
    return visitor


def test_type_an_id_and_read_the_answer(at_page):
    at_page.ask("C0042")
    at_page.wait(lambda: "C0042" in at_page.text(RESULT))
    shown = at_page.text(RESULT)
    for words in (
        "What next, and why",
        "because they bought P0011",
        "What they bought",
        "19 Dec 2025",
        "bought before",
    ):
        assert words in shown
    assert len(at_page.browser.find_elements("css selector", f"{RESULT} .er-suggestions tbody tr")) == 10


def test_unknown_customer_and_empty_box(at_page):
    at_page.ask("nobody we know")
    at_page.wait(lambda: "We do not know this customer yet." in at_page.text(RESULT))
    assert "Popular in the shop" in at_page.text(RESULT)
    assert "nobody we know" not in at_page.text(RESULT)
    at_page.ask("   ")
    at_page.wait(lambda: "Whose next purchase" in at_page.text(RESULT))
    at_page.ask("x" * 300)
    at_page.wait(lambda: "That is not a customer ID." in at_page.text(RESULT))


def test_examples_and_surprise(at_page):
    at_page.click("C0051")
    at_page.wait(lambda: "C0051" in at_page.text(RESULT))
    at_page.click("Surprise me")
    at_page.wait(lambda: at_page.find(ID_BOX).get_attribute("value") not in ("", "C0051"))
    at_page.wait(lambda: "C0051" not in at_page.text(RESULT))


def test_options_change_the_shown_list(at_page):
    at_page.ask("C0042")
    at_page.wait(lambda: "C0042" in at_page.text(RESULT))
    at_page.click("Options ▼")
    at_page.wait(lambda: at_page.browser.find_element("css selector", "[placeholder='240.00']").is_displayed())
    at_page.find("[placeholder='240.00']").send_keys("0,5\n")
    at_page.wait(lambda: "No product fits these options." in at_page.text(RESULT))


def test_an_id_is_completed_while_it_is_typed(at_page):
    def offered():
        return at_page.browser.execute_script(
            f"return [...document.querySelector('{ID_BOX}').list.options].map(one => one.value)"
        )

    at_page.wait(lambda: len(offered()) == 60)
    at_page.find(ID_BOX).send_keys("277")
    at_page.wait(lambda: offered() == ["C0277"])
    at_page.browser.execute_script(f"""
        const box = document.querySelector('{ID_BOX}');
        box.value = 'C0277';  // what the browser does when a choice is taken; without a window it shows none
        box.dispatchEvent(new InputEvent('input', {{inputType: 'insertReplacementText', bubbles: true}}));""")
    at_page.wait(lambda: at_page.text(f"{RESULT} .er-id") == "C0277")


def test_only_what_they_buy_again(at_page):
    at_page.ask("C0042")
    at_page.wait(lambda: "C0042" in at_page.text(RESULT))
    at_page.click("Options ▼")
    at_page.wait(lambda: at_page.find("input[value=again]").is_displayed())
    at_page.find("input[value=again]").click()
    at_page.wait(lambda: len(at_page.browser.find_elements("css selector", f"{RESULT} .er-suggestions tbody tr")) == 2)


def test_the_segment_opens_by_key(at_page):
    at_page.ask("C0042")
    at_page.wait(lambda: "Loyal, buys often" in at_page.text(RESULT))
    assert "fifth 5 of 5" not in at_page.text(RESULT)
    at_page.find(".er-segment summary").send_keys("\n")
    at_page.wait(lambda: "fifth 5 of 5" in at_page.text(RESULT))


def test_the_list_is_saved_by_the_browser(at_page, downloads):
    at_page.ask("C0042")
    at_page.wait(lambda: "C0042" in at_page.text(RESULT))
    at_page.click("Download as CSV")
    saved = downloads / "suggestions-C0042.csv"
    at_page.wait(saved.exists)
    lines = saved.read_text(encoding="utf-8-sig").splitlines()
    assert lines[0].startswith("customer_id,rank,product_id,title,")
    assert len(lines) == 11


def test_hostile_ids_categories_and_products_are_text(at_page):
    for hostile in HOSTILE:
        at_page.ask(hostile)
        at_page.wait(lambda shown=hostile: at_page.text(f"{RESULT} .er-id") == shown)
    at_page.ask("C0042")
    at_page.wait(lambda: "<img src=x onerror=window.hacked=1>" in at_page.text(RESULT))
    assert at_page.browser.execute_script("return window.hacked") is None
    assert not at_page.browser.find_elements("css selector", ".er-card img, .er-card script")


def test_new_customer(at_page):
    at_page.click("New customer")
    at_page.wait(lambda: "Nothing in the basket yet." in at_page.text(NEW_RESULT))
    at_page.wait(lambda: at_page.find("#basket input").is_displayed())
    at_page.find("#basket input").send_keys("sample product 2345")
    at_page.wait(lambda: len(at_page.browser.find_elements("css selector", "#basket [role=option]")) == 1)
    at_page.find("#basket input").send_keys("\n")
    at_page.wait(lambda: "goes with P2345" in at_page.text(NEW_RESULT))
    at_page.wait(lambda: "Sample product 2345\n75 %" in at_page.text(".er-drivers"))


def test_an_audience_is_found_and_saved(at_page, downloads):
    at_page.click("Audience")
    at_page.wait(lambda: at_page.find("#audience-product input").is_displayed())
    assert "Who should hear about it?" in at_page.text(AUDIENCE)
    at_page.pick("#audience-product", "sample product 0345")
    at_page.click("Find customers")
    at_page.wait(lambda: "Who they are" in at_page.text(AUDIENCE))
    assert "The best 10 % of the list held 38 % of them" in at_page.text(AUDIENCE)
    at_page.wait(lambda: at_page.find("#save-audience").click() or True)
    saved = downloads / "audience-Sample-product-0345.csv"
    at_page.wait(lambda: saved.exists() and "C0001" in saved.read_text("utf-8"))


def test_files_stay_in_the_browser_but_for_their_text(at_page, downloads, tmp_path):
    at_page.click("Audience")
    at_page.wait(lambda: at_page.find("#audience-product input").is_displayed())
    at_page.choose("#audience-kind", "A list of products")
    at_page.wait(lambda: at_page.find("#products-file input").is_displayed())
    products, customers = tmp_path / "products.csv", tmp_path / "customers.csv"
    products.write_text("Product ID;Name\nP0001;x\nnone such;y\n")
    at_page.find("#products-file input").send_keys(str(products))
    at_page.click("Find customers")
    at_page.wait(lambda: "1 product (of 2 in your file)" in at_page.text(AUDIENCE))
    products.write_text("name\n<b>P0001</b>\n")
    at_page.find("#products-file input").send_keys(str(products))
    at_page.click("Find customers")
    at_page.wait(lambda: "no column product_id; columns found: 'name'" in at_page.text(AUDIENCE))
    at_page.click("The other way round: suggestions for a list of customers ▼")
    at_page.wait(lambda: at_page.find("#customers-file input").is_displayed())
    customers.write_text("customer_id\nC0001\nnobody <b>\n")
    at_page.find("#customers-file input").send_keys(str(customers))
    at_page.click("Make the file")
    at_page.wait(lambda: "1 ID we do not know: nobody <b>." in at_page.text("#lists-result"))
    saved = downloads / "suggestions.csv"
    at_page.wait(lambda: saved.exists() and "nobody <b>,True,1," in saved.read_text("utf-8"))


def test_products(at_page):
    """Open the tab, type, choose by a dot's mark with the keyboard, see one category alone."""
    at_page.click("Products")
    at_page.wait(lambda: "P0001" in at_page.text("#product-card"))  # the best seller
    at_page.wait(lambda: at_page.find("#catalogue svg").is_displayed())
    box = at_page.find("#product textarea, #product input")
    box.clear()
    box.send_keys("product 2345")
    at_page.wait(lambda: "Sample product 2345 · P2345" in at_page.text("#offered-products"))
    at_page.find("#offered-products button").send_keys("\n")
    at_page.wait(lambda: "Sample product 2345" in at_page.text("#product-card"))
    assert box.get_attribute("value") == "P2345"
    at_page.find("#catalogue-marks .er-alike[data-product=P0003]").send_keys("\n")
    at_page.wait(lambda: "Sample product 0003" in at_page.text("#product-card"))
    at_page.find("#catalogue .er-group").click()
    assert len(at_page.browser.find_elements("css selector", ".er-dot.er-faint")) == 9
    box.clear()
    box.send_keys("no such thing\n")
    at_page.wait(lambda: "That is not a product of this shop." in at_page.text("#product-card"))


def test_a_dot_is_named_and_chosen(at_page):
    at_page.click("Products")
    at_page.wait(lambda: at_page.find("#catalogue svg").is_displayed())
    at_page.wait(lambda: "P0001" in at_page.text("#product-card"))
    x, y = at_page.browser.execute_script("""
        const plot = document.querySelector('#catalogue .er-plot'), box = plot.getBoundingClientRect();
        const dot = JSON.parse(plot.dataset.dots)[777], scale = box.width / 1000;
        return [box.left + dot[2] * scale, box.top + dot[3] * scale]""")
    point = {"clientX": x, "clientY": y, "bubbles": True}
    assert not at_page.find("#catalogue .er-named").is_displayed()
    for event in ("pointermove", "click"):
        at_page.browser.execute_script(
            "document.querySelector('#catalogue svg').dispatchEvent(new PointerEvent(...arguments))", event, point
        )
    named, *details = at_page.text("#catalogue .er-named").split(" · ")  # of 777, or of one on the same pixel
    assert details
    at_page.wait(lambda: named in at_page.text("#product-card"))


def test_compare(at_page):
    at_page.click("Compare")
    at_page.wait(lambda: at_page.find("#compare-customer textarea, #compare-customer input").is_displayed())
    at_page.find("#compare-customer textarea, #compare-customer input").send_keys("C0042\n")
    at_page.wait(lambda: "products on both lists" in at_page.text("#comparison"))
    assert "no clear difference" in at_page.text("#comparison")
    at_page.find("#compare-with input").click()
    at_page.wait(lambda: len(at_page.browser.find_elements("css selector", "#compare-with [role=option]")) == 3)
    at_page.browser.find_elements("css selector", "#compare-with [role=option]")[1].click()
    at_page.wait(lambda: "A was clearly better" in at_page.text("#comparison"))


def test_model(at_page):
    at_page.click("Model")
    at_page.wait(lambda: "53 of 100" in at_page.text("#model"))
    shown = at_page.text("#model")
    for words in ("How good are the models?", "Where it is weak", "Do its chances come true?", "Model card"):
        assert words in shown
    assert "<script>window.hacked=1</script>" in shown
    assert at_page.browser.execute_script("return window.hacked") is None
    assert "The data are old" in at_page.text(".er-header")


def test_labels_for_screen_readers(at_page):
    unnamed = at_page.browser.execute_script("""
        return [...document.querySelectorAll('input, textarea, select, button')]
            .filter(e => e.offsetParent !== null)
            .filter(e => !(e.labels?.length || e.ariaLabel || e.title || e.innerText.trim()))
            .map(e => e.outerHTML)""")
    assert unnamed == []
    assert at_page.browser.execute_script("return document.querySelectorAll('h1').length") == 1


@pytest.mark.parametrize("tab", ["Products", "Audience", "Compare", "Model"])
def test_other_tabs_fit_a_phone_and_have_labels(at_page, tab):
    """At 390 pixels; the tab is opened before the window shrinks, since Gradio then puts it into a menu."""
    at_page.click(tab)
    if tab == "Compare":
        at_page.wait(lambda: at_page.find("#compare-any").is_displayed())
        at_page.find("#compare-any").click()
    if tab == "Audience":
        at_page.wait(lambda: at_page.find("#audience-product input").is_displayed())
        at_page.pick("#audience-product", "sample product 0345")
        at_page.click("Find customers")
        at_page.click("The other way round: suggestions for a list of customers ▼")
    shown = {
        "Audience": f"{AUDIENCE} .er-buyers",
        "Products": "#similar-products",
        "Compare": "#comparison .er-side",
        "Model": "#model .er-board",
    }[tab]
    at_page.wait(lambda: at_page.text(shown))
    size = {"width": 390, "height": 900, "deviceScaleFactor": 1, "mobile": True}
    at_page.browser.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", size)
    assert at_page.browser.execute_script("return document.documentElement.scrollWidth") <= 390
    test_labels_for_screen_readers(at_page)
    at_page.browser.execute_cdp_cmd("Emulation.clearDeviceMetricsOverride", {})


@pytest.mark.parametrize("width", [390, 1280])
def test_nothing_sticks_out_of_the_window(at_page, width):
    at_page.resize(width)
    at_page.ask("C0042")
    at_page.wait(lambda: "C0042" in at_page.text(RESULT))
    assert at_page.browser.execute_script("return document.documentElement.scrollWidth") <= width
    at_page.browser.execute_cdp_cmd("Emulation.clearDeviceMetricsOverride", {})


def test_an_answer_comes_at_once(at_page):
    """Timed inside the browser, from the key press to the changed page."""
    at_page.browser.execute_script("""
        window.waits = []; let since = 0;
        addEventListener('keydown', e => { if (e.key === 'Enter') since = performance.now() }, true);
        new MutationObserver(() => {
            if (since && document.querySelector('#customer-result').innerText.includes(window.wanted)) {
                window.waits.push(performance.now() - since); since = 0;
            }
        }).observe(document.body, {subtree: true, childList: true, characterData: true});""")
    for number in range(60, 71):
        at_page.browser.execute_script(f"window.wanted = 'C{number:04}'")
        at_page.ask(f"C{number:04}")
        at_page.wait(lambda shown=f"C{number:04}": shown in at_page.text(RESULT))
    waits = at_page.browser.execute_script("return window.waits")
    print(f"first {waits[0]:.0f} ms, median {statistics.median(waits):.0f} ms")
    assert waits[0] < 1000
    assert statistics.median(waits[1:]) < 200


def test_no_request_left_the_machine_and_no_error_was_logged(at_page, address):
    at_page.browser.get_log("browser")  # leaving the last page broke its connections off, and Gradio said so
    at_page.ask("C0042")
    at_page.wait(lambda: "C0042" in at_page.text(RESULT))
    events = [json.loads(line["message"])["message"] for line in at_page.browser.get_log("performance")]
    asked = [event["params"]["request"]["url"] for event in events if event["method"] == "Network.requestWillBeSent"]
    places = {urlsplit(url).netloc for url in asked if urlsplit(url).scheme in {"http", "https", "ws", "wss"}}
    assert places == {urlsplit(address).netloc}
    assert [line for line in at_page.browser.get_log("browser") if line["level"] == "SEVERE"] == []

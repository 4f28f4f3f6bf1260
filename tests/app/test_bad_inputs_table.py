"""The table "Page and API" of the bad inputs, row by row: which tests show what each one gets.

Those that stand here are of the page in a browser, and what had no other place. Every row is held by at least one.
"""

from __future__ import annotations

import ast
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import httpx
import pytest
from fake_shop import HOSTILE, FakeShop
from live_app import live

from embedrec.bundle_commands import recommend
from embedrec.cli import guarded

TESTS = Path(__file__).parents[1]
# What comes → {module: tests}.
TABLE: dict[str, dict[str, str]] = {
    "unknown customer": {
        "app/test_api": "unknown_customer_gets_popular_products_marked_as_such",
        "app/test_page": "an_unknown_customer_gets_the_fixed_sentence_and_is_not_echoed",
        "app/test_browser": "unknown_customer_and_empty_box",
    },
    "what is no id": {
        "app/test_api": "bad_ids bad_lists_of_customers",
        "app/test_bad_inputs_table": "what_is_no_id_in_the_browser",
    },
    "text of all sorts": {
        "app/test_api": "hostile_text_is_a_plain_look_up",
        "app/test_page": "hostile_text_is_escaped",
        "app/test_hostile_names": "every_customer_and_reason_of_an_audience_and_every_category_and_product_to_choose "
        "products_titles_categories_and_reasons_of_a_customer the_other_tabs the_header the_model",
        "app/test_bad_inputs_table": "no_question_is_logged",
    },
    "another type as an id": {
        "app/test_api": "bad_ids",
        "app/test_page": "file_shaped_values_are_refused gradios_own_check_is_in_force_behind_the_guard",
    },
    "what is no k": {
        "app/test_api": "bad_k bad_audiences",
        "app/test_page": "bad_values_name_the_field_and_nothing_else",
        "app/test_csv_routes": "settings_out_of_range",
        "app/test_bad_inputs_table": "what_is_no_k_on_the_command_line what_is_no_k_in_the_browser",
    },
    "k above the catalogue": {"app/test_api": "k_above_the_catalogue_gives_a_shorter_list"},
    "broken and long bodies": {
        "app/test_api": "broken_json_is_400 long_bodies_are_413_before_parsing "
        "a_long_body_over_a_real_connection_gets_its_answer",
        "app/test_page": "broken_json_to_gradio_is_400",
        "app/test_csv_routes": "sizes a_body_that_is_no_such_table",
    },
    "closed routes, foreign pages": {
        "app/test_page": "closed_routes asset_routes_stay_inside",
        "app/test_api": "foreign_host foreign_origin",
        "app/test_csv_routes": "foreign_pages_and_strangers_are_refused",
        "app/test_audience_tab": "what_is_no_file",
        "app/test_browser": "files_stay_in_the_browser_but_for_their_text",
    },
    "more load than capacity": {"app/test_admission": "beyond_its_room_it_says_come_back"},
    "a bundle that is none": {
        "app/test_live": "a_damaged_one_is_refused_by_name_and_the_old_one_serves_on "
        "without_a_good_bundle_it_is_not_ready_until_there_is_one one_that_cannot_answer_is_refused swaps_under_load "
        "a_copy_that_grows_file_by_file_is_used_when_it_is_whole",
        "test_bundle_corruption": "a_thousand_damaged_bundles",
        "test_bundle": "one_flipped_byte truncated missing another_format",
    },
    "NaN in embeddings": {
        "test_bundle": "weights_that_are_not_finite",
        "app/test_api": "what_is_missing_is_null_in_strict_json",
    },
}
ROWS = 11  # of the table, without its head


@pytest.mark.parametrize("row", TABLE)
def test_every_row_has_its_tests(row: str) -> None:
    for module, tests in TABLE[row].items():
        assert {f"test_{test}" for test in tests.split()} <= names_in(module), module


def test_no_row_is_left_out() -> None:
    assert len(TABLE) == ROWS


@cache
def names_in(module: str) -> frozenset[str]:
    tree = ast.parse((TESTS / f"{module}.py").read_text(encoding="utf-8"))
    return frozenset(node.name for node in tree.body if isinstance(node, ast.FunctionDef))


@pytest.mark.parametrize(
    "k", ["0", "-1", "1001", "1000000000", "5.5", "true", "1_0", "nan", "inf", "9" * 5000, "٣", ""]
)
def test_what_is_no_k_on_the_command_line(capsys: pytest.CaptureFixture[str], k: str) -> None:
    assert guarded(lambda: recommend(["no-bundle", "--customer", "C0001", "-k", k])) == 2
    said = capsys.readouterr().err
    assert said.startswith("error: ")
    assert "-k" in said
    assert said.count("\n") == 1


def test_no_question_is_logged(capfd: pytest.CaptureFixture[str]) -> None:
    """Whatever an id is, a log keeps its lines: none is written."""
    with live(FakeShop(products=40)) as address:
        for name in HOSTILE:
            assert httpx.post(f"{address}/recommend", json={"customer_id": name}).status_code == 200
        assert httpx.post(f"{address}/recommend", json={"customer_id": "a\nb\x1b[31m"}).status_code == 422
        assert httpx.get(f"{address}/%0aFORGED%20LINE").status_code == 404
    assert capfd.readouterr().err == ""


@pytest.fixture(scope="module")
def guest(tmp_path_factory: pytest.TempPathFactory) -> Iterator[object]:
    pytest.importorskip("selenium", reason="selenium is not installed")
    from visiting import CHROMIUM, DRIVER, visit

    if not (CHROMIUM and DRIVER):
        pytest.skip("chromium or chromedriver is not installed")
    folder = tmp_path_factory.mktemp("browser")
    with live(FakeShop()) as address, visit(folder / "profile", folder) as visitor:
        visitor.open(address)
        yield visitor


HOW_MANY = "input[type=number][aria-label*='How many suggestions']"
# What no key types, a script or an old clipboard can still put into the box.
PUT = """
    const box = document.querySelector('#customer-id input');
    Object.getOwnPropertyDescriptor(HTMLInputElement.prototype, 'value').set.call(box, arguments[0]);
    box.dispatchEvent(new InputEvent('input', {bubbles: true}));
    document.querySelector('#show-customer').click();"""


@pytest.mark.browser
def test_what_is_no_id_in_the_browser(guest) -> None:
    for name in ("a\x01b", "\x7f", "C\u2028D", "x" * 257):
        guest.ask("C0042")
        guest.wait(lambda: "C0042" in guest.text("#customer-result"))
        guest.browser.execute_script(PUT, name)
        guest.wait(lambda: "That is not a customer ID." in guest.text("#customer-result"))


@pytest.mark.browser
@pytest.mark.parametrize(("k", "taken"), [("0", 1), ("-1", 1), ("1001", 50), ("5.5", 6), ("1e9", 50)])
def test_what_is_no_k_in_the_browser(guest, capfd: pytest.CaptureFixture[str], k: str, taken: int) -> None:
    """A number typed beside the slider is taken as the nearest it allows; nobody reads of an error."""
    if not guest.browser.find_elements("css selector", HOW_MANY) or not guest.find(HOW_MANY).is_displayed():
        guest.click("Options ▼")
        guest.wait(lambda: guest.find(HOW_MANY).is_displayed())
    guest.browser.execute_script("arguments[0].select()", guest.find(HOW_MANY))
    guest.find(HOW_MANY).send_keys(k)
    guest.ask("C0051")
    guest.wait(lambda: "C0051" in guest.text("#customer-result"))
    rows = "#customer-result .er-suggestions tbody tr"
    guest.wait(lambda: len(guest.browser.find_elements("css selector", rows)) == taken)
    assert "Error" not in guest.text("body")
    assert capfd.readouterr().err == ""

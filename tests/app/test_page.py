"""The page as programs see it: Gradio's own API, what is closed, what is refused, what the HTML says."""

from __future__ import annotations

import asyncio
import json
import os
import shlex
import shutil
import subprocess
import sys
from dataclasses import replace
from html.parser import HTMLParser

import pytest
from fake_shop import HOSTILE, FakeShop, Info
from fastapi import FastAPI
from live_app import live
from starlette.testclient import TestClient

from embedrec.app import views
from embedrec.app.controls import read_options
from embedrec.app.customer_views import customer_result, new_customer_result
from embedrec.app.new_customer_tab import FOUND, find_products
from embedrec.app.page import mount_page
from embedrec.app.questions import CustomerQuestion, NewCustomerQuestion
from embedrec.app.service import Service
from embedrec.app.snippets import curl_snippet, python_snippet
from embedrec.errors import RequestError

FILE = {"path": "/etc/passwd", "meta": {"_type": "gradio.FileData"}}


def call(client: TestClient, name: str, *data: object) -> tuple[str, object]:
    """Call an endpoint of Gradio's API; return the event (complete or error) and its data."""
    begun = client.post(f"/gradio_api/call/{name}", json={"data": list(data)})
    assert begun.status_code == 200, begun.text
    told = client.get(f"/gradio_api/call/{name}/{begun.json()['event_id']}").text.strip().splitlines()
    return told[-2].removeprefix("event: "), json.loads(told[-1].removeprefix("data: "))


def test_gradios_api_gives_the_answers_of_plain_http(client):
    event, data = call(client, "recommend", "C0042", 3, True, ["Toys"], [5, 40], "new", True, 0.5)
    question = {"customer_id": "C0042", "k": 3, "categories": ["Toys"], "price": [5, 40]}
    question |= {"exclude_bought": True, "only": "new", "in_stock": True, "diversity": 0.5}
    assert (event, data) == ("complete", [client.post("/recommend", json=question).json()])
    event, data = call(client, "recommend_new", ["P0101"], 25, 120, 3, False, None, None, None, False, 0.0)
    question = {"history": ["P0101"], "page_views": 25, "time_spent": 120, "k": 3}
    assert (event, data) == ("complete", [client.post("/recommend_new", json=question).json()])
    event, data = call(client, "recommend_batch", ["C0042", "nobody"], 3, True, ["Toys"], [5, 40])
    question = {"customer_ids": ["C0042", "nobody"], "k": 3, "exclude_bought": True, "categories": ["Toys"]}
    assert (event, data) == ("complete", [client.post("/recommend_batch", json={**question, "price": [5, 40]}).json()])
    event, data = call(client, "similar", "P0101", 3)
    assert data == [client.post("/similar", json={"product_id": "P0101", "k": 3}).json()]
    event, data = call(client, "audience", None, ["P0101", "P0102"], None, 3, 0)
    assert data == [client.post("/audience", json={"products": ["P0101", "P0102"], "n": 3}).json()]
    event, data = call(client, "explain", "C0042", "P0101")
    assert data == [client.post("/explain", json={"customer_id": "C0042", "product_id": "P0101"}).json()]


def test_only_the_questions_are_listed(client):
    listed = client.get("/gradio_api/info").json()["named_endpoints"]
    assert set(listed) == {
        "/recommend", "/recommend_batch", "/recommend_new", "/similar", "/audience", "/explain"
    }  # fmt: skip
    names = [parameter["parameter_name"] for parameter in listed["/recommend"]["parameters"]]
    assert names == [
        "customer_id", "k", "exclude_bought", "categories", "price", "only", "in_stock", "diversity"
    ]  # fmt: skip


@pytest.mark.parametrize("k", [0, 1001, 5.5, True, "5", None])
def test_bad_values_name_the_field_and_nothing_else(client, k):
    event, data = call(client, "recommend", "<b>C0042", k, False, None, None, None, False, 0.0)
    assert event == "error"
    assert data["error"] == "k must be a whole number from 1 to 1000"
    assert "C0042" not in json.dumps(data)


@pytest.mark.parametrize("value", [FILE, [FILE], [[FILE]], {"path": "http://127.0.0.1:9/x", **FILE}, {}])
@pytest.mark.parametrize("route", ["call/recommend", "queue/join"])
def test_file_shaped_values_are_refused(client, value, route):
    body = {"data": [value, 10, False, [], None], "fn_index": 0, "session_hash": "s"}
    response = client.post(f"/gradio_api/{route}", json=body)
    assert response.status_code == 422
    assert "passwd" not in response.text


@pytest.mark.parametrize("body", [b"{", b"\xff", b'{"data": [' + b"[" * 100_000])
def test_broken_json_to_gradio_is_400(client, body):
    assert client.post("/gradio_api/queue/join", content=body).status_code == 400


def test_what_an_open_page_still_offers_after_a_reload_is_answered_in_words(client, capfd):
    """Every event with a dropdown, each dropdown with what the shop no longer knows."""
    config = client.get("/config").json()
    parts = {part["id"]: part for part in config["components"]}
    asked = 0
    for event in config["dependencies"]:
        given = [parts[one] for one in event["inputs"]]
        if event["api_visibility"] != "private" or not any(part["type"] == "dropdown" for part in given):
            continue
        data = [part["props"].get("value") for part in given]
        for place, part in enumerate(given):
            if part["type"] == "dropdown":
                data[place] = ["Gone"] if part["props"].get("multiselect") else "Gone"
            elif part["props"].get("label") == "Customer ID":
                data[place] = "C0042"
            elif part["props"].get("elem_id") == "audience-kind":
                data[place] = "A category"
        body = {"data": data, "fn_index": event["id"], "session_hash": "s", "event_data": None}
        assert client.post("/gradio_api/queue/join", json=body).status_code == 200
        told = client.get("/gradio_api/queue/data?session_hash=s").text
        assert '"success":true' in told, (event["id"], told)
        assert "Gone" not in told
        asked += 1
    assert asked > 5
    assert "Traceback" not in "".join(capfd.readouterr())


def test_gradios_own_check_is_in_force_behind_the_guard(monkeypatch, tmp_path):
    """Every event of the bare page, each of its inputs given a file of ours that nobody uploaded."""
    monkeypatch.setenv("GRADIO_TEMP_DIR", str(tmp_path))

    async def build() -> FastAPI:
        app = FastAPI()
        mount_page(app, Service(FakeShop(products=40)))
        return app

    with TestClient(asyncio.run(build()), base_url="http://127.0.0.1") as bare:
        events = [event for event in bare.get("/config").json()["dependencies"] if event["inputs"]]
        assert len(events) > 5
        for event in events:
            asked = {"data": [FILE] * len(event["inputs"]), "fn_index": event["id"], "session_hash": "s"}
            assert bare.post("/gradio_api/queue/join", json=asked).status_code == 200
            told = bare.get("/gradio_api/queue/data?session_hash=s").text
            assert '"success":false' in told
            assert "root:" not in told
    assert [file for file in tmp_path.rglob("*") if file.is_file()] == []


@pytest.mark.parametrize(
    "path",
    [
        "/gradio_api/upload",
        "/gradio_api//upload",
        "/gradio_api/upload_progress?upload_id=x",
        "/gradio_api/file=/etc/passwd",
        "/gradio_api/file/etc/passwd",
        "/gradio_api/proxy=http://127.0.0.1/",
        "/gradio_api/component_server",
        "/gradio_api/process_recording",
        "/gradio_api/custom_component/1/client/component/x",
        "/gradio_api/stream/x",
        "/gradio_api/run/recommend",
        "/gradio_api/call/v2/recommend",
        "/gradio_api/runs",
        "/gradio_api/deep_link",
        "/gradio_api/vibe-edit",
        "/gradio_api/mcp/sse",
        "/gradio_api/openapi.json",
        "/monitoring",
        "/login",
        "/docs",
    ],
)
def test_closed_routes(client, path):
    files = {"files": ("x.csv", b"customer_id\n1\n")}
    for response in (client.get(path), client.post(path, files=files), client.post(path, json={})):
        assert response.status_code == 404


@pytest.mark.parametrize(
    "path", ["/assets/../../../pyproject.toml", "/static/..%2f..%2froutes.py", "/svelte//etc/passwd"]
)
def test_asset_routes_stay_inside(client, path):
    assert client.get(path).status_code in {403, 404}


def test_the_page_asks_nothing_of_other_machines(client):
    class Loads(HTMLParser):
        def __init__(self):
            super().__init__()
            self.found = []

        def handle_starttag(self, tag, attrs):
            given = dict(attrs)
            self.found += [given[name] for name in ("src", "href") if given.get(name) and tag != "base"]

    response = client.get("/")
    reader = Loads()
    reader.feed(response.text)
    assert reader.found
    assert all(not link.startswith(("http", "//")) for link in reader.found)
    assert "default-src 'self'" in response.headers["content-security-policy"]
    config = client.get("/config").json()
    assert config["analytics_enabled"] is False
    assert config["run_history"] is False
    assert config.get("stylesheets", []) == []


def shown(customer: str = "C0042", **filters: object) -> str:
    shop = FakeShop(products=100)
    answer = Service(shop).recommend(CustomerQuestion(customer_id=customer, **filters))
    return customer_result(shop, shop.customer(customer), shop.purchases(customer), answer)


def test_a_customer_is_shown_with_purchases_and_reasons():
    html = shown()
    for words in ("C0042", "What next, and why", "because they bought P0011", "What they bought", "19 Dec 2025"):
        assert words in html
    assert html.count("bought before") == 2


def test_an_unknown_customer_gets_the_fixed_sentence_and_is_not_echoed():
    html = shown("nobody-we-know")
    assert "We do not know this customer yet." in html
    assert "Popular in the shop" in html
    assert "nobody-we-know" not in html


def test_an_empty_list_says_what_to_do():
    assert "Widen the price range" in shown(price=[0, 0.5])


@pytest.mark.parametrize("hostile", HOSTILE)
def test_hostile_text_is_escaped(hostile):
    shop = FakeShop(products=30)
    shop.titles = dict.fromkeys(shop.product_ids, hostile)
    answer = Service(shop).recommend_new(NewCustomerQuestion(history=[hostile]))
    pages = [
        views.header(Info(data_name=hostile, verdict=hostile, fallback_from=hostile, beaten_by=hostile)),
        customer_result(
            shop,
            shop.customer(hostile),
            shop.purchases(hostile),
            Service(shop).recommend(CustomerQuestion(customer_id=hostile)),
        ),
        new_customer_result(shop, [hostile], answer, shop.drivers(shop.product_ids, [hostile])),
    ]
    for html in pages:
        assert "<script" not in html
        assert "<img" not in html


@pytest.mark.parametrize(
    ("info", "said"),
    [
        (Info(synthetic=True), "made-up shop"),
        (Info(fallback_from="two_tower", model="popularity"), "the list of most-bought products"),
        (Info(beaten_by="personal_frequency"), "A simple method does as well or better"),
    ],
)
def test_cautions(info, said):
    assert said in views.header(info)
    assert said not in views.header(Info(synthetic=False))


def test_the_list_of_a_new_customer_changes_as_the_sliders_move(client):
    page = client.get("/config").json()
    sliders = [
        part["id"] for part in page["components"] if part["props"].get("label") in ("Pages viewed", "Time on the site")
    ]
    moved = [target for event in page["dependencies"] for target in event["targets"]]
    assert len(sliders) == 2
    assert all([slider, "input"] in moved for slider in sliders)


def test_products_are_found_by_title_or_id_in_a_long_catalogue():
    service = Service(FakeShop(products=6000))
    assert find_products(service, "PRODUCT 2345") == [("Sample product 2345 · P2345", "P2345")]
    assert find_products(service, "p5999 ", ["P0001"]) == [("Sample product 0001", "P0001")]
    assert len(find_products(service, "")) == FOUND


def test_options_become_fields_of_the_question():
    service = Service(FakeShop(products=40))
    assert read_options(service, 10, "everything", 0, [], "", None, False) == {"k": 10}
    assert read_options(service, 5, "new", 0.3, ["Toys"], "4,5", " 20 ", True) == {
        "k": 5,
        "only": "new",
        "diversity": 0.3,
        "in_stock": True,
        "categories": ["Toys"],
        "price": [4.5, 20.0],
    }
    assert read_options(service, 10, None, 0, [], "300", "", False)["price"] == [300.0, 300.0]
    with pytest.raises(RequestError, match="price"):
        read_options(service, 10, None, 0, [], "cheap", "", False)


@pytest.mark.parametrize("customer", ["C0042", *HOSTILE, "it's $(id) `id` \\ \""])
def test_snippets_ask_the_shown_question(customer):
    question = {"customer_id": customer, "k": 3}
    words = shlex.split(curl_snippet("http://127.0.0.1:7860", "/recommend", question))
    assert words[:3] == ["curl", "-s", "http://127.0.0.1:7860/recommend"]
    assert json.loads(words[-1]) == question
    for needs_login in (False, True):
        program = python_snippet("http://127.0.0.1:7860", "/recommend", question, needs_login)
        compile(program, "snippet", "exec")
        literal = next(line for line in program.splitlines() if line.startswith("question = "))
        assert eval(literal.removeprefix("question = ")) == question


@pytest.mark.parametrize("login", [None, ("ann", "pass:word")])
def test_snippets_run(login):
    question = {"customer_id": "it's me", "k": 2}
    variables = {**os.environ, "EMBEDREC_USER": "ann", "EMBEDREC_PASSWORD": "pass:word"}
    with live(FakeShop(products=40), login=login) as address:
        asked = (address, "/recommend", question, login is not None)
        programs = [[sys.executable, "-c", python_snippet(*asked)]]
        if shutil.which("curl"):
            programs.append(["sh", "-c", curl_snippet(*asked)])
        for program in programs:
            ran = subprocess.run(program, env=variables, capture_output=True, text=True, timeout=20)
            assert "popular in this shop" in ran.stdout, ran.stderr


def test_a_shop_without_behaviour_prices_or_titles_has_a_page(serve):
    class Plain(FakeShop):
        def customer(self, customer_id):
            known = super().customer(customer_id)
            return known and replace(known, page_views=None, time_spent=None, spend=None, usual_price=None)

    shop = Plain(products=40)
    shop.titles, shop.price_range, shop.categories, shop.tells_stock = {}, None, [], False
    with serve(shop) as client:
        page = client.get("/config").json()
    labels = {part["props"].get("label"): part["props"].get("visible") for part in page["components"]}
    assert "Pages viewed" not in labels
    assert labels["Lowest price"] is labels["Only these categories"] is labels["Only what is in stock"] is False

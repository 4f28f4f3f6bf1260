"""The plain HTTP routes: the answers, and the status code of every bad question."""

from __future__ import annotations

import base64
import json
import statistics
from datetime import date

import httpx
import pytest
from fake_shop import HOSTILE, FakeShop
from starlette.testclient import TestClient

from embedrec.app.guard import LARGEST_BODY
from embedrec.app.questions import RULES
from embedrec.app.service import Service
from embedrec.serving.requests import MAX_ID, MAX_K

JSON = {"content-type": "application/json"}
NOT_AN_ID = ["", "   ", "a\nb", "\x00", "\x1b[31m", "\x7f", "\u2028", "x" * (MAX_ID + 1), "\ud800"]
NOT_TEXT = [None, 7, True, ["C0001"], {"path": "/etc/passwd", "meta": {"_type": "gradio.FileData"}}]
NOT_A_K = ["0", "-1", "1001", "1000000000", "5.5", "1e400", "true", '"1_0"', '"5"', "null", "[]"]
NOT_A_K += ["NaN", "Infinity", "-Infinity", "9" * 5000, "-" + "9" * 5000]


def ask(client: TestClient, route: str, **question: object):
    return client.post(route, json=question)


def assert_refused(response, status: int, field: str | None, *not_echoed: str) -> None:
    assert response.status_code == status, response.text
    assert response.json()["error"]["field"] == field
    if field is not None:
        assert field in response.json()["error"]["message"]
    for value in not_echoed:
        assert value not in response.text


def test_an_answer_has_the_promised_keys(client):
    answer = ask(client, "/recommend", customer_id="C0042", k=3).json()
    assert list(answer) == ["customer_id", "cold_start", "returned", "model", "items"]
    assert answer["customer_id"] == "C0042"
    assert answer["cold_start"] is False
    assert answer["returned"] == len(answer["items"]) == 3
    assert set(answer["model"]) == {"id", "data_until"}
    assert list(answer["items"][0]) == [
        "rank", "product_id", "title", "category", "price", "rating", "score", "probability", "reason"
    ]  # fmt: skip


def test_unknown_customer_gets_popular_products_marked_as_such(client):
    answer = ask(client, "/recommend", customer_id="nobody").json()
    assert answer["cold_start"] is True
    assert answer["returned"] == 10


def test_filters_reach_the_recommender(client):
    answer = ask(client, "/recommend", customer_id="C0042", categories=["Toys"], price=[5, 40]).json()
    assert {item["category"] for item in answer["items"]} == {"Toys"}
    assert all(5 <= item["price"] <= 40 for item in answer["items"])
    again = ask(client, "/recommend", customer_id="C0042", exclude_bought=True).json()
    assert again["items"][0]["product_id"] == "P0001"


def test_new_ones_those_again_what_is_in_stock_and_variety(client):
    def products(**options):
        return [
            one["product_id"] for one in ask(client, "/recommend", customer_id="C0042", k=3, **options).json()["items"]
        ]

    assert products() == ["P0011", "P0012", "P0001"]
    assert products(only="new") == products(exclude_bought=True) == ["P0001", "P0002", "P0003"]
    assert products(only="again") == ["P0011", "P0012"]
    assert products(in_stock=True) == ["P0011", "P0012", "P0002"]
    assert products(diversity=0.5) == ["P0011", "P0001", "P0003"]
    assert_refused(ask(client, "/recommend", customer_id="C1", only="again", exclude_bought=True), 422, "only")


def test_stock_is_refused_where_the_shop_does_not_tell(serve):
    shop = FakeShop(products=40)
    shop.tells_stock = False
    with serve(shop) as client:
        assert_refused(ask(client, "/recommend", customer_id="C0001", in_stock=True), 422, "in_stock")


def test_titles_and_chances(client):
    first = ask(client, "/recommend", customer_id="C0042", k=1).json()["items"][0]
    assert first["title"] == "Sample product 0011"
    assert first["probability"] == pytest.approx(0.31)
    cold = ask(client, "/recommend", customer_id="nobody", k=1).json()["items"][0]
    assert cold["probability"] is None, "a count of buyers is nobody's chance"


def test_without_a_map_there_are_no_chances(serve):
    class NoMap(FakeShop):
        def probability(self, scores):
            return None

    with serve(NoMap(products=40)) as client:
        items = ask(client, "/recommend", customer_id="C0001").json()["items"]
        assert [item["probability"] for item in items] == [None] * 10


def test_what_is_missing_is_null_in_strict_json(client):
    response = ask(client, "/recommend", customer_id="C0042", k=50)

    def refuse(constant: str) -> None:
        raise AssertionError(f"{constant} is not JSON")

    items = json.loads(response.text, parse_constant=refuse)["items"]
    for field in ("category", "price", "rating"):
        assert None in [item[field] for item in items]


def test_many_customers_at_once(client):
    asked = ["C0042", "nobody", "C0001", "nobody", "C0042"]
    answer = ask(client, "/recommend_batch", customer_ids=asked, k=3, price=[5, 40]).json()
    assert list(answer) == ["model", "returned", "unknown", "answers"]
    assert answer["unknown"] == ["nobody"]
    assert answer["returned"] == 5
    alone = [ask(client, "/recommend", customer_id=one, k=3, price=[5, 40]).json() for one in asked]
    assert answer["answers"] == alone


@pytest.mark.parametrize(
    "ids", [[], ["C0001"] * 1001, "C0001", [7], [""], [None], [["C0001"]], {}], ids=lambda ids: repr(ids)[:20]
)
def test_bad_lists_of_customers(client, ids):
    assert_refused(ask(client, "/recommend_batch", customer_ids=ids), 422, "customer_ids")


def test_an_answer_of_too_many_products_is_not_begun(client):
    assert ask(client, "/recommend_batch", customer_ids=["nobody"] * 1000, k=50).status_code == 200
    assert_refused(ask(client, "/recommend_batch", customer_ids=["nobody"] * 1000, k=51), 422, "customer_ids")


def test_new_customer(client):
    answer = ask(client, "/recommend_new", history=["P0101", "P0205"], page_views=25, time_spent=120).json()
    assert answer["customer_id"] is None
    assert answer["items"][0]["reason"] == "goes with P0205"
    assert ask(client, "/recommend_new").json()["cold_start"] is True


def test_similar(client):
    answer = ask(client, "/similar", product_id="P0101", k=4).json()
    assert list(answer) == ["product_id", "returned", "model", "items"]
    assert "P0101" not in [item["product_id"] for item in answer["items"]]
    assert_refused(ask(client, "/similar", product_id="no such"), 422, "product_id", "no such")


def test_audience(client):
    answer = ask(client, "/audience", product_id="P0101", n=4, exclude_recent_days=30).json()
    assert list(answer) == [
        "products", "customers", "left_out", "returned", "expected_buyers", "days", "model", "items"
    ]  # fmt: skip
    assert (answer["products"], answer["left_out"], answer["returned"], answer["days"]) == (1, 3, 4, 30)
    assert answer["items"][0] == {
        "rank": 1,
        "customer_id": "C0004",
        "probability": 0.4,
        "last_purchase": "2025-12-31",
        "bought_before": 2,
        "reason": "buys often from Coffee & Tea",
    }
    assert ask(client, "/audience", products=["P0101", "P0102"]).json()["products"] == 2
    assert ask(client, "/audience", categories=["Toys"]).json()["products"] == 40


def test_what_an_audience_cannot_tell_is_null(serve):
    class Undated(FakeShop):
        def audience(self, *args, **asked):
            found = super().audience(*args, **asked).assign(probability=float("nan"), last_purchase=None)
            found.attrs.update(expected_buyers=None, days=None)
            return found

    answer = ask(serve(Undated(products=40)), "/audience", product_id="P0001", n=2).json()
    assert (answer["expected_buyers"], answer["days"]) == (None, None)
    assert [(one["probability"], one["last_purchase"]) for one in answer["items"]] == [(None, None)] * 2


@pytest.mark.parametrize(
    ("question", "field"),
    [
        ({}, "product_id"),
        ({"product_id": "P0001", "products": ["P0002"]}, "product_id"),
        ({"product_id": "P0001", "categories": ["Toys"]}, "product_id"),
        ({"product_id": "no such"}, "product_id"),
        ({"products": ["no such"]}, "products"),
        ({"products": "P0001"}, "products"),
        ({"products": ["P0001"] * 1001}, "products"),
        ({"categories": ["no such"]}, "categories"),
        ({"product_id": "P0001", "n": 0}, "n"),
        ({"product_id": "P0001", "n": 100_001}, "n"),
        ({"product_id": "P0001", "n": 5.5}, "n"),
        ({"product_id": "P0001", "exclude_recent_days": -1}, "exclude_recent_days"),
        ({"product_id": "P0001", "exclude_recent_days": True}, "exclude_recent_days"),
        ({"product_id": "P0001", "k": 5}, "body"),
    ],
)
def test_bad_audiences(client, question, field):
    assert_refused(ask(client, "/audience", **question), 422, field, "no such")


def test_explain(client):
    answer = ask(client, "/explain", customer_id="C0042", product_id="P0004").json()
    assert list(answer) == [
        "customer_id", "product_id", "cold_start", "score", "probability", "reason", "parts", "purchases", "model"
    ]  # fmt: skip
    assert (answer["cold_start"], answer["score"], answer["probability"]) == (False, 0.25, 0.25)
    assert answer["parts"] == [
        {"part": "history", "words": "words of history", "value": 0.75, "average": 0.1},
        {"part": "popularity", "words": "words of popularity", "value": -0.5, "average": 0.2},
    ]
    assert answer["purchases"][0] == {"product_id": "P0011", "value": 0.25}
    stranger = ask(client, "/explain", customer_id="nobody", product_id="P0004").json()
    assert (stranger["cold_start"], stranger["probability"], stranger["purchases"]) == (True, None, [])
    assert_refused(ask(client, "/explain", customer_id="C0042", product_id="no such"), 422, "product_id", "no such")
    assert_refused(ask(client, "/explain", customer_id="C0042"), 422, "product_id")


def test_k_above_the_catalogue_gives_a_shorter_list(serve):
    with serve(FakeShop(products=40)) as client:
        assert ask(client, "/recommend", customer_id="C0001", k=MAX_K).json()["returned"] == 40


def test_health(client):
    health = client.get("/health").json()
    assert health["ready"] is True
    assert health["model"] == {"id": "two_tower-1f2e3d", "data_until": "2025-12-31"}
    assert health["refused"] is None
    assert list(health) == ["ready", "model", "data_from", "age_days", "refused"]
    assert Service(FakeShop(), today=lambda: date(2026, 1, 10)).health().age_days == 10


@pytest.mark.parametrize("hostile", HOSTILE)
def test_hostile_text_is_a_plain_look_up(client, hostile):
    response = ask(client, "/recommend", customer_id=hostile)
    assert response.status_code == 200
    assert response.json()["customer_id"] == hostile
    assert response.headers["content-type"] == "application/json"


@pytest.mark.parametrize("value", [*NOT_AN_ID, *NOT_TEXT], ids=repr)
def test_bad_ids(client, value):
    body = json.dumps({"customer_id": value, "product_id": value})
    not_echoed = [value] if isinstance(value, str) and len(value) > 20 else ["passwd"]
    for route, field in (
        ("/recommend", "customer_id"),
        ("/similar", "product_id"),
        ("/explain", "customer_id"),
    ):
        only = json.dumps({field: json.loads(body)[field]})
        assert_refused(client.post(route, content=only, headers=JSON), 422, field, *not_echoed)
    basket = json.dumps({"history": [value]})
    assert_refused(client.post("/recommend_new", content=basket, headers=JSON), 422, "history", *not_echoed)


@pytest.mark.parametrize("k", NOT_A_K, ids=lambda text: text[:12])
def test_bad_k(client, k):
    body = f'{{"customer_id": "C0042", "k": {k}}}'
    assert_refused(client.post("/recommend", content=body, headers=JSON), 422, "k", "9999")


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("exclude_bought", "1"),
        ("exclude_bought", '"true"'),
        ("categories", '"Toys"'),
        ("categories", "[7]"),
        ("categories", '["no such category"]'),
        ("price", "[5]"),
        ("price", "[40, 5]"),
        ("price", "[-1, 5]"),
        ("price", "[0, NaN]"),
        ("price", "[0, 1e400]"),
        ("price", '["5", "40"]'),
        ("page_views", "-1"),
        ("page_views", "true"),
        ("time_spent", "Infinity"),
        ("time_spent", '"120"'),
        ("history", '"P0101"'),
        ("history", '["no such product"]'),
        ("only", '"old"'),
        ("only", "true"),
        ("only", '["new"]'),
        ("in_stock", "1"),
        ("in_stock", '"true"'),
        ("in_stock", "null"),
        ("diversity", "-0.1"),
        ("diversity", "1.1"),
        ("diversity", "true"),
        ("diversity", '"0.5"'),
        ("diversity", "NaN"),
        ("diversity", "1e400"),
        ("diversity", "null"),
    ],
)
def test_other_bad_fields(client, field, value):
    body = f'{{"{field}": {value}}}'
    assert_refused(client.post("/recommend_new", content=body, headers=JSON), 422, field, "no such")


def test_unknown_keys_and_other_bodies_are_named_as_the_body(client):
    assert_refused(ask(client, "/recommend", customer_id="C0042", hacked=1), 422, "body", "hacked")
    for body in (b"", b"[]", b'"C0042"', b"null"):
        assert_refused(client.post("/recommend", content=body, headers=JSON), 422, "body")
    assert_refused(client.post("/recommend", content=b'{"customer_id": "C0042"}'), 422, "body")


@pytest.mark.parametrize(
    "body", [b"{", b"\xff\xfe", b'{"customer_id": "\xff"}', b"{'customer_id': 1}", b"[" * 100_000], ids=len
)
def test_broken_json_is_400(client, body):
    assert_refused(client.post("/recommend", content=body, headers=JSON), 400, None)


def test_long_bodies_are_413_before_parsing(client):
    long = b"x" * (20 * 2**20)
    assert_refused(client.post("/recommend", content=long, headers=JSON), 413, None)
    chunks = (long[:65536] for _ in range(32))
    assert_refused(client.post("/recommend", content=chunks, headers=JSON), 413, None)
    for length in (str(LARGEST_BODY + 1), "9" * 5000, "-1", "x"):
        headers = {**JSON, "content-length": length}
        assert_refused(client.post("/recommend", content=b"{}", headers=headers), 413, None)


def test_the_longest_honest_body_passes(client):
    history = ["P0101"] * 1000
    assert ask(client, "/recommend_new", history=history).status_code == 200
    assert_refused(ask(client, "/recommend_new", history=[*history, "P0101"]), 422, "history")


@pytest.mark.parametrize("host", ["evil.example", "127.0.0.1.evil.example", "a@127.0.0.1", "localhost.", ""])
@pytest.mark.parametrize("path", ["/health", "/", "/gradio_api/info"])
def test_foreign_host(client, host, path):
    assert_refused(client.get(path, headers={"host": host}), 403, None)


@pytest.mark.parametrize("origin", ["https://evil.example", "null", "http://127.0.0.1:3000", "http://localhost:7860"])
def test_foreign_origin(client, origin):
    body = {"customer_id": "C0042"}
    response = client.post("/recommend", json=body, headers={"origin": origin})
    assert_refused(response, 403, None)
    assert "access-control-allow-origin" not in response.headers


def test_own_and_named_hosts(serve):
    with serve(allowed_hosts=["Shop.example"]) as client:
        for host, origin in (
            ("127.0.0.1:7860", "http://127.0.0.1:7860"),
            ("[::1]:7860", "http://[::1]:7860"),
            ("shop.example", "https://shop.example"),
            ("127.0.0.1:7860", "https://shop.example"),  # a proxy that does not pass the host name on
        ):
            response = client.get("/health", headers={"host": host, "origin": origin})
            assert response.status_code == 200, host


def test_login(serve):
    given = base64.b64encode("ann:pass:wörd".encode()).decode()
    with serve(login=("ann", "pass:wörd")) as client:
        assert client.get("/health").status_code == 200
        for headers in ({}, {"authorization": "Basic x"}, {"authorization": f"Bearer {given}"}):
            for path in ("/", "/openapi.json", "/gradio_api/info", "/theme.css"):
                refused = client.get(path, headers=headers)
                assert refused.status_code == 401
                assert refused.headers["www-authenticate"].startswith("Basic")
        assert client.get("/", headers={"authorization": f"Basic {given}"}).status_code == 200


def test_failure_inside_shows_nothing_of_it(serve):
    class Broken(FakeShop):
        def recommend(self, customer_id, k=10, **filters):
            if customer_id == "C0002":
                raise RuntimeError("secret /path/of/ours")
            return super().recommend(customer_id, k, **filters)

    with serve(Broken(products=40)) as client:
        response = ask(client, "/recommend", customer_id="C0002")
        assert response.status_code == 500
        assert "secret" not in response.text
        assert "Traceback" not in response.text


def test_every_field_of_the_schema_has_a_rule(client):
    schemas = client.get("/openapi.json").json()["components"]["schemas"]
    asked = {f for name, schema in schemas.items() if name.endswith("Question") for f in schema["properties"]}
    assert asked == set(RULES) - {"body"}


def test_a_shop_is_warm_before_it_serves(serve):
    class Cold(FakeShop):
        asked = 0

        def recommend(self, *args, **filters):
            self.asked += 1
            return super().recommend(*args, **filters)

    shop = Cold(products=40)
    serve(shop)
    assert shop.asked == 1


def test_a_long_body_over_a_real_connection_gets_its_answer(address):
    long = b"x" * (20 * 2**20)
    assert httpx.post(f"{address}/recommend", content=long, headers=JSON).status_code == 413
    assert httpx.post(f"{address}/recommend", content=iter([long]), headers=JSON).status_code == 413
    assert httpx.get(f"{address}/health").status_code == 200


def test_a_warm_answer_is_quick(address):
    """Over one kept connection: an unset TCP_NODELAY alone costs 40 ms."""
    waits = []
    with httpx.Client(base_url=address) as client:
        for number in range(20, 60):
            response = client.post("/recommend", json={"customer_id": f"C{number:04}"})
            waits.append(response.elapsed.total_seconds())
    assert statistics.median(waits) < 0.03

"""The two routes that take CSV: what they answer, what they refuse, and that nothing else got their larger bodies."""

from __future__ import annotations

import csv
import io
import threading

import httpx
import pytest
from fake_shop import FakeShop
from live_app import live

from embedrec.app.csv_routes import MOST_IDS, NOT_UNDERSTOOD, PIECE, UNKNOWN
from embedrec.app.guard import AUDIENCE_CSV, LARGEST_BODY, LARGEST_TABLE, RECOMMEND_CSV

ROUTES = {RECOMMEND_CSV: "customer_id", AUDIENCE_CSV: "product_id"}
ECHO = "SECRET-7f3a"
NOT_A_K = ("0", "-1", "1001", "1e9", "5.5", "true", "1_0", "NaN", "%2B5", "9" * 5000, "")


def rows(response: httpx.Response) -> list[dict[str, str]]:
    assert response.status_code == 200, response.text
    assert response.headers["content-type"] == "text/csv; charset=utf-8"
    return list(csv.DictReader(io.StringIO(response.content.decode("utf-8-sig"))))


def test_suggestions_for_the_customers_of_a_file(client):
    body = "Kundennummer;Name\r\nC0042;Ann\r\nnobody;Bob\r\nC0042;Ann again\r\n".encode("utf-16")
    response = client.post(f"{RECOMMEND_CSV}?k=3", content=body)
    found = rows(response)
    assert [one["customer_id"] for one in found] == ["C0042"] * 3 + ["nobody"] * 3
    assert [one["cold_start"] for one in found] == ["False"] * 3 + ["True"] * 3
    asked = client.post("/recommend", json={"customer_id": "C0042", "k": 3}).json()["items"]
    assert [one["product_id"] for one in found[:3]] == [one["product_id"] for one in asked]
    assert (response.headers[UNKNOWN], response.headers[NOT_UNDERSTOOD]) == ("1", "0")
    new = rows(client.post(f"{RECOMMEND_CSV}?k=1&exclude_bought=true", content=b"customer_id\nC0042\n"))
    assert [one["product_id"] for one in new] == ["P0001"]


def test_an_audience_for_the_products_of_a_file(client):
    response = client.post(f"{AUDIENCE_CSV}?n=2&exclude_recent_days=30", content=b"sku\nP0001\nP0002\nno such\n")
    assert [one["customer_id"] for one in rows(response)] == ["C0004", "C0005"]
    assert response.headers[UNKNOWN] == "1"


def test_a_long_answer_comes_in_pieces_under_one_header(client):
    ids = [f"X{number}" for number in range(PIECE + 1)]
    found = rows(client.post(f"{RECOMMEND_CSV}?k=2", content="\n".join(["customer_id", *ids]).encode()))
    assert [one["customer_id"] for one in found] == [one for one in ids for _ in range(2)]


def test_nothing_in_the_answer_runs_as_a_formula(client):
    found = rows(client.post(f"{RECOMMEND_CSV}?k=1", content=b'customer_id\n"=HYPERLINK(""x"")"\n@x\nC0001\n'))
    assert [one["customer_id"] for one in found] == ['\'=HYPERLINK("x")', "'@x", "C0001"]


@pytest.mark.parametrize("route", ROUTES)
@pytest.mark.parametrize(
    "body",
    [
        b"", b"  \n", f"name\n{ECHO}\n".encode(), b"customer_id,product_id\n", b"PK\x03\x04" + ECHO.encode(),
        b"\x1f\x8b" + ECHO.encode(), b"PAR1", b"\xd0\xcf\x11\xe0", b"\xff\xfe" + ECHO.encode(), b"\x00" * 99,
        f'customer_id,product_id\n"{ECHO}'.encode(), f"customer,user_id,product_id,item\n{ECHO},{ECHO},1,2\n".encode(),
        b"customer_id;product_id\n" + b"\x1b[2J;\x07\n" * 9, f'{{"customer_id": "{ECHO}"}}'.encode(),
    ],
    ids=range(14),
)  # fmt: skip
def test_a_body_that_is_no_such_table(client, route, body):
    response = client.post(route, content=body)
    assert response.status_code == 422, response.text
    fault = response.json()["error"]
    assert fault["field"] == "body"
    assert fault["message"].startswith(f"body must be a CSV text: a header line with a column {ROUTES[route]}")
    assert ECHO not in response.text


def test_products_that_the_shop_does_not_have(client):
    response = client.post(AUDIENCE_CSV, content=f"product_id\n{ECHO}\n".encode())
    assert response.status_code == 422
    assert (
        response.json()["error"]["message"]
        == "body must name at least one product of this shop in its column product_id"
    )


@pytest.mark.parametrize(
    ("question", "field"),
    [
        *((f"{RECOMMEND_CSV}?k={k}", "k") for k in NOT_A_K),
        (f"{RECOMMEND_CSV}?exclude_bought=1", "exclude_bought"),
        (f"{AUDIENCE_CSV}?n=0", "n"),
        (f"{AUDIENCE_CSV}?n=100001", "n"),
        (f"{AUDIENCE_CSV}?exclude_recent_days=-1", "exclude_recent_days"),
    ],
    ids=lambda text: text[:24],
)
def test_settings_out_of_range(client, question, field):
    response = client.post(question, content=b"customer_id,product_id\nC0001,P0001\n")
    assert response.status_code == 422
    assert response.json()["error"]["field"] == field


def test_sizes(client):
    longest = b"customer_id\n".ljust(LARGEST_TABLE - 2, b"\n") + b"C1"
    assert len(rows(client.post(f"{RECOMMEND_CSV}?k=1", content=longest))) == 1
    for route in ROUTES:
        refused = client.post(route, content=longest + b"2")
        assert refused.status_code == 413
        assert refused.json()["error"]["message"] == f"the body must be at most {LARGEST_TABLE} bytes"
    assert client.post("/recommend", content=b"x" * (LARGEST_BODY + 1)).status_code == 413
    many = b"customer_id,product_id\n" + b"".join(b"%d,%d\n" % (one, one) for one in range(MOST_IDS + 1))
    assert client.post(RECOMMEND_CSV, content=many).json()["error"]["field"] == "body"
    fewer = b"\n".join(many.splitlines()[:-1])
    assert client.post(f"{RECOMMEND_CSV}?k=11", content=fewer).json()["error"]["field"] == "k"


def test_foreign_pages_and_strangers_are_refused(client, serve):
    body = b"customer_id\nC0001\n"
    assert client.post(RECOMMEND_CSV, content=body, headers={"origin": "https://evil.example"}).status_code == 403
    with serve(login=("ann", "word")) as guarded:
        assert guarded.post(RECOMMEND_CSV, content=body).status_code == 401
        assert guarded.post(RECOMMEND_CSV, content=body, auth=("ann", "word")).status_code == 200


def test_a_long_answer_holds_nobody_up():
    """While one piece is being made, health answers; and who goes away is not answered to the end."""
    begun, go_on, made = threading.Event(), threading.Event(), []

    class Slow(FakeShop):
        def recommend_many(self, customer_ids, k=10, **filters):
            made.append(len(customer_ids))
            if len(made) > 2:
                begun.set()
                assert go_on.wait(20)
            return super().recommend_many(customer_ids, k, **filters)

    body = "\n".join(["customer_id", *(f"C{number}" for number in range(60))]).encode()
    with live(Slow(products=40)) as address:
        made.clear()
        with httpx.stream("POST", f"{address}{RECOMMEND_CSV}?k=1000", content=body) as response:
            coming = response.iter_bytes()
            next(coming)
            assert begun.wait(20)
            assert httpx.get(f"{address}/health", timeout=5).status_code == 200
        go_on.set()
    assert len(made) < 20, "30 pieces would be all of it"

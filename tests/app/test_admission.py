"""More questions than can be answered in time: the first ones are answered, the others are told to come back."""

from __future__ import annotations

import asyncio
import threading
from collections import Counter
from pathlib import Path

import httpx
import pytest
from fake_shop import FakeShop
from live_app import build_app

from embedrec.app import desk, guard
from embedrec.app.admission import LONG_AT_ONCE, QUICK, QUICK_AT_ONCE
from embedrec.app.application import _without_place, create_app
from embedrec.app.questions import CustomerQuestion
from embedrec.app.service import Service

HERE = "http://127.0.0.1:7860"
MORE = 7


class Slow(FakeShop):
    """Answers nobody until it is let go."""

    def __init__(self) -> None:
        super().__init__(products=40)
        self.go = threading.Event()
        self.go.set()

    def recommend_many(self, *asked, **filters):
        assert self.go.wait(30)
        return super().recommend_many(*asked, **filters)


@pytest.mark.parametrize(
    ("route", "question", "room"),
    [
        ("/recommend", {"customer_id": "C{}"}, QUICK_AT_ONCE),
        ("/recommend_batch", {"customer_ids": ["C{}"]}, LONG_AT_ONCE),
    ],
)
def test_beyond_its_room_it_says_come_back(route, question, room):
    shop = Slow()

    async def rush() -> None:
        transport = httpx.ASGITransport(create_app(shop))
        async with httpx.AsyncClient(transport=transport, base_url=HERE, timeout=30) as client:

            def ask(number: int):
                text = {
                    key: [f"C{number}"] if isinstance(value, list) else f"C{number}" for key, value in question.items()
                }
                return asyncio.create_task(client.post(route, json=text))

            shop.go.clear()
            waiting = [ask(number) for number in range(room)]
            await asyncio.sleep(0.3)
            refused = await asyncio.gather(*(ask(room + number) for number in range(MORE)))
            assert Counter(response.status_code for response in refused) == {503: MORE}
            for response in refused:
                assert response.headers["retry-after"] == "1"
                assert response.json()["error"]["field"] is None
                assert "ask again" in response.json()["error"]["message"]
            assert (await client.get("/health")).status_code == 200
            assert (await client.get("/openapi.json")).status_code == 200
            shop.go.set()
            answers = await asyncio.gather(*waiting)
            assert Counter(response.status_code for response in answers) == {200: room}
            assert (await ask(0)).status_code == 200

    asyncio.run(rush())


def test_questions_that_wait_together_get_each_their_own_answer():
    """Also where one of them is refused, and where filters differ."""
    shop = Slow()

    async def rush() -> None:
        transport = httpx.ASGITransport(create_app(shop))
        async with httpx.AsyncClient(transport=transport, base_url=HERE, timeout=30) as client:
            shop.go.clear()
            questions = [{"customer_id": f"C{number:04d}", "k": 1 + number % 3} for number in range(1, 20)]
            questions += [
                {"customer_id": "C0001", "categories": ["no such"]},
                {"customer_id": "C0002", "price": [5, 40]},
            ]
            tasks = [asyncio.create_task(client.post("/recommend", json=question)) for question in questions]
            await asyncio.sleep(0.3)
            shop.go.set()
            for question, response in zip(questions, await asyncio.gather(*tasks), strict=True):
                if "no such" in question.get("categories", ()):
                    assert response.status_code == 422
                    assert response.json()["error"]["field"] == "categories"
                    continue
                assert response.status_code == 200
                alone = shop.recommend(**question)
                told = response.json()
                assert told["customer_id"] == question["customer_id"]
                assert [item["product_id"] for item in told["items"]] == alone["product_id"].tolist()
                assert [item["reason"] for item in told["items"]] == alone["reason"].tolist()

    asyncio.run(rush())


def test_quick_questions_are_routes(client):
    """A name that changes there and not here would count as long."""
    assert QUICK - set(client.get("/openapi.json").json()["paths"]) <= {"/explain"}


def test_whoever_sends_slowly_takes_nobodys_place(monkeypatch):
    monkeypatch.setattr(guard, "LONGEST_SENDING", 0.3)
    app = build_app(FakeShop(products=40))
    statuses: list[int] = []

    async def half_a_question() -> None:
        begun = False

        async def receive():
            nonlocal begun
            if begun:
                await asyncio.sleep(30)
            begun = True
            return {"type": "http.request", "body": b"{", "more_body": True}

        async def send(message) -> None:
            if message["type"] == "http.response.start":
                statuses.append(message["status"])

        headers = [(b"host", b"127.0.0.1:7860"), (b"content-type", b"application/json")]
        scope = {"type": "http", "asgi": {"version": "3.0"}, "http_version": "1.1", "method": "POST", "scheme": "http"}
        place = {"path": "/recommend", "raw_path": b"/recommend", "root_path": "", "query_string": b""}
        await app({**scope, **place, "headers": headers}, receive, send)

    async def crowd() -> None:
        slow = [asyncio.create_task(half_a_question()) for _ in range(QUICK_AT_ONCE + MORE)]
        await asyncio.sleep(0.1)
        async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url=HERE) as client:
            answer = await client.post("/recommend", json={"customer_id": "C0001"})
        assert answer.status_code == 200
        await asyncio.gather(*slow)

    asyncio.run(crowd())
    assert statuses == [408] * (QUICK_AT_ONCE + MORE)


def test_kept_answers_are_bounded_by_their_size(monkeypatch):
    monkeypatch.setattr(desk, "KEPT", 5000)
    keeper = desk.Desk(Service(FakeShop(products=40)))
    for number in range(9):
        asyncio.run(keeper.ask(CustomerQuestion(customer_id=f"C{number:04}")))
    assert 0 < sum(map(len, keeper._kept.values())) == keeper._size <= 5000
    assert len(keeper._kept) < 9


def test_an_answer_that_cannot_be_written_reaches_who_asked(monkeypatch):
    service = Service(FakeShop(products=40))

    class Unwritable:
        def model_dump_json(self) -> str:
            raise OverflowError("no JSON")

    monkeypatch.setattr(service, "recommend_many", lambda questions: [Unwritable() for _ in questions])
    with pytest.raises(OverflowError, match="no JSON"):
        asyncio.run(asyncio.wait_for(desk.Desk(service).ask(CustomerQuestion(customer_id="C0001")), 5))


@pytest.mark.parametrize(
    ("told", "shown"),
    [
        ("bundle/model.safetensors does not match", "model.safetensors does not match"),
        ("bundle/products.faiss is missing", "products.faiss is missing"),
        ("bundle is not a bundle: bundle/x", "the bundle is not a bundle: bundle/x"),
        ("something else in bundle", "something else in bundle"),
    ],
)
def test_a_refusal_names_the_file_without_its_place(told, shown):
    assert _without_place(told, Path("bundle")) == shown

"""More questions than can be answered in time: the first ones are answered, the others are told to come back."""

from __future__ import annotations

import asyncio
import threading
from collections import Counter

import httpx
import pytest
from fake_shop import FakeShop

from embedrec.app.admission import LONG_AT_ONCE, QUICK, QUICK_AT_ONCE
from embedrec.app.application import create_app

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

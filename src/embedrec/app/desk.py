"""Where questions wait: those that came while others were being answered are answered together.

Most of the time of one answer goes into reading all product vectors and into the many small steps around that, which
cost the same for one customer and for thirty. The busier the shop, the more share them; nobody waits for company.
Answers are kept for those who ask the same again, until another model comes into use.
"""

from __future__ import annotations

import asyncio
from collections import OrderedDict
from collections.abc import Sequence

from starlette.concurrency import run_in_threadpool

from embedrec.app.questions import CustomerQuestion
from embedrec.app.service import Service

TOGETHER = 32  # questions answered at once
KEPT = 32 * 2**20  # bytes of answers: one may be 2 kB long, or 200 kB


class Desk:
    """Takes questions about customers of one Service, on one event loop; answers are JSON."""

    def __init__(self, service: Service) -> None:
        self._service = service
        self._waiting: list[tuple[CustomerQuestion, str, asyncio.Future[bytes]]] = []
        self._task: asyncio.Task[None] | None = None
        self._kept: OrderedDict[str, bytes] = OrderedDict()
        self._size = 0  # bytes of them
        self._kept_of: object = None  # the model whose answers they are

    async def ask(self, question: CustomerQuestion) -> bytes:
        """Answer a question, alone or with others that wait. Raises RequestError on a malformed one."""
        key = question.model_dump_json()
        if (kept := self._find(key)) is not None:
            return kept
        answer: asyncio.Future[bytes] = asyncio.get_running_loop().create_future()
        self._waiting.append((question, key, answer))
        if self._task is None or self._task.done():
            self._task = asyncio.create_task(self._answer_all())
        return await answer

    async def _answer_all(self) -> None:
        """Answer until nobody waits."""
        while self._waiting:
            now, self._waiting = self._waiting[:TOGETHER], self._waiting[TOGETHER:]
            shop = self._service.shop
            found = await run_in_threadpool(self._answers, [question for question, *_ in now])
            for (_, key, answer), result in zip(now, found, strict=True):
                if isinstance(result, bytes) and shop is self._service.shop:
                    self._keep(key, result)
                if answer.done():  # whoever asked has gone
                    continue
                if isinstance(result, Exception):
                    answer.set_exception(result)
                else:
                    answer.set_result(result)

    def _answers(self, questions: Sequence[CustomerQuestion]) -> list[bytes | Exception]:
        """Answer each question, in a thread; those with the same filters together."""
        alike: dict[str, list[int]] = {}
        for place, question in enumerate(questions):
            alike.setdefault(question.model_dump_json(exclude={"customer_id"}), []).append(place)
        found: dict[int, bytes | Exception] = {}
        for places in alike.values():
            found.update(zip(places, self._answers_alike([questions[place] for place in places]), strict=True))
        return [found[place] for place in range(len(questions))]

    def _answers_alike(self, questions: Sequence[CustomerQuestion]) -> Sequence[bytes | Exception]:
        try:
            return [answer.model_dump_json().encode() for answer in self._service.recommend_many(questions)]
        except Exception as error:  # noqa: BLE001 - goes to the one who asked; others must have their answers
            if len(questions) == 1:
                return [error]
            return [one for question in questions for one in self._answers_alike([question])]

    def _find(self, key: str) -> bytes | None:
        if self._kept_of is not self._service.shop:
            self._kept.clear()
            self._size = 0
            self._kept_of = self._service.shop
        if (kept := self._kept.get(key)) is not None:
            self._kept.move_to_end(key)
        return kept

    def _keep(self, key: str, answer: bytes) -> None:
        if key in self._kept:
            return
        self._kept[key] = answer
        self._size += len(answer)
        while self._size > KEPT:
            self._size -= len(self._kept.popitem(last=False)[1])

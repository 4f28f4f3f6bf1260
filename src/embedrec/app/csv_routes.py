"""The two questions that take a CSV file: customers, for what each may want next, and products, for who may buy them.

A body is read as a shop's tables are (separators, encodings, names of headers), in memory, and never kept. The answer
is CSV that a spreadsheet opens safely; it is made and sent piece by piece, off the event loop, so that a long one fills
no memory and holds up nobody else's question.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Annotated, Any, Literal

import pandas as pd
from fastapi import APIRouter, HTTPException, Query, Request
from fastapi.responses import StreamingResponse
from pydantic import BeforeValidator
from starlette.concurrency import run_in_threadpool

from embedrec.app.guard import AUDIENCE_CSV, RECOMMEND_CSV
from embedrec.app.questions import Days, K, Size
from embedrec.app.service import Service
from embedrec.columns import CUSTOMER, PRODUCT
from embedrec.errors import DataError
from embedrec.serving.lists import customer_lists
from embedrec.spreadsheets import safe_to_open
from embedrec.tables.id_lists import IdList, parse_ids_csv

MOST_IDS = 100_000
MOST_ROWS = 1_000_000  # of an answer
PIECE = 2_000  # rows made before they are sent
UNKNOWN, NOT_UNDERSTOOD = "embedrec-unknown-ids", "embedrec-rows-not-understood"
"""Headers of the answer: how many ids the shop does not know, and how many rows of the body held none."""
NAME = "the body"
TEXT: dict[str, Any] = {"content": {"text/csv": {"schema": {"type": "string"}}}}
# Refusals are JSON, so the routes name no class of answers: its kind of text would be theirs in the schema.
SCHEMA: dict[str, Any] = {
    "response_class": StreamingResponse,
    "responses": {200: {"description": "a table; its headers count what was not used", **TEXT}},
    "openapi_extra": {"requestBody": {"required": True, **TEXT}},
}


class CSVResponse(StreamingResponse):
    """CSV in UTF-8 with a byte order mark, without which Excel misreads umlauts."""

    media_type = "text/csv"


class Refused(HTTPException):
    """A question that cannot be answered; the message is a fixed rule of the field."""

    def __init__(self, field: str, message: str) -> None:
        super().__init__(422, message)
        self.field = field


def _digits(given: object) -> object:
    """Refuse what int() would also read: '1_0', '+5', ' 5', digits of other scripts."""
    if not re.fullmatch(r"[0-9]{1,9}", str(given)):
        raise ValueError("not a whole number")
    return int(str(given))


Digits = BeforeValidator(_digits)


def csv_routes(service: Service) -> APIRouter:
    """Make the routes over the shop of `service`."""
    routes = APIRouter()

    @routes.post(RECOMMEND_CSV, **SCHEMA)
    async def recommend_csv(
        request: Request,
        k: Annotated[K, Digits, Query()] = 10,
        exclude_bought: Literal["true", "false"] = "false",
    ) -> CSVResponse:
        """Recommend products to the customers of a CSV file with a column customer_id; unknown ones are cold_start."""
        customers = await _ids(request, CUSTOMER)
        if len(customers.ids) * k > MOST_ROWS:
            raise Refused("k", f"k must leave the answer at most {MOST_ROWS:,} rows: k for each customer")
        shop, step = service.shop, max(1, PIECE // k)

        def pieces() -> Iterator[pd.DataFrame]:
            for start in range(0, len(customers.ids), step):
                some = customers.ids[start : start + step]
                yield customer_lists(shop, some, k, {"exclude_bought": exclude_bought == "true"})

        return _answer(pieces(), customers, sum(int(place) < 0 for place in shop.knows(customers.ids)))

    @routes.post(AUDIENCE_CSV, **SCHEMA)
    async def audience_csv(
        request: Request,
        n: Annotated[Size, Digits, Query()] = 500,
        exclude_recent_days: Annotated[Days, Digits, Query()] = 0,
    ) -> CSVResponse:
        """Find the customers most likely to buy any product of a CSV file with a column product_id."""
        products, shop = await _ids(request, PRODUCT), service.shop
        sold = frozenset(shop.product_ids)
        known = [one for one in products.ids if one in sold]
        if not known:
            raise Refused("body", "body must name at least one product of this shop in its column product_id")
        table = await run_in_threadpool(shop.audience, n=n, products=known, exclude_recent_days=exclude_recent_days)
        pieces = (table.iloc[start : start + PIECE] for start in range(0, max(len(table), 1), PIECE))
        return _answer(pieces, products, len(products.ids) - len(known))

    return routes


async def _ids(request: Request, column: str) -> IdList:
    """Read the body. What is wrong with it is told by a fixed rule, which shows nothing of it."""
    try:
        found = await run_in_threadpool(parse_ids_csv, await request.body(), NAME, column)
    except DataError:
        found = None
    if found is None or len(found.ids) > MOST_IDS:
        raise Refused(
            "body",
            f"body must be a CSV text: a header line with a column {column}, then one id a row, {MOST_IDS:,} at most; "
            "of the rows 95 % must be understood",
        )
    return found


def _answer(tables: Iterator[pd.DataFrame], given: IdList, unknown: int) -> CSVResponse:
    """Write tables of the same columns one below the other, the header once."""

    def text() -> Iterator[bytes]:
        for place, table in enumerate(tables):
            lines = safe_to_open(table).to_csv(index=False, header=place == 0, lineterminator="\n")
            yield (("\ufeff" if place == 0 else "") + str(lines)).encode()

    told = {UNKNOWN: str(unknown), NOT_UNDERSTOOD: str(given.account.quarantined)}
    return CSVResponse(text(), headers=told)

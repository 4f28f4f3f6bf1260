"""One fake shop behind a real app, started once for the tests of this folder."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any

import pytest
from fake_shop import FakeShop
from fastapi import FastAPI
from starlette.testclient import TestClient

from embedrec.app.application import create_app

HERE = "http://127.0.0.1:7860"


# Gradio 6.31 sets a pandas option that pandas 3 is about to drop, each time it sums up its queue.
GRADIOS_OWN = "ignore:'future.no_silent_downcasting' is deprecated:DeprecationWarning"


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        if item.path.parent == Path(__file__).parent:
            item.add_marker(pytest.mark.filterwarnings(GRADIOS_OWN))


def build_app(shop: FakeShop, **settings: Any) -> FastAPI:
    """Build inside an event loop: outside of one, Gradio opens loops of its own and leaves them open."""

    async def build() -> FastAPI:
        return create_app(shop, **settings)

    return asyncio.run(build())


@pytest.fixture(scope="session")
def client() -> Iterator[TestClient]:
    with TestClient(build_app(FakeShop()), base_url=HERE, raise_server_exceptions=False) as client:
        yield client


@pytest.fixture
def serve() -> Callable[..., AbstractContextManager[TestClient]]:
    """Return a function that serves a shop of one's own, with settings of one's own."""

    def served(shop: FakeShop | None = None, **settings: Any) -> TestClient:
        app = build_app(shop or FakeShop(products=40), **settings)
        return TestClient(app, base_url=HERE, raise_server_exceptions=False)

    return served

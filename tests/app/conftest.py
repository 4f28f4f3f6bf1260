"""One fake shop behind a real app, started once for the tests of this folder."""

from __future__ import annotations

import asyncio
import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path
from typing import Any

import pytest
import uvicorn
from fake_shop import FakeShop
from fastapi import FastAPI
from starlette.testclient import TestClient

from embedrec.app.application import create_app

HERE = "http://127.0.0.1:7860"


# Gradio 6.31 uses what pandas 3 is about to drop, each time it sums up its queue.
GRADIOS_OWN = (
    "ignore:'future.no_silent_downcasting' is deprecated:DeprecationWarning",
    "ignore:The copy keyword is deprecated:DeprecationWarning",
)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        if item.path.parent == Path(__file__).parent:
            for warning in GRADIOS_OWN:
                item.add_marker(pytest.mark.filterwarnings(warning))


def build_app(shop: FakeShop, **settings: Any) -> FastAPI:
    """Build inside an event loop: outside of one, Gradio opens loops of its own and leaves them open."""

    async def build() -> FastAPI:
        return create_app(shop, **settings)

    return asyncio.run(build())


@contextmanager
def live(shop: FakeShop, **settings: Any) -> Iterator[str]:
    """Serve on a free port, as the command does; give the address."""
    with socket.socket() as listening:
        listening.bind(("127.0.0.1", 0))
        config = uvicorn.Config(
            build_app(shop, **settings), log_level="warning", ws="none", timeout_graceful_shutdown=1
        )
        server = uvicorn.Server(config)
        thread = threading.Thread(target=server.run, kwargs={"sockets": [listening]})
        thread.start()
        yield f"http://127.0.0.1:{listening.getsockname()[1]}"
        server.should_exit = True
        thread.join()


@pytest.fixture(scope="session")
def address() -> Iterator[str]:
    with live(FakeShop()) as place:
        yield place


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

"""One fake shop behind a real app, started once for the tests of this folder."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from fake_shop import FakeShop
from live_app import build_app, live
from starlette.testclient import TestClient

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


@pytest.fixture(scope="session")
def address() -> Iterator[str]:
    with live(FakeShop()) as place:
        yield place


@pytest.fixture(scope="session")
def client() -> Iterator[TestClient]:
    with TestClient(build_app(FakeShop()), base_url=HERE, raise_server_exceptions=False) as client:
        yield client


@pytest.fixture
def serve() -> Callable[..., TestClient]:
    """Return a function that serves a shop of one's own, with settings of one's own."""

    def served(shop: FakeShop | None = None, **settings: Any) -> TestClient:
        app = build_app(shop or FakeShop(products=40), **settings)
        return TestClient(app, base_url=HERE, raise_server_exceptions=False)

    return served

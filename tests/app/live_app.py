"""Builds the app over a fake shop, and serves it over a real socket."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import uvicorn
from fake_shop import FakeShop
from starlette.types import ASGIApp

from embedrec.app.application import create_app
from embedrec.app.command import _listen


def build_app(shop: FakeShop, **settings: Any) -> ASGIApp:
    """Build inside an event loop: outside of one, Gradio opens loops of its own and leaves them open."""

    async def build() -> ASGIApp:
        return create_app(shop, **settings)

    return asyncio.run(build())


@contextmanager
def live(shop: FakeShop, **settings: Any) -> Iterator[str]:
    """Serve on a free port, over a socket like the command's; give the address."""
    with _listen("127.0.0.1", 0) as listening:
        config = uvicorn.Config(
            build_app(shop, **settings), log_level="warning", ws="none", timeout_graceful_shutdown=1
        )
        server = uvicorn.Server(config)
        thread = threading.Thread(target=server.run, kwargs={"sockets": [listening]})
        thread.start()
        try:
            yield f"http://127.0.0.1:{listening.getsockname()[1]}"
        finally:
            server.should_exit = True
            thread.join()

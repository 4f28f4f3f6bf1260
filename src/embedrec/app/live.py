"""The model in use, and how a newer one takes its place while questions come in.

Each bundle gets an app of its own, routes and page, over its own Recommender; a request is handed as a whole to the one
in use when it comes, so no answer and no page ever mixes two models, whatever they read of the shop and how often. A
newer bundle is loaded, verified and asked beside the old app; then the two change places in one step. What is refused
is named on stderr and in /health, and the old one serves on.
"""

from __future__ import annotations

import asyncio
import gc
import sys
from collections import Counter
from collections.abc import Callable, Hashable
from contextlib import suppress
from dataclasses import dataclass
from html import escape
from pathlib import Path

from fastapi import FastAPI
from starlette.responses import HTMLResponse, JSONResponse, Response
from starlette.types import Receive, Scope, Send

from embedrec.app.admission import COME_BACK
from embedrec.app.page import close_page, has_asked
from embedrec.bundle import NAMES
from embedrec.errors import EmbedrecError, printable

LOOK_EVERY = 1.0  # seconds
LAST_ANSWERS = 30.0  # seconds that an older app gets to end what it has begun
QUEUE_ENDS = 0.5  # seconds; the loops of a closed queue see that up to a hundred times a second
HEALTH = "/health"

_NOT_READY_PAGE = """<!doctype html><html lang="en"><meta charset="utf-8"><meta http-equiv="refresh" content="3">
<title>Not ready yet</title><body style="font: 1.1rem/1.6 system-ui, sans-serif; max-width: 40rem; margin: 15vh auto">
<h1>Not ready yet</h1><p role="status">{reason}</p><p>As soon as the bundle is whole, this page opens by itself.</p>"""


@dataclass
class Standing:
    """What became of the newest bundle; shared by the apps."""

    refused: str | None = None
    """Why it is not in use: file and reason, without a path. None where it is in use."""


class Live:
    """ASGI app: every request goes to the app of the bundle in use; 503 while there is none.

    `make` loads, verifies and asks the bundle, and builds its app. `seen` tells two states of it apart. Without them
    the first app stays.
    """

    def __init__(
        self,
        app: FastAPI | None,
        standing: Standing,
        make: Callable[[], FastAPI] | None = None,
        seen: Callable[[], Hashable] = lambda: None,
        look_every: float = LOOK_EVERY,
    ) -> None:
        self._app, self._standing = app, standing
        self._make, self._seen, self._look_every = make, seen, look_every
        self._tried: Hashable = object()
        self._older: list[FastAPI] = []
        self._tasks: set[asyncio.Task[None]] = set()
        self._asked: Counter[FastAPI] = Counter()
        """Questions that each app is answering."""
        self._ending: dict[FastAPI, asyncio.Event] = {}
        self._running: dict[FastAPI, asyncio.Task[None]] = {}

    def first(self) -> None:
        """Try the bundle once, before serving; what is wrong with it is said, and it is looked at again later."""
        assert self._make is not None
        self._tried = self._seen()
        try:
            self._app = self._make()
        except Exception as error:  # noqa: BLE001 - whatever is wrong with a bundle must not end the server
            self._refuse(error)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Hand the request on."""
        if scope["type"] == "lifespan":
            await self._live(receive, send)
            return
        app = self._app_for(scope)
        if app is None:
            await self._not_ready(scope["path"])(scope, receive, send)
            return
        asks = scope["method"] == "POST"  # open pages keep other connections for as long as they are open
        self._asked[app] += asks
        try:
            await app(scope, receive, send)
        finally:
            self._asked[app] -= asks

    def _app_for(self, scope: Scope) -> FastAPI | None:
        """The app in use, or for what a visitor asked of an older one's page, that one."""
        query = scope.get("query_string", b"").decode("latin-1")
        if scope["path"].startswith("/gradio_api/") and scope["method"] == "GET":
            for app in self._older:
                if has_asked(app, scope["path"], query):
                    return app
        return self._app

    def _not_ready(self, path: str) -> Response:
        reason = f"not ready: {self._standing.refused}"
        if path == HEALTH:
            nothing = {"ready": False, "model": None, "data_from": None, "age_days": None}
            return JSONResponse({**nothing, "refused": self._standing.refused}, 503, COME_BACK)
        if path == "/":
            return HTMLResponse(_NOT_READY_PAGE.format(reason=escape(reason)), 503, COME_BACK)
        return JSONResponse({"error": {"field": None, "message": reason}}, 503, COME_BACK)

    async def _live(self, receive: Receive, send: Send) -> None:
        """Open and close the apps, and look for newer bundles, between the server's start and stop."""
        await receive()
        if self._app is not None:
            await self._open(self._app)
        watch = asyncio.create_task(self._watch()) if self._make else None
        await send({"type": "lifespan.startup.complete"})
        await receive()
        if watch is not None:
            watch.cancel()
            await asyncio.gather(watch, return_exceptions=True)
        for ending in self._ending.values():
            ending.set()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        await send({"type": "lifespan.shutdown.complete"})

    async def _open(self, app: FastAPI) -> None:
        """Run an app's own lifespan until it is told to end, in one task as its libraries want it."""
        opened, ending = asyncio.Event(), asyncio.Event()

        async def run() -> None:
            async with app.router.lifespan_context(app):
                opened.set()
                await ending.wait()
            close_page(app)

        task = asyncio.create_task(run())
        self._ending[app], self._running[app] = ending, task
        self._keep(task)
        waiting = asyncio.create_task(opened.wait())
        await asyncio.wait({task, waiting}, return_when=asyncio.FIRST_COMPLETED)
        waiting.cancel()
        if task.done():
            task.result()

    async def _watch(self) -> None:
        """Look at the bundle again and again; one that stands still and was not tried yet is tried."""
        before: Hashable = object()
        while True:
            await asyncio.sleep(self._look_every)
            now = await asyncio.to_thread(self._seen)
            if now == before and now != self._tried:
                self._tried = now
                await self._try()
            before = now

    async def _try(self) -> None:
        assert self._make is not None
        try:
            app = await asyncio.to_thread(self._make)
            await self._open(app)
        except Exception as error:  # noqa: BLE001 - the old model serves on, whatever is wrong with the new one
            self._refuse(error)
            return
        older, self._app = self._app, app
        self._standing.refused = None
        if older is not None:
            self._older.append(older)
            self._keep(asyncio.create_task(self._end(older)))

    async def _end(self, app: FastAPI) -> None:
        """Close an older app once what it has begun is surely told."""
        ending = self._ending[app]
        with suppress(TimeoutError):
            await asyncio.wait_for(ending.wait(), LAST_ANSWERS)
        self._older.remove(app)
        while self._asked[app] and not ending.is_set():
            await asyncio.sleep(0.1)
        ending.set()
        del self._ending[app], self._asked[app]
        # No question reaches it any more, but each of its pages that is still open somewhere keeps it; its shop and
        # the kept answers, hundreds of MB, must not stay with them.
        for heavy in app.state.heavy:
            vars(heavy).clear()
        await asyncio.wait({self._running.pop(app)})
        del app
        await asyncio.sleep(QUEUE_ENDS)
        await asyncio.to_thread(gc.collect)

    def _keep(self, task: asyncio.Task[None]) -> None:
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    def _refuse(self, error: Exception) -> None:
        """Say what is wrong; a bug of ours is named by its kind only."""
        told = str(error) if isinstance(error, EmbedrecError) else f"the bundle cannot be used ({type(error).__name__})"
        self._standing.refused = told
        print(f"refused: {printable(told)}", file=sys.stderr, flush=True)  # noqa: T201


def state_of(folder: Path) -> Hashable:
    """What a look at the files of a bundle tells without reading them; another after every change."""
    found: list[tuple[int, ...] | None] = []
    for name in NAMES:
        try:
            stat = (folder / name).stat()
            found.append((stat.st_dev, stat.st_ino, stat.st_mtime_ns, stat.st_size))
        except OSError:
            found.append(None)
    return tuple(found)

"""What is refused before any route sees it: foreign pages, closed routes, overlong or file-shaped bodies.

A page on another site must not be able to question a shop through its visitor's browser, so Host and Origin
are checked. Gradio can take files; nothing here needs any, so only the routes its page uses are open, and no
value sent to the page may be a JSON object, which is the shape in which Gradio passes files.
"""

from __future__ import annotations

import asyncio
import base64
import re
import secrets
from collections.abc import Collection, Iterable
from contextlib import nullcontext
from typing import Any
from urllib.parse import urlsplit

from starlette.datastructures import Headers, MutableHeaders
from starlette.responses import JSONResponse
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from embedrec.app.admission import COME_BACK, Admission
from embedrec.app.questions import read_json

LOOPBACK = frozenset({"127.0.0.1", "localhost", "::1"})
LARGEST_BODY = 2**20  # bytes: a thousand ids of 256 characters fit
LONGEST_SENDING = 10.0  # seconds that a body may take to come
HEALTH = "/health"
RECOMMEND_CSV, AUDIENCE_CSV = "/recommend_csv", "/audience_csv"
LARGEST_TABLE = 5 * 2**20  # bytes, of these two routes alone: 100,000 ids of 50 characters fit

# Gradio's routes that its page and its clients need for text, numbers and choices.
_PAGE_ROUTES = re.compile(
    r"""/ | /config | /theme\.css | /favicon\.ico | /robots\.txt | /manifest\.json | /pwa_icon(/\d+)?
      | /(assets|static|svelte)/.+
      | /gradio_api/( info/? | startup-events | theme\.css | app_id/? | login_check/? | token/? | user/?
                    | queue/join | queue/data | call/(?!v2/)\w+(/[0-9a-f]{32})? | heartbeat/\w+ | cancel | reset/? )""",
    re.VERBOSE,
)
_GRADIO_QUESTION = re.compile(r"/gradio_api/(queue/join|call/\w+)")

# The browser itself holds the page to this machine. Gradio needs inline scripts and styles, and eval.
_RESPONSE_HEADERS = {
    "content-security-policy": "default-src 'self' 'unsafe-inline' 'unsafe-eval' data: blob:; "
    "frame-ancestors 'self'; form-action 'self'",
    "x-content-type-options": "nosniff",
    "referrer-policy": "same-origin",
}


class Guard:
    """ASGI middleware around the whole app.

    Answers 403 to a foreign Host or Origin, 401 without the login (where one is set), 404 on a closed route,
    503 to more questions than it can answer in time, 413 to a body over `LARGEST_BODY` bytes (of a table,
    `LARGEST_TABLE`), 400 and 422 to what Gradio must not be given. Every plain HTTP route is counted; `/health` asks
    nothing and is always let in.
    """

    def __init__(
        self,
        app: ASGIApp,
        *,
        routes: Collection[str],
        allowed_hosts: Iterable[str] = (),
        login: tuple[str, str] | None = None,
    ) -> None:
        self._app = app
        self._routes = frozenset(routes)
        self._named_hosts = frozenset(host.lower() for host in allowed_hosts)
        self._admission = Admission()
        self._login = base64.b64encode(":".join(login).encode()) if login else None

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer the request here if it is refused, else hand it on with its body already read."""
        if scope["type"] == "lifespan":
            await self._app(scope, receive, send)
            return
        if scope["type"] != "http":
            await send({"type": "websocket.close", "code": 1008})
            return

        async def send_guarded(message: Message) -> None:
            if message["type"] == "http.response.start":
                MutableHeaders(scope=message).update(_RESPONSE_HEADERS)
            await send(message)

        headers, path = Headers(scope=scope), scope["path"]
        refusal = self._refuse_visitor(headers, path)
        if refusal is None and path not in self._routes and not _PAGE_ROUTES.fullmatch(path):
            refusal = _refusal(404, "there is nothing at this address")
        asks = refusal is None and scope["method"] not in {"GET", "HEAD", "OPTIONS"}
        if asks:
            largest = LARGEST_TABLE if path in {RECOMMEND_CSV, AUDIENCE_CSV} else LARGEST_BODY
            try:  # read before it is counted: whoever sends slowly takes nobody's place
                body = await asyncio.wait_for(_read_body(headers, receive, largest), LONGEST_SENDING)
            except TimeoutError:
                body, refusal = b"", _refusal(408, "the body took too long to come", {"connection": "close"})
            if body is None:
                refusal = _refusal(413, f"the body must be at most {largest} bytes")
            elif refusal is None:
                receive = _replay(body, receive)
                if _GRADIO_QUESTION.fullmatch(path):
                    refusal = _refuse_values(body)
        counted = asks and path in self._routes and refusal is None  # Gradio has a queue of its own, see page.WAITING
        if counted and not self._admission.has_room(path):
            refusal, counted = _refusal(503, "too many questions at once; ask again in a moment", COME_BACK), False
        with self._admission.inside(path) if counted else nullcontext():
            await (refusal or self._app)(scope, receive, send_guarded)

    def _refuse_visitor(self, headers: Headers, path: str) -> JSONResponse | None:
        hosts = headers.getlist("host")
        if len(hosts) != 1 or _hostname(hosts[0]) not in LOOPBACK | self._named_hosts:
            return _refusal(403, "this host name is not allowed; see --allow-host")
        for origin in headers.getlist("origin"):
            place = origin.partition("://")[2]
            if place.lower() != hosts[0].lower() and _hostname(place) not in self._named_hosts:
                return _refusal(403, "questions from other sites are not allowed")
        if self._login is not None and path != HEALTH:
            kind, _, given = headers.get("authorization", "").partition(" ")
            if kind.lower() != "basic" or not secrets.compare_digest(given.encode(), self._login):
                challenge = {"www-authenticate": 'Basic realm="embedrec", charset="UTF-8"'}
                return _refusal(401, "user and password are needed", challenge)
        return None


def _refusal(status: int, why: str, headers: dict[str, str] | None = None) -> JSONResponse:
    return JSONResponse({"error": {"field": None, "message": why}}, status, headers)


def _hostname(place: str) -> str | None:
    """Return the lower-case host of `host[:port]`, or None where it is not one."""
    try:
        parts = urlsplit(f"//{place}")
        return parts.hostname if parts.netloc == place and parts.username is None else None
    except ValueError:
        return None


async def _read_body(headers: Headers, receive: Receive, largest: int) -> bytes | None:
    """Return the body, or None once it is known to be too long: by its header, or as it comes in chunks."""
    announced = headers.get("content-length", "0")
    if not announced.isdecimal() or int(announced[:20]) > largest:
        return None
    body = bytearray()
    while True:
        message = await receive()
        body += message.get("body", b"")
        if len(body) > largest:
            return None
        if not message.get("more_body", False):
            return bytes(body)


def _replay(body: bytes, receive: Receive) -> Receive:
    """Hand `body` to the app as if it had just come, then what comes after it (a disconnect)."""
    waiting: list[Message] = [{"type": "http.request", "body": body, "more_body": False}]

    async def replayed() -> Message:
        return waiting.pop() if waiting else await receive()

    return replayed


def _refuse_values(body: bytes) -> JSONResponse | None:
    """Refuse a call of the page whose values are more than text, numbers and lists of them."""
    try:
        question = read_json(body)
    except ValueError:
        return _refusal(400, "the body must be JSON in UTF-8")
    values: Any = question.get("data") if isinstance(question, dict) else None
    if not isinstance(values, list) or not all(_is_plain(value) for value in values):
        return _refusal(422, "data must be a list of texts, numbers, or lists of them")
    return None


def _is_plain(value: object) -> bool:
    parts = value if isinstance(value, list) else [value]
    return not any(isinstance(part, list | dict) for part in parts)

"""Questions that arrive at their own pace, whether the last ones are answered or not, so that waiting counts.

    python load_generator.py URL IDS_FILE RATE SECONDS [CONNECTIONS]

prints one JSON object. A process of its own: plain asyncio protocols on kept connections, Poisson arrivals, and the
time of each answer counted from the moment at which its question was due, not from when it could be sent.
"""

from __future__ import annotations

import asyncio
import json
import random
import sys
import time
from collections import Counter, deque
from pathlib import Path
from urllib.parse import urlsplit


class Line(asyncio.Protocol):
    """One kept connection; it asks one question at a time."""

    def __init__(self, load: Load) -> None:
        self.load, self.due, self.buffer = load, 0.0, b""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = transport
        self.load.free(self)

    def ask(self, due: float, question: bytes) -> None:
        self.due = due
        self.transport.write(question)

    def data_received(self, data: bytes) -> None:
        self.buffer += data
        head, separator, body = self.buffer.partition(b"\r\n\r\n")
        if not separator:
            return
        lowered = head.lower()
        at = lowered.find(b"content-length:")
        length = int(lowered[at + 15 :].split(b"\r\n", 1)[0])
        if len(body) < length:
            return
        self.buffer = b""
        self.load.answered(self.due, int(head[9:12]), b"retry-after:" in lowered)
        self.load.free(self)

    def connection_lost(self, error: Exception | None) -> None:
        self.load.lost += 1


class Load:
    """Arrivals at a rate, spread over free connections, and what came back."""

    def __init__(self) -> None:
        self.idle: deque[Line] = deque()
        self.waiting: deque[tuple[float, bytes]] = deque()
        self.took: dict[int, list[float]] = {}
        self.counts: Counter[int] = Counter()
        self.lost = self.without_retry_after = 0

    def free(self, line: Line) -> None:
        if self.waiting:
            line.ask(*self.waiting.popleft())
        else:
            self.idle.append(line)

    def due(self, moment: float, question: bytes) -> None:
        if self.idle:
            self.idle.popleft().ask(moment, question)
        else:
            self.waiting.append((moment, question))

    def answered(self, due: float, status: int, retry_after: bool) -> None:
        self.counts[status] += 1
        self.without_retry_after += status == 503 and not retry_after
        self.took.setdefault(status, []).append(time.perf_counter() - due)


async def run(url: str, questions: list[bytes], rate: float, seconds: float, connections: int) -> dict[str, object]:
    place, load, loop = urlsplit(url), Load(), asyncio.get_running_loop()
    for _ in range(connections):
        await loop.create_connection(lambda: Line(load), place.hostname, place.port)
    chance, health = random.Random(time.time_ns()), asyncio.create_task(pings(place.hostname or "", place.port or 80))
    start = moment = time.perf_counter()
    asked = 0
    while moment - start < seconds:
        moment += chance.expovariate(rate)
        while (ahead := moment - time.perf_counter()) > 0:
            await asyncio.sleep(ahead)
        load.due(moment, chance.choice(questions))
        asked += 1
        if not asked % 8:
            await asyncio.sleep(0)  # late: answers must be read all the same
    patience = time.perf_counter() + 5
    while sum(load.counts.values()) < asked and time.perf_counter() < patience:
        await asyncio.sleep(0.01)
    health.cancel()
    waits = await asyncio.gather(health, return_exceptions=True)
    return {
        "asked": asked,
        "statuses": {str(status): count for status, count in sorted(load.counts.items())},
        "lost": load.lost,
        "unanswered": asked - sum(load.counts.values()),
        "503_without_retry_after": load.without_retry_after,
        "ms": {str(status): quantiles(took) for status, took in load.took.items()},
        "health_ms": quantiles(PINGED) if PINGED else str(waits),
    }


PINGED: list[float] = []


async def pings(host: str, port: int) -> None:
    """Ask /health ten times a second."""
    reader, writer = await asyncio.open_connection(host, port)
    while True:
        began = time.perf_counter()
        writer.write(f"GET /health HTTP/1.1\r\nhost: {host}:{port}\r\n\r\n".encode())
        head = await reader.readuntil(b"\r\n\r\n")
        at = head.lower().find(b"content-length:")
        await reader.readexactly(int(head[at + 15 :].split(b"\r\n", 1)[0]))
        PINGED.append(time.perf_counter() - began)
        await asyncio.sleep(0.1)


def quantiles(seconds: list[float]) -> dict[str, float]:
    """Milliseconds."""
    ordered = sorted(seconds)
    at = {"p50": 0.5, "p95": 0.95, "p99": 0.99, "p999": 0.999, "max": 1.0}
    return {name: round(1000 * ordered[min(int(q * len(ordered)), len(ordered) - 1)], 2) for name, q in at.items()}


def question(url: str, body: dict[str, object]) -> bytes:
    """A whole HTTP request."""
    content = json.dumps(body).encode()
    host = urlsplit(url).netloc
    head = f"POST /recommend HTTP/1.1\r\nhost: {host}\r\ncontent-type: application/json\r\n"
    return f"{head}content-length: {len(content)}\r\n\r\n".encode() + content


if __name__ == "__main__":
    address, ids, rate, seconds, *rest = sys.argv[1:]
    asked = [question(address, {"customer_id": one}) for one in Path(ids).read_text(encoding="utf-8").split()]
    found = asyncio.run(run(address, asked, float(rate), float(seconds), int(rest[0]) if rest else 128))
    print(json.dumps(found))

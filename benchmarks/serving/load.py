"""Load on a service: clients that ask again after each answer, or requests at a rate that does not wait for answers."""

from __future__ import annotations

import asyncio
import time
from collections import Counter
from dataclasses import dataclass, field
from typing import Any

_OK = 200
_LATE_SECONDS = 15.0
_RAMP_SECONDS = 2.0
_MOST_CONNECTIONS = 2000
Connection = tuple[asyncio.StreamReader, asyncio.StreamWriter]


@dataclass
class Case:
    """What one case measured.

    Attributes:
        service: whose it is.
        candidates: candidates of each request.
        clients: connections that ask again and again; 0 for a rate.
        rate: requests that were sent per second; 0 for clients.
        seconds: how long.
        statuses: number of answers by status within that time.
        times_ms: milliseconds of the answers with status 200.
    """

    service: str
    candidates: int
    clients: int = 0
    rate: float = 0.0
    seconds: float = 0.0
    statuses: Counter[int] = field(default_factory=Counter)
    times_ms: list[float] = field(default_factory=list)

    @property
    def goodput(self) -> float:
        """Answers with status 200 per second."""
        return self.statuses[_OK] / self.seconds

    def percentile(self, share: float) -> float:
        """Return the time below which a share of the good answers lies, in ms."""
        found = sorted(self.times_ms)
        return found[min(len(found) - 1, int(share * len(found)))] if found else float("nan")

    def add(self, status: int, sent: float) -> None:
        """Count an answer to a request that was sent at a time."""
        self.statuses[status] += 1
        if status == _OK:
            self.times_ms.append(1000 * (time.perf_counter() - sent))

    def as_dict(self) -> dict[str, Any]:
        """Convert to plain values for JSON."""
        return {
            "service": self.service,
            "candidates": self.candidates,
            "clients": self.clients,
            "rate": round(self.rate, 2),
            "seconds": round(self.seconds, 3),
            "statuses": {str(status): count for status, count in sorted(self.statuses.items())},
            "requests_per_second": round(self.goodput, 2),
            "p50_ms": round(self.percentile(0.5), 3),
            "p95_ms": round(self.percentile(0.95), 3),
            "p99_ms": round(self.percentile(0.99), 3),
        }


async def closed_loop(case: Case, port: int, body: bytes, *, seconds: float) -> Case:
    """Let ``case.clients`` clients ask the same again after each answer."""
    request, began = _request(body), time.perf_counter()

    async def client() -> None:
        connection = await asyncio.open_connection("127.0.0.1", port)
        while (sent := time.perf_counter()) - began < seconds:
            case.add(await _ask(connection, request), sent)
        connection[1].close()

    await asyncio.gather(*(client() for _ in range(case.clients)))
    case.seconds = time.perf_counter() - began
    return case


async def open_loop(case: Case, port: int, body: bytes, *, seconds: float) -> Case:
    """Send ``case.rate`` requests a second, whether or not those before have been answered.

    Answers are counted for ``seconds`` after the ``_RAMP_SECONDS`` in which the queue fills. Status 0 is a connection
    that broke, a request for which there was no connection, or one that had no answer when the window and the wait for
    late ones had ended.
    """
    request, began = _request(body), time.perf_counter()
    ends = _RAMP_SECONDS + seconds
    idle: list[Connection] = []
    num_open = 0

    async def one() -> None:
        nonlocal num_open
        sent = time.perf_counter()
        if not idle and num_open >= _MOST_CONNECTIONS:
            case.add(0, sent)
            return
        num_open += not idle
        try:
            connection = idle.pop() if idle else await asyncio.open_connection("127.0.0.1", port)
            status = await asyncio.wait_for(_ask(connection, request), _LATE_SECONDS)
        except (OSError, EOFError, TimeoutError):
            num_open -= 1
            status = 0
        else:
            idle.append(connection)
        now = time.perf_counter() - began
        if _RAMP_SECONDS <= now <= ends or (now > ends and status == 0):
            case.add(status, sent)

    tasks = []
    for number in range(int(case.rate * ends)):
        await asyncio.sleep(max(0.0, began + number / case.rate - time.perf_counter()))
        tasks.append(asyncio.create_task(one()))
    await asyncio.sleep(max(0.0, began + ends - time.perf_counter()))
    case.seconds = time.perf_counter() - began - _RAMP_SECONDS
    _, unanswered = await asyncio.wait(tasks, timeout=_LATE_SECONDS)
    if unanswered:
        case.statuses[0] = len(unanswered)
    for task in unanswered:
        task.cancel()
    for _, writer in idle:
        writer.close()
    return case


def _request(body: bytes) -> bytes:
    head = "POST /v1/rank HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n"
    return f"{head}Content-Length: {len(body)}\r\n\r\n".encode() + body


async def _ask(connection: Connection, request: bytes) -> int:
    reader, writer = connection
    writer.write(request)
    head = await reader.readuntil(b"\r\n\r\n")
    length = next(int(line[15:]) for line in head.split(b"\r\n") if line.lower().startswith(b"content-length:"))
    await reader.readexactly(length)
    return int(head[9:12])

"""Load test of `rankelastor serve` on this machine: requests/s and times, by candidates and clients, and at overload.

``python -m benchmarks.serving MODEL.rank`` starts the service in a process of its own and asks it from this one. Rows
are the example rows of the bundle. Beside it stands the time to encode and score as many rows in one process.
"""

from __future__ import annotations

import asyncio
import json
import os
import socket
import statistics
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any

import typer

from rankelastor.evaluation.row_scorer import RowScorer
from rankelastor.service.columns import raw_rows
from rankelastor.service.model import ServedModel

_CANDIDATES = (1, 50, 500)
_CLIENTS = (1, 4, 16, 64)
_START_SECONDS = 120


@dataclass(frozen=True)
class Case:
    """What one case measured: answers by status, and the milliseconds of those with status 200."""

    candidates: int
    clients: int
    seconds: float
    statuses: Counter[int]
    times_ms: list[float]

    def line(self) -> str:
        """Show it as one row of a table."""
        good = self.statuses[200]
        found = sorted(self.times_ms) or [float("nan")]
        p50, p95, p99 = (found[min(len(found) - 1, int(share * len(found)))] for share in (0.5, 0.95, 0.99))
        others = {status: count for status, count in sorted(self.statuses.items()) if status != 200}  # noqa: PLR2004
        return (
            f"{self.candidates:>10} {self.clients:>7} {good / self.seconds:>10.1f} {p50:>9.2f} {p95:>9.2f} {p99:>9.2f} "
            f" {others or ''}"
        )


@contextmanager
def serving(bundle: Path, port: int, *options: str, core: int | None = None) -> Iterator[None]:
    """Run the service in a process of its own, on one core if ``core`` is given."""
    command = [sys.executable, "-m", "rankelastor", "serve", str(bundle), "--port", str(port), *options]
    with subprocess.Popen(command, stdout=subprocess.DEVNULL) as process:  # noqa: S603 - our own command
        if core is not None:
            os.sched_setaffinity(process.pid, {core})
        try:
            _wait(port, process)
            yield
        finally:
            process.terminate()


def _wait(port: int, process: subprocess.Popen[bytes]) -> None:
    until = time.monotonic() + _START_SECONDS
    while time.monotonic() < until and process.poll() is None:
        with socket.socket() as probe:
            if probe.connect_ex(("127.0.0.1", port)) == 0:
                return
        time.sleep(0.1)
    raise SystemExit("the service did not start")


async def measure(port: int, body: bytes, *, candidates: int, clients: int, seconds: float) -> Case:
    """Send the same request again and again over so many connections."""
    statuses: Counter[int] = Counter()
    times: list[float] = []
    head = f"POST /v1/rank HTTP/1.1\r\nHost: x\r\nContent-Length: {len(body)}\r\n\r\n".encode()
    began = time.perf_counter()

    async def client() -> None:
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        while time.perf_counter() - began < seconds:
            sent = time.perf_counter()
            writer.write(head + body)
            await writer.drain()
            status = await _answer(reader)
            statuses[status] += 1
            if status == 200:  # noqa: PLR2004
                times.append(1000 * (time.perf_counter() - sent))
        writer.close()

    await asyncio.gather(*(client() for _ in range(clients)))
    return Case(candidates, clients, time.perf_counter() - began, statuses, times)


async def _answer(reader: asyncio.StreamReader) -> int:
    head = await reader.readuntil(b"\r\n\r\n")
    length = next(int(line[15:]) for line in head.split(b"\r\n") if line.lower().startswith(b"content-length:"))
    await reader.readexactly(length)
    return int(head[9:12])


def request_of(model: ServedModel, num_candidates: int) -> tuple[bytes, list[dict[str, Any]]]:
    """Make a request whose candidates have the second half of the columns; return it, and its rows in full."""
    rows = json.loads(json.dumps(model.example_rows, default=str))
    if not rows:
        raise SystemExit("the bundle must hold example rows")
    columns = list(model.requests.columns)
    context_columns = columns[: len(columns) // 2]
    context = {name: rows[0][name] for name in context_columns}
    each = [
        {name: rows[index % len(rows)][name] for name in columns if name not in context}
        for index in range(num_candidates)
    ]
    return json.dumps({"context": context, "candidates": each}).encode(), [context | row for row in each]


def in_process_ms(model: ServedModel, rows: list[dict[str, Any]], *, repeats: int = 30) -> float:
    """Measure the median milliseconds that encoding and scoring rows takes here."""
    times = []
    with closing(RowScorer(model.run)) as score:
        for _ in range(repeats):
            began = time.perf_counter()
            score(raw_rows(rows, model.requests.columns))
            times.append(1000 * (time.perf_counter() - began))
    return statistics.median(times)


def ranked_ms(model: ServedModel, body: bytes, *, repeats: int = 30) -> float:
    """Measure the median milliseconds in which the same is ranked with the context encoded once."""
    times = []
    for _ in range(repeats):
        context, candidates, _ = model.requests.read_rank(body)
        began = time.perf_counter()
        model.score(model.encode_candidates(context, candidates).batch)
        times.append(1000 * (time.perf_counter() - began))
    return statistics.median(times)


def main(
    bundle: Annotated[Path, typer.Argument(help="A bundle with example rows.")],
    seconds: Annotated[float, typer.Option(help="Seconds of each case.")] = 5.0,
    port: Annotated[int, typer.Option(help="A free port.")] = 8765,
    pinned: Annotated[  # noqa: FBT002 - an option of the command line
        bool, typer.Option(help="Give the service the first core, and the clients the second.")
    ] = False,
) -> None:
    """Measure all cases and print a table."""
    model = ServedModel(bundle)
    typer.echo("candidates  encoded and scored in process, ms    with the context encoded once, ms")
    for count in _CANDIDATES:
        body, rows = request_of(model, count)
        typer.echo(f"{count:>10}  {in_process_ms(model, rows):>34.2f} {ranked_ms(model, body):>36.2f}")
    if pinned:
        os.sched_setaffinity(0, {1})
    typer.echo("candidates clients requests/s    p50 ms    p95 ms    p99 ms  other answers")
    with serving(bundle, port, core=0 if pinned else None):
        best = 0.0
        for count in _CANDIDATES:
            body, _ = request_of(model, count)
            for clients in _CLIENTS:
                case = asyncio.run(measure(port, body, candidates=count, clients=clients, seconds=seconds))
                typer.echo(case.line())
                best = max(best, case.statuses[200] / case.seconds) if count == _CANDIDATES[-1] else 0.0
    body, _ = request_of(model, _CANDIDATES[-1])
    typer.echo("overload: twice as many clients as the queue holds requests")
    queue = 16 * _CANDIDATES[-1]
    with serving(bundle, port + 1, "--queue-rows", str(queue), core=0 if pinned else None):
        case = asyncio.run(
            measure(port + 1, body, candidates=_CANDIDATES[-1], clients=2 * queue // _CANDIDATES[-1], seconds=seconds)
        )
        typer.echo(case.line())
        typer.echo(f"goodput {100 * case.statuses[200] / case.seconds / best:.0f} % of the best")


if __name__ == "__main__":
    typer.run(main)

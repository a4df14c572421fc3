"""Encode and score the requests that come together in one batch, in a thread of its own."""

from __future__ import annotations

import asyncio
import time
from collections import deque
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import TypeVar

from rankelastor.service.limits import Limits
from rankelastor.service.model import Asked, Scored, ServedModel
from rankelastor.service.queue import Queue
from rankelastor.service.telemetry import Telemetry

Result = TypeVar("Result")


@dataclass(frozen=True)
class _Waiting:
    model: ServedModel
    asked: Asked
    future: asyncio.Future[Scored]


class Batcher:
    """Scores batches one after the other; what arrives meanwhile goes into the next.

    A batch waits up to ``limits.batch_wait_ms`` for as many requests as the last one held, so that clients who ask
    again after each answer stay together, and one client alone never waits.

    Args:
        limits: how many rows are scored at a time, and how long a batch waits.
        queue: is told how long batches take.
        telemetry: counts batches and rows.
    """

    def __init__(self, limits: Limits, queue: Queue, telemetry: Telemetry) -> None:
        self._limits, self._queue, self._telemetry = limits, queue, telemetry
        self._waiting: deque[_Waiting] = deque()
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="rankelastor-scores")
        self._task: asyncio.Task[None] | None = None
        self._arrived = asyncio.Event()
        self._last_count = 1

    async def score(self, model: ServedModel, asked: Asked) -> Scored:
        """Score the rows of a request, together with those of others.

        Raises:
            RankElastorError: a cell is wrong, or the logits are not finite.
            Refusal: a text is no UTF-8.
        """
        loop = asyncio.get_running_loop()
        waiting = _Waiting(model, asked, loop.create_future())
        self._waiting.append(waiting)
        self._arrived.set()
        if self._task is None or self._task.done():
            self._task = loop.create_task(self._work())
        return await waiting.future

    async def run(self, work: Callable[[], Result]) -> Result:
        """Run other work on a model in the thread that scores."""
        return await asyncio.get_running_loop().run_in_executor(self._thread, work)

    def close(self) -> None:
        """Stop the thread; what is running is finished."""
        self._thread.shutdown()

    async def _work(self) -> None:
        while self._waiting:
            await self._wait_for_more()
            taken = self._take()
            if taken:
                await self._score(taken)

    async def _wait_for_more(self) -> None:
        """Wait for as many requests as came last, for a few milliseconds at most."""
        loop = asyncio.get_running_loop()
        until = loop.time() + self._limits.batch_wait_ms / 1000
        while len(self._waiting) < self._last_count and loop.time() < until:
            self._arrived.clear()
            try:
                async with asyncio.timeout_at(until):
                    await self._arrived.wait()
            except TimeoutError:
                return

    def _take(self) -> list[_Waiting]:
        """Take what goes into one batch: requests of one model, in order, up to the most rows; at least one."""
        taken: list[_Waiting] = []
        num_rows = 0
        while self._waiting:
            first = self._waiting[0]
            if first.future.done():  # the client has gone, or waited too long
                self._waiting.popleft()
                continue
            more = num_rows + first.asked.num_rows
            if taken and (more > self._limits.batch_rows or first.model is not taken[0].model):
                break
            taken.append(self._waiting.popleft())
            num_rows = more
        self._last_count = len(taken)
        return taken

    async def _score(self, taken: list[_Waiting]) -> None:
        began, num_rows = time.perf_counter(), sum(each.asked.num_rows for each in taken)
        requests = [each.asked for each in taken]
        try:
            found = await self.run(lambda: taken[0].model.score_together(requests))
        except Exception as error:  # noqa: BLE001 - each request gets it, and the service goes on
            found = [error] * len(taken)
        self._queue.scored(num_rows, time.perf_counter() - began)
        self._telemetry.scored(num_rows)
        for each, result in zip(taken, found, strict=True):
            if each.future.done():
                continue
            if isinstance(result, Exception):
                each.future.set_exception(result)
            else:
                each.future.set_result(result)

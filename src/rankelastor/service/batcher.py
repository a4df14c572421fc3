"""Score the requests that come together in one batch, in a thread of its own, behind a queue of bounded length."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import TypeVar

import numpy as np
from jaxtyping import Float64
from numpy import ndarray

from rankelastor.errors import RankElastorError
from rankelastor.explanations.contributions import join
from rankelastor.schema import Batch
from rankelastor.service.limits import Limits
from rankelastor.service.model import ServedModel
from rankelastor.service.refusals import Refusal
from rankelastor.service.telemetry import Telemetry

Result = TypeVar("Result")


@dataclass
class _Waiting:
    model: ServedModel
    batch: Batch
    future: asyncio.Future[Float64[ndarray, "row task"]] = field(repr=False)


class Batcher:
    """Scores batches one after the other; what arrives meanwhile goes into the next.

    A batch waits up to ``limits.batch_wait_ms`` while other requests are still being read, and not at all for one
    client alone.

    Args:
        limits: how many rows may wait, and how long.
        telemetry: counts batches and rows.
    """

    def __init__(self, limits: Limits, telemetry: Telemetry) -> None:
        self._limits, self._telemetry = limits, telemetry
        self._waiting: deque[_Waiting] = deque()
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="rankelastor-scores")
        self._encoding = ThreadPoolExecutor(1, thread_name_prefix="rankelastor-encodes")
        self._task: asyncio.Task[None] | None = None
        self._arrived = asyncio.Event()
        self._rows = 0
        self.num_open = 0
        """Requests that are being read, encoded or scored."""

    @property
    def num_rows(self) -> int:
        """Rows that wait or are being scored."""
        return self._rows

    def reserve(self, num_rows: int) -> None:
        """Take places in the queue for a request, which ``release`` gives back.

        Raises:
            Refusal: the queue would hold too many rows.
        """
        if self._rows and self._rows + num_rows > self._limits.queue_rows:
            raise Refusal(
                429,
                f"the queue holds {self._rows} of at most {self._limits.queue_rows} rows, and this request has "
                f"{num_rows}; try again later",
            )
        self._rows += num_rows

    def release(self, num_rows: int) -> None:
        """Give places in the queue back."""
        self._rows -= num_rows

    async def encoded(self, encode: Callable[[], Result]) -> Result:
        """Encode in a thread of its own, so that other requests are read meanwhile."""
        return await asyncio.get_running_loop().run_in_executor(self._encoding, encode)

    async def score(self, model: ServedModel, batch: Batch) -> Float64[ndarray, "row task"]:
        """Score the rows of a request, together with those of others.

        Raises:
            Refusal: it takes longer than the limit.
            RankElastorError: the logits are not finite.
        """
        loop = asyncio.get_running_loop()
        waiting = _Waiting(model, batch, loop.create_future())
        self._waiting.append(waiting)
        self._arrived.set()
        if self._task is None or self._task.done():
            self._task = loop.create_task(self._work())
        return await waiting.future

    async def explain(self, work: Callable[[], Result]) -> Result:
        """Run other work on the model in the thread that scores."""
        return await asyncio.get_running_loop().run_in_executor(self._thread, work)

    def close(self) -> None:
        """Stop the threads; what is running is finished."""
        self._thread.shutdown()
        self._encoding.shutdown()

    async def _work(self) -> None:
        while self._waiting:
            await self._wait_for_more()
            taken = self._take()
            if taken:
                await self._score(taken)

    async def _wait_for_more(self) -> None:
        """Wait while requests are on their way that could join the batch, for a few milliseconds at most."""
        loop = asyncio.get_running_loop()
        until = loop.time() + self._limits.batch_wait_ms / 1000
        while len(self._waiting) < self.num_open and loop.time() < until:
            if sum(each.batch.num_examples for each in self._waiting) >= self._limits.batch_rows:
                return
            self._arrived.clear()
            try:
                await asyncio.wait_for(self._arrived.wait(), until - loop.time())
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
            more = num_rows + first.batch.num_examples
            if taken and (more > self._limits.batch_rows or first.model is not taken[0].model):
                break
            taken.append(self._waiting.popleft())
            num_rows = more
        return taken

    async def _score(self, taken: list[_Waiting]) -> None:
        batch = join([each.batch for each in taken])
        loop = asyncio.get_running_loop()
        try:
            found = await loop.run_in_executor(self._thread, taken[0].model.score, batch)
        except (RankElastorError, RuntimeError) as error:
            for each in taken:
                if not each.future.done():
                    each.future.set_exception(error)
            return
        self._telemetry.scored(batch.num_examples)
        ends = np.cumsum([each.batch.num_examples for each in taken])
        for each, end in zip(taken, ends.tolist(), strict=True):
            if not each.future.done():
                each.future.set_result(found[end - each.batch.num_examples : end])

"""What the paths that score answer: probabilities of rows, an order of candidates, what each column contributed."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

from rankelastor.service.batcher import Batcher
from rankelastor.service.limits import Limits
from rankelastor.service.model import Asked, Scored, ServedModel
from rankelastor.service.queue import Place, Queue
from rankelastor.service.refusals import Refusal
from rankelastor.service.store import ModelStore
from rankelastor.service.telemetry import Telemetry

_LOOK_SECONDS = 0.5
Answer = Callable[[bytes, Place], Awaitable[dict[str, Any]]]
"""Computes the answer to a body, in a place of the queue."""


class Service:
    """The parts that answer requests.

    Args:
        place: the run folder or the bundle.
        limits: limits of requests and of the queue.
    """

    def __init__(self, place: str | Path, *, limits: Limits) -> None:
        self.limits = limits
        self.telemetry = Telemetry()
        self.store = ModelStore(place, self.telemetry)
        self.queue = Queue(limits)
        self.batcher = Batcher(limits, self.queue, self.telemetry)
        self._explaining = asyncio.Lock()

    @property
    def paths(self) -> Mapping[str, Answer]:
        """The paths that take a body, with what answers them."""
        return {"/v1/score": self.score, "/v1/rank": self.rank, "/v1/explain": self.explain}

    async def score(self, body: bytes, place: Place) -> dict[str, Any]:
        """Answer ``/v1/score``."""
        model = self.store.current
        rows, name_unseen = model.requests.read_score(body)
        self._require_count(len(rows), self.limits.rows, "rows")
        if not rows:
            raise Refusal(422, "a request must hold rows, but holds none")
        scored = await self._scored(model, Asked(rows), place)
        return _answer(model, scored, range(len(rows)), name_unseen=name_unseen)

    async def rank(self, body: bytes, place: Place) -> dict[str, Any]:
        """Answer ``/v1/rank``: candidates in order of the first task's probability, ties in the order given."""
        model = self.store.current
        context, candidates, name_unseen = model.requests.read_rank(body)
        self._require_count(len(candidates), self.limits.candidates, "candidates")
        asked = Asked(candidates, context)
        model.require_columns(asked)
        scored = await self._scored(model, asked, place)
        order = (-scored.probability[:, 0]).argsort(kind="stable").tolist()
        return {"order": order} | _answer(model, scored, order, name_unseen=name_unseen)

    async def explain(self, body: bytes, place: Place) -> dict[str, Any]:
        """Answer ``/v1/explain``: the probability of one row, and what each column contributed to its logit."""
        model = self.store.current
        rows, _ = model.requests.read_score(body)
        if len(rows) != 1:
            raise Refusal(422, f"a request must hold one row, but holds {len(rows):,}")
        place.holds(1)
        place.computes(1 + model.num_explaining_rows)
        async with self._in_time():
            scored = await self.batcher.score(model, Asked(rows))
            async with self._explaining:  # one at a time, so that batches of scores come between
                found = await self.batcher.run(lambda: model.explain(rows[0]))
        told = {"contributions": [each.as_dict() for each in found]}
        return _answer(model, scored, range(1), name_unseen=True) | told

    async def _scored(self, model: ServedModel, asked: Asked, place: Place) -> Scored:
        place.holds(asked.num_rows)
        async with self._in_time():
            return await self.batcher.score(model, asked)

    @asynccontextmanager
    async def _in_time(self) -> AsyncIterator[None]:
        try:
            async with asyncio.timeout(self.limits.seconds):
                yield
        except TimeoutError:
            raise Refusal(
                503, f"the scores took longer than {self.limits.seconds:g} s; try again later, with fewer rows"
            ) from None

    def _require_count(self, count: int, most: int, what: str) -> None:
        if count > most:
            raise Refusal(413, f"a request must hold at most {most:,} {what}, but holds {count:,}; send several")

    def close(self) -> None:
        """Stop the threads; what is running is finished."""
        self.batcher.close()
        self.store.current.close()

    async def keep_fresh(self) -> None:
        """Look for a new bundle again and again, in a thread that scores nothing."""
        while True:
            await asyncio.sleep(_LOOK_SECONDS)
            await asyncio.to_thread(self.store.refresh)


def _answer(model: ServedModel, scored: Scored, order: range | list[int], *, name_unseen: bool) -> dict[str, Any]:
    """Tell the probabilities in an order: one number a row, or a list of one a task."""
    found = scored.probability[order]
    values = found[:, 0] if found.shape[1] == 1 else found
    answer = {"tasks": list(model.tasks), "probabilities": values.tolist()}
    if name_unseen:
        unseen = model.unseen(scored.batch)
        answer["unseen"] = [unseen[index] for index in order]
    return answer

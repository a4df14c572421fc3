"""Carry out orders side by side in processes, or one after the other in this one, and yield what came of each."""

from __future__ import annotations

import logging
import queue
from collections.abc import Iterator
from typing import Any, Protocol

from rankelastor.ensembles.worker import Worker, WorkerEvents
from rankelastor.studies.work.one_run import Outcome
from rankelastor.studies.work.study_process import MODULE
from rankelastor.training.interruption import Interruption

_logger = logging.getLogger(__name__)


class WorkOrder(Protocol):
    """A run or a tuning, which this process or another can carry out."""

    def carry_out(self, interruption: Interruption | None = None) -> Outcome:
        """Do the work, or say why it failed."""

    def as_dict(self) -> dict[str, Any]:
        """Convert to values for JSON, of which `study_process` makes the order again."""


class Orders(Protocol):
    """Hands out the orders, each with the key of its run, until there are no more or the budget is used up."""

    def next(self) -> tuple[str, WorkOrder] | None:
        """Return the next order; None if no more work begins."""


def carry_out_all(
    orders: Orders, *, jobs: int, interruption: Interruption | None = None
) -> Iterator[tuple[str, Outcome]]:
    """Yield the key and the outcome of each run as soon as it is over.

    A process that dies takes its run with it alone, which then has failed; another process goes on with the rest.

    Args:
        orders: hands out the orders.
        jobs: number of runs at a time; 1 runs in this process.
        interruption: hands requests to stop to a training in this process.
    """
    if jobs == 1:
        while (given := orders.next()) is not None:
            yield given[0], given[1].carry_out(interruption)
        return
    yield from _SideBySide(orders, jobs).outcomes()


class _SideBySide:
    """Processes that share the orders out among them."""

    def __init__(self, orders: Orders, jobs: int) -> None:
        self._orders = orders
        self._events: WorkerEvents = queue.Queue()
        self._keys: dict[Worker, str] = {}
        self._jobs = jobs

    def outcomes(self) -> Iterator[tuple[str, Outcome]]:
        try:
            for _ in range(self._jobs):
                self._begin(None)
            while self._keys:
                worker, event = self._events.get()
                if worker not in self._keys:  # the end of a process that has been heard of
                    continue
                if event is not None and event["event"] == "warning":
                    _logger.warning("%s: %s", self._keys[worker], event["message"])
                elif event is not None and event["event"] == "end":
                    yield self._keys.pop(worker), event["outcome"]
                    self._begin(worker)
                elif event is None or event["event"] == "error":
                    yield self._keys.pop(worker), _died(worker, event)
                    worker.stop()
                    self._begin(None)
        finally:
            for worker in self._keys:
                worker.ask_to_stop()
            for worker in self._keys:
                worker.stop()

    def _begin(self, worker: Worker | None) -> None:
        """Give the next order to a process, a new one if there is none; without an order it stops."""
        given = self._orders.next()
        if given is None:
            if worker is not None:
                worker.stop()
            return
        worker = worker or Worker(self._events, MODULE, num_beside=self._jobs)
        self._keys[worker] = given[0]
        worker.order(given[1].as_dict())


def _died(worker: Worker, event: object) -> Outcome:
    if isinstance(event, dict):
        return {"status": "failed", "reason": event["message"]}
    return {"status": "failed", "reason": f"its process ended with exit code {worker.exit_code()}, perhaps for memory"}

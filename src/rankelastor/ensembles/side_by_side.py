"""Train members side by side in processes, or one after the other in this one."""

from __future__ import annotations

import logging
import queue
from collections.abc import Mapping, Sequence
from functools import partial
from pathlib import Path

from rankelastor.ensembles.member_events import Event, MemberListener, hand_over
from rankelastor.ensembles.member_process import train_member
from rankelastor.ensembles.worker import Worker, WorkerEvents
from rankelastor.recipes.recipe import Recipe
from rankelastor.training.interruption import Interruption

_logger = logging.getLogger(__name__)


def train_members(
    members: Mapping[Path, Recipe],
    *,
    num_processes: int,
    listeners: Sequence[MemberListener] = (),
    interruption: Interruption | None = None,
) -> None:
    """Train the members, at most ``num_processes`` at a time; with one, in this process.

    If one fails, or this process is interrupted, the others save their state and stop.

    Args:
        members: the recipe of each member by its run folder.
        num_processes: how many are trained at a time.
        listeners: receive the progress.
        interruption: hands requests to stop to a training in this process.

    Raises:
        RunError: the training of a member failed; the message names it.
    """
    if min(num_processes, len(members)) <= 1:
        for folder, recipe in members.items():
            send = partial(hand_over, member=folder.name, listeners=tuple(listeners))
            train_member(recipe, folder, send, interruption=interruption)
        return
    _Workers(members, tuple(listeners)).run(min(num_processes, len(members)))


class _Workers:
    """Processes that share the members out among them: each takes the next when it has done one."""

    def __init__(self, members: Mapping[Path, Recipe], listeners: tuple[MemberListener, ...]) -> None:
        self._waiting = list(members.items())
        self._listeners = listeners
        self._events: WorkerEvents = queue.Queue()
        self._workers: list[Worker] = []
        self._said: set[str] = set()
        self._num_left = len(self._waiting)

    def run(self, num_processes: int) -> None:
        """Train all members; stop all processes on any failure."""
        try:
            for _ in range(num_processes):
                self._workers.append(Worker(self._events, num_beside=num_processes))
                self._workers[-1].give(*self._waiting.pop(0))
            while self._num_left:
                self._take(*self._events.get())
        finally:
            for worker in self._workers:
                worker.ask_to_stop()
            for worker in self._workers:
                worker.stop()

    def _take(self, worker: Worker, event: Event | None) -> None:
        if event is None or event["event"] == "error":
            worker.fail(None if event is None else event["message"])
        if event["event"] == "warning":
            self._warn_once(worker.member, event["message"])
            return
        hand_over(event, worker.member, self._listeners)
        if event["event"] == "end":
            self._num_left -= 1
            if self._waiting:
                worker.give(*self._waiting.pop(0))

    def _warn_once(self, member: str, message: str) -> None:
        """Pass a warning on, unless another member has given the same one."""
        if message not in self._said:
            self._said.add(message)
            _logger.warning("%s: %s", member, message)

"""Prefetch items in a thread while the current one is in use."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from queue import Empty, Queue
from threading import Event, Thread
from types import TracebackType
from typing import Generic, Self, TypeVar

Item = TypeVar("Item")


@dataclass(frozen=True)
class _End:
    """The last entry of the queue: the source is exhausted, or producing the next item failed."""

    error: BaseException | None = None


class ReadAhead(Generic[Item]):
    """Iterator over the items of ``source`` in order, with up to ``depth`` of them prefetched.

    Use it as a context manager: on exit, early or not, the thread has ended. An exception of ``source`` or ``prepare``
    is raised in place of the item.

    Args:
        source: the items, iterated in the thread.
        depth: largest number of prefetched items; 0 produces each item on request, without a thread.
        prepare: function applied to each item in the thread; None leaves items unchanged.

    Example:
        >>> with ReadAhead(range(3), depth=2, prepare=lambda number: number * number) as squares:
        ...     print(list(squares))
        [0, 1, 4]
    """

    def __init__(self, source: Iterable[Item], *, depth: int, prepare: Callable[[Item], Item] | None = None) -> None:
        self._items = iter(source) if prepare is None else map(prepare, source)
        self._queue: Queue[Item | _End] = Queue(depth)
        self._stopped = Event()
        self._ended = False
        self._thread = Thread(target=self._run, name="read-ahead", daemon=True) if depth else None
        self.waited_seconds = 0.0
        """Time that the consumer has spent waiting for items so far, in seconds."""

    def __enter__(self) -> Self:
        if self._thread is not None:
            self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self._stopped.set()
        if self._thread is not None:
            self._make_room()
            self._thread.join()

    def __iter__(self) -> Iterator[Item]:
        return self

    def __next__(self) -> Item:
        if self._ended:
            raise StopIteration
        began = time.perf_counter()
        try:
            item = self._next_item() if self._thread is None else self._queue.get()
        finally:
            self.waited_seconds += time.perf_counter() - began
        if not isinstance(item, _End):
            return item
        self._ended = True
        if item.error is not None:
            raise item.error
        raise StopIteration

    def _run(self) -> None:
        while not self._stopped.is_set():
            item = self._next_item()
            self._queue.put(item)
            if isinstance(item, _End):
                return

    def _next_item(self) -> Item | _End:
        try:
            return next(self._items)
        except StopIteration:
            return _End()
        except BaseException as error:  # noqa: BLE001 - it is raised again in the consumer's thread
            return _End(error)

    def _make_room(self) -> None:
        """Empty the queue, so that a thread blocked on a full queue goes on and sees the stop flag."""
        while True:
            try:
                self._queue.get_nowait()
            except Empty:
                return

"""A pool of threads that returns results in the order of the work."""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from types import TracebackType
from typing import Any, Self, TypeVar

from rankelastor.usable_cores import usable_cores

Item = TypeVar("Item")
Result = TypeVar("Result")


class Workers:
    """A pool of ``num_threads`` threads; None: one for each core that may be used.

    ``stopped`` is set on exit, on success or failure: long work should check it.
    Arrow, Polars and NumPy release the GIL while they compute, so threads suffice.

    Example:
        >>> with Workers(num_threads=2) as workers:
        ...     list(workers.map(str.upper, ["a", "b"]))
        ['A', 'B']
    """

    def __init__(self, num_threads: int | None = None) -> None:
        self.num_threads = num_threads or usable_cores().number
        self.stopped = threading.Event()
        self._pool = ThreadPoolExecutor(self.num_threads, thread_name_prefix="rankelastor-prepare")

    shares_memory = True

    def start(self, work: Callable[[Item], Result], item: Item) -> Future[Result]:
        """Start one piece of work without waiting for its result."""
        return self._pool.submit(work, item)

    def map(self, work: Callable[..., Result], items: Iterable[Item], *shared: Any) -> Iterator[Result]:
        """Yield ``work(item, *shared)`` of each item, in order; only a few are started before results are needed.

        The exception of the first failing item is raised here, and the remaining items are not started.
        """
        pending: deque[Future[Result]] = deque()
        try:
            for item in items:
                pending.append(self._pool.submit(work, item, *shared))
                if len(pending) > 2 * self.num_threads:
                    yield pending.popleft().result()
            while pending:
                yield pending.popleft().result()
        finally:
            for future in pending:
                future.cancel()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stopped.set()
        self._pool.shutdown(wait=True, cancel_futures=True)

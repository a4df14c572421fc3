"""Ranks as threads of one process, which gloo joins as it joins processes: tests of collectives in milliseconds."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from typing import Any, TypeVar

from torch import distributed

from rankelastor.collectives.process_group import GroupProcesses
from rankelastor.collectives.processes import Processes

Result = TypeVar("Result")
_PATIENCE = timedelta(seconds=20)


def on_ranks(size: int, work: Callable[[Processes], Result]) -> list[Result]:
    """Call ``work`` in a thread for each rank and list what it returns; the first error is raised."""
    store = distributed.HashStore()  # type: ignore[attr-defined]

    def one(rank: int) -> Result:
        group: Any = distributed.ProcessGroupGloo(store, rank, size, _PATIENCE)
        processes: Any = GroupProcesses(group)
        del group
        try:
            return work(processes)
        finally:
            processes._group = None  # its connections close, as those of a process that ends

    with ThreadPoolExecutor(size, "rank") as threads:
        return [each.result() for each in [threads.submit(one, rank) for rank in range(size)]]

"""Who does the work of preparing: threads of this process, or workers of a Ray cluster; the stages are the same."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from typing import Any, Protocol, TypeVar

from rankelastor.data.building.ray_executor import RayExecutor
from rankelastor.data.building.workers import Workers
from rankelastor.errors import SettingsError
from rankelastor.suggestions import did_you_mean

Item = TypeVar("Item")
Result = TypeVar("Result")

_NAMES = ("local", "ray")


class Executor(Protocol):
    """Runs functions of a module side by side."""

    @property
    def shares_memory(self) -> bool:
        """Whether what a function changes is seen here, as between threads."""
        ...

    def map(self, work: Callable[..., Result], items: Iterable[Item], *shared: Any) -> Iterator[Result]:
        """Yield ``work(item, *shared)`` of each item, in order; the exception of the first that fails is raised."""
        ...


@contextmanager
def open_executor(name: str | None, workers: Workers) -> Iterator[Executor]:
    """Open an executor by its name: ``local`` (the threads given), ``ray``, or ``ray://HOST:PORT``.

    ``ray`` takes the cluster that ``RAY_ADDRESS`` names, or starts one on this machine.

    Raises:
        SettingsError: the name is none of these, Ray is not installed, or the cluster does not answer.
    """
    if name is None or name == "local":
        yield workers
    elif name == "ray" or name.startswith("ray://"):
        with RayExecutor.connected(name.removeprefix("ray") or None) as executor:
            yield executor
    else:
        near = did_you_mean(name.partition(":")[0], _NAMES, quoted=True)
        raise SettingsError(
            f"the executor must be local, ray or ray://HOST:PORT, but {name!r} was given"
            + (f"; {near}" if near else "")
        )

"""Run stages as tasks of a Ray cluster, which retries those whose worker has died."""

from __future__ import annotations

import importlib
import os
import socket
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from typing import Any, Self, TypeVar
from urllib.parse import urlsplit

from rankelastor.errors import SettingsError
from rankelastor.extras import how_to_install

Item = TypeVar("Item")
Result = TypeVar("Result")

_ANSWER_SECONDS = 10.0
_RETRIES = 4


class RayExecutor:
    """Executor on the workers of a Ray cluster.

    A task has no effect but its result and files that it replaces as a whole, so that one which Ray runs again, because
    its worker died, counts once. Credentials are not sent: workers take them from their own environment.

    Args:
        ray: the module.
    """

    shares_memory = False

    def __init__(self, ray: Any) -> None:
        self._ray = ray
        self._most_pending = 2 * max(1, int(ray.cluster_resources().get("CPU", 1)))

    @classmethod
    @contextmanager
    def connected(cls, address: str | None) -> Iterator[Self]:
        """Connect to a cluster for as long as the context lasts; one that was connected before stays so.

        Args:
            address: ``://HOST:PORT`` of the cluster's client server; None: see ``open_executor``.

        Raises:
            SettingsError: Ray is not installed, or the cluster does not answer.
        """
        try:
            ray = importlib.import_module("ray")
        except ImportError as error:
            raise SettingsError(
                f"the executor ray must have the package ray, but it is not installed; try {how_to_install('ray')}"
            ) from error
        if ray.is_initialized():
            yield cls(ray)
            return
        url = None if address is None else f"ray{address}"
        if url is not None:
            _require_answer(url)
        try:
            ray.init(url, **({} if url else _local_settings()))
        except Exception as error:
            ray.shutdown()
            reason = str(error).partition("\n")[0]
            raise SettingsError(
                f"{url or 'ray'} must be a Ray cluster that takes this process, but {reason}"
            ) from error
        try:
            yield cls(ray)
        finally:
            ray.shutdown()

    def map(self, work: Callable[..., Result], items: Iterable[Item], *shared: Any) -> Iterator[Result]:
        """Yield ``work(item, *shared)`` of each item, in order; only a few tasks are started ahead.

        Raises:
            RankElastorError: what a task raised.
            SettingsError: a worker died again and again, or the cluster was lost.
        """
        task = self._ray.remote(work).options(max_retries=_RETRIES)
        kept = [self._ray.put(each) for each in shared]
        pending: deque[Any] = deque()
        try:
            for item in items:
                pending.append(task.remote(item, *kept))
                if len(pending) > self._most_pending:
                    yield self._result(pending.popleft())
            while pending:
                yield self._result(pending.popleft())
        finally:
            for reference in pending:
                self._ray.cancel(reference, force=False)

    def _result(self, reference: Any) -> Any:
        errors = self._ray.exceptions
        try:
            return self._ray.get(reference)
        except errors.RayTaskError as error:
            if isinstance(error.cause, Exception):
                raise error.cause from None
            raise
        except errors.RayError as error:
            reason = str(error).strip().partition("\n")[0]
            raise SettingsError(
                f"the Ray cluster must finish each task, but one was lost {_RETRIES + 1} times ({reason}); check the "
                "memory of its workers and whether they have this version of rankelastor"
            ) from error


def _local_settings() -> dict[str, Any]:
    """Settings of a cluster that is started on this machine, unless ``RAY_ADDRESS`` names another."""
    if os.environ.get("RAY_ADDRESS"):
        return {}
    return {"include_dashboard": False, "log_to_driver": False, "configure_logging": False}


def _require_answer(url: str) -> None:
    """Raise unless something answers at the address of a cluster."""
    parts = urlsplit(url)
    try:
        host, port = parts.hostname, parts.port or 10001
    except ValueError:
        host, port = None, 0
    if not host:
        raise SettingsError(f"the executor must be local, ray or ray://HOST:PORT, but {url} was given; name the host")
    try:
        socket.create_connection((host, port), timeout=_ANSWER_SECONDS).close()
    except OSError as error:
        raise SettingsError(
            f"ray://{host}:{port} must be the client server of a Ray cluster, but nothing answers there "
            f"({error.strerror or error}); start one with `ray start --head --ray-client-server-port {port}`, or try "
            "ray for one on this machine"
        ) from error

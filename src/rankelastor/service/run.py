"""Run the service: bind the address, start workers, stop without cutting answers short."""

from __future__ import annotations

import logging
import os
import socket
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from rankelastor.errors import RankElastorError, SettingsError
from rankelastor.extras import how_to_install
from rankelastor.service.limits import Limits

if TYPE_CHECKING:
    from rankelastor.service.front import Front

TOKEN = "RANKELASTOR_TOKEN"  # noqa: S105 - the name of a variable
_STARTUP_FAILURE = 3
"""By this status a worker says to its parent that it cannot start."""
_THIS_MACHINE = frozenset({"127.0.0.1", "::1", "localhost"})
_logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class ServiceSettings:
    """How a service runs.

    Attributes:
        place: the run folder or the bundle.
        host: the address to bind; 127.0.0.1 is this machine alone.
        port: the port.
        workers: number of processes, each with a model and a queue of its own.
        watch: whether a new bundle at the path takes the place of the old one.
        limits: limits of requests and of each worker's queue.
        log_requests: whether method, path and status of each request are logged; never what it holds.
        stop_seconds: how long running requests may take when the service is stopped.
    """

    place: Path
    host: str = "127.0.0.1"
    port: int = 8000
    workers: int = 1
    watch: bool = False
    limits: Limits = field(default_factory=Limits)
    log_requests: bool = False
    stop_seconds: int = 30

    @property
    def address(self) -> str:
        """Where the page is found.

        Example:
            >>> ServiceSettings(Path("model.rank"), host="::1").address
            'http://[::1]:8000'
        """
        return f"http://{f'[{self.host}]' if ':' in self.host else self.host}:{self.port}"


def serve(settings: ServiceSettings, *, on_start: Callable[[str], None] | None = None) -> None:
    """Serve until the process is told to stop; SIGTERM and Ctrl-C let running requests finish.

    A bearer token is read from the environment, ``RANKELASTOR_TOKEN``; without one everyone may ask.

    Args:
        settings: how to serve.
        on_start: is told the address once the model is loaded; with several workers, before each loads its own.

    Raises:
        SettingsError: the port is in use, or the extra ``serve`` is not installed.
        RunError: the run or the bundle cannot be used.
    """
    try:
        import uvicorn  # noqa: PLC0415 - an optional dependency
    except ImportError:
        raise SettingsError(f"a service needs packages that are not installed; {how_to_install('serve')}") from None
    _require_free(settings.host, settings.port)
    options = server_options(settings)
    if settings.host not in _THIS_MACHINE and _token() is None:
        _logger.warning(
            "everyone who reaches %s may ask this service; set %s to a secret that they must show", settings.host, TOKEN
        )
    on_start = on_start or (lambda _: None)
    if settings.workers == 1:
        app = _app(settings)
        on_start(settings.address)
        uvicorn.run(app, **options)
        return
    _run_workers(settings, options, on_start)


def server_options(settings: ServiceSettings) -> dict[str, Any]:
    """Return the options of the server, beside the application."""
    return {
        "host": settings.host,
        "port": settings.port,
        "log_level": "info" if settings.log_requests else "warning",
        "access_log": settings.log_requests,
        "timeout_graceful_shutdown": settings.stop_seconds,
        "server_header": False,
        "proxy_headers": False,
    }


def _run_workers(settings: ServiceSettings, options: Mapping[str, Any], on_start: Callable[[str], None]) -> None:
    from uvicorn import Config  # noqa: PLC0415 - an optional dependency
    from uvicorn.supervisors import Multiprocess  # noqa: PLC0415

    from rankelastor.service.store import load_verified  # noqa: PLC0415 - needs the extra

    load_verified(settings.place).close()  # a bundle that cannot be used is said once, before there are workers
    config = Config(partial(worker, settings), factory=True, workers=settings.workers, **options)
    on_start(settings.address)
    Multiprocess(config, sockets=[config.bind_socket()]).run()


def worker(settings: ServiceSettings) -> Front:
    """Make the application in a worker process.

    Raises:
        SystemExit: the run or the bundle cannot be used; by the status the parent knows that it need not try again.
    """
    try:
        return _app(settings)
    except RankElastorError as error:
        _logger.error("a worker cannot serve: %s", error)  # noqa: TRY400 - a traceback tells no more
        raise SystemExit(_STARTUP_FAILURE) from None


def _app(settings: ServiceSettings) -> Front:
    from rankelastor.service.app import make_app  # noqa: PLC0415 - needs the extra
    from rankelastor.service.front import is_of_this_machine  # noqa: PLC0415

    return make_app(
        settings.place,
        limits=settings.limits,
        watch=settings.watch,
        token=_token(),
        only_local=is_of_this_machine(settings.host),
    )


def _token() -> str | None:
    """Read the token, without the line end that a file or a secret store leaves behind it; None if it is empty."""
    return os.environ.get(TOKEN, "").strip() or None


def _require_free(host: str, port: int) -> None:
    """Check that the address can be bound, before a model is loaded.

    Raises:
        SettingsError: the port is in use, or the address is none of this machine.
    """
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    with socket.socket(family, socket.SOCK_STREAM) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((host, port))
        except (OSError, OverflowError) as error:
            reason = getattr(error, "strerror", None) or error
            raise SettingsError(
                f"a service must have an address of its own, but {host} port {port} cannot be bound: {reason}; try "
                "another port"
            ) from None

"""Services in processes of their own, on a core of their own where cores are pinned."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

_START_SECONDS = 180
SERVER_CORE, CLIENT_CORE = 0, 1


def own(port: int, bundle: Path) -> list[str]:
    """Return the command that runs ours."""
    return [sys.executable, "-m", "rankelastor", "serve", str(bundle), "--port", str(port)]


def plain(port: int, bundle: Path) -> list[str]:
    """Return the command that runs the plain one."""
    return [sys.executable, "-m", "benchmarks.serving.plain_service", str(bundle), str(port)]


@contextmanager
def serving(command: list[str], port: int, *, pinned: bool) -> Iterator[None]:
    """Run a service while the context lasts."""
    with on_core(SERVER_CORE if pinned else None):  # inherited by the process
        process = subprocess.Popen(command, stdout=subprocess.DEVNULL)  # noqa: S603 - our own command
    try:
        _wait(port, process)
        yield
    finally:
        process.terminate()
        process.wait()


@contextmanager
def on_core(core: int | None) -> Iterator[None]:
    """Run on one core within the context; None leaves all."""
    before = os.sched_getaffinity(0)
    if core is not None:
        os.sched_setaffinity(0, {core})
    try:
        yield
    finally:
        os.sched_setaffinity(0, before)


def free_port() -> int:
    """Find a port of this machine that is free."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def _wait(port: int, process: subprocess.Popen[bytes]) -> None:
    until = time.monotonic() + _START_SECONDS
    while time.monotonic() < until and process.poll() is None:
        with socket.socket() as probe:
            if probe.connect_ex(("127.0.0.1", port)) == 0:
                return
        time.sleep(0.1)
    raise SystemExit("the service did not start")

"""Ranks that are processes of their own, as TorchRec needs them: a function of the tests is called in each.

A server imports PyTorch and TorchRec once and forks the ranks of each call, which then begin at once.
"""

from __future__ import annotations

import importlib.util
import json
import os
import signal
import subprocess
import sys
import tempfile
import threading
import traceback
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from importlib import import_module
from pathlib import Path
from typing import Any

import pytest
from tests.free_port import free_port

from rankelastor.collectives.joining import joined

ROOT = Path(__file__).parents[2]
LONGEST_SECONDS = 600
needs_torchrec = pytest.mark.skipif(
    importlib.util.find_spec("torchrec") is None or importlib.util.find_spec("fbgemm_gpu") is None,
    reason="TorchRec is not installed, see docs/scaling.md",
)


class RankServer:
    """Calls functions of the tests in several processes.

    Args:
        server: the process that forks them.
    """

    def __init__(self, server: subprocess.Popen[str]) -> None:
        self._server = server

    def call(self, size: int, work: str, *arguments: Any) -> list[Any]:
        """Call ``module:function(processes, *arguments)`` in each of several processes, and list what it returns.

        Arguments and results are values for JSON. ``function`` must be one of the tests.
        """
        assert self._server.stdin is not None
        assert self._server.stdout is not None
        self._server.stdin.write(json.dumps([size, work, arguments]) + "\n")
        self._server.stdin.flush()
        patience = threading.Timer(LONGEST_SECONDS, self.end)
        patience.start()
        answer = self._server.stdout.readline()
        patience.cancel()
        assert answer, f"no answer of {work} within {LONGEST_SECONDS} s"
        found: list[dict[str, Any]] = json.loads(answer)
        for rank, each in enumerate(found):
            assert "result" in each, f"rank {rank}: {each}"
        return [each["result"] for each in found]

    def end(self) -> None:
        """Kill the server with its ranks, if it has not ended."""
        with suppress(ProcessLookupError):
            os.killpg(self._server.pid, signal.SIGKILL)


@contextmanager
def rank_server() -> Iterator[RankServer]:
    """Start a server for as long as the context lasts."""
    paths = os.pathsep.join([str(ROOT), str(ROOT / "src")])
    server = subprocess.Popen(
        [sys.executable, "-m", "tests.sharding.process_ranks"],
        cwd=ROOT,
        env=os.environ | {"PYTHONPATH": paths, "OMP_NUM_THREADS": "1"},
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )
    ranks = RankServer(server)
    with server:
        try:
            yield ranks
        finally:
            ranks.end()


def main() -> None:
    """Be the server: fork the ranks of each call that is read, and write what they return."""
    import_module("rankelastor.sharding.torchrec_parts").torchrec_parts()
    import_module("tests.sharding.whole_runs")
    for line in sys.stdin:
        size, work, arguments = json.loads(line)
        with tempfile.TemporaryDirectory() as folder:
            meeting = {"WORLD_SIZE": str(size), "MASTER_ADDR": "127.0.0.1", "MASTER_PORT": str(free_port())}
            ranks = [_fork(Path(folder), rank, meeting, work, arguments) for rank in range(size)]
            ended = [os.waitstatus_to_exitcode(os.waitpid(each, 0)[1]) for each in ranks]
            found = [_read(Path(folder) / str(rank), code) for rank, code in enumerate(ended)]
        sys.stdout.write(json.dumps(found) + "\n")
        sys.stdout.flush()


def _fork(folder: Path, rank: int, meeting: dict[str, str], work: str, arguments: list[Any]) -> int:
    """Fork one rank, which ends with its work, and return its process id."""
    if child := os.fork():
        return child
    os.environ |= meeting | {"RANK": str(rank), "LOCAL_RANK": str(rank)}
    os.dup2(2, 1)  # what is printed is no answer of the server
    try:
        module, _, function = work.partition(":")
        with joined(os.environ) as found:
            result = getattr(import_module(module), function)(found.processes, *arguments)
        told = {"result": result}
    except BaseException:  # noqa: BLE001 - the server says it
        told = {"error": traceback.format_exc()}
    (folder / str(rank)).write_text(json.dumps(told))
    os._exit(0)


def _read(path: Path, code: int) -> dict[str, Any]:
    return json.loads(path.read_text()) if path.is_file() else {"exit code": code}


if __name__ == "__main__":
    main()

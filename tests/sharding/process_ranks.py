"""Ranks that are processes of their own, as TorchRec needs them: a function of the tests is called in each."""

from __future__ import annotations

import importlib.util
import json
import os
import socket
import subprocess
import sys
from importlib import import_module
from pathlib import Path
from typing import Any

import pytest

from rankelastor.collectives.joining import joined

ROOT = Path(__file__).parents[2]
LONGEST_SECONDS = 1500
needs_torchrec = pytest.mark.skipif(
    importlib.util.find_spec("torchrec") is None or importlib.util.find_spec("fbgemm_gpu") is None,
    reason="TorchRec is not installed, see docs/scaling.md",
)


def on_processes(size: int, work: str, *arguments: Any) -> list[Any]:
    """Call ``module:function(processes, *arguments)`` in each of several processes, and list what it returns.

    Arguments and results are values for JSON. ``function`` must be one of the tests.
    """
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        port = int(taken.getsockname()[1])
    meeting = {"WORLD_SIZE": str(size), "MASTER_ADDR": "127.0.0.1", "MASTER_PORT": str(port), "OMP_NUM_THREADS": "1"}
    paths = os.pathsep.join([str(ROOT), str(ROOT / "src")])
    command = [sys.executable, "-m", "tests.sharding.process_ranks", work, json.dumps(arguments)]
    started = [
        subprocess.Popen(
            command,
            cwd=ROOT,
            env=os.environ | meeting | {"RANK": str(rank), "LOCAL_RANK": str(rank), "PYTHONPATH": paths},
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        for rank in range(size)
    ]
    try:
        ended = [process.communicate(timeout=LONGEST_SECONDS) for process in started]
    finally:
        for process in started:
            process.kill()
    for rank, (process, (_, words)) in enumerate(zip(started, ended, strict=True)):
        assert process.returncode == 0, f"rank {rank}: {words}"
    return [json.loads(out.splitlines()[-1]) for out, _ in ended]


def main() -> None:
    """Be one of the ranks."""
    module, _, function = sys.argv[1].partition(":")
    with joined(os.environ) as found:
        result = getattr(import_module(module), function)(found.processes, *json.loads(sys.argv[2]))
    sys.stdout.write(json.dumps(result) + "\n")


if __name__ == "__main__":
    main()

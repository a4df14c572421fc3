"""Run a variant in its own process, which works only when it is asked."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

from rankelastor.cli.this_process import wait_asleep


class Worker:
    """Process that runs one variant.

    Args:
        variant: ``published`` or ``ours``.
        name: name of the workload or epoch.
        threads: number of threads of PyTorch.
        device: ``cpu`` or ``cuda``.
        precision: precision of our variant.
        clock: ``wall``, or ``processor`` for the processor time of the process, which other work disturbs less.
        checkout: the checkout whose code runs; None takes this one.
    """

    def __init__(
        self,
        variant: str,
        name: str,
        *,
        threads: int,
        device: str = "cpu",
        precision: str = "fp32",
        clock: str = "wall",
        checkout: Path | None = None,
    ) -> None:
        command = [sys.executable, "-m", "benchmarks.speed.worker", name, str(threads), variant, device]
        command += [precision, clock]
        environment = {**os.environ, "OMP_NUM_THREADS": str(threads)}
        if variant == "ours":
            wait_asleep(environment)  # as the command line does
        if checkout is not None:
            environment["PYTHONPATH"] = os.pathsep.join([str(checkout / "src"), str(checkout)])
        self._process = subprocess.Popen(  # noqa: S603 - our own module
            command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, env=environment, cwd=checkout
        )
        self._answer()

    def ask(self, **command: Any) -> dict[str, Any]:
        """Send a command and wait for its answer."""
        assert self._process.stdin is not None
        self._process.stdin.write(json.dumps(command) + "\n")
        self._process.stdin.flush()
        return self._answer()

    def close(self) -> None:
        """End the process."""
        assert self._process.stdin is not None
        self._process.stdin.close()
        self._process.wait(timeout=60)

    def _answer(self) -> dict[str, Any]:
        assert self._process.stdout is not None
        line = self._process.stdout.readline()
        if not line:
            sys.exit(f"a worker ended early with exit code {self._process.wait()}")
        answer: dict[str, Any] = json.loads(line)
        return answer

"""Measure what other work on the machine costs a demo: processor time and wall time, beside busy processes and without.

A demo with a quiet machine and one beside processes that only count alternate. Two ratios are the answer: that of the
processor times, and that of the wall time beside others to what the cores received allow, which is the quiet processor
time over the cores received (processor time over wall time of the demo beside others). A third sets the wall time
against the share that one thread can expect beside the busy processes.

Example:
    python benchmarks/busy.py --rows 20000 --busy 4 --rounds 3 --output busy.json
"""

from __future__ import annotations

import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Annotated

import typer

from rankelastor.usable_cores import usable_cores

_COUNT = "while True: pass"


@dataclass(frozen=True)
class Run:
    """One demo.

    Attributes:
        processor_seconds: of all its threads, in user and in system mode.
        wall_seconds: from its start to its end.
        load: processes of the machine that were running or waiting for a core, the minute before its start.
    """

    processor_seconds: float
    wall_seconds: float
    load: float

    @property
    def cores(self) -> float:
        """Cores received, on average."""
        return self.processor_seconds / self.wall_seconds


def main(
    rows: Annotated[int, typer.Option(help="Rows of the demo's log.")] = 20_000,
    busy: Annotated[int, typer.Option(help="Busy processes beside the demo.")] = 4,
    rounds: Annotated[int, typer.Option(help="Demos of each kind.")] = 3,
    output: Annotated[Path | None, typer.Option(help="Write the figures to this file, too.")] = None,
) -> None:
    """Run the demo alternately on a quiet machine and beside busy processes, and print the figures as JSON."""
    quiet: list[Run] = []
    beside: list[Run] = []
    for _ in range(rounds):
        quiet.append(demo(rows))
        with busy_processes(busy):
            beside.append(demo(rows))
    text = json.dumps(figures(quiet, beside, busy=busy) | {"rows": rows}, indent=2)
    print(text)  # noqa: T201
    if output is not None:
        output.write_text(f"{text}\n")


def figures(quiet: list[Run], beside: list[Run], *, busy: int) -> dict[str, object]:
    """Collect the medians and the ratios.

    Example:
        >>> found = figures([Run(10.0, 5.0, 0.0)], [Run(12.0, 30.0, 4.0)], busy=4)  # .4 cores allow 10 / .4 = 25 s
        >>> found["processor_ratio"], found["wall_ratio"]
        (1.2, 1.2)
    """
    processor = statistics.median(run.processor_seconds for run in quiet)
    received = statistics.median(run.cores for run in beside)
    wall = statistics.median(run.wall_seconds for run in beside)
    expected = min(1.0, usable_cores({}).number / (busy + 1))
    return {
        "cores": str(usable_cores()),
        "spinning": {name: os.environ.get(name) for name in ("OMP_WAIT_POLICY", "GOMP_SPINCOUNT")},
        "processor_ratio": round(statistics.median(run.processor_seconds for run in beside) / processor, 3),
        "wall_ratio": round(wall / (processor / received), 3),
        "cores_received": round(received, 3),
        "cores_expected": round(expected, 3),
        "wall_ratio_to_expected": round(wall / (processor / expected), 3),
        "busy": busy,
        "quiet": [asdict(run) for run in quiet],
        "beside_others": [asdict(run) for run in beside],
    }


def demo(rows: int) -> Run:
    """Run a demo in a process of its own, and measure it."""
    load = os.getloadavg()[0]
    with tempfile.TemporaryDirectory() as folder:
        command = [sys.executable, "-m", "rankelastor", "-q", "demo", "--to", folder, "--rows", str(rows)]
        began = time.perf_counter()
        process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)  # noqa: S603
        _, status, used = os.wait4(process.pid, 0)
        wall = time.perf_counter() - began
        process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode:
        raise SystemExit(f"the demo must end with 0, but ended with {process.returncode}")
    return Run(round(used.ru_utime + used.ru_stime, 2), round(wall, 2), round(load, 1))


@contextmanager
def busy_processes(number: int) -> Iterator[None]:
    """Keep processes that only count within the context."""
    processes = [subprocess.Popen([sys.executable, "-c", _COUNT]) for _ in range(number)]  # noqa: S603
    try:
        yield
    finally:
        for process in processes:
            process.kill()
            process.wait()


if __name__ == "__main__":
    typer.run(main)

"""Time the measures of a batch of token matrices in alternating rounds; prints medians and ranges.

Goals on 2 cores, 4,096 matrices of 26 x 30 in float32: all five measures in 100 ms, the stable rank alone in 25 ms.
"""

# ruff: noqa: T201 - a benchmark prints its figures

from __future__ import annotations

import argparse
import json
import os
import platform
import time
from collections.abc import Callable
from pathlib import Path
from statistics import median

import numpy as np
import torch
from torch import Tensor

from rankelastor.spectrum.measures import all_measures, stable_rank

SMALLEST_NUM_ROUNDS = 7


def contenders(matrices: Tensor) -> dict[str, Callable[[], object]]:
    """List the timed computations by name."""
    return {
        "all five, gram": lambda: all_measures(matrices, method="gram"),
        "all five, exact": lambda: all_measures(matrices, method="exact"),
        "stable rank, power": lambda: stable_rank(matrices, method="power"),
        "stable rank, gram": lambda: stable_rank(matrices, method="gram"),
        "stable rank, exact": lambda: stable_rank(matrices, method="exact"),
        "plain batched torch.linalg.svdvals": lambda: torch.linalg.svdvals(matrices),
        "plain batched eigvalsh of float32 Gram": lambda: torch.linalg.eigvalsh(matrices @ matrices.mT),
        "Python loop of torch.linalg.svdvals": lambda: [torch.linalg.svdvals(matrix) for matrix in matrices],
    }


def measure(matrices: Tensor, *, num_rounds: int) -> dict[str, list[float]]:
    """Measure the milliseconds of each contender in each round; they alternate, so that noise affects all equally."""
    timed: dict[str, list[float]] = {}
    candidates = contenders(matrices)
    for run in candidates.values():
        run()
    for _ in range(num_rounds):
        for name, run in candidates.items():
            _wait(matrices.device)
            start = time.perf_counter()
            run()
            _wait(matrices.device)
            timed.setdefault(name, []).append((time.perf_counter() - start) * 1e3)
    return timed


def environment(device: torch.device) -> dict[str, str | int]:
    """Describe the hardware and the versions on which the figures depend."""
    return {
        "cpu": _cpu_name(),
        "num_cores": os.cpu_count() or 0,
        "num_threads": torch.get_num_threads(),
        "device": torch.cuda.get_device_name(device) if device.type == "cuda" else "cpu",
        "torch": torch.__version__,
        "numpy": np.__version__,
        "python": platform.python_version(),
    }


def main() -> None:
    """Print the figures, and write them as JSON if requested."""
    arguments = parse_arguments()
    device = torch.device(arguments.device)
    torch.set_num_threads(arguments.threads)
    generator = torch.Generator().manual_seed(0)
    shape = (arguments.matrices, arguments.rows, arguments.columns)
    timed = measure(torch.randn(shape, generator=generator).to(device), num_rounds=arguments.rounds)
    facts = environment(device)
    print(f"{shape[0]} matrices of {shape[1]} x {shape[2]}, float32, {arguments.rounds} alternating rounds")
    print(", ".join(f"{name} {value}" for name, value in facts.items()))
    for name, values in timed.items():
        print(f"{name:40} median {median(values):7.1f} ms   fastest {min(values):7.1f}   slowest {max(values):7.1f}")
    if arguments.json is not None:
        arguments.json.write_text(json.dumps({"environment": facts, "shape": shape, "milliseconds": timed}, indent=1))


def parse_arguments() -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--matrices", type=int, default=4096, help="number of matrices (4096)")
    parser.add_argument("--rows", type=int, default=26, help="rows of each (26)")
    parser.add_argument("--columns", type=int, default=30, help="columns of each (30)")
    parser.add_argument("--rounds", type=int, default=15, help=f"at least {SMALLEST_NUM_ROUNDS} (15)")
    parser.add_argument("--threads", type=int, default=2, help="threads that PyTorch may use (2)")
    parser.add_argument("--device", default="cpu", help="cpu or cuda (cpu)")
    parser.add_argument("--json", type=Path, help="also write every round's figures to this file")
    arguments = parser.parse_args()
    if arguments.rounds < SMALLEST_NUM_ROUNDS:
        parser.error(f"--rounds must be at least {SMALLEST_NUM_ROUNDS}, but {arguments.rounds} was given")
    return arguments


def _cpu_name() -> str:
    info = Path("/proc/cpuinfo")
    lines = info.read_text().splitlines() if info.exists() else []
    return next((line.split(":")[1].strip() for line in lines if line.startswith("model name")), platform.machine())


def _wait(device: torch.device) -> None:
    if device.type == "cuda":
        torch.cuda.synchronize(device)


if __name__ == "__main__":
    main()

"""Compare the speed of this commit with another one on the workloads of ``make bench``.

Each commit runs the worker of its own checkout in a separate process; the processes alternate, A B A B, and never run
at the same time. Each round gives one ratio of medians, new / old. The median over the rounds and a 95 % interval of it
(order statistics, free of distributional assumptions) are printed. Single runs vary by 15 % on a shared machine, so
judge by the interval.

Example:
    python -m benchmarks.commits --base v0.1.0 --rounds 15
    python -m benchmarks.commits --base HEAD~1 --workloads frappe-rankelastor
"""

# ruff: noqa: T201 - a benchmark prints its figures

from __future__ import annotations

import argparse
import json
import subprocess
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from statistics import median
from typing import Any

from benchmarks.speed.epochs import EPOCHS
from benchmarks.speed.turns import Worker
from benchmarks.speed.workloads import WORKLOADS
from scipy.stats import binom

SHORT = ["criteo-e10-0.5M", "criteo-e10-2.1M", "frappe-rankelastor"]


def main() -> None:
    """Measure, print, and write the report."""
    arguments = parse_arguments()
    results = {}
    with checkout_of(arguments.base) as base:
        for name in arguments.workloads:
            for what, ratios in measure(name, base, arguments).items():
                low, high = interval_of_median(ratios)
                results[f"{name} {what}"] = {"ratio": median(ratios), "low": low, "high": high, "rounds": ratios}
                print(f"{name:24} {what:11} new / old {median(ratios):.3f} ({low:.3f} to {high:.3f})", flush=True)
    if arguments.report is not None:
        arguments.report.write_text(json.dumps({"base": arguments.base, "results": results}, indent=1) + "\n")


@contextmanager
def checkout_of(revision: str) -> Iterator[Path]:
    """Check a revision out into a folder that is removed afterwards."""
    with tempfile.TemporaryDirectory() as folder:
        place = Path(folder) / "base"
        subprocess.run(["git", "worktree", "add", "--detach", "--force", str(place), revision], check=True)  # noqa: S603, S607
        try:
            yield place
        finally:
            subprocess.run(["git", "worktree", "remove", "--force", str(place)], check=True)  # noqa: S603, S607


def measure(name: str, base: Path, arguments: argparse.Namespace) -> dict[str, list[float]]:
    """Measure the rounds of one workload or epoch; return the ratios new / old by command."""
    workers = {
        "new": Worker("ours", name, threads=arguments.threads),
        "old": Worker("ours", name, threads=arguments.threads, checkout=base),
    }
    ratios = {
        what: alternate(workers, arguments.rounds, command) for what, command in commands(name, arguments.steps).items()
    }
    for worker in workers.values():
        worker.close()
    return ratios


def commands(name: str, steps: int) -> dict[str, dict[str, Any]]:
    """List the commands of each round by their names in the report."""
    if name in EPOCHS:
        return {"epoch": {"do": "epoch", "times": 1}}
    size = WORKLOADS[name].batch_size
    return {
        "train": {"do": "train", "examples": size, "times": steps},
        f"infer {size}": {"do": "infer", "examples": size, "times": 3},
        "infer 64": {"do": "infer", "examples": 64, "times": 40},
        "infer 1": {"do": "infer", "examples": 1, "times": 120},
    }


def alternate(workers: dict[str, Worker], rounds: int, command: dict[str, Any]) -> list[float]:
    """Run a command in alternating workers; the order is reversed in every other round."""
    for worker in workers.values():
        worker.ask(**{**command, "times": max(1, command["times"] // 2)})
    ratios = []
    for index in range(rounds):
        order = sorted(workers, reverse=bool(index % 2))
        seconds = {each: median(workers[each].ask(**command)["seconds"]) for each in order}
        ratios.append(seconds["new"] / seconds["old"])
    return ratios


def interval_of_median(values: Sequence[float], *, level: float = 0.95) -> tuple[float, float]:
    """Compute an interval that covers the median of the distribution with at least this probability.

    Example:
        >>> interval_of_median([float(value) for value in range(15)])
        (3.0, 11.0)
    """
    ordered = sorted(values)
    rank = int(binom.ppf((1 - level) / 2, len(ordered), 0.5))
    rank = max(1, rank)
    return ordered[rank - 1], ordered[-rank]


def parse_arguments() -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    known = [*WORKLOADS, *EPOCHS]
    parser.add_argument("--base", required=True, help="the other commit: any revision known to git")
    parser.add_argument(
        "--workloads", type=lambda text: text.split(","), default=SHORT, help=f"any of {', '.join(known)}"
    )
    parser.add_argument("--rounds", type=int, default=15, help="rounds (15)")
    parser.add_argument("--steps", type=int, default=2, help="training steps per round (2)")
    parser.add_argument("--threads", type=int, default=2, help="threads that PyTorch may use (2)")
    parser.add_argument("--report", type=Path, help="write the rounds to this JSON file")
    return parser.parse_args()


if __name__ == "__main__":
    main()

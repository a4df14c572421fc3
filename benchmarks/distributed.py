"""Train a recipe by 1, 2, ... processes of this machine: speed, share of time spent on one another, bytes of a step.

    python -m benchmarks.distributed RECIPE --processes 1 2 4 --set training.epochs=2 --report report.json

Every number of processes trains the same steps in a run folder of its own, with one thread for each process, so that
what is compared is processes. More processes than cores share these, which the table says.
"""

# ruff: noqa: T201 - a benchmark prints its figures

from __future__ import annotations

import argparse
import json
import os
import platform
import subprocess
import sys
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

_ALWAYS = ("training.baseline=false", "training.threads=1", "training.patience=1000")


def main() -> None:
    """Measure, print, and write the report."""
    arguments = parse_arguments()
    changes = [*_ALWAYS, *arguments.changes]
    cores = len(os.sched_getaffinity(0))
    print(f"{arguments.recipe} on {cores} cores of {platform.processor() or platform.machine()}")
    print("processes   examples/s   exchanging   peak MB  bytes a step and process")
    measured = []
    with tempfile.TemporaryDirectory() as folder:
        for number in arguments.processes:
            result = train(arguments.recipe, number, changes, Path(folder))
            figures = figures_of(result, number)
            measured.append(figures)
            print(line_of(figures, cores), flush=True)
    if arguments.report is not None:
        told = {"recipe": arguments.recipe.name, "changes": changes, "cores": cores, "machine": platform.machine()}
        arguments.report.write_text(json.dumps({**told, "measured": measured}, indent=1) + "\n")


def train(recipe: Path, number: int, changes: Sequence[str], folder: Path) -> dict[str, Any]:
    """Train by a number of processes and return ``result.json``."""
    run = folder / f"run-{number}"
    command = [sys.executable, "-m", "rankelastor", "-q", "train", str(recipe), "--to", str(run)]
    settings = [part for change in changes for part in ("--set", change)]
    environment = os.environ | {"OMP_NUM_THREADS": "1"}
    subprocess.run(  # noqa: S603 - our own command
        [*command, "--processes", str(number), *settings], check=True, stdout=subprocess.DEVNULL, env=environment
    )
    found: dict[str, Any] = json.loads((run / "result.json").read_text())
    lines = (run / "metrics.jsonl").read_text().splitlines()
    found["first_loss"] = json.loads(lines[0])["train_loss"]
    found["examples"] = result_examples(run)
    return found


def result_examples(run: Path) -> int:
    """Return the number of rows that an epoch of a run has."""
    schema = json.loads((run / "features" / "schema.json").read_text())
    return int(schema["splits"]["train"]["num_rows"])


def figures_of(result: Mapping[str, Any], number: int) -> dict[str, Any]:
    """Collect what is compared."""
    seconds = result["epochs"] * result["examples"] / result["examples_per_second"]
    processes = result.get("processes", {"exchange_seconds": 0.0, "bytes_per_step": {}})
    return {
        "processes": number,
        "examples_per_second": round(result["examples_per_second"]),
        "exchange_share": round(processes["exchange_seconds"] / seconds, 4),
        "peak_memory_mb": round(result["speed"]["peak_memory_bytes"] / 1e6),
        "bytes_per_step": processes["bytes_per_step"],
        "steps": result["steps"],
        "first_train_loss": result["first_loss"],
        "valid_auc": result["valid"]["auc"],
    }


def line_of(figures: Mapping[str, Any], cores: int) -> str:
    """Write one line of the table."""
    shared = " (share the cores)" if figures["processes"] > cores else ""
    sent = ", ".join(f"{kind} {count:,}" for kind, count in figures["bytes_per_step"].items()) or "none"
    return (
        f"{figures['processes']:9d} {figures['examples_per_second']:12,d} {100 * figures['exchange_share']:10.1f} %"
        f" {figures['peak_memory_mb']:9,d}  {sent}{shared}"
    )


def parse_arguments() -> argparse.Namespace:
    """Read the arguments of the command."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("recipe", type=Path)
    parser.add_argument("--processes", type=int, nargs="+", default=[1, 2])
    parser.add_argument("--set", dest="changes", action="append", default=[], metavar="PATH=VALUE")
    parser.add_argument("--report", type=Path)
    return parser.parse_args()


if __name__ == "__main__":
    main()

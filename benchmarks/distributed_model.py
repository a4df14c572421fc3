"""A cost model on paper of a step by many processes: what bounds it, and which plan wins when.

    python -m benchmarks.distributed_model --check benchmarks/reports/distributed_rows_epyc.json
    python -m benchmarks.distributed_model --gpus 8 64 512

With ``--check`` the bytes of a step are computed and compared with those that ``benchmarks/distributed_rows.py``
counted. Otherwise a table of times follows from the formulas below; its machine is an assumption, not a measurement.

For n processes, each of which looks up U distinct rows of width d for its examples, and P dense parameters:

    dense gradients, all-reduced             2 (n - 1)/n 4 P     sent by each process
    replicated rows, gathered                (n - 1) (8 + 4 d) U received by each, who applies n U row updates
    sharded rows, exchanged                  (n - 1)/n (8 + 8 d) U sent by each: ids, rows found, gradients
    of table-wise plans                      the same, times the load of the busiest process over the mean
    of column-wise plans                     (n - 1) 8 U + (n - 1)/n 8 d U: each process asks all others for each row
"""

# ruff: noqa: T201 - a benchmark prints its figures

from __future__ import annotations

import argparse
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

Rows = Literal["replicated", "row_wise", "table_wise", "column_wise"]
_FLOAT, _ID = 4, 8
PLANS: tuple[Rows, ...] = ("replicated", "row_wise", "table_wise", "column_wise")


@dataclass(frozen=True)
class Machine:
    """A cluster of GPUs; the defaults are round figures of data sheets for eight H100 a host and 400 Gbit/s a GPU.

    Attributes:
        per_host: GPUs of a host.
        within_host: bytes/s that a GPU sends to others of its host.
        between_hosts: bytes/s that a GPU sends to other hosts.
        latency: seconds before the first byte of a collective.
        memory: bytes/s of the GPU's memory at random rows.
        flops: FLOP/s that dense layers reach.
        capacity: bytes of memory for embedding rows.
    """

    per_host: int = 8
    within_host: float = 300e9
    between_hosts: float = 40e9
    latency: float = 30e-6
    memory: float = 1.0e12
    flops: float = 200e12
    capacity: float = 60e9

    def bandwidth(self, n: int) -> float:
        """Return the bytes/s of a collective of n GPUs, which the slowest link bounds."""
        return self.within_host if n <= self.per_host else self.between_hosts


@dataclass(frozen=True)
class Work:
    """What a process does at a step.

    Attributes:
        examples: examples of a process, b.
        distinct: distinct rows that they look up, U.
        dim: width of a row, d.
        dense: dense parameters, P.
        rows: embedding rows of the whole model.
        largest_share: share of the look-ups that the most used table has.
        flops_per_example: FLOPs of forward and backward pass.
    """

    examples: int
    distinct: int
    dim: int
    dense: int
    rows: float
    largest_share: float = 0.1
    flops_per_example: float = 1e8


def sent(work: Work, n: int, plan: Rows) -> dict[str, float]:
    """Compute the bytes that a process sends, or of replicated rows receives, at a step, by kind.

    Example:
        >>> work = Work(examples=1, distinct=10, dim=4, dense=100, rows=1e3)
        >>> sent(work, 2, "row_wise")
        {'dense': 400.0, 'rows': 40.0, 'row values': 80.0, 'row gradients': 80.0}
        >>> sent(work, 2, "replicated")
        {'dense': 400.0, 'rows': 80.0, 'row values': 0.0, 'row gradients': 160.0}
    """
    away, values = (n - 1) / n, float(_FLOAT * work.dim * work.distinct)
    dense = 2 * away * _FLOAT * work.dense
    ids = float(_ID * work.distinct)
    if plan == "replicated":
        return {"dense": dense, "rows": (n - 1) * ids, "row values": 0.0, "row gradients": (n - 1) * values}
    busiest = max(1.0, n * work.largest_share) if plan == "table_wise" else 1.0
    asked = (n - 1) * ids if plan == "column_wise" else away * ids
    return {
        "dense": dense,
        "rows": busiest * asked,
        "row values": busiest * away * values,
        "row gradients": busiest * away * values,
    }


def counted(work: Work, plan: Rows) -> dict[str, float]:
    """Compute the bytes that a process counts as its own, as ``result.json`` has them, by kind.

    Example:
        >>> counted(Work(examples=1, distinct=10, dim=4, dense=100, rows=1e3), "row_wise")
        {'dense': 400.0, 'rows': 80.0, 'row gradients': 160.0, 'row values': 160.0}
    """
    values = float(_FLOAT * work.dim * work.distinct)
    found = {"dense": float(_FLOAT * work.dense), "rows": float(_ID * work.distinct), "row gradients": values}
    return found if plan == "replicated" else found | {"row values": values}


def held(work: Work, n: int, plan: Rows) -> float:
    """Compute the bytes of rows and their sums of squares in a process."""
    whole = work.rows * (_FLOAT * work.dim + _FLOAT)
    return whole if plan == "replicated" else whole / n


def seconds(work: Work, n: int, plan: Rows, machine: Machine) -> dict[str, float]:
    """Compute the time of each part of a step; the largest bounds it where all overlap, their sum where none does."""
    bytes_of, bandwidth = sent(work, n, plan), machine.bandwidth(n)
    updated = work.distinct * (n if plan == "replicated" else 1)
    calls = 1 if plan == "replicated" else 3
    return {
        "dense layers": work.examples * work.flops_per_example / machine.flops,
        "dense gradients": machine.latency + bytes_of["dense"] / bandwidth,
        "rows": calls * machine.latency + sum(bytes_of[kind] for kind in bytes_of if kind != "dense") / bandwidth,
        "row updates": updated * 3 * _FLOAT * (work.dim + 1) / machine.memory,
    }


def check(report: Mapping[str, Any]) -> list[dict[str, Any]]:
    """Compare computed with counted bytes, and with the memory of rows, for each case of a report."""
    found = []
    for case in report["measured"]:
        if case["processes"] == 1:
            continue
        first = case["found"][0]
        plan: Rows = "replicated" if case["embedding"] == "replicated" else case["plan"]
        work = Work(
            examples=case["batch_size"] // case["processes"],
            distinct=first["distinct_rows_per_step"],
            dim=case["dim"],
            dense=first["dense_parameters"],
            rows=case["rows"],
        )
        ratios = {kind: first["bytes_per_step"][kind] / count for kind, count in counted(work, plan).items()}
        found.append({"rows": case["rows"], "plan": plan, "counted / computed": ratios})
    return found


def main() -> None:
    """Check the model, or print what it says."""
    arguments = parse_arguments()
    if arguments.check is not None:
        for case in check(json.loads(arguments.check.read_text())):
            ratios = ", ".join(f"{kind} {ratio:.4f}" for kind, ratio in case["counted / computed"].items())
            print(f"{case['rows']:12,d} rows, {case['plan']:>11s}: counted / computed {ratios}")
        return
    work = Work(
        examples=arguments.examples,
        distinct=arguments.distinct,
        dim=arguments.dim,
        dense=arguments.dense,
        rows=arguments.rows,
    )
    print(f"{work}\n{Machine()}\n")
    for line in table(work, arguments.gpus, Machine()):
        print(line)


def table(work: Work, gpus: Sequence[int], machine: Machine) -> list[str]:
    """Write the table of what bounds a step, by number of GPUs and plan."""
    lines = ["| GPUs | plan | GB of rows a GPU | MB sent a step | ms if all overlaps | ms if nothing does | bound by |"]
    lines.append("| ---: | --- | ---: | ---: | ---: | ---: | --- |")
    for n in gpus:
        for plan in PLANS:
            parts, memory = seconds(work, n, plan, machine), held(work, n, plan)
            bound = max(parts, key=lambda part: parts[part])
            fits = "" if memory <= machine.capacity else " (does not fit)"
            lines.append(
                f"| {n} | {plan} | {memory / 1e9:,.1f}{fits} | {sum(sent(work, n, plan).values()) / 1e6:,.1f} | "
                f"{1e3 * max(parts.values()):.2f} | {1e3 * sum(parts.values()):.2f} | {bound} |"
            )
    return lines


def parse_arguments() -> argparse.Namespace:
    """Read the arguments of the command."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--check", type=Path, help="report of benchmarks/distributed_rows.py")
    parser.add_argument("--gpus", type=int, nargs="+", default=[8, 64, 512])
    parser.add_argument("--examples", type=int, default=4096, help="examples of a GPU at a step")
    parser.add_argument("--distinct", type=int, default=60_000, help="distinct rows that they look up")
    parser.add_argument("--dim", type=int, default=64)
    parser.add_argument("--dense", type=int, default=50_000_000)
    parser.add_argument("--rows", type=float, default=1e9)
    return parser.parse_args()


if __name__ == "__main__":
    main()

"""Compare training and scoring with a baseline in the style of the published code, and write a report.

Each variant has its own long-running process, because the allocator's settings and the peak memory are per process.
The processes alternate, A B A B, and never run at the same time: warm-up, then rounds, each with one ratio of medians.
The baseline uses the default allocator, ours the settings of ``train``. Before the timing both are checked to compute
the same losses in fp32.

It also prints examples per second, the share of the device's measured peak, that of a large matrix product in our
precision, and whether a ratio meets its target. On a busy machine try ``--threads 1 --clock processor``, which compares
processor time.

Example:
    python -m benchmarks.speed --short
    python -m benchmarks.speed --workloads criteo-e10-0.5M --rounds 7
    python -m benchmarks.speed --workloads avazu-e16-0.5M --threads 1 --clock processor
    python -m benchmarks.speed --device cuda --precision bf16
"""

# ruff: noqa: T201 - a benchmark prints its figures

from __future__ import annotations

import argparse
import itertools
import os
import time
from pathlib import Path
from statistics import median
from typing import Any

import torch
from benchmarks.speed.epochs import EPOCHS
from benchmarks.speed.report import write_report
from benchmarks.speed.same_losses import check_same_losses
from benchmarks.speed.targets import judge
from benchmarks.speed.turns import Worker
from benchmarks.speed.workloads import WORKLOADS

from rankelastor.config.execution import ExecutionSettings
from rankelastor.execution.device import precision_name
from rankelastor.execution.machine_peak import machine_peak
from rankelastor.native.library import loaded_build
from rankelastor.runs.environment import describe_environment

SHORT = ["criteo-e10-0.5M", "criteo-e10-2.1M", "frappe-rankelastor"]
FEWEST_ROUNDS = 7


def alternate(workers: dict[str, Worker], rounds: int, peak: float, **command: Any) -> dict[str, Any]:
    """Run the rounds of one command in alternating order; ``peak`` is the peak FLOP/s of the device."""
    seconds: dict[str, list[float]] = {name: [] for name in workers}
    warm_up = {**command, "times": max(1, command["times"] // 2)}
    (answer, *_) = [worker.ask(**warm_up) for worker in workers.values()]
    for index in range(rounds):
        for name in sorted(workers, reverse=bool(index % 2)):
            seconds[name].append(median(workers[name].ask(**command)["seconds"]))
    ratios = [one / other for one, other in zip(seconds["published"], seconds["ours"], strict=True)]
    each = {name: median(found) for name, found in seconds.items()}
    return {
        "examples_per_second": {name: answer["examples"] / found for name, found in each.items()},
        "share_of_peak": {name: answer["flops"] / found / peak for name, found in each.items()},
        "published_ms": 1e3 * each["published"],
        "ours_ms": 1e3 * each["ours"],
        "ratio": median(ratios),
        "ratio_low": min(ratios),
        "ratio_high": max(ratios),
        "rounds": {"published": seconds["published"], "ours": seconds["ours"]},
    }


def measure(name: str, arguments: argparse.Namespace, peak: float, *, threads: int) -> dict[str, Any]:
    """Measure all figures of one workload or epoch."""
    results: dict[str, Any] = {}
    losses = None if name in EPOCHS else check_same_losses(WORKLOADS[name], torch.device(arguments.device))
    options = {"device": arguments.device, "precision": arguments.precision, "clock": arguments.clock}
    workers = {variant: Worker(variant, name, threads=threads, **options) for variant in ("published", "ours")}
    if name in EPOCHS:
        results["epoch"] = alternate(workers, arguments.rounds, peak, do="epoch", times=1)
    else:
        size = WORKLOADS[name].batch_size
        times = arguments.steps
        results["train"] = alternate(workers, arguments.rounds, peak, do="train", examples=size, times=times)
        results["peak_mb"] = {
            key: worker.ask(do="train", examples=size, times=1)["peak_mb"] for key, worker in workers.items()
        }
        for examples, times in ((size, 3), (64, 20), (1, 60)):
            results[f"infer {examples}"] = alternate(
                workers, arguments.rounds, peak, do="infer", examples=examples, times=times
            )
    for worker in workers.values():
        worker.close()
    if losses is not None:
        results["losses"] = losses
    return results


def describe_our_speed(figures: dict[str, Any]) -> str:
    """Describe the speed of our variant in words."""
    return (
        f"{figures['examples_per_second']['ours']:,.0f} examples/s, {figures['share_of_peak']['ours']:.1%} of the peak"
    )


def main() -> None:
    """Measure, print, and write the report after each workload, so that one that is stopped keeps its figures."""
    arguments = parse_arguments()
    instructions = "none" if loaded_build() is None else str(loaded_build())
    began = time.strftime("%Y-%m-%d %H:%M")
    device, settings = torch.device(arguments.device), ExecutionSettings(precision=arguments.precision)
    peaks = {}
    for threads in arguments.threads:
        torch.set_num_threads(threads)
        peaks[threads] = machine_peak(settings, device) if arguments.clock == "wall" else _peak_by_processor_time()
    facts = {key: value for key, value in describe_environment(device).items() if key != "platform"}
    facts |= {"threads": arguments.threads, "precision": precision_name(settings, device), "clock": arguments.clock}
    facts["peak_gflops"] = {threads: peak / 1e9 for threads, peak in peaks.items()}
    facts |= {"load_before": os.getloadavg(), "began": began}
    print(f"{facts['processor']}, kernels: {facts['kernels']}", flush=True)
    results = {}
    for threads, name in itertools.product(arguments.threads, arguments.workloads):
        key = f"{name}, {threads} thread{'s' if threads > 1 else ''}"
        results[key] = measure(name, arguments, peaks[threads], threads=threads)
        _print(name, key, results[key], instructions.partition(",")[0])
        facts["load_after"] = os.getloadavg()
        if arguments.report is not None:
            write_report(arguments.report, facts, results)


def _print(name: str, key: str, results: dict[str, Any], instructions: str) -> None:
    """Print the figures of one workload, and note beside each what became of its target."""
    for what, figures in results.items():
        if isinstance(figures, dict) and "ratio" in figures:
            figures["target"] = judge(name, what, figures, instructions)
            times = f"published {figures['published_ms']:9.2f} ms, ours {figures['ours_ms']:9.2f} ms"
            spread = f"{figures['ratio']:.2f} ({figures['ratio_low']:.2f} to {figures['ratio_high']:.2f})"
            said = ", ".join(filter(None, [times, f"ratio {spread}", describe_our_speed(figures), figures["target"]]))
            print(f"{key:38} {what:11} {said}", flush=True)
        elif what == "peak_mb":
            print(f"{key:38} peak memory {figures['published']:.0f} and {figures['ours']:.0f} MB", flush=True)


def parse_arguments() -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    known = [*WORKLOADS, *EPOCHS]
    parser.add_argument("--workloads", type=lambda text: text.split(","), help=f"any of {', '.join(known)} (all)")
    parser.add_argument("--short", action="store_true", help=f"only {', '.join(SHORT)}, two steps per round")
    parser.add_argument("--rounds", type=int, default=7, help="at least 7 (7)")
    parser.add_argument("--steps", type=int, help="training steps per round (4, or 2 with --short; 40 on CUDA)")
    parser.add_argument(
        "--threads",
        type=_numbers,
        default=[1, 2],
        help="numbers of threads that PyTorch may use, one after the other (1,2)",
    )
    parser.add_argument(
        "--clock",
        choices=("wall", "processor"),
        default="wall",
        help="what is timed; processor needs --threads 1 (wall)",
    )
    parser.add_argument("--device", choices=("cpu", "cuda"), default="cpu", help="device of both variants (cpu)")
    parser.add_argument(
        "--precision", choices=("auto", "fp32", "bf16"), default="fp32", help="precision of our variant (fp32)"
    )
    parser.add_argument("--report", type=Path, help="write REPORT.json and REPORT.md, named theme_hardware_date")
    arguments = parser.parse_args()
    arguments.workloads = arguments.workloads or (SHORT if arguments.short else known)
    arguments.steps = arguments.steps or (40 if arguments.device == "cuda" else 2 if arguments.short else 4)
    if arguments.device == "cuda" and not torch.cuda.is_available():
        parser.error("--device must be available, but cuda was given and torch finds none; try --device cpu")
    if arguments.clock == "processor" and (arguments.threads != [1] or arguments.device != "cpu"):
        parser.error("--clock processor adds up the time of all threads; try --threads 1 on the CPU")
    unknown = sorted(set(arguments.workloads) - set(known))
    if unknown or arguments.rounds < FEWEST_ROUNDS:
        parser.error(f"workloads must be of {known} and rounds at least 7, but {unknown or arguments.rounds} was given")
    return arguments


def _peak_by_processor_time() -> float:
    """Measure the FLOP/s of the best of several products, as ``machine_peak`` does, by processor time of one thread."""
    left, right = torch.randn(2, 1024, 1024)
    best = float("inf")
    for _ in range(40):
        began = time.process_time()
        torch.mm(left, right)
        best = min(best, time.process_time() - began)
    return 2 * 1024**3 / best


def _numbers(text: str) -> list[int]:
    return [int(number) for number in text.split(",")]


if __name__ == "__main__":
    main()

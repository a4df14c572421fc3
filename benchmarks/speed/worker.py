"""Run one variant in this process: read commands as JSON lines and answer with seconds.

Each variant has its own process, because the allocator's settings and the peak memory are per process.
"""

# ruff: noqa: T201 - answers are written to the standard output

from __future__ import annotations

import copy
import json
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import torch
from benchmarks.process_memory import peak_bytes
from benchmarks.speed.epochs import EPOCHS, Epoch
from benchmarks.speed.published_manner import PublishedManner, PublishedStep
from benchmarks.speed.workloads import WORKLOADS, Workload

from rankelastor.config.execution import ExecutionSettings
from rankelastor.config.optimiser import OptimiserSettings
from rankelastor.config.training import TrainingSettings
from rankelastor.data.loading.read_ahead import ReadAhead
from rankelastor.evaluation.scoring import Scorer
from rankelastor.execution.allocator import keep_large_blocks
from rankelastor.execution.device import choose_device
from rankelastor.execution.device_copies import copies_to
from rankelastor.execution.machine_peak import wait_for
from rankelastor.models.build import build_ranker
from rankelastor.models.cost import cost_of
from rankelastor.schema import Batch
from rankelastor.training.step import Stepper

NUM_BATCHES = 8
CLOCKS = {"wall": time.perf_counter, "processor": time.process_time}
Action = Callable[[list[Batch]], list[float]]
"""Function that processes batches and returns the seconds of each, or the mean if they are processed in a queue."""


@dataclass(frozen=True)
class Variant:
    """Name of the variant, its device, our precision (the baseline is fp32), and the clock, a name in ``CLOCKS``."""

    name: str
    device: str
    precision: str
    clock: str = "wall"

    @property
    def settings(self) -> dict[str, Any]:
        """Settings of the execution that are given on the command line."""
        return {"device": self.device, "precision": self.precision}


def published_actions(workload: Workload, variant: Variant) -> dict[str, Action]:
    """Build the baseline's training step and inference."""
    device = torch.device(variant.device)
    torch.manual_seed(1)
    ranker = PublishedManner(workload.model, workload.schema).to(device)
    stepper = PublishedStep(ranker, embedding_l2=workload.embedding_l2, learning_rate=1e-3)

    def train(batch: Batch) -> None:
        ranker.train()
        stepper.step(batch.to(device))

    def infer(batch: Batch) -> None:
        with torch.no_grad():
            ranker.eval()(batch.to(device)).cpu().numpy()

    clock = CLOCKS[variant.clock]
    return {"train": time_each_batch(train, clock), "infer": time_each_batch(infer, clock)}


def our_actions(workload: Workload, variant: Variant) -> dict[str, Action]:
    """Build the training step and inference of ``train`` with its default settings."""
    keep_large_blocks()
    optimiser = OptimiserSettings(embedding_l2=workload.embedding_l2)
    execution = ExecutionSettings.model_validate(variant.settings)
    device = choose_device(execution)
    torch.manual_seed(1)
    ranker = build_ranker(workload.model, workload.schema).to(device)
    stepper = Stepper(ranker, optimiser, execution, batch_size=workload.batch_size)
    served = copy.deepcopy(ranker).eval()  # a service scores with weights that stay as they are
    scorer = Scorer(served, execution, batch_size=TrainingSettings().evaluation_batch_size, is_fixed=True)

    def train(batch: Batch) -> None:
        ranker.train()
        stepper.step(batch).item()

    def infer(batch: Batch) -> None:
        scorer(batch)

    def train_in_a_queue(batches: list[Batch]) -> list[float]:
        ranker.train()
        wait_for(device)
        began = time.perf_counter()
        with ReadAhead(batches, depth=execution.read_ahead, prepare=copies_to(device)) as ahead:
            for batch in ahead:
                stepper.step(batch)
        wait_for(device)
        return [(time.perf_counter() - began) / len(batches)]

    clock = CLOCKS[variant.clock]
    # As in training, steps on CUDA are queued without waiting for the previous one.
    return {
        "train": train_in_a_queue if device.type == "cuda" else time_each_batch(train, clock),
        "infer": time_each_batch(infer, clock),
    }


def time_each_batch(work: Callable[[Batch], None], clock: Callable[[], float]) -> Action:
    """Build an action that times each batch separately; ``work`` must read its result, so that the device is idle."""

    def act(batches: list[Batch]) -> list[float]:
        seconds = []
        for batch in batches:
            began = clock()
            work(batch)
            seconds.append(clock() - began)
        return seconds

    return act


def main() -> None:
    """Answer commands until the input ends."""
    name, threads, variant = sys.argv[1], int(sys.argv[2]), Variant(*sys.argv[3:7])
    torch.set_num_threads(threads)
    run = _serve_epochs(EPOCHS[name], variant) if name in EPOCHS else _serve_steps(WORKLOADS[name], variant)
    print(json.dumps({"ready": True}), flush=True)
    for line in sys.stdin:
        answer = run(json.loads(line))
        answer["peak_mb"] = peak_bytes() / 2**20
        print(json.dumps(answer), flush=True)


def _serve_steps(workload: Workload, variant: Variant) -> Callable[[dict[str, Any]], dict[str, Any]]:
    actions = (published_actions if variant.name == "published" else our_actions)(workload, variant)
    cost = cost_of(workload.model, workload.schema)
    flops = {"train": cost.training_flops_per_example, "infer": cost.flops_per_example}
    batches: dict[int, list[Batch]] = {}

    def run(command: dict[str, Any]) -> dict[str, Any]:
        size, count, what = command["examples"], command["times"], command["do"]
        if size not in batches:
            batches[size] = [workload.batch(seed, size) for seed in range(NUM_BATCHES)]
        seconds = actions[what]([batches[size][index % NUM_BATCHES] for index in range(count)])
        return {"seconds": seconds, "examples": size, "flops": size * flops[what]}

    return run


def _serve_epochs(epoch: Epoch, variant: Variant) -> Callable[[dict[str, Any]], dict[str, Any]]:
    make = epoch.published if variant.name == "published" else epoch.ours
    one_epoch, size, clock = make(variant.settings), epoch.size(), CLOCKS[variant.clock]

    def run(command: dict[str, Any]) -> dict[str, Any]:
        began = clock()
        auc = [one_epoch() for _ in range(command["times"])][-1]
        seconds = (clock() - began) / command["times"]
        return {"seconds": [seconds], "auc": auc, "examples": size.examples, "flops": size.flops}

    return run


if __name__ == "__main__":
    main()

"""One variant in a process of its own: reads commands as JSON lines, answers with seconds.

A process each, because the allocator's settings and the peak of memory belong to a process.
"""

# ruff: noqa: T201 - answers go to the standard output

from __future__ import annotations

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
Action = Callable[[list[Batch]], list[float]]
"""Works on some batches; seconds of each, or the mean where they are not worked on one by one."""


@dataclass(frozen=True)
class Variant:
    """Which of the two, where, and our precision (the baseline is fp32)."""

    name: str
    device: str
    precision: str

    @property
    def settings(self) -> dict[str, Any]:
        """The settings of execution that the command line decides."""
        return {"device": self.device, "precision": self.precision}


def published_actions(workload: Workload, variant: Variant) -> dict[str, Action]:
    """The baseline's training step and inference."""
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

    return {"train": one_by_one(train), "infer": one_by_one(infer)}


def our_actions(workload: Workload, variant: Variant) -> dict[str, Action]:
    """What ``train`` does by default."""
    keep_large_blocks()
    optimiser = OptimiserSettings(embedding_l2=workload.embedding_l2)
    execution = ExecutionSettings.model_validate(variant.settings)
    device = choose_device(execution)
    torch.manual_seed(1)
    ranker = build_ranker(workload.model, workload.schema).to(device)
    stepper = Stepper(ranker, optimiser, execution, batch_size=workload.batch_size)
    scorer = Scorer(ranker, execution, batch_size=TrainingSettings().evaluation_batch_size)

    def train(batch: Batch) -> None:
        ranker.train()
        stepper.step(batch).item()

    def infer(batch: Batch) -> None:
        ranker.eval()
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

    # as in training: on CUDA no step waits for the one before
    return {
        "train": train_in_a_queue if device.type == "cuda" else one_by_one(train),
        "infer": one_by_one(infer),
    }


def one_by_one(work: Callable[[Batch], None]) -> Action:
    """Time each batch for itself; the work ends with a result that is read, so that nothing is left in a queue."""

    def act(batches: list[Batch]) -> list[float]:
        seconds = []
        for batch in batches:
            began = time.perf_counter()
            work(batch)
            seconds.append(time.perf_counter() - began)
        return seconds

    return act


def main() -> None:
    """Serve commands until the input ends."""
    name, threads, variant = sys.argv[1], int(sys.argv[2]), Variant(*sys.argv[3:6])
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
    one_epoch, size = make(variant.settings), epoch.size()

    def run(command: dict[str, Any]) -> dict[str, Any]:
        began = time.perf_counter()
        auc = [one_epoch() for _ in range(command["times"])][-1]
        seconds = (time.perf_counter() - began) / command["times"]
        return {"seconds": [seconds], "auc": auc, "examples": size.examples, "flops": size.flops}

    return run


if __name__ == "__main__":
    main()

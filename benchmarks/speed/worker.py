"""One variant in a process of its own: reads commands as JSON lines, answers with seconds.

A process each, because the allocator's settings and the peak of memory belong to a process.
"""

# ruff: noqa: T201 - answers go to the standard output

from __future__ import annotations

import json
import sys
import time
from collections.abc import Callable
from typing import Any

import torch
from benchmarks.process_memory import peak_bytes
from benchmarks.speed.epochs import EPOCHS, Epoch
from benchmarks.speed.published_manner import PublishedManner, PublishedStep
from benchmarks.speed.workloads import WORKLOADS, Workload

from rankelastor.config.training import TrainingSettings
from rankelastor.models.build import build_ranker
from rankelastor.training.allocator import keep_large_blocks
from rankelastor.training.device import choose_device
from rankelastor.training.scoring import Scorer
from rankelastor.training.step import Stepper

NUM_BATCHES = 8
Action = Callable[[Any], None]


def published_actions(workload: Workload) -> dict[str, Action]:
    """The baseline's training step and inference."""
    torch.manual_seed(1)
    ranker = PublishedManner(workload.model, workload.schema)
    stepper = PublishedStep(ranker, embedding_l2=workload.embedding_l2, learning_rate=1e-3)

    def infer(batch: Any) -> None:
        with torch.no_grad():
            ranker.eval()(batch).numpy()

    return {"train": lambda batch: (ranker.train(), stepper.step(batch)), "infer": infer}


def our_actions(workload: Workload) -> dict[str, Action]:
    """What ``train`` does by default."""
    keep_large_blocks()
    settings = TrainingSettings(embedding_l2=workload.embedding_l2, batch_size=workload.batch_size)
    device = choose_device(settings)
    torch.manual_seed(1)
    ranker = build_ranker(workload.model, workload.schema).to(device)
    stepper, scorer = Stepper(ranker, settings), Scorer(ranker, settings)
    return {
        "train": lambda batch: (ranker.train(), stepper.step(batch).item()),
        "infer": lambda batch: (ranker.eval(), scorer(batch)),
    }


def main() -> None:
    """Serve commands until the input ends."""
    variant, name, threads = sys.argv[1], sys.argv[2], int(sys.argv[3])
    torch.set_num_threads(threads)
    run = _serve_epochs(EPOCHS[name], variant) if name in EPOCHS else _serve_steps(WORKLOADS[name], variant)
    print(json.dumps({"ready": True}), flush=True)
    for line in sys.stdin:
        answer = run(json.loads(line))
        answer["peak_mb"] = peak_bytes() / 2**20
        print(json.dumps(answer), flush=True)


def _serve_steps(workload: Workload, variant: str) -> Callable[[dict[str, Any]], dict[str, Any]]:
    actions = published_actions(workload) if variant == "published" else our_actions(workload)
    batches: dict[int, list[Any]] = {}

    def run(command: dict[str, Any]) -> dict[str, Any]:
        size, count = command["examples"], command["times"]
        if size not in batches:
            batches[size] = [workload.batch(seed, size) for seed in range(NUM_BATCHES)]
        seconds = []
        for index in range(count):
            began = time.perf_counter()
            actions[command["do"]](batches[size][index % NUM_BATCHES])
            seconds.append(time.perf_counter() - began)
        return {"seconds": seconds}

    return run


def _serve_epochs(epoch: Epoch, variant: str) -> Callable[[dict[str, Any]], dict[str, Any]]:
    one_epoch = epoch.published() if variant == "published" else epoch.ours()

    def run(command: dict[str, Any]) -> dict[str, Any]:
        began = time.perf_counter()
        auc = [one_epoch() for _ in range(command["times"])][-1]
        return {"seconds": [(time.perf_counter() - began) / command["times"]], "auc": auc}

    return run


if __name__ == "__main__":
    main()

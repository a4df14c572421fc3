"""Measure the cost of sampling the spectrum during training: alternating rounds with and without the observer.

A round is one training of ``--steps`` steps from the same weights on the same batches, with the stepper of the training
loop. The goal is at most 3 % with the default settings. ``--steps`` must be a multiple of the sampling interval, so
that the share of sampled steps is that of a long training (the first step of a training, which is sampled too, is left
out).

The ratio is affected by the noise of the machine. The time spent in the observer's own calls, which include all its
work except copying a few examples in the hooks, is much less affected and is reported too.
"""

# ruff: noqa: T201 - a benchmark prints its figures

from __future__ import annotations

import argparse
import copy
import json
import os
import platform
import tempfile
import time
from pathlib import Path
from statistics import median

import torch

from rankelastor.config.execution import ExecutionSettings
from rankelastor.config.spectrum import SpectrumSettings
from rankelastor.config.training import TrainingSettings
from rankelastor.models.build import build_ranker
from rankelastor.models.ranker import Ranker
from rankelastor.models.ranker_settings import RankerSettings
from rankelastor.schema import Batch, CategoricalFeature, FeatureSchema
from rankelastor.spectrum.runs.observer import SpectrumObserver
from rankelastor.studies.demo import demo_models
from rankelastor.training.observers import Step
from rankelastor.training.step import Stepper

SMALLEST_NUM_ROUNDS = 7
NUM_FIELDS, NUM_IDS = 12, 1000
NUM_WARM_UP_STEPS = 3
EVERY_STEPS = 200
"""The largest gap between samples of the default setting, which longer trainings have for most of their time."""


def train(
    ranker: Ranker, batches: list[Batch], settings: TrainingSettings, observer: SpectrumObserver | None
) -> tuple[float, float]:
    """Measure the seconds of a training and those in the observer's calls; a copy of the ranker is trained."""
    ranker = copy.deepcopy(ranker).train()
    stepper = Stepper(ranker, settings.optimiser, settings.execution, batch_size=settings.batch_size)
    for batch in batches[:NUM_WARM_UP_STEPS]:
        stepper.step(batch)
    if observer is not None:
        observer.on_start(ranker, num_epochs=1, num_examples=0)
    start, in_observer = time.perf_counter(), 0.0
    for index, batch in enumerate(batches, start=1):
        loss = stepper.step(batch)
        if observer is not None:  # on_epoch_start is not called, so that the first step is not sampled
            if index % (EVERY_STEPS) == 0:
                _wait(settings.execution.device)  # do not charge earlier steps to the observer
            called = time.perf_counter()
            observer.on_step(Step(epoch=1, index=index, batch=batch, loss=loss))
            in_observer += time.perf_counter() - called
    _wait(settings.execution.device)
    seconds = time.perf_counter() - start
    if observer is not None:
        observer.on_end()
    return seconds, in_observer


def measure(model: RankerSettings, arguments: argparse.Namespace) -> dict[str, list[float]]:
    """Measure the seconds of each round with and without the observer, in alternating order."""
    settings = TrainingSettings(batch_size=arguments.batch_size, execution=ExecutionSettings(device=arguments.device))
    torch.manual_seed(0)
    schema = FeatureSchema(tuple(CategoricalFeature(f"field{index}", NUM_IDS) for index in range(NUM_FIELDS)))
    ranker = build_ranker(model, schema).to(arguments.device)
    batches = [_batch(arguments.batch_size) for _ in range(arguments.steps)]
    timed: dict[str, list[float]] = {"without": [], "with": [], "in the observer": []}
    with tempfile.TemporaryDirectory() as folder:
        for index in range(arguments.rounds):
            for name in ("without", "with") if index % 2 else ("with", "without"):
                observer = (
                    SpectrumObserver(SpectrumSettings(every_steps=EVERY_STEPS, warn_share=0), folder)
                    if name == "with"
                    else None
                )
                seconds, in_observer = train(ranker, batches, settings, observer)
                timed[name].append(seconds)
                if observer is not None:
                    timed["in the observer"].append(in_observer)
        num_samples = len((Path(folder) / "spectrum" / "samples.jsonl").read_text().splitlines())
    assert num_samples == arguments.rounds * arguments.steps // (EVERY_STEPS)
    return timed


def main() -> None:
    """Print the figures, and write them as JSON if requested."""
    arguments = parse_arguments()
    torch.set_num_threads(arguments.threads)
    facts = {
        "num_cores": os.cpu_count() or 0,
        "num_threads": torch.get_num_threads(),
        "device": torch.cuda.get_device_name() if arguments.device == "cuda" else platform.processor() or "cpu",
        "torch": torch.__version__,
        "python": platform.python_version(),
        "settings": SpectrumSettings(every_steps=EVERY_STEPS).model_dump(mode="json"),
        "batch_size": arguments.batch_size,
        "steps": arguments.steps,
    }
    print(", ".join(f"{name} {value}" for name, value in facts.items()))
    results = {}
    for model in demo_models():
        timed = results[model.kind] = measure(model, arguments)
        ratios = [one / other for one, other in zip(timed["with"], timed["without"], strict=True)]
        own = [inside / whole for inside, whole in zip(timed["in the observer"], timed["with"], strict=True)]
        step_ms = 1e3 * median(timed["without"]) / arguments.steps
        print(
            f"{model.kind:12} {step_ms:6.2f} ms per step; with / without: median {median(ratios):.4f}, "
            f"{min(ratios):.4f} to {max(ratios):.4f} over {len(ratios)} rounds; "
            f"ratio of the fastest rounds {min(timed['with']) / min(timed['without']):.4f}; "
            f"the observer's own calls: median {median(own):.2%}, at most {max(own):.2%} of the training"
        )
    if arguments.json is not None:
        arguments.json.write_text(json.dumps({"environment": facts, "seconds": results}, indent=1))


def parse_arguments() -> argparse.Namespace:
    """Read the command line."""
    every = EVERY_STEPS
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--steps", type=int, default=every, help=f"steps per round, a multiple of {every} ({every})")
    parser.add_argument("--batch-size", type=int, default=2048, help="examples per step (2048)")
    parser.add_argument("--rounds", type=int, default=11, help=f"at least {SMALLEST_NUM_ROUNDS} (11)")
    parser.add_argument("--threads", type=int, default=2, help="threads that PyTorch may use (2)")
    parser.add_argument("--device", default="cpu", choices=["cpu", "cuda"], help="cpu or cuda (cpu)")
    parser.add_argument("--json", type=Path, help="also write every round's figures to this file")
    arguments = parser.parse_args()
    if arguments.rounds < SMALLEST_NUM_ROUNDS:
        parser.error(f"--rounds must be at least {SMALLEST_NUM_ROUNDS}, but {arguments.rounds} was given")
    if arguments.steps < every or arguments.steps % every:
        parser.error(f"--steps must be a multiple of {every}, but {arguments.steps} was given")
    return arguments


def _batch(batch_size: int) -> Batch:
    return Batch(
        categorical=torch.randint(1, NUM_IDS, (batch_size, NUM_FIELDS)),
        numeric=torch.zeros(batch_size, 0),
        labels=torch.randint(0, 2, (batch_size, 1)).float(),
        group=None,
    )


def _wait(device: str) -> None:
    if device == "cuda":
        torch.cuda.synchronize()


if __name__ == "__main__":
    main()

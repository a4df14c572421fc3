"""Measure the time of a training step by named stage."""

from __future__ import annotations

import itertools
import time
from collections.abc import Generator, Iterator, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass, field
from typing import TypeVar

import torch

from rankelastor.collectives.processes import ALONE, Processes
from rankelastor.errors import SettingsError
from rankelastor.execution.cores import borrowed_cores, threads_in_use
from rankelastor.execution.device import precision_name
from rankelastor.execution.machine_peak import wait_for
from rankelastor.models.ranker import Ranker
from rankelastor.profiling.stage_clock import StageClock, StagePass
from rankelastor.progress import ProgressListener, SilentProgress
from rankelastor.recipes.recipe import Recipe
from rankelastor.schema import Batch
from rankelastor.training.distributed.agreement import agreed_inputs
from rankelastor.training.epoch_batches import epoch_batches
from rankelastor.training.interruption import Interruption
from rankelastor.training.side_by_side import lend_generators
from rankelastor.training.step import Stepper
from rankelastor.training.stepper_of import stepper_of
from rankelastor.training.training import Training

Item = TypeVar("Item")


@dataclass(frozen=True)
class StageTime:
    """Milliseconds per step in one stage: forward, backward, and both (``ms``); ``share`` is that of all stages."""

    stage: str
    forward_ms: float
    backward_ms: float
    ms: float
    share: float


@dataclass(frozen=True)
class StepProfile:
    """Time of a training step by stage.

    Attributes:
        stages: times of the stages in the order of a step; a stage that does not occur is left out.
        step_ms: time of a whole step including loading, measured without hooks, alternating with the steps with hooks.
        watched_step_ms: time of a whole step with the hooks that separate the stages: the sum of the stages. Its slices
            are computed one after the other on ``slice_threads`` cores, while a step without hooks may compute several
            in parallel. With ``training.compile``, steps without hooks run compiled and those with hooks run eagerly.
        accounted_share: sum of the named stages (all but ``other``) over ``step_ms``; above 1 if the overhead of the
            hooks exceeds the time in ``other``, and about ``num_threads`` if steps without hooks compute slices in
            parallel.
        num_steps: number of steps measured of each kind; every figure is the mean over the middle half of them by time.
        batch_size: number of examples per step.
        device: name of the device.
        num_threads: number of PyTorch's threads on the CPU.
        threads_reason: why it is this number.
        slice_threads: number of these threads that compute one slice.
        precision: precision of the matrix products.
        num_processes: number of processes that take the steps together; all figures but ``batch_size`` are those of the
            first, whose stage ``exchange`` is what it gives others or waits for, of sharded rows with their updates.
        bytes_per_step: bytes that it gave the others at a step, by kind.
    """

    stages: tuple[StageTime, ...]
    step_ms: float
    watched_step_ms: float
    accounted_share: float
    num_steps: int
    batch_size: int
    device: str
    num_threads: int
    threads_reason: str
    slice_threads: int
    precision: str
    num_processes: int = 1
    bytes_per_step: Mapping[str, int] = field(default_factory=dict)

    @property
    def examples_per_second(self) -> float:
        """Examples per second in steps without hooks."""
        return 1e3 * self.batch_size / self.step_ms


def profile(
    recipe: Recipe,
    *,
    num_steps: int = 20,
    num_warmup: int = 5,
    progress: ProgressListener | None = None,
    processes: Processes = ALONE,
) -> StepProfile:
    """Train a new ranker of the recipe for some steps, measure the time of each stage, and discard the ranker.

    Steps with and without hooks alternate. Prepares the data first if that has not been done.

    Args:
        recipe: data, model and training.
        num_steps: number of steps to measure of each kind.
        num_warmup: number of warm-up steps.
        progress: listener for the progress of the preparation and of the steps.
        processes: those that take the steps together; all of them call this.

    Raises:
        SettingsError: ``num_steps`` or ``num_warmup`` is too small, the model's sizes are inconsistent, or it does not
            fit in memory.
        StalePreparedError: the prepared folder was made from other settings or sources.
        RunError: recipe or data differ between the processes, or one of them ended.
    """
    _check_counts(num_steps, num_warmup)
    with borrowed_cores(recipe.training.execution.threads):
        inputs = agreed_inputs(recipe, processes, progress=progress)
        training = inputs.training(processes)
        training.ranker.train()
        with lend_generators(training.generators):
            return _profile(training, num_steps=num_steps, num_warmup=num_warmup, progress=progress or SilentProgress())


def _profile(training: Training, *, num_steps: int, num_warmup: int, progress: ProgressListener) -> StepProfile:
    device, traffic = training.device, training.processes.traffic
    clock = StageClock(device)
    stepper = stepper_of(training, Interruption(), on_phase=clock.on_phase)
    batches = _whole_batches(training)
    plain, watched = [], []
    with closing(stepper), closing(batches):
        progress.begin("warming up and measuring", total=num_warmup + num_steps, unit="steps")
        for _ in range(num_warmup):
            stepper.step(next(batches))
            progress.advance(1)
        before = dict(traffic.num_bytes)
        for _ in range(num_steps):
            plain.append(_step_without_hooks(stepper, batches, device))
            watched.append(_step_with_hooks(stepper, batches, training.ranker, clock))
            progress.advance(1)
        progress.end()
    sent = {kind: count - before.get(kind, 0) for kind, count in traffic.num_bytes.items()}
    return _summarise(
        plain,
        watched,
        training,
        slice_threads=stepper.cores_per_slice,
        bytes_per_step={kind: round(count / (2 * num_steps)) for kind, count in sent.items() if count},
    )


def stage_names(ranker: Ranker) -> tuple[str, ...]:
    """List the stages of a step in order; ``other`` is the time between stages, mostly the overhead of Python."""
    return ("data", "copy to device", "embedding", *ranker.stages, "loss", "exchange", "optimiser", "other")


def _check_counts(num_steps: int, num_warmup: int) -> None:
    if num_steps < 1:
        raise SettingsError(f"steps must be 1 or more, but {num_steps} was given; try 20")
    if num_warmup < 0:
        raise SettingsError(f"warmup must be 0 or more steps, but {num_warmup} was given; try 5")


def _whole_batches(training: Training) -> Generator[Batch, None, None]:
    """Yield the full batches of successive epochs; if the train split is smaller than a batch, the whole split."""
    loader = training.train
    size = min(loader.batch_size, loader.num_rows)
    for epoch in itertools.count(1):
        with epoch_batches(
            loader,
            epoch=epoch,
            read_ahead=training.settings.execution.read_ahead,
            device=training.device,
            rare_as_unseen=training.rare_as_unseen,
        ) as batches:
            for place, batch in enumerate(batches):
                _, _, num_examples = loader.place_in(place)  # of all processes
                if num_examples == size:
                    yield batch


def _step_without_hooks(stepper: Stepper, batches: Iterator[Batch], device: torch.device) -> float:
    wait_for(device)
    began = time.perf_counter()
    stepper.step(next(batches))
    wait_for(device)
    return time.perf_counter() - began


def _step_with_hooks(
    stepper: Stepper, batches: Iterator[Batch], ranker: Ranker, clock: StageClock
) -> dict[StagePass, float]:
    with clock.attach(ranker):
        stepper.step(next(batches))
    return clock.seconds()


def _summarise(
    plain: Sequence[float],
    watched: Sequence[dict[StagePass, float]],
    training: Training,
    *,
    slice_threads: int,
    bytes_per_step: Mapping[str, int],
) -> StepProfile:
    step = _mean(_middle_half(sorted(plain)))
    kept = _middle_half(sorted(watched, key=lambda seconds: sum(seconds.values())))
    whole = _mean([sum(seconds.values()) for seconds in kept])
    names = [name for name in stage_names(training.ranker) if any(name == stage for stage, _ in kept[0])]
    stages = tuple(_stage_time(name, kept, whole) for name in names)
    named = sum(stage.ms for stage in stages if stage.stage != "other")
    device = training.device
    return StepProfile(
        stages=stages,
        step_ms=1e3 * step,
        watched_step_ms=1e3 * whole,
        accounted_share=named / (1e3 * step),
        num_steps=len(plain),
        batch_size=min(training.train.batch_size, training.train.num_rows),
        device=torch.cuda.get_device_name(device) if device.type == "cuda" else "cpu",
        num_threads=torch.get_num_threads(),
        threads_reason=threads_in_use(training.settings.execution.threads).reason,
        slice_threads=slice_threads,
        precision=precision_name(training.settings.execution, device),
        num_processes=training.processes.world.size,
        bytes_per_step=bytes_per_step,
    )


def _stage_time(name: str, steps: Sequence[dict[StagePass, float]], whole: float) -> StageTime:
    forward, backward = (_mean([seconds.get((name, way), 0.0) for seconds in steps]) for way in ("forward", "backward"))
    total = forward + backward
    return StageTime(
        stage=name, forward_ms=1e3 * forward, backward_ms=1e3 * backward, ms=1e3 * total, share=total / whole
    )


def _middle_half(ordered: Sequence[Item]) -> Sequence[Item]:
    """Drop the fastest and the slowest quarter, to reduce the influence of other load on the machine."""
    quarter = len(ordered) // 4
    return ordered[quarter : len(ordered) - quarter]


def _mean(values: Sequence[float]) -> float:
    return sum(values) / len(values)

"""Measure the time of a training step by named stage."""

from __future__ import annotations

import itertools
import time
from collections.abc import Generator, Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass
from typing import TypeVar

import torch

from rankelastor.config.training import TrainingSettings
from rankelastor.data.prepare import open_or_prepare
from rankelastor.data.prepared import PreparedDataset
from rankelastor.errors import SettingsError
from rankelastor.execution.cores import borrowed_cores
from rankelastor.execution.device import choose_device, precision_name
from rankelastor.execution.machine_peak import wait_for
from rankelastor.models.build import build_ranker
from rankelastor.models.ranker import Ranker
from rankelastor.nn.own_draws import OwnDraws
from rankelastor.profiling.stage_clock import StageClock, StagePass
from rankelastor.progress import ProgressListener, SilentProgress
from rankelastor.recipes.completion import complete
from rankelastor.recipes.recipe import Recipe
from rankelastor.schema import Batch
from rankelastor.training.epoch_batches import epoch_batches, training_loader
from rankelastor.training.objective import objective_of
from rankelastor.training.rare_as_unseen import RareAsUnseen
from rankelastor.training.step import Stepper

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
        slice_threads: number of these threads that compute one slice.
        precision: precision of the matrix products.
    """

    stages: tuple[StageTime, ...]
    step_ms: float
    watched_step_ms: float
    accounted_share: float
    num_steps: int
    batch_size: int
    device: str
    num_threads: int
    slice_threads: int
    precision: str

    @property
    def examples_per_second(self) -> float:
        """Examples per second in steps without hooks."""
        return 1e3 * self.batch_size / self.step_ms


def profile(
    recipe: Recipe, *, num_steps: int = 20, num_warmup: int = 5, progress: ProgressListener | None = None
) -> StepProfile:
    """Train a new ranker of the recipe for some steps, measure the time of each stage, and discard the ranker.

    Steps with and without hooks alternate. Prepares the data first if that has not been done.

    Args:
        recipe: data, model and training.
        num_steps: number of steps to measure of each kind.
        num_warmup: number of warm-up steps.
        progress: listener for the progress of the preparation and of the steps.

    Raises:
        SettingsError: ``num_steps`` or ``num_warmup`` is too small, or the model's sizes are inconsistent.
        StalePreparedError: the prepared folder was made from other settings or sources.
    """
    _check_counts(num_steps, num_warmup)
    with borrowed_cores(recipe.training.execution.threads):
        dataset = open_or_prepare(recipe.data, progress=progress)
        recipe = complete(recipe, dataset.manifest).recipe
        return _profile(
            recipe, dataset, num_steps=num_steps, num_warmup=num_warmup, progress=progress or SilentProgress()
        )


def _profile(
    recipe: Recipe, dataset: PreparedDataset, *, num_steps: int, num_warmup: int, progress: ProgressListener
) -> StepProfile:
    settings, device = recipe.training, choose_device(recipe.training.execution)
    num_rows = dataset.split("train").num_rows
    generator = torch.Generator().manual_seed(settings.seed)
    with OwnDraws(generator):
        ranker = build_ranker(recipe.model, dataset.schema).to(device).train()
    clock = StageClock(device)
    stepper = Stepper(
        ranker,
        settings.optimiser,
        settings.execution,
        batch_size=settings.batch_size,
        objective=objective_of(settings, dataset.schema.tasks, ranker),
        generator=generator,
        averaged_weights=settings.averaged_weights,
        on_phase=clock.on_phase,
    )
    batches = _whole_batches(dataset, settings, device)
    plain, watched = [], []
    with closing(stepper), closing(batches):
        progress.begin("warming up and measuring", total=num_warmup + num_steps, unit="steps")
        for _ in range(num_warmup):
            stepper.step(next(batches))
            progress.advance(1)
        for _ in range(num_steps):
            plain.append(_step_without_hooks(stepper, batches, device))
            watched.append(_step_with_hooks(stepper, batches, ranker, clock))
            progress.advance(1)
        progress.end()
    size = min(settings.batch_size, num_rows)
    return _summarise(
        plain,
        watched,
        recipe,
        names=stage_names(ranker),
        batch_size=size,
        device=device,
        slice_threads=stepper.cores_per_slice,
    )


def stage_names(ranker: Ranker) -> tuple[str, ...]:
    """List the stages of a step in order; ``other`` is the time between stages, mostly the overhead of Python."""
    return ("data", "copy to device", "embedding", *ranker.stages, "loss", "optimiser", "other")


def _check_counts(num_steps: int, num_warmup: int) -> None:
    if num_steps < 1:
        raise SettingsError(f"steps must be 1 or more, but {num_steps} was given; try 20")
    if num_warmup < 0:
        raise SettingsError(f"warmup must be 0 or more steps, but {num_warmup} was given; try 5")


def _whole_batches(
    dataset: PreparedDataset, settings: TrainingSettings, device: torch.device
) -> Generator[Batch, None, None]:
    """Yield the full batches of successive epochs; if the train split is smaller than a batch, the whole split."""
    loader = training_loader(dataset, settings)
    size = min(settings.batch_size, loader.num_rows)
    rare = RareAsUnseen.of(dataset, settings.rare_as_unseen, seed=settings.seed)
    for epoch in itertools.count(1):
        with epoch_batches(
            loader, epoch=epoch, read_ahead=settings.execution.read_ahead, device=device, rare_as_unseen=rare
        ) as batches:
            yield from (batch for batch in batches if batch.num_examples == size)


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
    recipe: Recipe,
    *,
    names: Sequence[str],
    batch_size: int,
    slice_threads: int,
    device: torch.device,
) -> StepProfile:
    step = _mean(_middle_half(sorted(plain)))
    kept = _middle_half(sorted(watched, key=lambda seconds: sum(seconds.values())))
    whole = _mean([sum(seconds.values()) for seconds in kept])
    stages = tuple(_stage_time(name, kept, whole) for name in names if any(name == stage for stage, _ in kept[0]))
    named = sum(stage.ms for stage in stages if stage.stage != "other")
    return StepProfile(
        stages=stages,
        step_ms=1e3 * step,
        watched_step_ms=1e3 * whole,
        accounted_share=named / (1e3 * step),
        num_steps=len(plain),
        batch_size=batch_size,
        device=torch.cuda.get_device_name(device) if device.type == "cuda" else "cpu",
        num_threads=torch.get_num_threads(),
        slice_threads=slice_threads,
        precision=precision_name(recipe.training.execution, device),
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

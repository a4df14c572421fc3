"""Where the time of a training step goes, by named stage."""

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
from rankelastor.profiling.stage_clock import StageClock, StagePass
from rankelastor.progress import ProgressListener
from rankelastor.recipes.recipe import Recipe
from rankelastor.schema import Batch
from rankelastor.training.epoch_batches import epoch_batches, training_loader
from rankelastor.training.rare_as_unseen import RareAsUnseen
from rankelastor.training.step import Stepper

Item = TypeVar("Item")


@dataclass(frozen=True)
class StageTime:
    """Milliseconds a step in one stage. ``share``: of all stages together. ``ms``: both directions together."""

    stage: str
    forward_ms: float
    backward_ms: float
    ms: float
    share: float


@dataclass(frozen=True)
class StepProfile:
    """Where a step's time goes.

    Attributes:
        stages: in the order of a step; a stage that does not occur is left out.
        step_ms: a whole step with its loading, measured without hooks, in turn with the watched steps.
        watched_step_ms: a whole step with the hooks that tell the stages apart: the sum of the stages. Its slices are
            computed one after the other on ``slice_threads`` cores, where a step without hooks may compute several at
            once.
            Where ``training.compile`` compiles, steps without hooks run compiled and the watched ones eagerly.
        accounted_share: what the named stages (all but ``other``) add up to, over ``step_ms``; above 1 where the hooks
            cost more than what they leave out, and about ``num_threads`` where slices of other steps run side by side.
        num_steps: steps measured of each kind; every figure is the mean over the middle half of them by time.
        batch_size: examples in each of these steps.
        device: its name.
        num_threads: of PyTorch on the CPU.
        slice_threads: of these, those that work on one slice.
        precision: of the matrix products.
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
        """Examples a second of the steps without hooks."""
        return 1e3 * self.batch_size / self.step_ms


def profile(
    recipe: Recipe, *, num_steps: int = 20, num_warmup: int = 5, progress: ProgressListener | None = None
) -> StepProfile:
    """Train a fresh ranker of the recipe for some steps and tell where their time goes; nothing is kept.

    Steps with hooks and steps without take turns. Prepares the data first where that has not been done.

    Args:
        recipe: data, model and training.
        num_steps: steps to measure of each kind.
        num_warmup: steps before.
        progress: told of the preparation.

    Raises:
        SettingsError: no step is asked for, or the model's sizes do not go together.
        StalePreparedError: the prepared folder was made from other settings or sources.
    """
    _check_counts(num_steps, num_warmup)
    with borrowed_cores(recipe.training.execution.threads):
        dataset = open_or_prepare(recipe.data, progress=progress)
        return _profile(recipe, dataset, num_steps=num_steps, num_warmup=num_warmup)


def _profile(recipe: Recipe, dataset: PreparedDataset, *, num_steps: int, num_warmup: int) -> StepProfile:
    settings, device = recipe.training, choose_device(recipe.training.execution)
    num_rows = dataset.split("train").num_rows
    torch.manual_seed(settings.seed)
    ranker = build_ranker(recipe.model, dataset.schema).to(device).train()
    clock = StageClock(device)
    stepper = Stepper(
        ranker, settings.optimiser, settings.execution, batch_size=settings.batch_size, on_phase=clock.on_phase
    )
    batches = _whole_batches(dataset, settings, device)
    plain, watched = [], []
    with closing(stepper), closing(batches):
        for _ in range(num_warmup):
            stepper.step(next(batches))
        for _ in range(num_steps):
            plain.append(_plain_step(stepper, batches, device))
            watched.append(_watched_step(stepper, batches, ranker, clock))
    size = min(settings.batch_size, num_rows)
    return _profile_of(
        plain,
        watched,
        recipe,
        names=stage_names(ranker),
        batch_size=size,
        device=device,
        slice_threads=stepper.cores_per_slice,
    )


def stage_names(ranker: Ranker) -> tuple[str, ...]:
    """Name the stages of a step in their order. ``other`` is what lies between them, mostly Python's own work."""
    return ("data", "copy to device", "embedding", *ranker.stages, "loss", "optimiser", "other")


def _check_counts(num_steps: int, num_warmup: int) -> None:
    if num_steps < 1:
        raise SettingsError(f"steps must be 1 or more, but {num_steps} was given; try 20")
    if num_warmup < 0:
        raise SettingsError(f"warmup must be 0 or more steps, but {num_warmup} was given; try 5")


def _whole_batches(
    dataset: PreparedDataset, settings: TrainingSettings, device: torch.device
) -> Generator[Batch, None, None]:
    """Batches of one epoch after the other, without the smaller last ones; all of them where the data make only one."""
    loader = training_loader(dataset, settings)
    size = min(settings.batch_size, loader.num_rows)
    rare = RareAsUnseen.of(dataset, settings.rare_as_unseen, seed=settings.seed)
    for epoch in itertools.count(1):
        with epoch_batches(
            loader, epoch=epoch, read_ahead=settings.execution.read_ahead, device=device, rare_as_unseen=rare
        ) as batches:
            yield from (batch for batch in batches if batch.num_examples == size)


def _plain_step(stepper: Stepper, batches: Iterator[Batch], device: torch.device) -> float:
    wait_for(device)
    began = time.perf_counter()
    stepper.step(next(batches))
    wait_for(device)
    return time.perf_counter() - began


def _watched_step(
    stepper: Stepper, batches: Iterator[Batch], ranker: Ranker, clock: StageClock
) -> dict[StagePass, float]:
    with clock.watching(ranker):
        stepper.step(next(batches))
    return clock.seconds()


def _profile_of(
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
    """Without the fastest and the slowest quarter, so that what else the machine does counts little."""
    quarter = len(ordered) // 4
    return ordered[quarter : len(ordered) - quarter]


def _mean(values: Sequence[float]) -> float:
    return sum(values) / len(values)

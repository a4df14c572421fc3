"""Sample the rank of the representations while a model trains, without changing the training."""

from __future__ import annotations

import logging
import math
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from jaxtyping import Float, Float64
from numpy import ndarray
from torch import Tensor, nn
from torch.utils.hooks import RemovableHandle

from rankelastor.config.spectrum import SpectrumSettings
from rankelastor.models.ranker import Ranker
from rankelastor.percent import percent
from rankelastor.spectrum.measures import all_measures, find_measure
from rankelastor.spectrum.runs.sampled_steps import is_sampled
from rankelastor.spectrum.runs.tensorboard import TensorBoardWriter
from rankelastor.spectrum.runs.training_samples import StageSample, TrainingSample, append_sample, cut_samples
from rankelastor.training.observers import ResumePoint, SilentObserver, Step

logger = logging.getLogger(__name__)


class SpectrumObserver(SilentObserver):
    """Observer that samples the token matrices at each stage in the first and every n-th training forward pass.

    Hooks are registered for the sampled steps only and copy a few examples; the measures are computed after the step.
    No random number is drawn and no tensor of the model is changed, so the trained weights are the same as without
    sampling.

    Args:
        settings: sampling interval, number of examples, measures, and when to warn.
        folder: the run folder, which training creates; the samples are written to ``spectrum/samples.jsonl`` in it.
    """

    def __init__(self, settings: SpectrumSettings, folder: str | Path) -> None:
        self._settings = settings
        self._folder = Path(folder)
        self._tensorboard = TensorBoardWriter(self._folder) if settings.tensorboard else None
        self._handles: list[RemovableHandle] = []
        self._seen: dict[str, list[Float[Tensor, "example token dim"]]] = {}
        self._points: dict[str, nn.Module] = {}
        self._num_steps = 0
        self._warned: set[str] = set()

    def on_start(self, ranker: Ranker, *, num_epochs: int, num_examples: int) -> None:
        """Store the points of the ranker."""
        del num_epochs, num_examples
        self._points = dict(ranker.points)
        self._num_steps = 0
        self._warned.clear()

    def state(self) -> dict[str, Any]:
        """Return what has been warned of; the samples stand in their file."""
        return {"warned": sorted(self._warned)}

    def on_resume(self, point: ResumePoint, state: Mapping[str, Any]) -> None:
        """Cut the samples at the step at which training goes on."""
        self._num_steps = point.step
        self._warned = set(state.get("warned", ()))
        cut_samples(self._folder, last_step=point.step)
        if self._tensorboard is not None:
            self._tensorboard.resume(point.step)

    def on_epoch_start(self, epoch: int) -> None:
        """Register hooks if the first step of the epoch is to be sampled."""
        del epoch
        self._register_hooks_if_due()

    def on_step(self, step: Step) -> None:
        """Write the sample of this step, if any; register hooks if the next step is to be sampled."""
        self._num_steps = step.index
        if self._seen:
            self._remove_hooks()
            sample = self._sample(step)
            append_sample(self._folder, sample)
            if self._tensorboard is not None:
                self._tensorboard.add(sample)
            self._warn(sample)
        self._register_hooks_if_due()

    def on_end(self) -> None:
        """Remove all hooks and close TensorBoard's writer."""
        self._remove_hooks()
        if self._tensorboard is not None:
            self._tensorboard.close()

    def _register_hooks_if_due(self) -> None:
        if is_sampled(self._num_steps + 1, every_steps=self._settings.every_steps) and not self._handles:
            self._handles = [
                module.register_forward_hook(self._hook_for(name)) for name, module in self._points.items()
            ]

    def _remove_hooks(self) -> None:
        for handle in self._handles:
            handle.remove()
        self._handles = []

    def _hook_for(self, name: str) -> Callable[[nn.Module, object, Tensor], None]:
        def hook(module: nn.Module, _inputs: object, output: Tensor) -> None:
            if module.training:  # the valid split is scored between epochs, with the hooks registered
                # A batch may be processed in several slices.
                self._seen.setdefault(name, []).append(output.detach())

        return hook

    def _sample(self, step: Step) -> TrainingSample:
        seen = {name: _pick_evenly(torch.cat(parts), self._settings.examples) for name, parts in self._seen.items()}
        self._seen = {}
        stages = _stage_samples(seen, self._settings.measures)
        num_examples = min(len(tokens) for tokens in seen.values())
        return TrainingSample(epoch=step.epoch, step=step.index, num_examples=num_examples, stages=stages)

    def _warn(self, sample: TrainingSample) -> None:
        measure = self._settings.measures[0]
        for name, stage in sample.stages.items():
            if stage.num_not_finite:
                self._warn_once(
                    f"{name}, not finite",
                    f"spectrum: at step {sample.step}, {stage.num_not_finite} of {sample.num_examples} sampled "
                    f"examples have NaN or infinite activations after {name}",
                )
            mean, limit = stage.means.get(measure), self._settings.warn_share * stage.max_possible_rank
            if mean is not None and mean < limit:
                self._warn_once(
                    name,
                    f"spectrum: at step {sample.step} the {find_measure(measure).title} after {name} is {mean:.2f} "
                    f"of {stage.max_possible_rank} possible ({percent(mean / stage.max_possible_rank)}), below "
                    f"spectrum.warn_share={self._settings.warn_share:g}",
                )

    def _warn_once(self, about: str, message: str) -> None:
        if about not in self._warned:
            self._warned.add(about)
            logger.warning(message)


def _pick_evenly(tokens: Float[Tensor, "batch token dim"], num_examples: int) -> Float[Tensor, "example token dim"]:
    """Copy at most ``num_examples`` evenly spaced examples, so that the batch can be freed."""
    stride = math.ceil(len(tokens) / num_examples)
    return tokens[::stride].clone()


@torch.no_grad()
def _stage_samples(
    seen: Mapping[str, Float[Tensor, "example token dim"]], names: Sequence[str]
) -> dict[str, StageSample]:
    """Measure the token matrices of each stage; stages of one shape together, since calls take longer than sums."""
    by_shape: dict[torch.Size, dict[str, Tensor]] = {}
    for stage, tokens in seen.items():
        by_shape.setdefault(tokens.shape, {})[stage] = tokens.float().cpu()
    samples = {}
    for stages in by_shape.values():
        found = all_measures(torch.stack(list(stages.values())), method="gram", names=names)
        columns = {name: values.double().numpy() for name, values in found.items()}
        for place, (stage, tokens) in enumerate(stages.items()):
            samples[stage] = _stage_sample(tokens, {name: values[place] for name, values in columns.items()})
    return {stage: samples[stage] for stage in seen}


def _stage_sample(
    tokens: Float[Tensor, "example token dim"], measured: Mapping[str, Float64[ndarray, " example"]]
) -> StageSample:
    means, errors = {}, {}
    for name, values in measured.items():
        finite = values[np.isfinite(values)]
        if len(finite):
            means[name] = float(finite.mean())
        if len(finite) > 1:
            errors[name] = float(finite.std(ddof=1)) / math.sqrt(len(finite))
    return StageSample(
        max_possible_rank=min(tokens.shape[1:]),
        num_not_finite=len(tokens) - int(np.isfinite(tokens.numpy()).all(axis=(1, 2)).sum()),
        means=means,
        standard_errors=errors,
    )

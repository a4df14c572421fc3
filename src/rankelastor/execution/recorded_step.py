"""Record a whole training step on CUDA as one graph, and launch it at once from then on."""

from __future__ import annotations

import logging
from collections.abc import Callable
from dataclasses import fields
from functools import cache

import torch
from torch import Tensor, nn

from rankelastor.execution.hooks import has_hooks
from rankelastor.schema import Batch

logger = logging.getLogger(__name__)

Step = Callable[[Batch], Tensor]
WARM_UPS = 3
"""Steps that run before one is recorded: they choose algorithms and create the optimiser's state."""


class RecordedStep:
    """Replay a training step from a CUDA graph: look-up, both passes, clipping and the optimiser in one launch.

    The first ``WARM_UPS`` steps run as they are; the next is recorded and from then on replayed with other examples.
    A step runs as it is

    - while a module has hooks, which a replay does not call;
    - for batches smaller than the largest so far, such as the last of an epoch;
    - permanently once recording has failed; a warning says why.

    It is recorded anew where the modules, their mode, a dropout rate or the parameters are no longer those of the
    recording. Values that lie in tensors (weights, learning rate, buffers) are read at every replay.

    Args:
        step: takes one step on a batch that lies on the device, without reading a value back from it.
        model: holds the parameters that the step changes.
    """

    def __init__(self, step: Step, model: nn.Module) -> None:
        self._step = step
        self._model = model
        self._num_examples = 0
        self._warm_ups = 0
        self._recording: _Recording | None = None
        self.has_failed = False
        """Whether recording has failed, so that every step runs as it is."""

    @property
    def is_recorded(self) -> bool:
        """Whether a recording is in use."""
        return self._recording is not None

    def __call__(self, batch: Batch) -> Tensor:
        """Take one step; return its loss."""
        if self.has_failed or has_hooks(*self._model.modules()):
            return self._step(batch)
        if batch.num_examples > self._num_examples:
            self._num_examples, self._warm_ups, self._recording = batch.num_examples, 0, None
        if batch.num_examples < self._num_examples:
            return self._step(batch)
        if self._recording is None and self._warm_ups < WARM_UPS:
            self._warm_ups += 1
            return self._beside(batch)
        return self._replayed(batch)

    def _beside(self, batch: Batch) -> Tensor:
        """Take a step in another stream, as PyTorch asks of the steps before a recording."""
        current, stream = torch.cuda.current_stream(), torch.cuda.Stream()
        stream.wait_stream(current)
        with torch.cuda.stream(stream):
            loss = self._step(batch)
        current.wait_stream(stream)
        loss.record_stream(current)
        return loss

    def _replayed(self, batch: Batch) -> Tensor:
        state = _state_of(self._model)
        if self._recording is None or self._recording.state != state:
            self._recording = None  # frees the memory of the old recording first
            try:
                self._recording = _Recording(self._step, self._model, batch, state)
            except RuntimeError as error:
                self.has_failed = True
                _warn_that_recording_failed(str(error).splitlines()[0])
                return self._step(batch)
        return self._recording.replay(batch)


class _Recording:
    """One recorded step with the examples and the gradients that it reads and writes."""

    def __init__(self, step: Step, model: nn.Module, batch: Batch, state: object) -> None:
        self.state = state
        self._examples = batch.clone()
        self._graph = torch.cuda.CUDAGraph()
        with torch.cuda.graph(self._graph, capture_error_mode="thread_local"):  # batches are copied beside it
            self._loss = step(self._examples)
        self._gradients = [(parameter, parameter.grad) for parameter in model.parameters()]

    def replay(self, batch: Batch) -> Tensor:
        """Replay the step with these examples; return a copy of the loss, which the next replay overwrites."""
        for field in fields(batch):
            examples, kept = getattr(batch, field.name), getattr(self._examples, field.name)
            if examples is not None:
                kept.copy_(examples)
        self._graph.replay()
        for parameter, gradient in self._gradients:
            parameter.grad = gradient
        return self._loss.clone()


def _state_of(model: nn.Module) -> list[object]:
    """List what a recording relies on and no tensor holds."""
    modules = [(id(module), module.training, module.__dict__.get("p")) for module in model.modules()]
    parameters = [(parameter.data_ptr(), parameter.requires_grad) for parameter in model.parameters()]
    return [*modules, *parameters]


@cache
def _warn_that_recording_failed(reason: str) -> None:
    logger.warning(
        "a training step should be recorded as a CUDA graph, but that failed: %s; each step runs by itself, which "
        "gives the same results and is slower; try training.record=never to leave recording out",
        reason,
    )

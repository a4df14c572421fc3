"""Record a slice's forward and backward pass, and repeat them for other examples without Python between operations.

Where models are small, most of the time of a training step is Python and autograd between the operations. Nothing of
the result depends on whether a slice is recorded: the operations are the same, see ``recording.py``.
"""

from __future__ import annotations

import logging
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import fields, replace
from typing import Any

import torch
from torch import Tensor

from rankelastor.execution.model_state import ModelState
from rankelastor.execution.recording import NotRecordableError, Recording, record
from rankelastor.execution.rules import Operation
from rankelastor.models.ranker import Ranker
from rankelastor.schema import Batch

logger = logging.getLogger(__name__)

Gradients = Callable[[Operation, Tensor, Batch, Tensor | float], Sequence[Tensor]]
"""Function of the network, the rows found, a slice and the total of its batch: the loss and all gradients."""

MOST_WORK = 2**28
"""Most examples of a slice times dense parameters for which it is recorded."""
MOST_BYTES = 2**28
"""Bytes that the recordings of a training hold at most."""
_MOST_SHAPES = 8
_TIMES = 3
"""A slice is recorded when its shape comes for the third time: the last one of an epoch is rarely worth it."""
_KNOWN = {"rankelastor", "torch"}
"""Packages whose layers compute with tensors alone. Others may do anything, such as draw numbers in Python."""


class RecordedGradients:
    """The loss and the gradients of slices on the CPU, recorded for shapes that come again.

    A slice runs as it is

    - until its shape has come three times since the model last changed (modules, their mode, a rate of dropout or any
      other attribute, a parameter that was replaced, frozen or moved);
    - where ``rankelastor`` and PyTorch do not define all layers, or a parameter has hooks on its gradient;
    - where PyTorch looks for anomalies, or the caller chose another precision by ``torch.autocast``;
    - where it cannot be repeated: values choose operations, numbers are drawn but for dropout masks, layers keep
      statistics of batches;
    - for further shapes once there are 8, or their memory is ``most_bytes``.

    It is used by one thread at a time, and for modules without hooks.

    Args:
        gradients: computes a slice; it changes nothing but what it makes, and masks are drawn of streams that
            ``restart`` begins.
        ranker: the model that it computes.
        most_bytes: memory of the recordings.
    """

    def __init__(self, gradients: Gradients, ranker: Ranker, *, most_bytes: int = MOST_BYTES) -> None:
        self._gradients = gradients
        self._ranker = ranker
        self._most_bytes = most_bytes
        self._compute: Operation | None = None
        self._state: ModelState | None = None
        self._is_known = False
        self._times: Counter[object] = Counter()
        self._recordings: dict[object, Recording] = {}
        self._num_bytes = 0

    @property
    def num_recorded(self) -> int:
        """Number of shapes with a recording."""
        return len(self._recordings)

    def __call__(
        self, compute: Operation, found: Tensor, examples: Batch, total: Tensor | float, *, restart: Callable[[], None]
    ) -> tuple[Sequence[Tensor], bool]:
        """Compute a slice.

        Args:
            compute: the network, as ``Lowering.current`` gives it.
            found: the rows found for the examples.
            examples: the slice.
            total: total weight of the batch.
            restart: begins the stream of the slice's dropout masks.

        Returns:
            The loss and the gradients, and whether they lie in memory that the next call overwrites.
        """
        restart()
        if self._state is None or compute is not self._compute or not self._state.holds():
            self._begin_anew(compute)
        inputs = [found, *_tensors_of(examples).values(), total if isinstance(total, Tensor) else None]
        is_as_usual = self._is_known and not torch.is_anomaly_enabled() and not torch.is_autocast_enabled("cpu")
        if not is_as_usual or not all(_is_side_by_side(each) for each in inputs):
            return self._gradients(compute, found, examples, total), False
        key = (
            torch.get_num_threads(),
            None if isinstance(total, Tensor) else total,
            *[None if each is None else (each.shape, each.dtype) for each in inputs],
        )
        if (recording := self._recordings.get(key)) is not None:
            return recording.repeat(inputs), True
        if self._should_record(key):
            recording = self._record(key, compute, inputs, examples, total)
            if recording is not None:
                return recording.outputs, True
            restart()
        return self._gradients(compute, found, examples, total), False

    def _begin_anew(self, compute: Operation) -> None:
        self._compute, self._state = compute, ModelState(self._ranker)
        packages = {type(module).__module__.partition(".")[0] for module in self._ranker.modules()}
        self._is_known = packages <= _KNOWN and not self._state.has_gradient_hooks
        self._times.clear()
        self._recordings.clear()
        self._num_bytes = 0

    def _should_record(self, key: object) -> bool:
        if len(self._times) > _MOST_SHAPES:  # sizes that hardly come again
            self._times.clear()
        self._times[key] += 1
        return self._times[key] == _TIMES and len(self._recordings) < _MOST_SHAPES

    def _record(
        self,
        key: object,
        compute: Operation,
        inputs: Sequence[Tensor | None],
        examples: Batch,
        total: Tensor | float,
    ) -> Recording | None:
        def gradients(found: Tensor, *own: Tensor | None) -> Sequence[Tensor]:
            *of_examples, own_total = own
            tensors: dict[str, Any] = dict(zip(_tensors_of(examples), of_examples, strict=True))
            slice_ = replace(examples, **tensors)
            return self._gradients(compute, found, slice_, total if own_total is None else own_total)

        try:
            recording = record(gradients, inputs, most_bytes=self._most_bytes - self._num_bytes)
        except NotRecordableError as error:
            logger.debug("slices of training run without a recording: %s", error)
            return None
        self._num_bytes += recording.num_bytes
        self._recordings[key] = recording
        return recording


def _tensors_of(examples: Batch) -> dict[str, Tensor | None]:
    return {field.name: getattr(examples, field.name) for field in fields(examples)}


def _is_side_by_side(values: Tensor | None) -> bool:
    """Tell whether a copy of these values lies in memory as they do, so that sums have the same order."""
    return values is None or values.is_contiguous()

"""Record the operations of a forward pass once, and repeat them for other inputs without the Python of the layers.

For one example, most of the time of a plain call is Python between the operations, see ``recording.py``.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Sequence

import torch
from torch import Tensor, nn

from rankelastor.execution.hooks import must_run_in_order
from rankelastor.execution.recording import NotRecordableError, Recording, record

logger = logging.getLogger(__name__)

Forward = Callable[..., Tensor]
_MOST_SHAPES = 64
_MOST_BYTES = 2**28
"""Number of shapes that are recorded, and bytes of what recordings hold beside the parameters. Later shapes are not
recorded: to replace recordings by turns would cost more than they save."""


class RecordedForward:
    """A forward pass on the CPU that is recorded when a shape of its inputs comes for the second time.

    It runs as it is

    - while a module has hooks or a forward of its own, which a recording does not call;
    - while another thread is in it;
    - for a shape that cannot be recorded: values choose its operations, or they are random;
    - for further shapes once there are 64 or their memory is 256 MiB.

    Operations that read nothing but parameters and buffers are computed once, so these must not change.

    Args:
        forward: function of tensors without gradients, such as the ids and numbers of a batch.
        model: holds the parameters and buffers that it reads.

    Example:
        >>> layer = nn.Linear(2, 1).requires_grad_(False)
        >>> forward = RecordedForward(layer, layer)
        >>> inputs = [torch.randn(3, 2) for _ in range(4)]
        >>> all(torch.equal(forward(each), layer(each)) for each in inputs)
        True
        >>> forward.num_recorded
        1
    """

    def __init__(self, forward: Forward, model: nn.Module) -> None:
        self._forward = forward
        self._modules = list(model.modules())
        self._fixed = [*model.parameters(), *model.buffers()]
        self._recordings: dict[object, Recording | None] = {}
        self._seen: set[object] = set()
        self._num_bytes = 0
        self._lock = threading.Lock()

    @property
    def num_recorded(self) -> int:
        """Number of shapes with a recording."""
        return sum(recording is not None for recording in self._recordings.values())

    def __call__(self, *inputs: Tensor | None) -> Tensor:
        """Compute ``forward(*inputs)``; the result is the caller's."""
        if must_run_in_order(*self._modules) or not self._lock.acquire(blocking=False):
            return self._forward(*inputs)
        try:
            return self._repeat_or_record(inputs)
        finally:
            self._lock.release()

    def _repeat_or_record(self, inputs: Sequence[Tensor | None]) -> Tensor:
        key = torch.get_num_threads(), *[None if each is None else (each.shape, each.dtype) for each in inputs]
        if key not in self._recordings and key in self._seen and self._has_room:
            recording = self._recordings[key] = self._record(inputs)
            self._num_bytes += 0 if recording is None else recording.num_bytes
        if self._has_room:
            self._seen.add(key)
        recording = self._recordings.get(key)
        return self._forward(*inputs) if recording is None else recording.repeat(inputs)[0].clone()

    @property
    def _has_room(self) -> bool:
        return len(self._recordings) < _MOST_SHAPES and self._num_bytes < _MOST_BYTES

    def _record(self, inputs: Sequence[Tensor | None]) -> Recording | None:
        try:
            with torch.inference_mode():
                return record(lambda *own: [self._forward(*own)], inputs, fixed=self._fixed)
        except NotRecordableError as error:
            logger.debug("scoring runs without a recording: %s", error)
            return None

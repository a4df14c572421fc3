"""Gradients of a batch, slice by slice, several slices at once.

Each thread works on slices of its own from beginning to end. A slice bounds what is kept for its backward pass; the
kernels in ``native`` work on still smaller blocks, which stay in a core's own cache. The sum of the slices' gradients
is the batch's gradient.
"""

from __future__ import annotations

from collections.abc import Sequence
from concurrent.futures import Executor
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.functional import binary_cross_entropy_with_logits

from rankelastor.execution.compiling import CompiledRanker
from rankelastor.execution.device import autocast_to
from rankelastor.execution.phases import PhaseListener, not_listening
from rankelastor.models.ranker import Ranker
from rankelastor.nn.embedding import Lookups, lookups_recorded
from rankelastor.nn.observation import is_watched, unwatched_copy
from rankelastor.nn.random_bytes import draw_seed, random_bytes_from
from rankelastor.schema import Batch

SLICE_BYTES = 64 * 2**20
"""What a slice keeps for its backward pass at most. Measured: half of it costs about a tenth of the speed."""
_SMALLEST_SLICE = 32
_FEW = 2  # examples from which the bytes of a slice are foretold


@dataclass(frozen=True)
class BatchGradient:
    """The gradient of a batch's mean cross-entropy.

    ``parameters``: in the order in which they were given. ``lookups``: rows of the embedding table in the order of the
    batch, and the gradient of each.
    """

    loss: Tensor
    parameters: list[Tensor]
    lookups: Lookups


class SlicedGradients:
    """Computes gradients of batches on the CPU; the parameters stay as they are.

    Args:
        ranker: its table takes no part in the graph: see ``BatchGradient.lookups``.
        parameters: those whose gradients are wanted, the embedding table excepted.
        threads: that compute, see ``compute_threads``.
        num_threads: how many of them. The order of the sums depends on it, so results do in their last bits.
        slice_examples: examples a slice; None: equal slices that keep ``SLICE_BYTES`` at most.
        precision: of the products.
        compiled: the ranker to call in its place, by one thread.
        on_phase: told of each phase of each slice as it begins.
    """

    def __init__(
        self,
        ranker: Ranker,
        parameters: Sequence[nn.Parameter],
        *,
        threads: Executor,
        num_threads: int,
        slice_examples: int | None = None,
        precision: torch.dtype = torch.float32,
        compiled: CompiledRanker | None = None,
        on_phase: PhaseListener = not_listening,
    ) -> None:
        self._on_phase = on_phase
        self._ranker = ranker
        self._compiled = compiled
        self._parameters = list(parameters)
        self._num_threads = num_threads
        self._slice_examples = slice_examples
        self._bytes_per_example: float | None = None
        self._precision = precision
        self._threads = threads

    def __call__(self, batch: Batch) -> BatchGradient:
        """The gradient of one batch.

        Where someone watches a module (forward hooks), the slices are computed one after the other, in order, with the
        same result: hooks see the batch as so many outputs whose concatenation is the batch.
        """
        assert batch.label is not None, "training needs labels"
        slices = list(enumerate(batch.split(self.slice_examples(batch))))
        shares = [slices[first :: self._num_threads] for first in range(min(self._num_threads, len(slices)))]
        context = (draw_seed(), batch.num_examples)
        if is_watched(*self._ranker.modules()):
            parts = self._threads.submit(self._in_order, slices, len(shares), *context).result()
        else:
            parts = list(self._threads.map(lambda share: self._sum_of(share, *context), shares))
        return self._threads.submit(_joined, parts, len(slices)).result()

    def slice_examples(self, batch: Batch) -> int:
        """Examples a slice for batches like this one."""
        if self._slice_examples is not None:
            return self._slice_examples
        if self._bytes_per_example is None:
            self._bytes_per_example = bytes_per_example(self._ranker, batch)
        share = -(-batch.num_examples // self._num_threads)
        most = max(_SMALLEST_SLICE, int(SLICE_BYTES / self._bytes_per_example))
        return -(-share // -(-share // most))

    def _in_order(self, slices: list[tuple[int, Batch]], num_shares: int, seed: int, total: int) -> list[_Part]:
        parts = [_Part() for _ in range(num_shares)]
        for index, examples in slices:
            self._add(parts[index % num_shares], index, examples, seed, total)
        return parts

    def _sum_of(self, share: list[tuple[int, Batch]], seed: int, total: int) -> _Part:
        part = _Part()
        for index, examples in share:
            self._add(part, index, examples, seed, total)
        return part

    def _add(self, part: _Part, index: int, examples: Batch, seed: int, total: int) -> None:
        with random_bytes_from(seed, index), lookups_recorded() as lookups:
            self._on_phase("forward")
            with autocast_to(self._precision, torch.device("cpu")):
                logits = (self._compiled or self._ranker)(examples)
            self._on_phase("loss")
            assert examples.label is not None, "checked above"
            loss = binary_cross_entropy_with_logits(logits.float(), examples.label, reduction="sum") / total
            self._on_phase("backward")
            wanted = [*self._parameters, *(found for _, found in lookups)]
            gradients = torch.autograd.grad(loss, wanted, materialize_grads=True)
        part.add(loss.detach(), list(gradients[: len(self._parameters)]))
        found = gradients[len(self._parameters) :]
        part.lookups[index] = [(rows, gradient) for (rows, _), gradient in zip(lookups, found, strict=True)]


class _Part:
    """The sum over some slices."""

    def __init__(self) -> None:
        self.loss = torch.zeros(())
        self.parameters: list[Tensor] = []
        self.lookups: dict[int, Lookups] = {}

    def add(self, loss: Tensor, gradients: list[Tensor]) -> None:
        self.loss = self.loss + loss
        if self.parameters:
            torch._foreach_add_(self.parameters, gradients)
        else:
            self.parameters = [gradient.clone() if gradient.dim() == 0 else gradient for gradient in gradients]


def _joined(parts: list[_Part], num_slices: int) -> BatchGradient:
    whole = parts[0]
    for part in parts[1:]:
        whole.add(part.loss, part.parameters)
        whole.lookups |= part.lookups
    lookups = [
        (torch.cat([rows.flatten() for rows, _ in same]), torch.cat([found.flatten(0, -2) for _, found in same]))
        for same in zip(*(whole.lookups[index] for index in range(num_slices)), strict=True)
    ]
    return BatchGradient(loss=whole.loss, parameters=whole.parameters, lookups=lookups)


def bytes_per_example(ranker: Ranker, batch: Batch) -> float:
    """Bytes that the forward pass keeps for the backward pass, for one more example."""
    few, more = (next(iter(batch.split(count))) for count in (_FEW, 2 * _FEW))
    grown = _kept_bytes(ranker, more) - _kept_bytes(ranker, few)
    return max(1.0, grown / max(1, more.num_examples - few.num_examples))


def _kept_bytes(ranker: Ranker, batch: Batch) -> int:
    backbone = unwatched_copy(ranker.backbone)
    kept: dict[int, int] = {}

    def note(tensor: Tensor) -> Tensor:
        kept[tensor.data_ptr()] = tensor.numel() * tensor.element_size()
        return tensor

    def back(tensor: Any) -> Any:
        return tensor

    with random_bytes_from(0), torch.autograd.graph.saved_tensors_hooks(note, back):
        logits = backbone(ranker.embedding(batch.categorical, batch.numeric, batch.sequence).detach())
    del logits
    return sum(kept.values())

"""Gradients of a batch, slice by slice, several slices at once.

Each thread works on slices of its own from beginning to end. A slice bounds what is kept for its backward pass; the
kernels in ``native`` work on still smaller blocks, which stay in a core's own cache. The sum of the slices' gradients
is the batch's gradient.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from concurrent.futures import Executor
from dataclasses import dataclass
from typing import Any, Protocol

import torch
from jaxtyping import Float, Integer
from torch import Tensor, nn

from rankelastor.execution.cores import BUSY_WORK
from rankelastor.execution.device import autocast_to
from rankelastor.execution.hooks import copy_without_hooks, has_hooks, has_own_forward
from rankelastor.execution.phases import PhaseListener, not_listening
from rankelastor.models.ranker import Ranker
from rankelastor.nn.dropout import Dropout
from rankelastor.nn.embedding.embedded import Embedded
from rankelastor.nn.random_bytes import RandomBytes, draw_seed
from rankelastor.schema import Batch

SLICE_BYTES = 192 * 2**20
"""The most that a slice of plain layers keeps for its backward pass; kernels keep about a third of it.

Measured: half of it costs about a tenth of the speed.
"""
_SMALLEST_SLICE = 32
_PROBE_EXAMPLES = 2  # batch size of the memory estimate


class SliceNetwork(Protocol):
    """Computes the network of a ranker for one thread; dropout draws from its stream of bytes."""

    @property
    def random_bytes(self) -> RandomBytes:
        """The stream that dropout masks are drawn from."""
        ...

    def current(self) -> Callable[[Embedded], Tensor]:
        """Give the function that computes logits now; asked once a step."""
        ...


class Loss(Protocol):
    """The loss of a batch as the sum over its slices."""

    def total(self, batch: Batch) -> Tensor | float:
        """Take what all examples of a batch count together."""
        ...

    def __call__(self, logits: Float[Tensor, "batch task"], batch: Batch, *, total: Tensor | float) -> Tensor:
        """Compute a slice's share of the loss."""
        ...


@dataclass(frozen=True)
class BatchGradient:
    """The gradient of a batch's loss.

    Attributes:
        loss: of the whole batch.
        parameters: gradients in the order in which the parameters were given; None for one that is frozen.
        rows: the row of the embedding table for each look-up, in the order of the batch.
        found: the gradient of each row found; None where the table is frozen.
    """

    loss: Tensor
    parameters: list[Tensor | None]
    rows: Integer[Tensor, " lookup"]
    found: Float[Tensor, "lookup dim"] | None


class SlicedGradients:
    """Computes gradients of batches on the CPU; the parameters stay as they are.

    Args:
        ranker: its table takes no part in the graph: see ``BatchGradient.found``.
        parameters: those whose gradients are wanted, the embedding table excepted.
        loss: what is differentiated.
        threads: that compute, see ``compute_threads``.
        networks: one per thread. Results do not depend on which thread computes a slice.
        slice_examples: examples a slice; None: equal slices that keep ``SLICE_BYTES`` at most.
        precision: of the products.
        on_phase: told of each phase of each slice as it begins.
    """

    def __init__(
        self,
        ranker: Ranker,
        parameters: Sequence[nn.Parameter],
        *,
        loss: Loss,
        threads: Executor,
        networks: Sequence[SliceNetwork],
        slice_examples: int | None = None,
        precision: torch.dtype = torch.float32,
        on_phase: PhaseListener = not_listening,
    ) -> None:
        self._on_phase = on_phase
        self._ranker = ranker
        self._modules = list(ranker.modules())
        self._parameters = list(parameters)
        self._loss = loss
        self._networks = list(networks)
        self._slice_examples = slice_examples
        self._bytes_per_example: float | None = None
        self._precision = precision
        self._threads = threads

    def __call__(self, batch: Batch, rows: Integer[Tensor, "batch column"]) -> BatchGradient:
        """Compute the gradient of one batch.

        Where a module has hooks or a forward of its own, the slices are computed one after the other, in order, with
        the same result: hooks get the batch as several outputs whose concatenation is the batch.

        Args:
            batch: with labels.
            rows: its rows of the embedding table, see ``FieldEmbedding.rows_of``.
        """
        size = self.slice_examples(batch)
        slices = list(enumerate(zip(batch.split(size), rows.split(size), strict=True)))
        num_shares = min(len(self._networks), len(slices))
        learning = [parameter for parameter in self._parameters if parameter.requires_grad]
        context = _Context(draw_seed(), self._loss.total(batch), learning)
        if has_hooks(*self._modules) or any(map(has_own_forward, self._modules)):
            parts = self._threads.submit(self._in_order, slices, num_shares, context).result()
        else:
            shares = [slices[first::num_shares] for first in range(num_shares)]
            networks = self._networks[:num_shares]
            parts = list(self._threads.map(self._sum_of, shares, networks, [context] * num_shares))
        whole = self._threads.submit(_join, parts).result()
        gradients = iter(whole.parameters)
        return BatchGradient(
            loss=whole.loss,
            parameters=[next(gradients) if parameter.requires_grad else None for parameter in self._parameters],
            rows=rows.flatten(),
            found=whole.joined_found(len(slices)),
        )

    def slice_examples(self, batch: Batch) -> int:
        """Choose the examples per slice for batches like this one.

        It depends on the model and the batch, not on kernels, and on the number of threads only beyond two: so dropout
        masks, which are drawn slice by slice, do not either.
        """
        if self._slice_examples is not None:
            return self._slice_examples
        if self._bytes_per_example is None:
            self._bytes_per_example = bytes_per_example(self._ranker, batch)
        most = max(_SMALLEST_SLICE, int(SLICE_BYTES / self._bytes_per_example))
        num_slices = -(-batch.num_examples // most)
        if batch.num_examples * self._ranker.num_dense_parameters >= BUSY_WORK:
            for_threads = max(2, len(self._networks))
            num_slices = -(-num_slices // for_threads) * for_threads
        return -(-batch.num_examples // num_slices)

    def _in_order(self, slices: list[_Slice], num_shares: int, context: _Context) -> list[_Part]:
        parts = [_Part() for _ in range(num_shares)]
        network = self._networks[0]
        compute = network.current()
        for index, (examples, rows) in slices:
            network.random_bytes.restart(context.seed, index)
            self._add(parts[index % num_shares], index, examples, rows, compute, context)
        return parts

    def _sum_of(self, share: list[_Slice], network: SliceNetwork, context: _Context) -> _Part:
        part = _Part()
        compute = network.current()
        for index, (examples, rows) in share:
            network.random_bytes.restart(context.seed, index)
            self._add(part, index, examples, rows, compute, context)
        return part

    def _add(  # noqa: PLR0917
        self,
        part: _Part,
        index: int,
        examples: Batch,
        rows: Tensor,
        compute: Callable[[Embedded], Tensor],
        context: _Context,
    ) -> None:
        embedding = self._ranker.embedding
        self._on_phase("forward")
        with autocast_to(self._precision, torch.device("cpu")):
            found = nn.functional.embedding(rows, embedding.table.detach())
            found.requires_grad_(embedding.table.requires_grad)
            logits = compute(embedding.assemble(found, examples))
        self._on_phase("loss")
        loss = self._loss(logits, examples, total=context.total)
        self._on_phase("backward")
        wanted = [*context.learning, found] if found.requires_grad else context.learning
        gradients = list(torch.autograd.grad(loss, wanted, materialize_grads=True)) if wanted else []
        if found.requires_grad:
            part.found[index] = gradients.pop().flatten(0, -2)
        part.add(loss.detach(), gradients)


_Slice = tuple[int, tuple[Batch, Tensor]]


@dataclass(frozen=True)
class _Context:
    """What all slices of a batch share."""

    seed: int
    total: Tensor | float
    learning: list[nn.Parameter]


class _Part:
    """The sum over some slices."""

    def __init__(self) -> None:
        self.loss = torch.zeros(())
        self.parameters: list[Tensor] = []
        self.found: dict[int, Tensor] = {}

    def add(self, loss: Tensor, gradients: list[Tensor]) -> None:
        self.loss = self.loss + loss
        if self.parameters:
            torch._foreach_add_(self.parameters, gradients)
        else:
            self.parameters = [gradient.clone() if gradient.dim() == 0 else gradient for gradient in gradients]

    def joined_found(self, num_slices: int) -> Tensor | None:
        """Join the gradients of the rows found, in the order of the batch."""
        if not self.found:
            return None
        found = [self.found[index] for index in range(num_slices)]
        return found[0] if num_slices == 1 else torch.cat(found)


def _join(parts: list[_Part]) -> _Part:
    whole = parts[0]
    for part in parts[1:]:
        whole.add(part.loss, part.parameters)
        whole.found |= part.found
    return whole


def bytes_per_example(ranker: Ranker, batch: Batch) -> float:
    """Estimate the bytes that the plain layers keep for the backward pass, per example."""
    few, more = (next(iter(batch.split(count))) for count in (_PROBE_EXAMPLES, 2 * _PROBE_EXAMPLES))
    network = copy_without_hooks(ranker.network)
    for layer in network.modules():
        if isinstance(layer, Dropout):
            layer.random_bytes = RandomBytes(0)  # the global generator goes on as it would without this
    grown = _kept_bytes(network, ranker, more) - _kept_bytes(network, ranker, few)
    return max(1.0, grown / max(1, more.num_examples - few.num_examples))


def _kept_bytes(network: nn.Module, ranker: Ranker, batch: Batch) -> int:
    kept: dict[int, int] = {}

    def note(tensor: Tensor) -> Tensor:
        kept[tensor.data_ptr()] = tensor.numel() * tensor.element_size()
        return tensor

    def back(tensor: Any) -> Any:
        return tensor

    embedding = ranker.embedding
    with torch.no_grad():
        embedded = embedding.assemble(embedding.look_up(embedding.rows_of(batch)), batch)
    with torch.autograd.graph.saved_tensors_hooks(note, back):
        logits = network(embedded)
    del logits
    return sum(kept.values())

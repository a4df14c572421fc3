"""Compute the gradient of a batch slice by slice, with several slices in parallel.

Each slice is computed by one thread from beginning to end. Slices bound the memory for the backward pass; the kernels
in ``native`` work on still smaller blocks, which fit into a core's cache. The sum of the slices' gradients is the
batch's gradient.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from concurrent.futures import Executor
from dataclasses import dataclass
from functools import partial
from typing import Any, Protocol

import torch
from jaxtyping import Float, Integer
from torch import Tensor, nn
from torch.nn.modules.batchnorm import _BatchNorm

from rankelastor.execution.cores import BUSY_WORK
from rankelastor.execution.device import autocast_to
from rankelastor.execution.hooks import copy_without_hooks, must_run_in_order
from rankelastor.execution.lowering import Lowering
from rankelastor.execution.phases import PhaseListener, ignore_phase
from rankelastor.execution.recorded_gradients import MOST_BYTES, MOST_WORK, RecordedGradients
from rankelastor.models.ranker import Ranker
from rankelastor.nn.dropout import Dropout
from rankelastor.nn.embedding.embedded import Embedded
from rankelastor.nn.random_bytes import RandomBytes, draw_seed
from rankelastor.schema import Batch

SLICE_BYTES = 192 * 2**20
"""Most bytes that the plain layers keep for the backward pass of a slice; kernels keep about a third of it.

Measured: half of it makes training about a tenth slower.
"""
_SMALLEST_SLICE = 32
_COUPLES = "couples_examples"
_PROBE_EXAMPLES = 2  # batch size of the memory estimate


class SliceNetwork(Protocol):
    """The network of a ranker as one thread computes it; its dropout draws from its own stream of bytes."""

    @property
    def random_bytes(self) -> RandomBytes:
        """Stream that dropout masks are drawn from."""
        ...

    def current(self) -> Callable[[Embedded], Tensor]:
        """Return the function that computes logits now; called once per step."""
        ...


class Loss(Protocol):
    """The loss of a batch, computed as a sum over its slices.

    One whose operations depend on nothing but its tensors and ``total`` may say so with a true attribute
    ``can_be_recorded``: slices of small models are then computed from a recording, see ``recorded_gradients.py``.
    """

    def total(self, batch: Batch) -> Tensor | float:
        """Compute the total weight of the examples of a batch."""
        ...

    def __call__(self, logits: Float[Tensor, "batch task *part"], batch: Batch, *, total: Tensor | float) -> Tensor:
        """Compute the share of a slice in the loss of its batch."""
        ...


@dataclass(frozen=True)
class BatchGradient:
    """The gradient of a batch's loss. Its tensors may be overwritten when that of the next batch is computed.

    Attributes:
        loss: loss of the whole batch.
        parameters: gradient of each parameter, in the order given; None for a frozen one.
        rows: row of the embedding table for each look-up, in the order of the batch.
        found: gradient for each look-up; None if the table is frozen.
    """

    loss: Tensor
    parameters: list[Tensor | None]
    rows: Integer[Tensor, " lookup"]
    found: Float[Tensor, "lookup dim"] | None


class SlicedGradients:
    """Compute gradients of batches on the CPU, without changing the parameters.

    Args:
        ranker: the model; its embedding table is not part of the graph, see ``BatchGradient.found``.
        parameters: the parameters to differentiate, without the embedding table.
        loss: the loss to differentiate.
        threads: the threads that compute, see ``compute_threads``.
        networks: one per thread; results do not depend on which thread computes a slice.
        slice_examples: examples per slice; None: equal slices that keep at most ``SLICE_BYTES``.
        precision: dtype of the matrix products.
        generator: generator of the CPU that dropout masks depend on; None takes PyTorch's global one.
        rank: rank of this process among those with parts of the batch, each of which has masks of its own.
        on_phase: called at the beginning of each phase of each slice.
        records: whether small slices may be recorded, see ``recorded_gradients.py``; results do not depend on it.
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
        generator: torch.Generator | None = None,
        rank: int = 0,
        on_phase: PhaseListener = ignore_phase,
        records: bool = True,
    ) -> None:
        self._on_phase = on_phase
        self._stream = (rank,) if rank else ()
        self._generator = generator
        self._ranker = ranker
        self._modules = list(ranker.modules())
        self._coupling = [module for module in self._modules if may_couple_examples(module)]
        self._parameters = list(parameters)
        self._work_per_example = ranker.num_dense_parameters
        self._loss = loss
        self._networks = list(networks)
        self._slice_examples = slice_examples
        self.bytes_per_example: float | None = None
        """What the plain layers keep per example, measured on the first batch; None before that."""
        self.largest_slice: int | None = None
        """Most examples of a slice so far; None before the first batch."""
        self._precision = precision
        self._threads = threads
        self._recorded = self._recordings() if on_phase is ignore_phase and records else {}

    def _recordings(self) -> dict[SliceNetwork, RecordedGradients]:
        """Make what records slices, for each network on its own; compiled networks are not recorded.

        Nor are several in lower precision: threads share PyTorch's copies of weights in that precision, so that a
        thread may not see them made.
        """
        lowered = [network for network in self._networks if isinstance(network, Lowering)]
        shares_copies = self._precision != torch.float32 and len(lowered) > 1
        if shares_copies or not getattr(self._loss, "can_be_recorded", False):
            return {}
        most_bytes = MOST_BYTES // max(1, len(lowered))
        return {each: RecordedGradients(self._gradients, self._ranker, most_bytes=most_bytes) for each in lowered}

    def __call__(
        self, batch: Batch, rows: Integer[Tensor, "batch column"], table: Float[Tensor, "row dim"] | None = None
    ) -> BatchGradient:
        """Compute the gradient of one batch.

        If a module has hooks or a forward of its own, the slices are computed in order, one after the other, with the
        same result: hooks receive one output per slice, whose concatenation is that of the batch.

        Args:
            batch: examples with labels.
            rows: rows of the embedding table for its ids, see ``FieldEmbedding.rows_of``.
            table: where ``rows`` are looked up; None is the embedding's table.
        """
        slices = self._slices(batch, rows)
        num_shares = min(len(self._networks), len(slices))
        table = self._ranker.embedding.table.detach() if table is None else table
        context = _BatchContext(draw_seed(self._generator), self._loss.total(batch), table)
        if must_run_in_order(*self._modules):
            parts = self._threads.submit(self._in_order, slices, num_shares, context).result()
        else:
            shares = [slices[first::num_shares] for first in range(num_shares)]
            networks = self._networks[:num_shares]
            parts = list(self._threads.map(self._sum_slices, shares, networks, [context] * num_shares))
        whole, found = self._threads.submit(_add_up, parts, len(slices)).result()
        gradients = iter(whole.parameters)
        return BatchGradient(
            loss=whole.loss,
            parameters=[next(gradients) if parameter.requires_grad else None for parameter in self._parameters],
            rows=rows.flatten(),
            found=found,
        )

    def _slices(self, batch: Batch, rows: Tensor) -> list[_Slice]:
        """Cut a batch into slices; one without examples, whose rows other processes have, is a slice."""
        if not batch.num_examples:
            return [(0, (batch, rows))]
        size = self.slice_examples(batch)
        self.largest_slice = max(self.largest_slice or 0, size)
        return list(enumerate(zip(batch.split(size), rows.split(size), strict=True)))

    def slice_examples(self, batch: Batch) -> int:
        """Choose the number of examples per slice for batches like this one.

        It depends on the model and the batch, but not on kernels, and on the number of threads only beyond two. The
        same holds for dropout masks, which are drawn slice by slice. A batch is one slice if any layer or
        the loss couples its examples, whatever the settings say.
        """
        if must_be_one_slice(self._coupling, self._loss):
            return max(1, batch.num_examples)
        if self._slice_examples is not None:
            return self._slice_examples
        if self.bytes_per_example is None:
            self.bytes_per_example = bytes_per_example(self._ranker, batch)
        most = max(_SMALLEST_SLICE, int(SLICE_BYTES / self.bytes_per_example))
        num_slices = -(-batch.num_examples // most)
        if batch.num_examples * self._work_per_example >= BUSY_WORK:
            for_threads = max(2, len(self._networks))
            num_slices = -(-num_slices // for_threads) * for_threads
        return -(-batch.num_examples // num_slices)

    def _in_order(self, slices: list[_Slice], num_shares: int, context: _BatchContext) -> list[_SliceSum]:
        parts = [_SliceSum() for _ in range(num_shares)]
        network = self._networks[0]
        compute = network.current()
        for index, (examples, rows) in slices:
            self._restart(network, index, context)
            gradients = self._gradients(compute, context.found(rows), examples, context.total)
            self._add(parts[index % num_shares], index, gradients)
        return parts

    def _sum_slices(self, share: list[_Slice], network: SliceNetwork, context: _BatchContext) -> _SliceSum:
        part = _SliceSum()
        compute, recorded = network.current(), self._recorded.get(network)
        for index, (examples, rows) in share:
            restart, found = partial(self._restart, network, index, context), context.found(rows)
            if recorded is not None and examples.num_examples * self._work_per_example <= MOST_WORK:
                gradients, is_lent = recorded(compute, found, examples, context.total, restart=restart)
                self._add(part, index, gradients, is_lent=is_lent and len(share) > 1)
            else:
                restart()
                self._add(part, index, self._gradients(compute, found, examples, context.total))
        return part

    def _restart(self, network: SliceNetwork, index: int, context: _BatchContext) -> None:
        network.random_bytes.restart(context.seed, index, *self._stream)

    def _gradients(
        self, compute: Callable[[Embedded], Tensor], found: Tensor, examples: Batch, total: Tensor | float
    ) -> Sequence[Tensor]:
        """Compute the loss of a slice and its gradients: of the parameters, and of the rows found if they learn."""
        embedding = self._ranker.embedding
        self._on_phase("forward")
        with autocast_to(self._precision, torch.device("cpu")):
            found = found.detach().requires_grad_(embedding.table.requires_grad)
            logits = compute(embedding.assemble(found, examples))
        self._on_phase("loss")
        loss = self._loss(logits, examples, total=total)
        self._on_phase("backward")
        learning = self._learning
        wanted = [*learning, found] if found.requires_grad else learning
        gradients = torch.autograd.grad(loss, wanted, materialize_grads=True) if wanted else ()
        return loss.detach(), *gradients

    @property
    def _learning(self) -> list[nn.Parameter]:
        return [parameter for parameter in self._parameters if parameter.requires_grad]

    def _add(self, part: _SliceSum, index: int, gradients: Sequence[Tensor], *, is_lent: bool = False) -> None:
        loss, *rest = gradients
        if self._ranker.embedding.table.requires_grad:
            found = rest.pop().flatten(0, -2)
            part.found[index] = found.clone() if is_lent else found
        part.add(loss, rest, is_lent=is_lent)


_Slice = tuple[int, tuple[Batch, Tensor]]


@dataclass(frozen=True)
class _BatchContext:
    """Values that all slices of a batch share."""

    seed: int
    total: Tensor | float
    table: Tensor

    def found(self, rows: Integer[Tensor, "batch column"]) -> Float[Tensor, "batch column dim"]:
        """Look up rows, without a graph."""
        return nn.functional.embedding(rows, self.table)


class _SliceSum:
    """Loss and gradients summed over some slices."""

    def __init__(self) -> None:
        self.loss = torch.zeros(())
        self.parameters: list[Tensor] = []
        self.found: dict[int, Tensor] = {}

    def add(self, loss: Tensor, gradients: list[Tensor], *, is_lent: bool = False) -> None:
        """Add the loss and the gradients of a slice, or of several; what is lent is overwritten later."""
        self.loss = self.loss + loss
        if self.parameters:
            torch._foreach_add_(self.parameters, gradients)
        else:
            self.parameters = [each.clone() if is_lent or each.dim() == 0 else each for each in gradients]

    def join_found(self, num_slices: int) -> Tensor | None:
        """Concatenate the gradients of the look-ups in the order of the batch."""
        if not self.found:
            return None
        found = [self.found[index] for index in range(num_slices)]
        return found[0] if num_slices == 1 else torch.cat(found)


def _add_up(parts: list[_SliceSum], num_slices: int) -> tuple[_SliceSum, Tensor | None]:
    """Add up the sums of some slices, and join the gradients of their look-ups."""
    whole = parts[0]
    for part in parts[1:]:
        whole.add(part.loss, part.parameters)
        whole.found |= part.found
    return whole, whole.join_found(num_slices)


def couples_examples(*modules: nn.Module) -> bool:
    """Tell whether the output of any of these modules for an example depends on other examples of the batch.

    This is so in training with batch normalisation, and for each layer with a true attribute ``couples_examples``.

    Example:
        >>> couples_examples(nn.Linear(2, 3)), couples_examples(nn.Linear(2, 3), nn.BatchNorm1d(2))
        (False, True)
        >>> couples_examples(nn.BatchNorm1d(2).eval())
        False
    """
    return any(
        (isinstance(module, _BatchNorm) and module.training)
        or module.__dict__.get(_COUPLES, getattr(type(module), _COUPLES, False))
        for module in modules
    )


def may_couple_examples(module: nn.Module) -> bool:
    """Tell whether ``couples_examples`` has to be asked about a module again, since its answer may change."""
    return isinstance(module, _BatchNorm) or hasattr(module, _COUPLES)


def must_be_one_slice(modules: Sequence[nn.Module], loss: Loss) -> bool:
    """Tell whether a batch cannot be cut into slices, since a layer or the loss couples its examples."""
    return couples_examples(*modules) or bool(getattr(loss, "couples_examples", False))


def bytes_per_example(ranker: Ranker, batch: Batch) -> float:
    """Estimate the bytes that the plain layers keep for the backward pass, per example."""
    few, more = (next(iter(batch.split(count))) for count in (_PROBE_EXAMPLES, 2 * _PROBE_EXAMPLES))
    network = copy_without_hooks(ranker.network)
    for layer in network.modules():
        if isinstance(layer, Dropout):
            layer.random_bytes = RandomBytes(0)  # so that the global generator is not used
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
    rows = embedding.rows_of(batch)
    with torch.no_grad():
        is_here = embedding.elsewhere is None  # values do not matter, and other processes are not asked for them
        found = embedding.look_up(rows) if is_here else torch.zeros(*rows.shape, embedding.embedding_dim)
        embedded = embedding.assemble(found, batch)
    with torch.autograd.graph.saved_tensors_hooks(note, back):
        logits = network(embedded)
    del logits
    return sum(kept.values())

"""Match neighbouring layers that one operation computes, once, when a network is lowered."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import Any, NamedTuple

from torch import Tensor, nn

from rankelastor.execution.rules import Context, Operation


class ChainLayer(NamedTuple):
    """A layer of a chain, and its type if an operation may replace it; None if the layer itself must be called."""

    layer: Any
    kind: type[nn.Module] | None


Match = Callable[[list[ChainLayer], Context], tuple[Operation, int] | None]
"""Function that returns an operation for the first layers of a chain and their number; None if it has none."""


def chain_layers(context: Context, *layers: nn.Module) -> list[ChainLayer]:
    """List the layers of a chain; identities are left out."""
    steps = [ChainLayer(layer, type(layer) if context.is_plain(layer, type(layer)) else None) for layer in layers]
    return [step for step in steps if step.kind is not nn.Identity]


def inner_layers(
    context: Context, layers: Iterable[nn.Module], kind: type[nn.Module], parts: Sequence[str]
) -> list[ChainLayer]:
    """List what lies inside layers that apply their parts in order; a layer of another type is one layer of the chain.

    Args:
        context: tells what is plain.
        layers: one after the other.
        kind: the type of layer whose forward applies ``parts`` in order.
        parts: names of its attributes.
    """
    inner: list[ChainLayer] = []
    for layer in layers:
        if context.is_plain(layer, kind):
            inner += chain_layers(context, *(getattr(layer, part) for part in parts))
        else:
            inner.append(ChainLayer(layer, None))
    return inner


def chain(steps: list[ChainLayer], context: Context, match: Match) -> Operation | None:
    """Combine the operations that compute the layers one after the other; None if no layers match."""
    operations: list[Operation] = []
    any_match = False
    while steps:
        matched = match(steps, context)
        any_match = any_match or matched is not None
        operation, count = matched or (context.lower(steps[0].layer), 1)
        operations.append(operation)
        steps = steps[count:]
    if not any_match:
        return None
    return operations[0] if len(operations) == 1 else Chain(operations)


class Chain:
    """Operations that are applied one after the other."""

    def __init__(self, operations: list[Operation]) -> None:
        self.operations = operations

    def __call__(self, x: Tensor) -> Tensor:
        """Apply the operations in order."""
        for operation in self.operations:
            x = operation(x)
        return x

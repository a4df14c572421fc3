"""Match neighbouring layers that one operation computes, once, when a network is lowered."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

from torch import Tensor, nn

from rankelastor.execution.rules import Context, Operation


class Step(NamedTuple):
    """A layer of a chain, and its type where an operation may stand for it; None where it must be called itself."""

    layer: Any
    kind: type[nn.Module] | None


Match = Callable[[list[Step], Context], tuple[Operation, int] | None]
"""Gives an operation for the first steps, and for how many of them; None where it has none."""


def plain_steps(context: Context, *layers: nn.Module) -> list[Step]:
    """List the layers as steps of a chain; identities are left out."""
    steps = [Step(layer, type(layer) if context.is_plain(layer, type(layer)) else None) for layer in layers]
    return [step for step in steps if step.kind is not nn.Identity]


def chain(steps: list[Step], context: Context, match: Match) -> Operation:
    """Combine the operations that compute the steps one after the other."""
    operations: list[Operation] = []
    while steps:
        operation, count = match(steps, context) or (context.lower(steps[0].layer), 1)
        operations.append(operation)
        steps = steps[count:]
    return operations[0] if len(operations) == 1 else Chain(operations)


class Chain:
    """Operations one after the other."""

    def __init__(self, operations: list[Operation]) -> None:
        self.operations = operations

    def __call__(self, x: Tensor) -> Tensor:
        """Apply them all."""
        for operation in self.operations:
            x = operation(x)
        return x

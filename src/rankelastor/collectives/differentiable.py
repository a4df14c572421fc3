"""A sum over processes that gradients pass through."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from rankelastor.collectives.processes import Processes


class DifferentiableSum:
    """y = sum over processes of x, of which each process has a part of the loss: dL/dx sums their gradients dL/dy.

    Args:
        processes: the processes, all of which must call it in the same order.

    Example:
        >>> from rankelastor.collectives.processes import ALONE
        >>> DifferentiableSum(ALONE)(torch.tensor([2.0]))
        tensor([2.])
    """

    def __init__(self, processes: Processes) -> None:
        self._processes = processes

    def __call__(self, values: Tensor) -> Tensor:
        """Sum the values of all processes."""
        summed: Tensor = _Sum.apply(values, self._processes)  # type: ignore[no-untyped-call]
        return summed


class _Sum(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, values: Tensor, processes: Processes) -> Tensor:
        ctx.processes = processes
        return _sum(values, processes)

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor, None]:
        return _sum(gradient, ctx.processes), None


def _sum(values: Tensor, processes: Processes) -> Tensor:
    summed = values.detach().clone(memory_format=torch.contiguous_format)
    processes.sum([summed], kind="statistics")
    return summed

"""Bring the columns of a tensor into another order."""

from __future__ import annotations

from typing import Any

import torch
from jaxtyping import Float, Int64
from torch import Tensor


class _Reordered(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, values: Tensor, order: Tensor, inverse: Tensor) -> Tensor:
        ctx.save_for_backward(order, inverse)
        return values.index_select(1, order)

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor, None, None]:
        order, inverse = ctx.saved_tensors
        return _Reordered.apply(gradient, inverse, order), None, None  # type: ignore[no-untyped-call]


def reordered(
    values: Float[Tensor, "batch column dim"], order: Int64[Tensor, " column"], inverse: Int64[Tensor, " column"]
) -> Float[Tensor, "batch column dim"]:
    """Take ``values[:, order]``; the gradient is in the inverse order, where PyTorch's own would add columns up.

    Args:
        values: the columns.
        order: the column of ``values`` at each place of the result, each once.
        inverse: the place of each column of ``values``.

    Example:
        >>> order = torch.tensor([2, 0, 1])
        >>> reordered(torch.tensor([[[10.0], [11.0], [12.0]]]), order, order.argsort()).flatten().tolist()
        [12.0, 10.0, 11.0]
    """
    result: Tensor = _Reordered.apply(values, order, inverse)  # type: ignore[no-untyped-call]
    return result

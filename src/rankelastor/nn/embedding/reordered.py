"""Join columns of several tensors in another order."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from jaxtyping import Float, Int64
from torch import Tensor


class _Reordered(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, order: Tensor, places: Tensor, *parts: Tensor) -> Tensor:
        ctx.save_for_backward(places)
        ctx.widths = [part.shape[1] for part in parts]
        whole = parts[0] if len(parts) == 1 else torch.cat(parts, dim=1)
        return whole.index_select(1, order)

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor | None, ...]:
        (places,) = ctx.saved_tensors
        return None, None, *(gradient.index_select(1, own) for own in places.split(ctx.widths))


def reordered(
    parts: Sequence[Float[Tensor, "batch _ dim"]],
    order: Int64[Tensor, " column"],
    places: Int64[Tensor, " column"],
) -> Float[Tensor, "batch column dim"]:
    """Take ``torch.cat(parts, dim=1)[:, order]``.

    The gradient of each part is one contiguous tensor, where PyTorch's own would add columns up and cut them.

    Args:
        parts: the columns.
        order: the column of the parts, counted through, at each place of the result, each once.
        places: the place of each column: the inverse of ``order``.

    Example:
        >>> order = torch.tensor([2, 0, 1])
        >>> parts = [torch.tensor([[[10.0]]]), torch.tensor([[[11.0], [12.0]]])]
        >>> reordered(parts, order, order.argsort()).flatten().tolist()
        [12.0, 10.0, 11.0]
    """
    result: Tensor = _Reordered.apply(order, places, *parts)  # type: ignore[no-untyped-call]
    return result

"""A penalty on values inside a network, as a gradient."""

from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor


def penalised(x: Float[Tensor, "*shape"], factor: Float[Tensor, ""]) -> Float[Tensor, "*shape"]:
    """Return x; its gradient is that of loss + factor * sum(x), though the loss itself does not contain the term.

    Example:
        >>> x = torch.ones(2, requires_grad=True)
        >>> penalised(x, torch.tensor(0.5)).sum().backward()
        >>> x.grad.tolist()
        [1.5, 1.5]
    """
    out: Tensor = _Penalised.apply(x, factor)  # type: ignore[no-untyped-call]
    return out


class _Penalised(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, x: Tensor, factor: Tensor) -> Tensor:
        ctx.save_for_backward(factor)
        return x.view_as(x)

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor, None]:
        (gradient,), (factor,) = gradients, ctx.saved_tensors
        return gradient + factor.to(gradient.dtype), None

"""What operations share: when kernels may compute, and how an autograd function is called."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

CHEAP_TO_REPEAT = 64
"""Input width up to which computing hidden numbers again costs a kernel less than writing and reading them."""


def kernels_may_compute(x: Tensor, weight: Tensor | None) -> bool:
    """Tell whether kernels may compute on ``x``: on the CPU, not empty, in the weight's precision, without autocast.

    Example:
        >>> weight = torch.zeros(2)
        >>> kernels_may_compute(torch.zeros(1, 2), weight), kernels_may_compute(torch.zeros(0, 2), weight)
        (True, False)
    """
    return (
        weight is not None
        and x.device.type == "cpu"
        and x.numel() > 0
        and x.dtype == weight.dtype
        and not torch.is_autocast_enabled("cpu")
    )


def apply(function: type[torch.autograd.Function], *arguments: Any) -> Tensor:
    """Run an autograd function; build no graph when gradients are off.

    ``any(ctx.needs_input_grad)`` tells the function whether to keep anything for its backward pass.
    """
    if torch.is_grad_enabled():
        return function.apply(*arguments)  # type: ignore[no-any-return]
    return function.forward(_NoGraph(), *arguments)  # type: ignore[no-any-return]


class _NoGraph:
    """The context of a function without a graph: forgets what is saved for the backward pass."""

    needs_input_grad = ()

    def save_for_backward(self, *_: Tensor | None) -> None:
        pass

"""Helpers of the operations: check whether kernels may compute an input, and run autograd functions."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from rankelastor.native.library import loaded_build

_CHEAP_TO_REPEAT = {"avx512": 64}
_CHEAP_ELSEWHERE = 16
"""Largest input width for which recomputing the hidden values costs less than writing and reading them, by instruction
set; elsewhere products are slower beside memory, as was measured with AVX2."""


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


def is_cheap_to_repeat(in_dim: int) -> bool:
    """Tell whether the backward pass recomputes hidden values of inputs that wide; the numbers are the same anyway."""
    build = loaded_build()
    return build is not None and in_dim <= _CHEAP_TO_REPEAT.get(build.instructions.name, _CHEAP_ELSEWHERE)


def apply(function: type[torch.autograd.Function], *arguments: Any) -> Tensor:
    """Run an autograd function; build no graph when gradients are off.

    ``any(ctx.needs_input_grad)`` tells the function whether to save anything for its backward pass.
    """
    if torch.is_grad_enabled():
        return function.apply(*arguments)  # type: ignore[no-any-return]
    return function.forward(_NoGraph(), *arguments)  # type: ignore[no-any-return]


class _NoGraph:
    """The context of a function without a graph, which saves nothing for the backward pass."""

    needs_input_grad = ()

    def save_for_backward(self, *_: Tensor | None) -> None:
        pass

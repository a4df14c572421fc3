"""Compare what computes a layer: outputs, all gradients, and the random bytes drawn."""

from __future__ import annotations

import copy
from collections.abc import Callable, Sequence
from typing import TypeVar

import torch
from torch import Tensor, nn

from rankelastor.execution.lowering import Lowering
from rankelastor.nn.dropout import Dropout
from rankelastor.nn.random_bytes import RandomBytes

ModuleType = TypeVar("ModuleType", bound=nn.Module)
SEED = 3


def drawing(layer: ModuleType) -> tuple[ModuleType, RandomBytes]:
    """Let the dropout layers of ``layer`` draw from one stream, and give that stream too."""
    stream = RandomBytes(SEED)
    for module in layer.modules():
        if isinstance(module, Dropout):
            module.random_bytes = stream
    return layer, stream


def plain_results(layer: nn.Module, x: Tensor, upstream: Tensor | None = None) -> list[Tensor]:
    """Take the output and all gradients of the plain layer."""
    drawing(layer)
    return results(layer, list(layer.parameters()), x, upstream)


def lowered_results(layer: nn.Module, x: Tensor, upstream: Tensor | None = None) -> list[Tensor]:
    """Take the output and all gradients of the lowered layer."""
    lowering = Lowering(layer)
    lowering.random_bytes.restart(SEED)
    return results(lowering.current(), list(layer.parameters()), x, upstream)


def exact_results(layer: nn.Module, x: Tensor, upstream: Tensor | None = None) -> list[Tensor]:
    """Take the output and all gradients of the plain layer in float64."""
    double = None if upstream is None else upstream.double()
    return plain_results(copy.deepcopy(layer).double(), x.detach().double().requires_grad_(), double)


def results(
    compute: Callable[[Tensor], Tensor], parameters: Sequence[Tensor], x: Tensor, upstream: Tensor | None
) -> list[Tensor]:
    """Take the output, and the gradients of the input and the parameters that want one."""
    x = x if x.requires_grad else x.detach().requires_grad_()
    out = compute(x)
    if upstream is None:
        upstream = torch.linspace(-1, 1, out.numel(), dtype=out.dtype, device=out.device).view_as(out)
    if not out.requires_grad:  # dropout of all elements leaves no graph
        return [out, torch.zeros_like(x)]
    leaves = [x, *(parameter for parameter in parameters if parameter.requires_grad)]
    gradients = torch.autograd.grad(out, leaves, upstream, materialize_grads=True)
    return [out.detach(), *gradients]


def require_as_exact(ours: Sequence[Tensor], plain: Sequence[Tensor], exact: Sequence[Tensor]) -> None:
    """Assert that our error in float32 is at most a small multiple of the plain layer's."""
    for place, (mine, theirs, precise) in enumerate(zip(ours, plain, exact, strict=True)):
        assert torch.isfinite(mine).all(), place
        error, plain_error = (float((each.double() - precise).abs().max()) for each in (mine, theirs))
        largest = float(precise.abs().max())
        assert error <= 10 * plain_error + 5e-5 * largest + 1e-7, (place, error, plain_error, largest)

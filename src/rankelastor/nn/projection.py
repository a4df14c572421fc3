"""The projection MLP inside tokenizers."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.autograd.function import once_differentiable

from rankelastor.nn.activation import activation
from rankelastor.nn.dropout import Dropout, Mask
from rankelastor.nn.init import init_linear_
from rankelastor.nn.native.library import call, usable_kernels
from rankelastor.nn.norm import RMSNorm, inverse_rms, norm_gradients
from rankelastor.nn.observation import is_watched


class Projection(nn.Sequential):
    """Linear -> [RMSNorm] -> activation -> dropout for each hidden width, then Linear: (..., in) -> (..., out).

    Where a norm, a ReLU and a dropout follow each other on the CPU and nobody watches them, they are computed together:
    the hidden width is far larger than what comes in and goes out, and passes over it are most of the tokenizer's time.

    Example:
        >>> Projection(in_dim=6, hidden_dims=[4], out_dim=3)(torch.randn(2, 6)).shape
        torch.Size([2, 3])
    """

    def __init__(
        self,
        *,
        in_dim: int,
        hidden_dims: Sequence[int],
        out_dim: int,
        activation_name: str = "relu",
        norm: bool = True,
        dropout: float = 0.0,
    ) -> None:
        steps: list[nn.Module] = []
        for width, next_width in pairwise([in_dim, *hidden_dims]):
            steps.append(nn.Linear(width, next_width))
            if norm:
                steps.append(RMSNorm(next_width))
            steps += [activation(activation_name), Dropout(dropout)]
        steps.append(nn.Linear([in_dim, *hidden_dims][-1], out_dim))
        super().__init__(*steps)
        init_linear_(self)

    def forward(self, x: Float[Tensor, "... in_dim"]) -> Float[Tensor, "... out_dim"]:
        """Projected values."""
        steps = list(self)
        while steps:
            match steps:
                case [RMSNorm() as norm, nn.ReLU() as relu, Dropout() as dropout, *rest] if (
                    x.device.type == "cpu" and x.dtype == norm.weight.dtype and not is_watched(norm, relu, dropout)
                ):
                    rate = dropout.p if dropout.training else 0.0
                    x = _NormReluDropout.apply(x, norm.weight, rate)  # type: ignore[no-untyped-call]
                    steps = rest
                case [step, *rest]:
                    x, steps = step(x), rest
        return x


class _NormReluDropout(torch.autograd.Function):
    """dropout(relu(RMSNorm(x))). What was kept and positive is what is positive in the output: no mask is stored."""

    @staticmethod
    def forward(ctx: Any, x: Tensor, gain: Tensor, rate: float) -> Tensor:
        scaled_gain = gain / (1 - rate)
        ctx.rate = rate
        native = usable_kernels(x, scaled_gain)
        if native is not None:
            out, inverse = torch.empty_like(x), x.new_empty(*x.shape[:-1], 1)
            mask = Mask.draw(x.shape, rate) if rate else None
            noise, threshold = (mask.noise, mask.threshold) if mask else (None, 0)
            sizes = (inverse.numel(), x.shape[-1])
            call(native.norm_relu_dropout, x, scaled_gain, noise, threshold, out, inverse, *sizes)
            ctx.save_for_backward(x, inverse, scaled_gain, out)
            return out
        inverse = inverse_rms(x)
        out = torch.relu_(x * scaled_gain)
        if rate:
            out = Mask.draw(x.shape, rate).times(out, 1.0)
        out.mul_(inverse)
        ctx.save_for_backward(x, inverse, scaled_gain, out)
        return out

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor, Tensor, None]:
        x, inverse, scaled_gain, out = ctx.saved_tensors
        gradient = gradient.contiguous()
        native = usable_kernels(x, gradient)
        if native is not None:
            dx, dgain = torch.empty_like(x), torch.zeros_like(scaled_gain)
            sizes = (inverse.numel(), x.shape[-1])
            call(native.norm_relu_dropout_backward, gradient, x, scaled_gain, out, inverse, dx, dgain, *sizes)
            return dx, dgain.div_(1 - ctx.rate), None
        kept = torch.ops.aten.threshold_backward(gradient, out, 0)
        dx, dgain = norm_gradients(kept, x, inverse, scaled_gain)
        return dx, dgain.div_(1 - ctx.rate), None

"""The projection MLP inside tokenizers."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.autograd.function import once_differentiable

from rankelastor.native.calling import OfParts, call, in_rows, kernels_fit, num_parts, row_blocks
from rankelastor.nn.activation import activation
from rankelastor.nn.dropout import Dropout, Mask
from rankelastor.nn.fusing import CHEAP_TO_REPEAT, applied, can_fuse
from rankelastor.nn.init import init_linear_
from rankelastor.nn.norm import RMSNorm, inverse_rms, norm_gradients


class Projection(nn.Sequential):
    """Linear -> [RMSNorm] -> activation -> dropout for each hidden width, then Linear: (..., in) -> (..., out).

    Where ReLU follows on the CPU and nobody watches, a hidden width is computed together with the linear maps around
    it, or without kernels norm, ReLU and dropout together: the hidden width is far larger than what comes in and goes
    out, and passes over it are most of the tokenizer's time.

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
                case [
                    nn.Linear() as up,
                    RMSNorm() as norm,
                    nn.ReLU(),
                    Dropout() as dropout,
                    nn.Linear() as down,
                    *rest,
                ] | [nn.Linear() as up, nn.ReLU() as norm, Dropout() as dropout, nn.Linear() as down, *rest] if (
                    dropout.p < 1 and can_fuse(x, *steps[: len(steps) - len(rest)]) and fits_kernel(x, up, norm, down)
                ):
                    gain = norm.weight if isinstance(norm, RMSNorm) else None
                    x = through_kernel(x, up, gain, dropout.rate, down)
                    steps = rest
                case [RMSNorm() as norm, nn.ReLU(), Dropout() as dropout, *rest] if dropout.p < 1 and can_fuse(
                    x, *steps[:3]
                ):
                    x = applied(_NormReluDropout, x, norm.weight, dropout.rate)
                    steps = rest
                case [step, *rest]:
                    x, steps = step(x), rest
        return x


def fits_kernel(x: Float[Tensor, "... in_dim"], up: nn.Linear, norm: nn.Module, down: nn.Linear) -> bool:
    """Whether ``through_kernel`` can compute these modules, where ``can_fuse`` says that it may."""
    hidden, in_dim = up.weight.shape
    gain = (norm.weight,) if isinstance(norm, RMSNorm) else ()
    return (
        type(up) is type(down) is nn.Linear
        and x.shape[-1] == in_dim
        and down.weight.shape[1] == hidden
        and all(each.shape == (hidden,) for each in gain)
        and kernels_fit(up.weight, up.bias, *gain, down.weight, down.bias)
    )


def through_kernel(
    x: Float[Tensor, "... in_dim"], up: nn.Linear, gain: Tensor | None, dropout_rate: float, down: nn.Linear
) -> Float[Tensor, "... out_dim"]:
    """``down(dropout(relu([RMSNorm](up(x)))))`` where there are kernels; no norm if there is no gain."""
    flat = x.reshape(-1, x.shape[-1])
    out = applied(_NativeProjection, flat, up.weight, up.bias, gain, down.weight, down.bias, dropout_rate)
    return out.view(*x.shape[:-1], -1)


class _NativeProjection(torch.autograd.Function):
    """down(dropout(relu([RMSNorm](up(x))))) for rows of x: one call of a kernel forward and one backward."""

    @staticmethod
    def forward(  # noqa: PLR0917 - autograd passes by position
        ctx: Any,
        x: Tensor,
        up: Tensor,
        up_bias: Tensor,
        gain: Tensor | None,
        down: Tensor,
        down_bias: Tensor,
        rate: float,
    ) -> Tensor:
        x = in_rows(x)
        rows, hidden = len(x), len(up)
        scaled_gain = (up.new_ones(hidden) if gain is None else gain) / (1 - rate)
        mask = Mask.draw(torch.Size((rows, hidden)), rate) if rate else None
        noise, threshold = (mask.noise, mask.threshold) if mask else (None, 0)
        parts = num_parts(rows)
        block = row_blocks(-(-rows // parts), floats_a_row=3 * hidden, num_weights=up.numel() + down.numel())
        out, inverse = x.new_empty(rows, len(down)), x.new_empty(rows)
        keeps = x.shape[1] > CHEAP_TO_REPEAT and any(ctx.needs_input_grad)
        kept = x.new_empty(rows, hidden) if keeps else None
        sizes = (x.shape[1], hidden, len(down), gain is not None, block)
        scratch = x.new_empty(parts * block * 2 * hidden)
        call(
            "projection_forward",
            *(x, x.stride(0), up, up_bias, scaled_gain, noise, threshold, down, down_bias),
            *(out, kept, inverse, scratch, *sizes),
            rows=rows,
            parts=parts,
        )
        ctx.save_for_backward(x, up, up_bias, scaled_gain, noise, down, kept, inverse)
        ctx.rate, ctx.threshold, ctx.parts, ctx.sizes = rate, threshold, parts, sizes
        return out

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor | None, ...]:
        x, up, up_bias, scaled_gain, noise, down, kept, inverse = ctx.saved_tensors
        gradient = in_rows(gradient)
        parts, (in_dim, hidden, out_dim, has_norm, block) = ctx.parts, ctx.sizes
        dx, shapes = x.new_empty(len(x), in_dim), (up.shape, (hidden,), (hidden,), down.shape, (out_dim,))
        sums = [OfParts(shape, parts=parts) for shape in shapes]
        call(
            "projection_backward",
            *(gradient, gradient.stride(0), x, x.stride(0), up, up_bias, scaled_gain, noise, ctx.threshold),
            *(down, kept, inverse, dx, *sums),
            *(x.new_empty(parts * block * 3 * hidden), *ctx.sizes),
            rows=len(x),
            parts=parts,
        )
        dup, dup_bias, dgain, ddown, ddown_bias = (each.sum() for each in sums)
        return dx, dup, dup_bias, dgain / (1 - ctx.rate) if has_norm else None, ddown, ddown_bias, None


class _NormReluDropout(torch.autograd.Function):
    """dropout(relu(RMSNorm(x))). What was kept and positive is what is positive in the output: no mask is stored."""

    @staticmethod
    def forward(ctx: Any, x: Tensor, gain: Tensor, rate: float) -> Tensor:
        scaled_gain = gain / (1 - rate)
        inverse = inverse_rms(x)
        out = torch.relu_(x * scaled_gain)
        if rate:
            out = Mask.draw(x.shape, rate).times(out, 1.0)
        out.mul_(inverse)
        ctx.save_for_backward(x, inverse, scaled_gain, out)
        ctx.rate = rate
        return out

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor, Tensor, None]:
        x, inverse, scaled_gain, out = ctx.saved_tensors
        kept = torch.ops.aten.threshold_backward(gradient, out, 0)
        dx, dgain = norm_gradients(kept, x, inverse, scaled_gain)
        return dx, dgain.div_(1 - ctx.rate), None

"""Linear, activation, dropout and linear of every token's own as one operation."""

from __future__ import annotations

from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.autograd.function import once_differentiable

from rankelastor.native.calling import OfParts, call, in_rows, kernels_fit, num_parts, row_blocks
from rankelastor.nn.dropout import Dropout, Mask
from rankelastor.nn.fusing import CHEAP_TO_REPEAT, applied, can_fuse
from rankelastor.nn.per_token import PerTokenLinear

_ACTIVATIONS: dict[type[nn.Module], int] = {nn.Identity: 0, nn.ReLU: 1, nn.GELU: 2}
"""Those that the kernel can compute, and what it calls them."""


def mlp_fits(
    tokens: Float[Tensor, "batch token dim"],
    up: PerTokenLinear | None,
    activation: nn.Module,
    dropout: Dropout,
    down: PerTokenLinear,
) -> bool:
    """Whether ``fused_mlp`` may stand for these modules and can compute them."""
    first = up or down
    return (
        type(activation) in _ACTIVATIONS
        and getattr(activation, "approximate", "none") == "none"
        and dropout.p < 1
        and can_fuse(tokens, first, activation, dropout, down)
        and tokens.shape[1:] == first.weight.shape[:2]
        and (up is None or down.weight.shape[:2] == up.weight.shape[::2])
        and kernels_fit(first.weight, first.bias, down.weight, down.bias)
    )


def fused_mlp(
    tokens: Float[Tensor, "batch token dim"],
    up: PerTokenLinear | None,
    activation: nn.Module,
    dropout: Dropout,
    down: PerTokenLinear,
) -> Float[Tensor, "batch token out_dim"]:
    """``down(dropout(activation(up(tokens))))``; without ``up`` the tokens are activated as they come."""
    weights = (up and up.weight, up and up.bias, down.weight, down.bias)
    out = applied(_NativeMlp, tokens.transpose(0, 1), *weights, _ACTIVATIONS[type(activation)], dropout.rate)
    return out.transpose(0, 1)


class _NativeMlp(torch.autograd.Function):
    """One call of a kernel forward and one backward; token by token."""

    @staticmethod
    def forward(  # noqa: PLR0917 - autograd passes by position
        ctx: Any,
        x: Tensor,
        up: Tensor | None,
        up_bias: Tensor | None,
        down: Tensor,
        down_bias: Tensor,
        activation: int,
        rate: float,
    ) -> Tensor:
        x = in_rows(x)
        (tokens, rows, in_dim), (hidden, out_dim) = x.shape, down.shape[1:]
        mask = Mask.draw(torch.Size((tokens, rows, hidden)), rate) if rate else None
        noise, threshold = (mask.noise, mask.threshold) if mask else (None, 0)
        scale = 1 / (1 - rate)
        num_weights = (0 if up is None else up[0].numel()) + down[0].numel()
        parts = num_parts(rows)
        block = row_blocks(-(-rows // parts), floats_a_row=3 * hidden, num_weights=num_weights)
        sizes = (tokens, rows, in_dim, hidden, out_dim, block)
        out = x.new_empty(tokens, rows, out_dim)
        keeps = up is not None and in_dim > CHEAP_TO_REPEAT and any(ctx.needs_input_grad)
        kept = x.new_empty(tokens, rows, hidden) if keeps else None
        call(
            "per_token_mlp_forward",
            *(x, x.stride(0), x.stride(1), up, up_bias, activation, noise, threshold, scale),
            *(down, down_bias),
            *(out, kept, x.new_empty(parts * block * 2 * hidden), *sizes),
            rows=rows,
            parts=parts,
        )
        ctx.activation, ctx.threshold, ctx.scale, ctx.parts, ctx.sizes = activation, threshold, scale, parts, sizes
        ctx.save_for_backward(x, up, up_bias, noise, down, kept)
        return out

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor | None, ...]:
        x, up, up_bias, noise, down, kept = ctx.saved_tensors
        gradient = in_rows(gradient)
        parts, (tokens, rows, _, hidden, out_dim, block) = ctx.parts, ctx.sizes
        dx = x.new_empty(x.shape)
        shapes = (*((None, None) if up is None else (up.shape, up_bias.shape)), down.shape, (tokens, out_dim))
        sums = [None if shape is None else OfParts(shape, parts=parts) for shape in shapes]
        call(
            "per_token_mlp_backward",
            *(gradient, gradient.stride(0), gradient.stride(1), x, x.stride(0), x.stride(1), up, up_bias),
            *(ctx.activation, noise, ctx.threshold, ctx.scale, down, kept, dx, *sums),
            *(x.new_empty(parts * block * 3 * hidden), *ctx.sizes),
            rows=rows,
            parts=parts,
        )
        return dx, *(None if each is None else each.sum() for each in sums), None, None

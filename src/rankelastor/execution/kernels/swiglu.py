"""The per-token SwiGLU as one kernel, with the norm before it and the residual, for tokens or for heads where they lie.

Passes over the hidden values, which are wider than a token, take up to half of a SwiGLU's time, and copies of tokens
into heads and back a twentieth of a small model's step.
"""

from __future__ import annotations

from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.autograd.function import once_differentiable

from rankelastor.execution.kernels.operation import apply, is_cheap_to_repeat, kernels_may_compute
from rankelastor.execution.rules import Context, Operation, lowers
from rankelastor.native.calling import Accumulator, call, kernels_take, num_parts, rows_per_block, with_contiguous_rows
from rankelastor.nn.ffn.swiglu import PerTokenSwiGlu
from rankelastor.nn.mixing.heads import RevertedHeadMixing
from rankelastor.nn.norm import RMSNorm
from rankelastor.nn.per_token import PerTokenLinear
from rankelastor.nn.residual_norm import PreNormResidual


@lowers(PerTokenSwiGlu)
def per_token_swiglu(layer: PerTokenSwiGlu, context: Context) -> Operation | None:
    """Lower a SwiGLU."""
    return SwiGluOperation(layer, layer) if _maps_are_plain(layer, context) else None


def holds_swiglu(layer: PreNormResidual, context: Context) -> bool:
    """Tell whether an operation may replace a residual, the norm in it and its layer, a SwiGLU."""
    swiglu = layer.layer
    return (
        context.is_plain(layer.norm, RMSNorm)
        and context.is_plain(swiglu, PerTokenSwiGlu)
        and _maps_are_plain(swiglu, context)
    )


def _maps_are_plain(layer: PerTokenSwiGlu, context: Context) -> bool:
    return all(context.is_plain(each, PerTokenLinear) for each in (layer.up, layer.down))


class SwiGluOperation:
    """swiglu(x), x + swiglu(norm(x)), or the latter for heads with a piece of every token.

    Args:
        layer: the layer that the operation stands for.
        swiglu: the SwiGLU in it.
        norm: the norm before the SwiGLU, whose input is then added to the result.
        heads: the mixing that cuts tokens into heads and puts them together again; None: every token is a row.
    """

    def __init__(
        self,
        layer: nn.Module,
        swiglu: Any,
        *,
        norm: Any = None,
        heads: RevertedHeadMixing | None = None,
    ) -> None:
        self.layer = layer
        self.swiglu = swiglu
        self.norm = norm
        self.heads = heads

    def __call__(self, tokens: Float[Tensor, "batch token dim"]) -> Float[Tensor, "batch token dim"]:
        """Compute the layer."""
        if not self.fits(tokens):
            out: Tensor = self.layer.forward(tokens)
            return out
        up, down = self.swiglu.up, self.swiglu.down
        gain = None if self.norm is None else self.norm.weight
        num_heads = None if self.heads is None else self.heads.num_heads
        return apply(_SwiGlu, tokens, gain, up.weight, up.bias, down.weight, down.bias, num_heads)

    def fits(self, tokens: Tensor) -> bool:
        """Tell whether all weights and biases have the expected sizes: the kernel itself checks no bounds."""
        up, down, heads = self.swiglu.up, self.swiglu.down, self.heads
        gain = () if self.norm is None else (self.norm.weight,)
        parameters = (up.weight, up.bias, down.weight, down.bias, *gain)
        if not (kernels_may_compute(tokens, up.weight) and kernels_take(*parameters)):
            return False
        rows, dim = tokens.shape[1:]
        if heads is not None:
            if rows != heads.num_tokens or dim % heads.num_heads:
                return False
            rows, dim = heads.num_heads, rows * dim // heads.num_heads
        hidden = down.weight.shape[1]
        return (
            up.weight.shape == (rows, dim, 2 * hidden)
            and up.bias.shape == (rows, 2 * hidden)
            and down.weight.shape == (rows, hidden, dim)
            and down.bias.shape == (rows, dim)
            and all(each.shape == (dim,) for each in gain)
        )


class _SwiGlu(torch.autograd.Function):
    """The SwiGLU, with norm and residual if there is a gain, by one kernel call forward and one backward."""

    @staticmethod
    def forward(  # noqa: PLR0917 - autograd passes arguments by position
        ctx: Any,
        x: Tensor,
        gain: Tensor | None,
        up: Tensor,
        up_bias: Tensor,
        down: Tensor,
        down_bias: Tensor,
        num_heads: int | None,
    ) -> Tensor:
        x, rows, parts = _readable(x), len(x), num_parts(len(x))
        tokens, hidden, dim = down.shape
        block = rows_per_block(
            rows,
            parts=parts,
            floats_per_row=6 * hidden + 5 * dim,
            num_weights=up[0].numel() + down[0].numel(),
        )
        pieces = 1 if num_heads is None else x.shape[1]
        sizes = {"tokens": tokens, "rows": rows, "pieces": pieces, "dim": dim, "hidden": hidden, "block": block}
        out = _empty_like(x)
        saves = any(ctx.needs_input_grad) and not is_cheap_to_repeat(dim)
        saved = x.new_empty(tokens, rows, 2 * hidden) if saves else None
        inverse = None if gain is None else x.new_empty(tokens, rows)
        call(
            "swiglu_forward",
            {
                **_name_strides("x", x, num_heads),
                "gain": gain,
                "inverse": inverse,
                "up": up,
                "up_bias": up_bias,
                "down": down,
                "down_bias": down_bias,
                **_name_strides("out", out, num_heads),
                "saved": saved,
                "scratch": x.new_empty(parts * block * 3 * (hidden + dim)),
                **sizes,
            },
            rows=rows,
            parts=parts,
        )
        ctx.save_for_backward(x, gain, inverse, up, up_bias, down, saved)
        ctx.num_heads, ctx.parts, ctx.sizes = num_heads, parts, sizes
        return out

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor | None, ...]:
        x, gain, inverse, up, up_bias, down, saved = ctx.saved_tensors
        gradient, num_heads, parts, sizes = _readable(gradient), ctx.num_heads, ctx.parts, ctx.sizes
        dx = _empty_like(x)
        shapes = (None if gain is None else gain.shape, up.shape, up_bias.shape, down.shape, down.shape[::2])
        sums = [None if shape is None else Accumulator(shape, parts=parts) for shape in shapes]
        call(
            "swiglu_backward",
            {
                **_name_strides("gradient", gradient, num_heads),
                **_name_strides("x", x, num_heads),
                "gain": gain,
                "inverse": inverse,
                "up": up,
                "up_bias": up_bias,
                "down": down,
                "saved": saved,
                **_name_strides("dx", dx, num_heads),
                **dict(zip(("dgain", "dup", "dup_bias", "ddown", "ddown_bias"), sums, strict=True)),
                "scratch": x.new_empty(parts * sizes["block"] * (6 * sizes["hidden"] + 5 * sizes["dim"])),
                **sizes,
            },
            rows=len(x),
            parts=parts,
        )
        return dx, *(None if each is None else each.sum() for each in sums), None


def _readable(x: Float[Tensor, "batch token dim"]) -> Float[Tensor, "batch token dim"]:
    return with_contiguous_rows(x.transpose(0, 1)).transpose(0, 1)


def _empty_like(x: Float[Tensor, "batch token dim"]) -> Float[Tensor, "batch token dim"]:
    """Allocate a result with the memory order of ``x``, if rows can be written in that order."""
    empty = torch.empty_like(x)
    return empty if empty.stride(2) == 1 and empty.stride(0) >= x.shape[2] else x.new_empty(x.shape)


def _name_strides(name: str, x: Tensor, num_heads: int | None) -> dict[str, Tensor | int]:
    """Name the strides of tokens, rows and pieces: a head is a piece of every token."""
    row, token, _ = x.stride()
    between = (token, 0) if num_heads is None else (x.shape[2] // num_heads, token)
    return {name: x, f"{name}_token": between[0], f"{name}_row": row, f"{name}_piece": between[1]}

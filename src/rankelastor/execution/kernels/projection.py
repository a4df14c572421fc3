"""A hidden layer of a projection with the linear maps before and after it, as one kernel.

The hidden width is far larger than that of input and output, and passes over it take most of a tokenizer's time.
"""

from __future__ import annotations

from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.autograd.function import once_differentiable

from rankelastor.execution.chains import ChainLayer, chain, chain_layers, inner_layers
from rankelastor.execution.kernels.dropout import DropoutOperation
from rankelastor.execution.kernels.operation import apply, is_cheap_to_repeat, kernels_may_compute
from rankelastor.execution.rules import Context, Operation, lowers
from rankelastor.native.calling import Accumulator, call, kernels_take, num_parts, rows_per_block, with_contiguous_rows
from rankelastor.nn.dropout import Dropout
from rankelastor.nn.norm import RMSNorm
from rankelastor.nn.projection import Projection, ProjectionLayer


@lowers(Projection)
def projection(layer: Projection, context: Context) -> Operation | None:
    """Lower a projection: each hidden layer with ReLU together with the linear maps before and after it."""
    steps = inner_layers(context, layer.layers, ProjectionLayer, ["linear", "norm", "activation", "dropout"])
    steps += chain_layers(context, layer.out)
    return chain(steps, context, _match)


def _match(steps: list[ChainLayer], context: Context) -> tuple[Operation, int] | None:
    """Match up, [norm], ReLU, dropout, down at the beginning of a chain."""
    with_norm = [nn.Linear, RMSNorm, nn.ReLU, Dropout, nn.Linear]
    for pattern in (with_norm, [kind for kind in with_norm if kind is not RMSNorm]):
        if [step.kind for step in steps[: len(pattern)]] == pattern:
            layers = [step.layer for step in steps[: len(pattern)]]
            up, *norm, active, dropout, down = layers
            between = Between(norm[0] if norm else None, active, dropout, context)
            return ProjectionOperation(up, between.norm, between.drop, down, plain=between), len(pattern)
    return None


class Between:
    """The norm, ReLU and dropout between the two maps, computed by the plain layers."""

    def __init__(self, norm: RMSNorm | None, active: nn.Module, dropout: Dropout, context: Context) -> None:
        self.norm = norm
        self.drop = DropoutOperation(dropout, context.random_bytes)
        self._steps = [*([] if norm is None else [context.lower(norm)]), active.forward, context.lower(dropout)]

    def __call__(self, hidden: Float[Tensor, "*batch hidden"]) -> Float[Tensor, "*batch hidden"]:
        """Apply norm, ReLU and dropout."""
        for step in self._steps:
            hidden = step(hidden)
        return hidden


class ProjectionOperation:
    """down(dropout(relu([RMSNorm](up(x))))) over the last axis.

    Args:
        up: the map to the hidden width.
        norm: the norm before the ReLU.
        drop: the dropout after the ReLU; None drops nothing.
        down: the map from the hidden width.
        plain: the layers between the maps, for inputs that the kernel does not fit; None if the caller checks ``fits``.
    """

    def __init__(
        self,
        up: nn.Linear,
        norm: RMSNorm | None,
        drop: DropoutOperation | None,
        down: nn.Linear,
        *,
        plain: Between | None,
    ) -> None:
        self.up = up
        self.norm = norm
        self.drop = drop
        self.down = down
        self._plain = plain

    def __call__(self, x: Float[Tensor, "*batch in_dim"]) -> Float[Tensor, "*batch out_dim"]:
        """Project the last axis."""
        up, down = self.up, self.down
        if self._plain is not None and not self.fits(x):
            return down.forward(self._plain(up.forward(x)))
        gain = None if self.norm is None else self.norm.weight
        flat = x.reshape(-1, x.shape[-1])
        out = apply(_Projection, flat, up.weight, up.bias, gain, down.weight, down.bias, self.drop)
        return out.view(*x.shape[:-1], -1)

    def fits(self, x: Tensor) -> bool:
        """Tell whether all weights and biases have the expected sizes: the kernel itself checks no bounds."""
        up, down, norm = self.up, self.down, self.norm
        gain = () if norm is None else (norm.weight,)
        if not (kernels_may_compute(x, up.weight) and kernels_take(up.weight, up.bias, *gain, down.weight, down.bias)):
            return False
        hidden, in_dim = up.weight.shape
        return (
            x.shape[-1] == in_dim
            and (self.drop is None or self.drop.layer.p < 1)
            and up.bias.shape == (hidden,)
            and down.weight.shape == (len(down.weight), hidden)
            and down.bias.shape == (len(down.weight),)
            and all(each.shape == (hidden,) for each in gain)
        )


class _Projection(torch.autograd.Function):
    """down(dropout(relu([RMSNorm](up(x))))) for rows of x by one kernel call forward and one backward."""

    @staticmethod
    def forward(  # noqa: PLR0917 - autograd passes arguments by position
        ctx: Any,
        x: Tensor,
        up: Tensor,
        up_bias: Tensor,
        gain: Tensor | None,
        down: Tensor,
        down_bias: Tensor,
        drop: DropoutOperation | None,
    ) -> Tensor:
        x = with_contiguous_rows(x)
        rows, hidden = len(x), len(up)
        rate = 0.0 if drop is None else drop.layer.rate
        noise, threshold, _ = (None, 0, 1.0) if drop is None else drop.draw(rows, hidden)
        scaled_gain = (up.new_ones(hidden) if gain is None else gain) / (1 - rate)
        parts = num_parts(rows)
        block = rows_per_block(rows, parts=parts, floats_per_row=3 * hidden, num_weights=up.numel() + down.numel())
        out, inverse = x.new_empty(rows, len(down)), x.new_empty(rows)
        saves = any(ctx.needs_input_grad) and not is_cheap_to_repeat(x.shape[1])
        saved = x.new_empty(rows, hidden) if saves else None
        sizes = {"in": x.shape[1], "hidden": hidden, "out_dim": len(down), "norm": gain is not None, "block": block}
        call(
            "projection_forward",
            {
                **_input(x, up, up_bias, scaled_gain, noise, threshold, down),
                "b2": down_bias,
                "out": out,
                "saved": saved,
                "inverse": inverse,
                "scratch": x.new_empty(parts * block * 2 * hidden),
                **sizes,
            },
            rows=rows,
            parts=parts,
        )
        ctx.save_for_backward(x, up, up_bias, scaled_gain, noise, down, saved, inverse)
        ctx.rate, ctx.threshold, ctx.parts, ctx.sizes = rate, threshold, parts, sizes
        return out

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor | None, ...]:
        x, up, up_bias, scaled_gain, noise, down, saved, inverse = ctx.saved_tensors
        gradient, parts, sizes = with_contiguous_rows(gradient), ctx.parts, ctx.sizes
        hidden, dx = len(up), x.new_empty(x.shape)
        shapes = (up.shape, (hidden,), (hidden,), down.shape, (len(down),))
        sums = [Accumulator(shape, parts=parts) for shape in shapes]
        call(
            "projection_backward",
            {
                "gradient": gradient,
                "gradient_row": gradient.stride(0),
                **_input(x, up, up_bias, scaled_gain, noise, ctx.threshold, down),
                "saved": saved,
                "inverse": inverse,
                "dx": dx,
                **dict(zip(("dw1", "db1", "dgain", "dw2", "db2"), sums, strict=True)),
                "scratch": x.new_empty(parts * sizes["block"] * 3 * hidden),
                **sizes,
            },
            rows=len(x),
            parts=parts,
        )
        dup, dup_bias, dgain, ddown, ddown_bias = (each.sum() for each in sums)
        return dx, dup, dup_bias, dgain / (1 - ctx.rate) if sizes["norm"] else None, ddown, ddown_bias, None


def _input(  # noqa: PLR0917 - a table of the kernel's fields
    x: Tensor, up: Tensor, up_bias: Tensor, gain: Tensor, noise: Tensor | None, threshold: int, down: Tensor
) -> dict[str, Tensor | int | None]:
    """Collect the fields that the forward and the backward kernel share."""
    return {
        "x": x,
        "x_row": x.stride(0),
        "w1": up,
        "b1": up_bias,
        "gain": gain,
        "noise": noise,
        "threshold": threshold,
        "w2": down,
    }

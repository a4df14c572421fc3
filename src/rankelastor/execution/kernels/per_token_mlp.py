"""Linear, activation, dropout and linear as one kernel, with separate weights per token."""

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
from rankelastor.nn.dropout import PerTokenDropout
from rankelastor.nn.ffn.mlp import PerTokenMlp, PerTokenMlpLayer
from rankelastor.nn.per_token import PerTokenLinear

ACTIVATIONS: dict[type[nn.Module], int] = {nn.Identity: 0, nn.ReLU: 1, nn.GELU: 2}
"""The activations that the kernel computes, and their numbers in C."""
_DIMS_OF_WEIGHTS = 3


@lowers(PerTokenMlp)
def per_token_mlp(layer: PerTokenMlp, context: Context) -> Operation | None:
    """Lower a per-token MLP: linear maps together with the activation and dropout between them."""
    steps = inner_layers(context, layer.layers, PerTokenMlpLayer, ["linear", "norm", "activation", "dropout"])
    steps += chain_layers(context, layer.out)
    return chain(steps, context, _match)


def _match(steps: list[ChainLayer], context: Context) -> tuple[Operation, int] | None:
    """Match [up], activation, dropout, down at the beginning of a chain."""
    first = steps[0]
    with_up = first.kind is PerTokenLinear
    rest = steps[1:4] if with_up else steps[:3]
    match [step.kind for step in rest]:
        case [activation, dropout, down] if (
            activation in ACTIVATIONS and dropout is PerTokenDropout and down is PerTokenLinear
        ):
            up = first.layer if with_up else None
            return PerTokenMlpOperation(up, *(step.layer for step in rest), context=context), len(rest) + with_up
        case _:
            return None


class PerTokenMlpOperation:
    """down(dropout(activation(up(x)))); without ``up`` the activation is applied to the input."""

    def __init__(
        self,
        up: PerTokenLinear | None,
        activation: nn.Module,
        dropout: PerTokenDropout,
        down: PerTokenLinear,
        *,
        context: Context,
    ) -> None:
        self.up = up
        self.activation = activation
        self.dropout = dropout
        self.down = down
        self._drop = DropoutOperation(dropout, context.random_bytes)
        self._plain_drop = context.lower(dropout)

    def __call__(self, tokens: Float[Tensor, "batch token in_dim"]) -> Float[Tensor, "batch token out_dim"]:
        """Compute down(dropout(activation(up(x))))."""
        if not self.fits(tokens):
            return self.plain(tokens)
        up, down = self.up, self.down
        weights = (up and up.weight, up and up.bias, down.weight, down.bias)
        number = ACTIVATIONS[type(self.activation)]
        return apply(_PerTokenMlp, tokens.transpose(0, 1), *weights, number, self._drop).transpose(0, 1)

    def plain(self, tokens: Float[Tensor, "batch token in_dim"]) -> Float[Tensor, "batch token out_dim"]:
        """Compute the same by the plain layers."""
        lifted = tokens if self.up is None else self.up.forward(tokens)
        return self.down.forward(self._plain_drop(self.activation.forward(lifted)))

    def fits(self, tokens: Tensor) -> bool:
        """Tell whether all weights and biases have the expected sizes: the kernel itself checks no bounds."""
        up, down = self.up, self.down
        first = up or down
        return (
            kernels_may_compute(tokens, first.weight)
            and kernels_take(first.weight, first.bias, down.weight, down.bias)
            and self.dropout.p < 1
            and getattr(self.activation, "approximate", "none") == "none"
            and first.weight.dim() == down.weight.dim() == _DIMS_OF_WEIGHTS
            and tokens.shape[1:] == first.weight.shape[:2]
            and (up is None or down.weight.shape[:2] == up.weight.shape[::2])
            and all(each.bias.shape == each.weight.shape[::2] for each in (first, down))
        )


class _PerTokenMlp(torch.autograd.Function):
    """down(dropout(activation(up(x)))) by one kernel call forward and one backward, token by token."""

    @staticmethod
    def forward(  # noqa: PLR0917 - autograd passes arguments by position
        ctx: Any,
        x: Tensor,
        up: Tensor | None,
        up_bias: Tensor | None,
        down: Tensor,
        down_bias: Tensor,
        activation: int,
        drop: DropoutOperation,
    ) -> Tensor:
        x = with_contiguous_rows(x)
        (tokens, rows, in_dim), (hidden, out_dim) = x.shape, down.shape[1:]
        noise, threshold, scale = drop.draw(tokens, rows, hidden)
        num_weights = (0 if up is None else up[0].numel()) + down[0].numel()
        parts = num_parts(rows)
        block = rows_per_block(rows, parts=parts, floats_per_row=3 * hidden, num_weights=num_weights)
        sizes = {"tokens": tokens, "rows": rows, "in": in_dim, "hidden": hidden, "out_dim": out_dim, "block": block}
        out = x.new_empty(rows, tokens, out_dim).transpose(0, 1)
        saves = up is not None and any(ctx.needs_input_grad) and not is_cheap_to_repeat(in_dim)
        saved = x.new_empty(tokens, rows, hidden) if saves else None
        call(
            "per_token_mlp_forward",
            {
                **_input(x, up, up_bias, down),
                "activation": activation,
                "noise": noise,
                "threshold": threshold,
                "scale": scale,
                "b2": down_bias,
                "out": out,
                "out_token": out.stride(0),
                "out_row": out.stride(1),
                "saved": saved,
                "scratch": x.new_empty(parts * block * 2 * hidden),
                **sizes,
            },
            rows=rows,
            parts=parts,
        )
        ctx.activation, ctx.threshold, ctx.scale, ctx.parts, ctx.sizes = activation, threshold, scale, parts, sizes
        ctx.save_for_backward(x, up, up_bias, noise, down, saved)
        return out

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor | None, ...]:
        x, up, up_bias, noise, down, saved = ctx.saved_tensors
        gradient, parts, sizes = with_contiguous_rows(gradient), ctx.parts, ctx.sizes
        dx = x.new_empty(x.shape) if up is None else torch.empty_like(x)
        shapes = (*((None, None) if up is None else (up.shape, up_bias.shape)), down.shape, (len(x), sizes["out_dim"]))
        sums = [None if shape is None else Accumulator(shape, parts=parts) for shape in shapes]
        call(
            "per_token_mlp_backward",
            {
                "gradient": gradient,
                "gradient_token": gradient.stride(0),
                "gradient_row": gradient.stride(1),
                **_input(x, up, up_bias, down),
                "activation": ctx.activation,
                "noise": noise,
                "threshold": ctx.threshold,
                "scale": ctx.scale,
                "saved": saved,
                "dx": dx,
                "dx_token": dx.stride(0),
                "dx_row": dx.stride(1),
                **dict(zip(("dw1", "db1", "dw2", "db2"), sums, strict=True)),
                "scratch": x.new_empty(parts * sizes["block"] * 3 * sizes["hidden"]),
                **sizes,
            },
            rows=x.shape[1],
            parts=parts,
        )
        return dx, *(None if each is None else each.sum() for each in sums), None, None


def _input(x: Tensor, up: Tensor | None, up_bias: Tensor | None, down: Tensor) -> dict[str, Tensor | int | None]:
    """Collect the fields that the forward and the backward kernel share."""
    return {"x": x, "x_token": x.stride(0), "x_row": x.stride(1), "w1": up, "b1": up_bias, "w2": down}

"""The compressed interaction network, with a kernel for each layer that keeps no products of pairs.

A layer has a product for each pair of rows, far more numbers than its input; passes over them take most of its time.
"""

from __future__ import annotations

from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.autograd.function import once_differentiable

from rankelastor.execution.kernels.operation import apply, kernels_may_compute
from rankelastor.execution.rules import Context, Operation, lowers
from rankelastor.native.calling import Accumulator, call, kernels_take, num_parts, rows_per_block
from rankelastor.nn.interaction.cin import CinLayer, CompressedInteractionNetwork


@lowers(CompressedInteractionNetwork)
def cin(layer: CompressedInteractionNetwork, context: Context) -> Operation | None:
    """Lower a compressed interaction network as a whole."""
    plain = all(context.is_plain(each, CinLayer) and context.is_plain(each.linear, nn.Linear) for each in layer.layers)
    return CinOperation(layer) if plain else None


class CinOperation:
    """CIN layers in a row; between them an embedding's places are rows, so that each layer is one product."""

    def __init__(self, layer: CompressedInteractionNetwork) -> None:
        self.layer = layer
        self._linears: list[Any] = [each.linear for each in layer.layers]

    def __call__(self, fields: Float[Tensor, "batch field dim"]) -> Float[Tensor, "batch out"]:
        """Apply the layers, and sum each row."""
        if not self.fits(fields):
            out: Tensor = self.layer.forward(fields)
            return out
        batch, num_fields, dim = fields.shape
        x = x0 = fields.transpose(1, 2).reshape(batch * dim, num_fields)
        sums = []
        for linear in self._linears:
            x = apply(_CinLayer, x0, x, linear.weight, linear.bias)
            sums.append(x.view(batch, dim, -1).sum(dim=1))
        return torch.cat(sums, dim=1)

    def fits(self, fields: Tensor) -> bool:
        """Tell whether the kernel can compute this input with the parameters that the layers have now."""
        num_fields = width = fields.shape[1]
        for linear in self._linears:
            weight, bias = linear.weight, linear.bias
            if not (kernels_may_compute(fields, weight) and kernels_take(weight, bias)):
                return False
            if weight.shape[1] != num_fields * width or bias.shape != weight.shape[:1]:
                return False
            width = len(weight)
        return bool(self._linears)


class _CinLayer(torch.autograd.Function):
    """One layer by one kernel call forward and one backward."""

    @staticmethod
    def forward(ctx: Any, x0: Tensor, x: Tensor, weight: Tensor, bias: Tensor) -> Tensor:
        x0, x = x0.contiguous(), x.contiguous()
        rows, parts, pairs = len(x0), num_parts(len(x0)), weight.shape[1]
        block = rows_per_block(rows, parts=parts, floats_per_row=2 * pairs, num_weights=weight.numel())
        sizes = {"fields": x0.shape[1], "width": x.shape[1], "out_dim": len(weight), "block": block}
        out = x.new_empty(rows, len(weight))
        call(
            "cin_forward",
            {
                "x0": x0,
                "x": x,
                "w": weight,
                "b": bias,
                "out": out,
                "scratch": x.new_empty(parts * block * pairs),
                **sizes,
            },
            rows=rows,
            parts=parts,
        )
        ctx.save_for_backward(x0, x, weight)
        ctx.parts, ctx.sizes = parts, sizes
        return out

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor, ...]:
        x0, x, weight = ctx.saved_tensors
        parts, sizes = ctx.parts, ctx.sizes
        dx0, dx = torch.empty_like(x0), torch.empty_like(x)
        gradient, dweight = gradient.contiguous(), Accumulator(weight.shape, parts=parts)
        call(
            "cin_backward",
            {
                "gradient": gradient,
                "x0": x0,
                "x": x,
                "w": weight,
                "dx0": dx0,
                "dx": dx,
                "dw": dweight,
                "scratch": x.new_empty(parts * sizes["block"] * 2 * weight.shape[1]),
                **sizes,
            },
            rows=len(x0),
            parts=parts,
        )
        return dx0, dx, dweight.sum(), gradient.sum(0)

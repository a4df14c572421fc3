"""The published gate as one operation with a gradient written out by hand."""

from __future__ import annotations

from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.autograd.function import once_differentiable
from torch.nn.functional import gelu

from rankelastor.nn.native.library import call, usable_kernels
from rankelastor.nn.observation import is_watched
from rankelastor.nn.per_token import PerTokenLinear


def can_fuse(gate: nn.Module, tokens: Tensor) -> bool:
    """Whether one operation can stand for the gate: on the CPU in the weights' precision, with nobody watching."""
    return (
        tokens.device.type == "cpu"
        and tokens.dtype == next(gate.parameters()).dtype
        and not torch.is_autocast_enabled("cpu")
        and not is_watched(*gate.children())
    )


def fused_gate(
    tokens: Float[Tensor, "batch token dim"], lift: PerTokenLinear, reduce: PerTokenLinear
) -> Float[Tensor, "batch token dim"]:
    """((S2 x + GELU(W1 x)) * (W2 x)) W3 + S1 x, with the maps W1, W2, S2, S1 side by side in ``lift``.

    PyTorch's graph would copy the four gradients together and pass over the inner width nine times; here each is
    written to its place in one buffer, in half as many passes.
    """
    weights = (lift.weight, lift.bias, reduce.weight, reduce.bias)
    gated: Tensor = _FusedGate.apply(tokens.transpose(0, 1), *weights)  # type: ignore[no-untyped-call]
    return gated.transpose(0, 1)


class _FusedGate(torch.autograd.Function):
    @staticmethod
    def forward(  # noqa: PLR0917 - autograd passes by position
        ctx: Any, x: Tensor, lift: Tensor, lift_bias: Tensor, reduce: Tensor, reduce_bias: Tensor
    ) -> Tensor:
        inner_dim, dim = reduce.shape[1:]
        widths = [inner_dim, inner_dim, inner_dim, dim]
        bias = lift_bias.clone()
        bias[:, 3 * inner_dim :] += reduce_bias  # the residual and what is reduced are added up
        lifted = torch.bmm(x, lift)
        native = usable_kernels(lifted, bias)
        if native is not None:
            opened, product = (lifted.new_empty(*x.shape[:2], inner_dim) for _ in range(2))
            call(native.gate, lifted, bias, opened, product, *x.shape[:2], inner_dim, dim)
            residual = lifted[..., 3 * inner_dim :]
        else:
            gate, value, skip, residual = lifted.add_(bias.unsqueeze(1)).split(widths, dim=-1)
            opened = gelu(gate).add_(skip)
            product = opened * value
        out = torch.baddbmm(residual, product, reduce)
        ctx.save_for_backward(x, lift, reduce, lifted, opened, product)
        ctx.widths = widths
        return out

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor, ...]:
        x, lift, reduce, lifted, opened, product = ctx.saved_tensors
        gate, value, _, _ = lifted.split(ctx.widths, dim=-1)
        reduce_gradient = torch.bmm(product.transpose(1, 2), gradient)
        from_product = torch.bmm(gradient, reduce.transpose(1, 2))
        lifted_gradient = torch.empty_like(lifted)
        inner_dim, dim = reduce.shape[1:]
        gradient = gradient.contiguous()
        native = usable_kernels(lifted, from_product, gradient)
        if native is not None:
            bias_gradient = lifted.new_zeros(lifted.shape[0], lifted.shape[2])
            sizes = (*lifted.shape[:2], inner_dim, dim)
            call(native.gate_backward, from_product, gradient, lifted, opened, lifted_gradient, bias_gradient, *sizes)
        else:
            of_gate, of_value, of_skip, of_residual = lifted_gradient.split(ctx.widths, dim=-1)
            torch.mul(from_product, opened, out=of_value)
            torch.mul(from_product, value, out=of_skip)
            torch.ops.aten.gelu_backward(of_skip, gate, grad_input=of_gate)
            of_residual.copy_(gradient)
            bias_gradient = lifted_gradient.sum(1)
        return (
            torch.bmm(lifted_gradient, lift.transpose(1, 2)),
            torch.bmm(x.transpose(1, 2), lifted_gradient),
            bias_gradient,
            reduce_gradient,
            bias_gradient[:, 3 * inner_dim :].clone(),
        )

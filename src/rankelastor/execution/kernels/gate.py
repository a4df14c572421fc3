"""The published gate as one operation with a gradient written out by hand."""

from __future__ import annotations

from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor
from torch.autograd.function import once_differentiable
from torch.nn.functional import gelu

from rankelastor.native.calling import OfParts, call, in_rows, kernels_fit, num_parts, row_blocks
from rankelastor.nn.fusing import CHEAP_TO_REPEAT, applied
from rankelastor.nn.norm import rms_norm
from rankelastor.nn.per_token import PerTokenLinear


def gate_fits(
    tokens: Float[Tensor, "batch token dim"],
    lift: PerTokenLinear,
    reduce: PerTokenLinear,
    gain: Float[Tensor, "token dim"] | None,
) -> bool:
    """Whether these sizes are those of a gate: kernels read and write what sizes tell them."""
    num_tokens, dim = tokens.shape[1:]
    inner_dim, out_dim = reduce.weight.shape[1:]
    return (
        lift.weight.shape == (num_tokens, dim, 3 * inner_dim + out_dim)
        and lift.bias.shape == (num_tokens, 3 * inner_dim + out_dim)
        and reduce.weight.shape == (num_tokens, inner_dim, out_dim)
        and reduce.bias.shape == (num_tokens, out_dim)
        and (gain is None or gain.shape == (num_tokens, dim))
    )


def fused_gate(
    tokens: Float[Tensor, "batch token dim"],
    lift: PerTokenLinear,
    reduce: PerTokenLinear,
    *,
    gain: Float[Tensor, "token dim"] | None = None,
    then: PerTokenLinear | None = None,
) -> Float[Tensor, "batch token out_dim"]:
    """((S2 x + GELU(W1 x)) * (W2 x)) W3 + S1 x, with the maps W1, W2, S2, S1 side by side in ``lift``.

    ``gain``: of an RMSNorm before it. ``then``: a linear map of the gated tokens. Where it narrows them, W3 and S1 are
    multiplied by it beforehand: products of weights cost less than products of a batch, and the result differs by
    rounding alone.
    """
    x, weights = tokens.transpose(0, 1), (lift.weight, lift.bias, reduce.weight, reduce.bias)
    before, after = () if gain is None else (gain,), () if then is None else (then.weight, then.bias)
    if not kernels_fit(*before, *weights, *after):
        normed = tokens if gain is None else rms_norm(tokens, gain)
        gated = applied(_GateOfOperations, normed.transpose(0, 1), *weights)
    elif then is not None and _folding_pays(len(tokens), reduce, then):
        gated, then = applied(_NativeGate, x, gain, *weights, *after), None
    else:
        gated = applied(_NativeGate, x, gain, *weights, None, None)
    out: Tensor = gated.transpose(0, 1)
    return out if then is None else then(out)


def _folding_pays(rows: int, reduce: PerTokenLinear, then: PerTokenLinear) -> bool:
    """Whether multiplying W3 and S1 by the map that follows saves the rows more multiply-adds than it takes."""
    inner_dim, dim = reduce.weight.shape[1:]
    out_dim = then.weight.shape[2]
    saved = rows * ((inner_dim + dim + out_dim) * dim - (inner_dim + dim) * out_dim)
    return saved > (inner_dim + dim) * dim * out_dim


class _NativeGate(torch.autograd.Function):
    """One call of a kernel forward and one backward; PyTorch only multiplies weights."""

    @staticmethod
    def forward(  # noqa: PLR0917 - autograd passes by position
        ctx: Any,
        x: Tensor,
        gain: Tensor | None,
        lift: Tensor,
        lift_bias: Tensor,
        reduce: Tensor,
        reduce_bias: Tensor,
        then: Tensor | None,
        then_bias: Tensor | None,
    ) -> Tensor:
        x, keeps = in_rows(x), any(ctx.needs_input_grad)
        (tokens, rows, dim), inner_dim = x.shape, reduce.shape[1]
        direct, bias = lift[:, :, 3 * inner_dim :], lift_bias[:, 3 * inner_dim :] + reduce_bias
        folded = (direct, reduce, bias)
        if then is not None:
            assert then_bias is not None, "weight and bias come together"
            folded = (torch.bmm(direct, then), torch.bmm(reduce, then), _vectors_times(bias, then).add_(then_bias))
        out_dim = folded[1].shape[2]
        parts = num_parts(rows)
        block = row_blocks(-(-rows // parts), floats_a_row=8 * inner_dim, num_weights=lift[0].numel())
        out = x.new_empty(tokens, rows, out_dim)
        lifted = x.new_empty(tokens, rows, 3 * inner_dim) if keeps and dim > CHEAP_TO_REPEAT else None
        inverse = None if gain is None else x.new_empty(tokens, rows)
        scratch = x.new_empty(parts * block * (4 * inner_dim + dim))
        call(
            "gate_forward",
            *(x, x.stride(0), x.stride(1), gain, inverse, lift, lift.stride(1), lift_bias),
            *(folded[0], folded[0].stride(1), *folded[1:]),
            *(out, lifted, scratch, tokens, rows, dim, inner_dim, out_dim, block),
            rows=rows,
            parts=parts,
        )
        if keeps:
            ctx.parts, ctx.block = parts, block
            ctx.save_for_backward(x, gain, inverse, lift, lift_bias, reduce, bias, then, lifted, *folded[:2])
        return out

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor | None, ...]:
        x, gain, inverse, lift, lift_bias, reduce, bias, then, lifted, *folded = ctx.saved_tensors
        gradient = in_rows(gradient)
        (tokens, rows, dim), inner_dim, out_dim = x.shape, reduce.shape[1], gradient.shape[2]
        parts = ctx.parts
        dx = x.new_empty(tokens, rows, dim)
        shapes = (lift.shape, lift_bias.shape, folded[1].shape, (tokens, out_dim))
        of_lift, of_lift_bias, of_reduce, of_bias = (OfParts(shape, parts=parts) for shape in shapes)
        of_direct = None if then is None else OfParts(folded[0].shape, parts=parts)
        of_gain = None if gain is None else OfParts(gain.shape, parts=parts)
        call(
            "gate_backward",
            *(gradient, gradient.stride(0), gradient.stride(1), x, x.stride(0), x.stride(1)),
            *(gain, inverse, lift, lift.stride(1), lift_bias, folded[0], folded[0].stride(1), folded[1], lifted),
            *(dx, of_gain, of_lift, of_lift_bias, of_direct or of_lift.buffers[:, 3 * inner_dim :], of_reduce, of_bias),
            x.new_empty(parts * ctx.block * (8 * inner_dim + 2 * dim)),
            *(tokens, rows, dim, inner_dim, out_dim, ctx.block),
            rows=rows,
            parts=parts,
        )
        dlift, dlift_bias, dreduce, dbias = (each.sum() for each in (of_lift, of_lift_bias, of_reduce, of_bias))
        dthen = dthen_bias = None
        if of_direct is not None:
            direct, ddirect, back = lift[:, :, 3 * inner_dim :], of_direct.sum(), then.transpose(1, 2)
            dthen = torch.bmm(reduce.transpose(1, 2), dreduce).baddbmm_(direct.transpose(1, 2), ddirect)
            dthen.baddbmm_(bias.unsqueeze(2), dbias.unsqueeze(1))
            dlift[:, :, 3 * inner_dim :] = torch.bmm(ddirect, back)
            dreduce, dthen_bias, dbias = torch.bmm(dreduce, back), dbias, _vectors_times(dbias, back)
        dlift_bias[:, 3 * inner_dim :] = dbias
        dgain = None if of_gain is None else of_gain.sum()
        return dx, dgain, dlift, dlift_bias, dreduce, dbias, dthen, dthen_bias


def _vectors_times(vectors: Float[Tensor, "token dim"], maps: Float[Tensor, "token dim out"]) -> Tensor:
    return torch.bmm(vectors.unsqueeze(1), maps).squeeze(1)


class _GateOfOperations(torch.autograd.Function):
    """For where there are no kernels.

    PyTorch's graph would copy the four gradients together and pass over the inner width nine times; here each is
    written to its place in one buffer, in half as many passes.
    """

    @staticmethod
    def forward(  # noqa: PLR0917 - autograd passes by position
        ctx: Any, x: Tensor, lift: Tensor, lift_bias: Tensor, reduce: Tensor, reduce_bias: Tensor
    ) -> Tensor:
        inner_dim, dim = reduce.shape[1:]
        widths = [inner_dim, inner_dim, inner_dim, dim]
        lifted = torch.baddbmm(lift_bias.unsqueeze(1), x, lift)
        gate, value, skip, residual = lifted.split(widths, dim=-1)
        opened = gelu(gate).add_(skip)
        product = opened * value
        out = torch.baddbmm(residual, product, reduce).add_(reduce_bias.unsqueeze(1))
        ctx.save_for_backward(x, lift, reduce, lifted, opened, product)
        ctx.widths = widths
        return out

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor, ...]:
        x, lift, reduce, lifted, opened, product = ctx.saved_tensors
        gate, value, _, _ = lifted.split(ctx.widths, dim=-1)
        lifted_gradient = torch.empty_like(lifted)
        of_gate, of_value, of_skip, of_residual = lifted_gradient.split(ctx.widths, dim=-1)
        from_product = torch.bmm(gradient, reduce.transpose(1, 2))
        torch.mul(from_product, opened, out=of_value)
        torch.mul(from_product, value, out=of_skip)
        torch.ops.aten.gelu_backward(of_skip, gate, grad_input=of_gate)
        of_residual.copy_(gradient)
        return (
            torch.bmm(lifted_gradient, lift.transpose(1, 2)),
            torch.bmm(x.transpose(1, 2), lifted_gradient),
            lifted_gradient.sum(1),
            torch.bmm(product.transpose(1, 2), gradient),
            gradient.sum(1),
        )

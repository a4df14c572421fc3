"""The published gate as one kernel, with the norm before it and the linear map after it."""

from __future__ import annotations

from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor
from torch.autograd.function import once_differentiable

from rankelastor.execution.folding import folding_pays
from rankelastor.execution.kernels.operation import apply, kernels_may_compute
from rankelastor.native.calling import Accumulator, call, kernels_take, num_parts, rows_per_block, with_contiguous_rows
from rankelastor.nn.ffn.gate import PublishedGate
from rankelastor.nn.per_token import PerTokenLinear, PerTokenRMSNorm

_STRIP = 16
"""Rows of a strip, as in ``strips.h``."""
_WIDEST_IN_TRAINING = 15
_WIDEST = 64
"""Widths up to which strips were faster on one core; the gradients of weights by strips are slower from 16 on."""


class GateOperation:
    """then(gate(norm(x))); the norm and the map ``then`` are optional.

    Where ``then`` narrows the tokens, W3 and S1 are multiplied by it beforehand: products of weights cost less than
    products of a batch, and the result differs only by rounding.

    Args:
        gate: the gate, whose ``lift`` holds the maps W1, W2, S2, S1 side by side.
        norm: the norm before the gate.
        then: the linear map after the gate.
    """

    def __init__(
        self,
        gate: PublishedGate,
        *,
        norm: PerTokenRMSNorm | None = None,
        then: PerTokenLinear | None = None,
    ) -> None:
        self.gate = gate
        self.norm = norm
        self.then = then

    def __call__(self, tokens: Float[Tensor, "batch token dim"]) -> Float[Tensor, "batch token out_dim"]:
        """Compute then(gate(norm(x)))."""
        if not self.fits(tokens):
            return self.plain(tokens)
        lift, reduce, then = self.gate.lift, self.gate.reduce, self.then
        gain = None if self.norm is None else self.norm.weight
        weights = (lift.weight, lift.bias, reduce.weight, reduce.bias)
        if then is not None and folding_pays(len(tokens), reduce, then):
            return apply(_Gate, tokens.transpose(0, 1), gain, *weights, then.weight, then.bias).transpose(0, 1)
        gated = apply(_Gate, tokens.transpose(0, 1), gain, *weights, None, None).transpose(0, 1)
        return gated if then is None else then.forward(gated)

    def plain(self, tokens: Float[Tensor, "batch token dim"]) -> Float[Tensor, "batch token out_dim"]:
        """Compute the same by the plain layers."""
        normed = tokens if self.norm is None else self.norm.forward(tokens)
        gated = self.gate.forward(normed)
        return gated if self.then is None else self.then.forward(gated)

    def fits(self, tokens: Tensor) -> bool:
        """Tell whether all weights and biases have the expected sizes: the kernel itself checks no bounds."""
        lift, reduce = self.gate.lift, self.gate.reduce
        parameters = (lift.weight, lift.bias, reduce.weight, reduce.bias)
        if not (kernels_may_compute(tokens, lift.weight) and kernels_take(*parameters)):
            return False
        num_tokens, dim = tokens.shape[1:]
        inner_dim, out_dim = reduce.weight.shape[1:]
        return (
            lift.weight.shape == (num_tokens, dim, 3 * inner_dim + out_dim)
            and lift.bias.shape == (num_tokens, 3 * inner_dim + out_dim)
            and lift.out_dims == (inner_dim, inner_dim, inner_dim, out_dim)
            and reduce.weight.shape == (num_tokens, inner_dim, out_dim)
            and reduce.bias.shape == (num_tokens, out_dim)
            and self._neighbours_fit(num_tokens, dim, out_dim)
        )

    def _neighbours_fit(self, num_tokens: int, dim: int, out_dim: int) -> bool:
        norm, then = self.norm, self.then
        norm_fits = norm is None or (kernels_take(norm.weight) and norm.weight.shape == (num_tokens, dim))
        then_fits = then is None or (
            kernels_take(then.weight, then.bias)
            and then.weight.shape[:2] == (num_tokens, out_dim)
            and then.bias.shape == (num_tokens, then.weight.shape[2])
        )
        return norm_fits and then_fits


class _Gate(torch.autograd.Function):
    """The gate by one kernel call forward and one backward; PyTorch only multiplies weights."""

    @staticmethod
    def forward(  # noqa: PLR0917 - autograd passes arguments by position
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
        x, saves = with_contiguous_rows(x), any(ctx.needs_input_grad)
        (tokens, rows, dim), inner_dim = x.shape, reduce.shape[1]
        direct, bias = lift[:, :, 3 * inner_dim :], lift_bias[:, 3 * inner_dim :] + reduce_bias
        folded = (direct, reduce, bias)
        if then is not None:
            assert then_bias is not None, "the map has both weight and bias"
            folded = (torch.bmm(direct, then), torch.bmm(reduce, then), _multiply_vectors(bias, then).add_(then_bias))
        out_dim = folded[1].shape[2]
        parts, by_strips = num_parts(rows), _fits_strips(rows, max(dim, out_dim), saves=saves)
        block = _rows_of_block(rows, parts, lift, inner_dim, by_strips=by_strips)
        out = x.new_empty(tokens, rows, out_dim)
        kept = x.new_empty(tokens, rows, 3 * inner_dim) if saves and not by_strips else None
        inverse = None if gain is None or by_strips else x.new_empty(tokens, rows)
        scratch = x.new_empty(
            parts * (_STRIP * (4 * inner_dim + dim + out_dim) if by_strips else block * (4 * inner_dim + dim))
        )
        call(
            "gate_forward",
            {
                **_input(x, gain, inverse, lift, folded[0], folded[1]),
                "lift_bias": lift_bias,
                "bias": folded[2],
                "out": out,
                "kept": kept,
                "scratch": scratch,
                **_sizes(x, inner_dim, out_dim, block, by_strips=by_strips),
            },
            rows=rows,
            parts=parts,
        )
        if saves:
            ctx.parts, ctx.block, ctx.by_strips = parts, block, by_strips
            ctx.save_for_backward(x, gain, inverse, lift, lift_bias, reduce, bias, then, kept, *folded[:2])
        return out

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor | None, ...]:
        x, gain, inverse, lift, lift_bias, reduce, bias, then, kept, *folded = ctx.saved_tensors
        gradient = with_contiguous_rows(gradient)
        (tokens, rows, dim), inner_dim, out_dim = x.shape, reduce.shape[1], gradient.shape[2]
        parts, block = ctx.parts, ctx.block
        scratch = block * (5 * inner_dim + 2 * dim)
        if ctx.by_strips:
            scratch = block * (4 * inner_dim + dim + out_dim) + _STRIP * (4 * inner_dim + 3 * dim)
        dx = torch.empty_like(x)
        shapes = (lift.shape, (tokens, lift.shape[2]), folded[1].shape, (tokens, out_dim))
        lift_sum, lift_bias_sum, reduce_sum, bias_sum = (Accumulator(shape, parts=parts) for shape in shapes)
        direct_sum = None if then is None else Accumulator(folded[0].shape, parts=parts)
        gain_sum = None if gain is None else Accumulator(gain.shape, parts=parts)
        call(
            "gate_backward",
            {
                "gradient": gradient,
                "gradient_token": gradient.stride(0),
                "gradient_row": gradient.stride(1),
                **_input(x, gain, inverse, lift, *folded),
                "lift_bias": lift_bias,
                "kept": kept,
                "dx": dx,
                "dx_token": dx.stride(0),
                "dx_row": dx.stride(1),
                "dgain": gain_sum,
                "dlift": lift_sum,
                "dlift_bias": lift_bias_sum,
                "ddirect": direct_sum or lift_sum.buffers[:, 3 * inner_dim :],
                "dreduce": reduce_sum,
                "dbias": bias_sum,
                "scratch": x.new_empty(parts * scratch),
                **_sizes(x, inner_dim, out_dim, block, by_strips=ctx.by_strips),
            },
            rows=rows,
            parts=parts,
        )
        dlift, dlift_bias, dreduce, dbias = (each.sum() for each in (lift_sum, lift_bias_sum, reduce_sum, bias_sum))
        dthen = dthen_bias = None
        if direct_sum is not None:
            direct, ddirect, back = lift[:, :, 3 * inner_dim :], direct_sum.sum(), then.transpose(1, 2)
            dthen = torch.bmm(reduce.transpose(1, 2), dreduce).baddbmm_(direct.transpose(1, 2), ddirect)
            dthen.baddbmm_(bias.unsqueeze(2), dbias.unsqueeze(1))
            dlift[:, :, 3 * inner_dim :] = torch.bmm(ddirect, back)
            dreduce, dthen_bias, dbias = torch.bmm(dreduce, back), dbias, _multiply_vectors(dbias, back)
        dlift_bias[:, 3 * inner_dim :] = dbias
        dgain = None if gain_sum is None else gain_sum.sum()
        return dx, dgain, dlift, dlift_bias, dreduce, dbias, dthen, dthen_bias


def _multiply_vectors(vectors: Float[Tensor, "token dim"], maps: Float[Tensor, "token dim out"]) -> Tensor:
    return torch.bmm(vectors.unsqueeze(1), maps).squeeze(1)


def _input(  # noqa: PLR0917 - a table of the kernel's fields
    x: Tensor,
    gain: Tensor | None,
    inverse: Tensor | None,
    lift: Tensor,
    direct: Tensor,
    reduce: Tensor,
) -> dict[str, Tensor | int | None]:
    """Collect the fields that the forward and the backward kernel share."""
    return {
        "x": x,
        "x_token": x.stride(0),
        "x_row": x.stride(1),
        "gain": gain,
        "inverse": inverse,
        "lift": lift,
        "lift_row": lift.stride(1),
        "direct": direct,
        "direct_row": direct.stride(1),
        "reduce": reduce,
    }


def _sizes(x: Tensor, inner_dim: int, out_dim: int, block: int, *, by_strips: bool) -> dict[str, int]:
    tokens, rows, dim = x.shape
    sizes = {"tokens": tokens, "rows": rows, "dim": dim, "inner": inner_dim, "out_dim": out_dim}
    return {**sizes, "block": block, "by_strips": int(by_strips)}


def _fits_strips(rows: int, width: int, *, saves: bool) -> bool:
    """Tell whether strips are faster: with a backward pass where tokens are too narrow to fill the registers."""
    return rows >= _STRIP and width <= (_WIDEST_IN_TRAINING if saves else _WIDEST)


def _rows_of_block(rows: int, parts: int, lift: Tensor, inner_dim: int, *, by_strips: bool) -> int:
    """Choose the rows of a block, whole strips where there are strips."""
    block = rows_per_block(rows, parts=parts, floats_per_row=5 * inner_dim, num_weights=lift[0].numel())
    return -(-block // _STRIP) * _STRIP if by_strips else block

"""The pointwise part of per-token FFNs in Triton: biases, activation and gate in one pass, their gradient in another.

A per-token product leaves one to three maps of width ``inner`` side by side, and behind them columns that get their
bias alone. With a, b, c for the maps with their biases the result is act(a), act(a) * b, or (c + act(a)) * b. A pass
reads and writes each value once, and the backward pass sums the gradient of the biases on its way.
"""

from __future__ import annotations

from typing import Any

import torch
import triton
import triton.language as tl
from torch import Tensor
from torch.library import triton_op, wrap_triton

_BLOCK, _MOST_COLUMNS = 2048, 256
"""Values of a block, which are some examples of one token by some columns, and most columns of a block."""
_ROWS_OF_PROGRAM = 128
"""Examples whose gradients of the biases one program adds up."""


@triton.jit
def _activate(a, activation: tl.constexpr):
    if activation == "gelu":
        return 0.5 * a * (1.0 + tl.erf(a * 0.7071067811865476))
    if activation == "silu":
        return a / (1.0 + tl.exp(-a))
    return tl.maximum(a, 0.0)


@triton.jit
def _slope(a, activation: tl.constexpr):
    if activation == "gelu":
        return 0.5 * (1.0 + tl.erf(a * 0.7071067811865476)) + a * tl.exp(-0.5 * a * a) * 0.3989422804014327
    if activation == "silu":
        s = 1.0 / (1.0 + tl.exp(-a))
        return s * (1.0 + a * (1.0 - s))
    return tl.where(a > 0.0, 1.0, 0.0)


@triton.jit
def _gated_forward(
    lifted,
    bias,
    out,
    direct,
    rows,
    inner: tl.constexpr,
    num_direct: tl.constexpr,
    maps: tl.constexpr,
    activation: tl.constexpr,
    block_rows: tl.constexpr,
    block_columns: tl.constexpr,
):
    width: tl.constexpr = maps * inner + num_direct
    inner_blocks: tl.constexpr = (inner + block_columns - 1) // block_columns
    block, token = tl.program_id(1), tl.program_id(2)
    row = tl.program_id(0) * block_rows + tl.arange(0, block_rows)
    index = token.to(tl.int64) * rows + row
    bias += token * width
    if block < inner_blocks:
        column = block * block_columns + tl.arange(0, block_columns)
        in_columns = column < inner
        mask = (row < rows)[:, None] & in_columns[None, :]
        at = lifted + index[:, None] * width + column[None, :]
        a = tl.load(at, mask, 0.0).to(tl.float32) + tl.load(bias + column, in_columns, 0.0)[None, :]
        result = _activate(a, activation)
        if maps == 3:
            c = tl.load(at + 2 * inner, mask, 0.0).to(tl.float32)
            result += c + tl.load(bias + 2 * inner + column, in_columns, 0.0)[None, :]
        if maps >= 2:
            b = tl.load(at + inner, mask, 0.0).to(tl.float32)
            result *= b + tl.load(bias + inner + column, in_columns, 0.0)[None, :]
        tl.store(out + index[:, None] * inner + column[None, :], result, mask)
    else:
        column = (block - inner_blocks) * block_columns + tl.arange(0, block_columns)
        in_columns = column < num_direct
        mask = (row < rows)[:, None] & in_columns[None, :]
        value = tl.load(lifted + index[:, None] * width + maps * inner + column[None, :], mask, 0.0).to(tl.float32)
        value += tl.load(bias + maps * inner + column, in_columns, 0.0)[None, :]
        tl.store(direct + index[:, None] * num_direct + column[None, :], value, mask)


@triton.jit
def _gated_backward(
    lifted,
    bias,
    d_out,
    d_direct,
    d_lifted,
    d_bias,
    rows,
    inner: tl.constexpr,
    num_direct: tl.constexpr,
    maps: tl.constexpr,
    activation: tl.constexpr,
    block_rows: tl.constexpr,
    block_columns: tl.constexpr,
    num_steps: tl.constexpr,
):
    width: tl.constexpr = maps * inner + num_direct
    inner_blocks: tl.constexpr = (inner + block_columns - 1) // block_columns
    part, block, token = tl.program_id(0), tl.program_id(1), tl.program_id(2)
    first_row = part * num_steps * block_rows + tl.arange(0, block_rows)
    index = token.to(tl.int64) * rows
    lifted += index * width
    d_lifted += index * width
    bias += token * width
    d_bias += (part * tl.num_programs(2) + token) * width
    if block < inner_blocks:
        column = block * block_columns + tl.arange(0, block_columns)
        d_out += index * inner
        _backward_of_maps(
            lifted, bias, d_out, d_lifted, d_bias, first_row, column, rows, inner, width, maps, activation, num_steps
        )
    else:
        column = (block - inner_blocks) * block_columns + tl.arange(0, block_columns)
        in_columns = column < num_direct
        d_direct += index * num_direct
        sums = tl.zeros((block_rows, block_columns), tl.float32)
        for step in range(num_steps):
            row = (first_row + step * block_rows).to(tl.int64)[:, None]
            mask = (row < rows) & in_columns[None, :]
            gradient = tl.load(d_direct + row * num_direct + column[None, :], mask, 0.0).to(tl.float32)
            tl.store(d_lifted + row * width + maps * inner + column[None, :], gradient, mask)
            sums += gradient
        tl.store(d_bias + maps * inner + column, tl.sum(sums, 0), in_columns)


@triton.jit
def _backward_of_maps(
    lifted,
    bias,
    d_out,
    d_lifted,
    d_bias,
    first_row,
    column,
    rows,
    inner: tl.constexpr,
    width: tl.constexpr,
    maps: tl.constexpr,
    activation: tl.constexpr,
    num_steps: tl.constexpr,
):
    in_columns = column < inner
    bias_a = tl.load(bias + column, in_columns, 0.0)[None, :]
    bias_b = tl.load(bias + inner + column, in_columns & (maps >= 2), 0.0)[None, :]
    bias_c = tl.load(bias + 2 * inner + column, in_columns & (maps == 3), 0.0)[None, :]
    sum_a = tl.zeros((first_row.shape[0], column.shape[0]), tl.float32)
    sum_b = tl.zeros_like(sum_a)
    sum_c = tl.zeros_like(sum_a)
    for step in range(num_steps):
        row = (first_row + step * first_row.shape[0]).to(tl.int64)[:, None]
        mask = (row < rows) & in_columns[None, :]
        at = row * width + column[None, :]
        gradient = tl.load(d_out + row * inner + column[None, :], mask, 0.0).to(tl.float32)
        a = tl.load(lifted + at, mask, 0.0).to(tl.float32) + bias_a
        if maps >= 2:
            factor = _activate(a, activation)
            if maps == 3:
                factor += tl.load(lifted + at + 2 * inner, mask, 0.0).to(tl.float32) + bias_c
            b = tl.load(lifted + at + inner, mask, 0.0).to(tl.float32) + bias_b
            d_b = gradient * factor
            tl.store(d_lifted + at + inner, d_b, mask)
            sum_b += d_b
            gradient *= b
        if maps == 3:
            tl.store(d_lifted + at + 2 * inner, gradient, mask)
            sum_c += gradient
        d_a = gradient * _slope(a, activation)
        tl.store(d_lifted + at, d_a, mask)
        sum_a += d_a
    tl.store(d_bias + column, tl.sum(sum_a, 0), in_columns)
    tl.store(d_bias + inner + column, tl.sum(sum_b, 0), in_columns & (maps >= 2))
    tl.store(d_bias + 2 * inner + column, tl.sum(sum_c, 0), in_columns & (maps == 3))


@triton_op("rankelastor::gated", mutates_args={})
def gated(lifted: Tensor, bias: Tensor, maps: int, num_direct: int, activation: str) -> tuple[Tensor, Tensor]:
    """Compute act(a), act(a) * b or (c + act(a)) * b from one, two or three maps, and the columns behind them.

    Args:
        lifted: (token, batch, maps * inner + num_direct), contiguous: the maps a, b, c without their biases, and what
            lies behind them.
        bias: (token, maps * inner + num_direct), contiguous, in float32.
        maps: number of maps, 1 to 3.
        num_direct: number of columns behind the maps.
        activation: ``gelu`` (exact), ``silu`` or ``relu``.

    Returns:
        The result, (token, batch, inner), and the columns behind the maps with their biases, (token, batch,
        num_direct), both in the dtype of ``lifted``; in between everything is computed in float32.
    """
    tokens, rows, width = lifted.shape
    inner = (width - num_direct) // maps
    out = lifted.new_empty(tokens, rows, inner)
    direct = lifted.new_empty(tokens, rows, num_direct)
    columns = _block_columns(inner)
    block_rows = _BLOCK // columns
    wrap_triton(_gated_forward)[(triton.cdiv(rows, block_rows), _blocks(inner, num_direct), tokens)](
        lifted, bias, out, direct, rows, inner, num_direct, maps, activation, block_rows, columns
    )
    return out, direct


@triton_op("rankelastor::gated_backward", mutates_args={})
def gated_backward(
    lifted: Tensor, bias: Tensor, d_out: Tensor, d_direct: Tensor, maps: int, num_direct: int, activation: str
) -> tuple[Tensor, Tensor]:
    """Compute the gradients of ``lifted`` and ``bias`` from those of the two results of ``gated``."""
    tokens, rows, width = lifted.shape
    inner = (width - num_direct) // maps
    parts = triton.cdiv(rows, _ROWS_OF_PROGRAM)
    d_lifted = torch.empty_like(lifted)
    d_bias = bias.new_empty(parts, tokens, width)
    columns = _block_columns(inner)
    block_rows = _BLOCK // columns
    sizes = (rows, inner, num_direct, maps, activation, block_rows, columns, _ROWS_OF_PROGRAM // block_rows)
    wrap_triton(_gated_backward)[(parts, _blocks(inner, num_direct), tokens)](
        lifted, bias, d_out, d_direct, d_lifted, d_bias, *sizes
    )
    return d_lifted, d_bias.sum(0)


def _blocks(inner: int, num_direct: int) -> int:
    columns = _block_columns(inner)
    return int(triton.cdiv(inner, columns) + triton.cdiv(num_direct, columns))


def _block_columns(inner: int) -> int:
    """Choose as many columns as there are, so that a block reads whole rows."""
    return min(_MOST_COLUMNS, int(triton.next_power_of_2(max(16, inner))))


def _save(ctx: Any, inputs: tuple[Any, ...], output: Any) -> None:
    lifted, bias, *ctx.sizes = inputs
    ctx.save_for_backward(lifted, bias)


def _differentiate(ctx: Any, d_out: Tensor, d_direct: Tensor) -> tuple[Tensor | None, ...]:
    lifted, bias = ctx.saved_tensors
    d_lifted, d_bias = gated_backward(lifted, bias, d_out.contiguous(), d_direct.contiguous(), *ctx.sizes)
    return d_lifted, d_bias, None, None, None


gated.register_autograd(_differentiate, setup_context=_save)

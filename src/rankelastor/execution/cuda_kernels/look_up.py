"""The look-up of embedding rows and its gradient in Triton.

The gradient of a table is the sum of what was looked up, by row. Look-ups are sorted by row, and a program adds up
those of each row within a chunk of the sorted list. A row that reaches over the ends of a chunk leaves a part of its
sum at either end; the parts, which are sorted too, are added up in the same way, until one chunk is left. The order of
every sum depends on the batch alone, so that two steps on the same batch have the same bits, as with PyTorch's own
gradient.
"""

from __future__ import annotations

from typing import Any

import torch
import triton
import triton.language as tl
from jaxtyping import Float, Integer
from torch import Tensor
from torch.autograd.function import once_differentiable

_CHUNK = 64
"""Look-ups that one program reads, or adds up."""
_MOST_COLUMNS = 64
"""Most columns of a table that one program works on."""


@triton.jit
def _look_up(
    table,
    rows,
    found,
    num_look_ups,
    num_rows,
    dim: tl.constexpr,
    chunk: tl.constexpr,
    block_columns: tl.constexpr,
):
    index = tl.program_id(0).to(tl.int64) * chunk + tl.arange(0, chunk)
    column = tl.program_id(1) * block_columns + tl.arange(0, block_columns)
    mask = (index < num_look_ups)[:, None] & (column < dim)[None, :]
    row = tl.load(rows + index, index < num_look_ups, 0).to(tl.int64)
    exists = (row >= 0) & (row < num_rows)
    value = tl.load(table + row[:, None] * dim + column[None, :], mask & exists[:, None], float("nan"))
    tl.store(found + index[:, None] * dim + column[None, :], value, mask)


@triton.jit
def _add_within_row(row, value, next_row, next_value):
    return next_row, tl.where(row == next_row, value, 0.0) + next_value


@triton.jit
def _sum_by_row(
    rows,
    order,
    values,
    sums,
    rows_of_parts,
    parts,
    num_values,
    num_rows,
    dim: tl.constexpr,
    has_order: tl.constexpr,
    chunk: tl.constexpr,
    block_columns: tl.constexpr,
):
    number = tl.program_id(0)
    begin = number * chunk
    end = tl.minimum(begin + chunk, num_values)
    index = begin + tl.arange(0, chunk)
    column = tl.program_id(1) * block_columns + tl.arange(0, block_columns)
    in_chunk, in_columns = index < end, (column < dim)[None, :]

    row = tl.load(rows + index, in_chunk, -1)
    source = tl.load(order + index, in_chunk, 0).to(tl.int64) if has_order else index.to(tl.int64)
    value = tl.load(values + source[:, None] * dim + column[None, :], in_chunk[:, None] & in_columns, 0.0)
    of_row = tl.broadcast_to(row[:, None], (chunk, block_columns))
    _, so_far = tl.associative_scan((of_row, value), 0, _add_within_row)

    first, last = tl.load(rows + begin), tl.load(rows + end - 1)
    from_before = tl.load(rows + begin - 1, begin > 0, -2) == first
    goes_on = tl.load(rows + end, end < num_values, -2) == last
    is_end = in_chunk & ((tl.load(rows + index + 1, index + 1 < end, -2) != row) | (index == end - 1))
    at_first = is_end & from_before & (row == first)
    at_last = is_end & goes_on & (row == last) & (at_first == 0)
    is_whole = is_end & (at_first == 0) & (at_last == 0) & (row > 0) & (row < num_rows)
    tl.store(sums + row.to(tl.int64)[:, None] * dim + column[None, :], so_far, is_whole[:, None] & in_columns)

    # Where an end leaves no part, its row is -1, which is no row, and its part is never read. A row that fills the
    # chunk and more leaves its part in front, and zeros behind, so that its parts stay side by side.
    fills = from_before & goes_on & (first == last)
    front = parts + 2 * number.to(tl.int64) * dim + column[None, :] + tl.zeros((chunk, 1), tl.int32)
    tl.store(front, so_far, at_first[:, None] & in_columns)
    tl.store(front + dim, tl.where(fills, 0.0, so_far), (at_last | (at_first & fills))[:, None] & in_columns)
    if tl.program_id(1) == 0:
        tl.store(rows_of_parts + 2 * number, tl.where(from_before, first, -1))
        tl.store(rows_of_parts + 2 * number + 1, tl.where(goes_on, last, -1))


class _LookUp(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, table: Tensor, rows: Tensor) -> Tensor:
        table, rows = table.contiguous(), rows.contiguous()
        num_rows, dim = table.shape
        found = table.new_empty(*rows.shape, dim)
        columns = _block_columns(dim)
        grid = (triton.cdiv(rows.numel(), _CHUNK), triton.cdiv(dim, columns))
        _look_up[grid](table, rows, found, rows.numel(), num_rows, dim, _CHUNK, columns)
        ctx.save_for_backward(rows)
        ctx.num_rows = num_rows
        return found

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor, None]:
        (rows,) = ctx.saved_tensors
        return sum_by_row(rows.flatten(), gradient.flatten(0, -2), num_rows=ctx.num_rows), None


def look_up(table: Float[Tensor, "row dim"], rows: Integer[Tensor, "*batch"]) -> Float[Tensor, "*batch dim"]:
    """Look up rows of a table in float32; row 0 is padding and gets no gradient.

    A row that the table does not have gives NaN, which a loss shows, and no gradient.
    """
    found: Tensor = _LookUp.apply(table, rows)  # type: ignore[no-untyped-call]
    return found


def sum_by_row(
    rows: Integer[Tensor, " value"], values: Float[Tensor, "value dim"], *, num_rows: int
) -> Float[Tensor, "row dim"]:
    """Add up values of the same row, in an order that depends on ``rows`` alone; row 0 stays zero."""
    dim = values.shape[1]
    columns = _block_columns(dim)
    sums = values.new_zeros(num_rows, dim)
    keys, order = rows.to(torch.int32 if num_rows < 2**31 else torch.int64).sort(stable=True)
    values, has_order = values.contiguous(), True
    while True:
        num_chunks = triton.cdiv(len(keys), _CHUNK)
        rows_of_parts = keys.new_empty(2 * num_chunks)
        parts = values.new_empty(2 * num_chunks, dim)
        _sum_by_row[num_chunks, triton.cdiv(dim, columns)](
            keys, order, values, sums, rows_of_parts, parts, len(keys), num_rows, dim, has_order, _CHUNK, columns
        )
        if num_chunks == 1:
            return sums
        keys, values, has_order = rows_of_parts, parts, False


def _block_columns(dim: int) -> int:
    return min(_MOST_COLUMNS, int(triton.next_power_of_2(dim)))

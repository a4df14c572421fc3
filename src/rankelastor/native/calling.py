"""Call kernels: whether they can do it, on which rows at a time, on how many cores, and with what arguments."""

from __future__ import annotations

import ctypes
import struct
from collections.abc import Sequence
from functools import cache
from math import prod

import torch
from torch import Tensor

from rankelastor.native.library import kernels

_BLOCK_BYTES = 2**20  # about half of a core's second-level cache; twice of it is no slower where that is large
_SMALLEST_BLOCK = 16
_NUMBERS_APART = 32  # as in parallel.h
_FEWEST_ROWS = 64  # that are worth another core: fewer are done before it has begun


def kernels_fit(*parameters: Tensor | None) -> bool:
    """Whether there are kernels, and they can work with these parameters: there, float32 on the CPU, without gaps."""
    fit = all(
        parameter is not None
        and parameter.dtype == torch.float32
        and parameter.device.type == "cpu"
        and parameter.is_contiguous()
        for parameter in parameters
    )
    return fit and kernels() is not None


def in_rows(x: Tensor) -> Tensor:
    """The same, copied unless its rows (the last of two or more axes) are whole and apart, as BLAS wants them.

    Expanded tensors have rows on top of each other, and an axis of size 1 may have any stride.

    Example:
        >>> in_rows(torch.ones(1, 3).expand(2, 3)).stride()
        (3, 1)
    """
    apart = x.stride(-2) >= x.shape[-1]
    return x if x.stride(-1) == 1 and apart else x.clone(memory_format=torch.contiguous_format)


def row_blocks(rows: int, *, floats_a_row: int, num_weights: int) -> int:
    """Rows that a kernel works on at a time: equal blocks whose numbers fit into a core's cache.

    Every block reads the weights again, so blocks are larger where there are many.

    Example:
        >>> row_blocks(200, floats_a_row=2048, num_weights=1000)
        100
        >>> row_blocks(200, floats_a_row=2048, num_weights=1_000_000)
        200
    """
    most = max(_SMALLEST_BLOCK, max(_BLOCK_BYTES // 4, 2 * num_weights) // floats_a_row)
    return -(-rows // -(-max(rows, 1) // most))


def kernels_divide_rows() -> bool:
    """Whether there are kernels that can work on several cores at once."""
    library = kernels()
    return library is not None and bool(library.has_openmp())


def num_parts(rows: int) -> int:
    """Parts of as many rows that are worth a core each: at most as many as PyTorch may use here."""
    return max(1, min(torch.get_num_threads(), rows // _FEWEST_ROWS)) if kernels_divide_rows() else 1


def call(kernel: str, *arguments: Tensor | OfParts | int | float | None, rows: int, parts: int = 1) -> None:
    """Call a kernel for as many rows, in parts that are worked on at once. Other threads of Python run meanwhile.

    The arguments are the fields of the kernel's struct, in order: tensors as pointers, numbers of 64 bits.
    """
    library = kernels()
    assert library is not None, "callers ask kernels_fit"
    # Comprehensions and a layout made once: for one example, packing takes as long as some layers.
    plain = (int, float)
    fields = [0 if field is None else field if isinstance(field, plain) else field.data_ptr() for field in arguments]
    packed = _layout("".join(["d" if isinstance(field, float) else "q" for field in fields])).pack(*fields)
    library.run(getattr(library, kernel), packed, ctypes.c_int64(rows), ctypes.c_int64(parts))


@cache
def _layout(fields: str) -> struct.Struct:
    return struct.Struct(fields)


class OfParts:
    """Zeros for each of several parts to sum in: buffers that share no cache line, or their cores would fight for it.

    Example:
        >>> OfParts((2, 3), parts=2).sum()
        tensor([[0., 0., 0.],
                [0., 0., 0.]])
    """

    def __init__(self, shape: Sequence[int], *, parts: int) -> None:
        self._shape = shape
        apart = -(-prod(shape) // _NUMBERS_APART) * _NUMBERS_APART
        self.buffers = torch.zeros(parts, apart, dtype=torch.float32, device="cpu")

    def data_ptr(self) -> int:
        """Where the first part's buffer begins."""
        return self.buffers.data_ptr()

    def sum(self) -> Tensor:
        """Of all parts."""
        whole = self.buffers[0] if len(self.buffers) == 1 else self.buffers.sum(0)
        return whole[: prod(self._shape)].view(self._shape)

"""Call kernels: check their inputs, divide rows into blocks and among cores, pack their arguments."""

from __future__ import annotations

import ctypes
import struct
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from functools import partial
from math import prod

import torch
from torch import Tensor

from rankelastor.native.arguments import arguments_of
from rankelastor.native.crew import is_in_crew, parts_for_crew
from rankelastor.native.library import kernels

_BLOCK_BYTES = 2**20  # about half of a core's L2 cache; measured: twice as much is no slower where that cache is large
_SMALLEST_BLOCK = 16
_BUFFER_ALIGNMENT = 32  # float32 values per cache-line boundary, as in parallel.h
_MIN_ROWS_PER_THREAD = 64  # fewer: starting a thread costs more than it saves

CallListener = Callable[[Callable[[], object], Iterable[object]], object]
"""Function of what calls a kernel once more with the same addresses, and of the values that must live until then."""
_listener: ContextVar[CallListener | None] = ContextVar("_listener", default=None)


def kernels_take(*parameters: Tensor | None) -> bool:
    """Tell whether kernels can read all these parameters: contiguous float32 on the CPU, none of them None."""
    return all(
        parameter is not None
        and parameter.dtype == torch.float32
        and parameter.device.type == "cpu"
        and parameter.is_contiguous()
        for parameter in parameters
    )


def with_contiguous_rows(x: Tensor) -> Tensor:
    """Copy x unless its rows (the last of two or more axes) are contiguous and do not overlap: BLAS needs both.

    Expanded tensors have overlapping rows, and an axis of size 1 may have any stride.

    Example:
        >>> with_contiguous_rows(torch.ones(1, 3).expand(2, 3)).stride()
        (3, 1)
    """
    apart = x.stride(-2) >= x.shape[-1]
    return x if x.stride(-1) == 1 and apart else x.clone(memory_format=torch.contiguous_format)


def rows_per_block(rows: int, *, parts: int = 1, floats_per_row: int, num_weights: int) -> int:
    """Choose how many rows a kernel processes at a time: equal blocks whose values fit into a core's cache.

    Every block reads all weights again, so blocks are larger where there are many weights. No block has a single row
    unless its part has: a BLAS adds up the products of a single row in another order. In a crew, a caller without a
    helper computes all rows as one part.

    Args:
        rows: number of rows.
        parts: number of parts that the rows are cut into, see ``num_parts``.
        floats_per_row: values of a row in all intermediate results.
        num_weights: number of weights that each block reads.

    Example:
        >>> rows_per_block(200, floats_per_row=2048, num_weights=1000)
        100
        >>> rows_per_block(200, floats_per_row=2048, num_weights=1_000_000)
        200
    """
    most = max(_SMALLEST_BLOCK, max(_BLOCK_BYTES // 4, 2 * num_weights) // floats_per_row)
    largest = rows if is_in_crew() else -(-rows // parts)
    block = -(-largest // -(-max(largest, 1) // most))
    while any(size > 1 and size % block == 1 for size in (largest, -(-rows // parts), rows // parts)):
        block += 1
    return block


def kernels_use_threads() -> bool:
    """Tell whether there are kernels and they can use several cores at once."""
    library = kernels()
    return library is not None and bool(library.has_openmp())


def num_parts(rows: int, *, keeps_bits: bool = True) -> int:
    """Choose the number of parts to cut ``rows`` into, one per core, at most PyTorch's number of threads.

    In a crew, few rows are cut, too.

    Args:
        rows: number of rows.
        keeps_bits: whether the result for a row has the same bits whatever rows are computed with it; if not, a crew
            gets one part.
    """
    if is_in_crew():
        return parts_for_crew(rows) if keeps_bits else 1
    return max(1, min(torch.get_num_threads(), rows // _MIN_ROWS_PER_THREAD)) if kernels_use_threads() else 1


def call(
    kernel: str, arguments: Mapping[str, Tensor | Accumulator | int | float | None], *, rows: int, parts: int = 1
) -> None:
    """Call a kernel for ``rows`` rows, with its parts in parallel and without holding the GIL.

    Args:
        kernel: name of the C function.
        arguments: a value for each field of its struct, see ``arguments_of``; None is a null pointer. Accumulators are
            zeroed before, and added up afterwards, so that one call has them.
        rows: number of rows.
        parts: number of cores that share the rows.
    """
    library = kernels()
    assert library is not None, "operations are only made if there are kernels"
    packed = arguments_of(kernel).pack(arguments)
    sums = [value for value in arguments.values() if isinstance(value, Accumulator)]
    places = [number for each in sums for number in (each.data_ptr(), each.size)]
    again = partial(
        library.run,
        getattr(library, kernel),
        packed,
        ctypes.c_int64(rows),
        ctypes.c_int64(parts),
        struct.pack(f"{len(places)}q", *places),
        ctypes.c_int64(len(sums)),
    )
    again()
    if (listener := _listener.get()) is not None:
        listener(again, arguments.values())


@contextmanager
def hear_calls(listener: CallListener) -> Iterator[None]:
    """Call ``listener`` after each call of a kernel in this thread, within the context."""
    token = _listener.set(listener)
    try:
        yield
    finally:
        _listener.reset(token)


class Accumulator:
    """Where the parts of a kernel add up values: one buffer per part, padded to cache lines against false sharing.

    ``call`` zeroes the buffers and adds them up: that takes less time than operations of PyTorch, which are as many as
    a model has parameters.

    Args:
        shape: shape of the sum.
        parts: number of parts of the call.
    """

    def __init__(self, shape: Sequence[int], *, parts: int) -> None:
        self._shape = shape
        self.size = prod(shape)
        """Number of values of a part."""
        width = -(-self.size // _BUFFER_ALIGNMENT) * _BUFFER_ALIGNMENT
        self.buffers = torch.empty(parts, width, dtype=torch.float32, device="cpu")

    def data_ptr(self) -> int:
        """Return the address of the first part's buffer."""
        return self.buffers.data_ptr()

    def sum(self) -> Tensor:
        """Return the sum over all parts of the call."""
        return self.buffers[0, : self.size].view(self._shape)

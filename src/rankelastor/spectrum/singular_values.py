"""Singular values relative to the largest one, from which all measures of a matrix are computed.

Every measure in `measures` is invariant to the scale of the matrix, so it is a function of ``s_i / s_1`` alone.
Relative values neither overflow nor underflow in float32, not even for matrices with entries of 1e30 or 1e-30.
"""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Literal

import torch
from jaxtyping import Bool, Float
from torch import Tensor

SpectrumMethod = Literal["exact", "gram"]
"""How singular values are computed: by their decomposition, or as roots of the smaller Gram matrix's eigenvalues."""

SMALLEST_THREADED_BATCH = 256
"""Fewest matrices per thread: below this, starting a thread costs more than it saves."""

_SMALLEST_ROOT = 2e-154
"""Just above the root of the smallest normal float64, which the Gram form computes for a zero matrix only."""


def relative_singular_values(
    matrix: Float[Tensor, "*batch row column"], *, method: SpectrumMethod = "exact"
) -> Float[Tensor, "*batch value"]:
    """Compute the min(row, column) singular values over the largest one, ``s_i / s_1``, in descending order.

    Range: 0 .. 1, the first is 1. A zero matrix gives zeros, a matrix with a NaN or an infinite entry gives nan.
    bfloat16 and float16 are computed in float32. Differentiable with both methods.

    Error: ``"exact"`` has the backward error of the decomposition, a few times eps. ``"gram"`` squares the values,
    always in float64, so the error of a value is at most about sqrt(min(row, column) * 2.2e-16), below 1e-7 for up to
    45 rows or columns: as accurate as ``"exact"`` for float32 input, half the digits for float64 input.

    Args:
        matrix: One matrix or many, over any leading axes.
        method: ``"exact"`` decomposes the matrix, ``"gram"`` its smaller Gram matrix (about twice as fast on a CPU).

    Example:
        >>> relative_singular_values(torch.diag(torch.tensor([1.0, 4.0, 2.0])))
        tensor([1.0000, 0.5000, 0.2500])
    """
    values = to_computable(matrix)
    if method == "exact":
        return _relative_by_decomposition(values)
    if method == "gram":
        return _relative_by_gram(values)
    raise ValueError(f'the method must be one of "exact", "gram", but {method!r} was given')


def relative_singular_values_from_gram(gram: Float[Tensor, "*batch n n"]) -> Float[Tensor, "*batch n"]:
    """Compute the singular values over the largest one, ``s_i / s_1``, of a matrix X from its Gram matrix ``X^T X``.

    Range and edge cases are those of `relative_singular_values`; the Gram matrix must be float64, and values under
    about sqrt(n * 2.2e-16) are rounding errors. Used for matrices too tall for memory, whose Gram matrix is
    accumulated batch by batch.

    Example:
        >>> relative_singular_values_from_gram(torch.diag(torch.tensor([1.0, 16.0], dtype=torch.float64)))
        tensor([1.0000, 0.2500], dtype=torch.float64)
    """
    assert gram.dtype == torch.float64, gram.dtype
    finite = gram.detach().isfinite().all(dim=-1).all(dim=-1)
    return _divide_by_first(_roots_of_eigenvalues(torch.where(finite[..., None, None], gram, 0.0)), finite)


def to_computable(matrix: Float[Tensor, "*batch row column"]) -> Float[Tensor, "*batch row column"]:
    """Convert matrices to a precision that linear algebra supports: float64 is kept, shorter floats become float32.

    Raises:
        ValueError: If the tensor is no matrix, is empty, or is not real floating-point.
    """
    if matrix.ndim <= 1 or 0 in matrix.shape[-2:]:
        raise ValueError(
            f"a matrix must have at least one row and one column in its last two axes, but the shape "
            f"{tuple(matrix.shape)} was given"
        )
    if not matrix.is_floating_point():
        raise ValueError(f"a matrix must hold floating-point numbers, but {matrix.dtype} was given; try matrix.float()")
    return matrix if matrix.dtype == torch.float64 else matrix.float()


def scale_to_unit(
    matrix: Float[Tensor, "*batch row column"],
) -> tuple[Float[Tensor, "*batch row column"], Bool[Tensor, "*batch"]]:
    """Divide each matrix by its largest absolute entry; also return which are finite (the others become zeros).

    Autograd treats the scale as a constant, so the caller's result must not depend on the scale.
    """
    largest = matrix.detach().abs().amax(dim=(-2, -1), keepdim=True)
    finite = largest.isfinite()
    scaled = matrix / torch.where(largest > 0, largest, 1.0)
    if not bool(finite.all()):  # LAPACK fails or does not return on a matrix with nan
        scaled = torch.where(finite, scaled, 0.0)
    return scaled, finite[..., 0, 0]


def _relative_by_decomposition(matrix: Float[Tensor, "*batch row column"]) -> Float[Tensor, "*batch value"]:
    scaled, finite = scale_to_unit(matrix)
    values = _decompose_in_threads(torch.linalg.svdvals, scaled)
    return _divide_by_first(values, finite)


def _relative_by_gram(matrix: Float[Tensor, "*batch row column"]) -> Float[Tensor, "*batch value"]:
    # The squares of any float32 are in the range of float64, so only float64 input needs scaling.
    if matrix.dtype == torch.float64:
        scaled, _ = scale_to_unit(matrix)
        finite = matrix.detach().isfinite().all(dim=-1).all(dim=-1)
    else:
        scaled = matrix
        finite = matrix.detach().sum(dim=(-2, -1), dtype=torch.float64).isfinite()
        if not bool(finite.all()):
            scaled = torch.where(finite[..., None, None], matrix, 0.0)
    values = _decompose_in_threads(_singular_values_by_gram, scaled)
    return _divide_by_first(values, finite).to(matrix.dtype)


def _singular_values_by_gram(matrix: Float[Tensor, "*batch row column"]) -> Float[Tensor, "*batch value"]:
    precise = matrix.double()
    rows_are_fewer = matrix.shape[-2] <= matrix.shape[-1]
    return _roots_of_eigenvalues(precise @ precise.mT if rows_are_fewer else precise.mT @ precise)


def _roots_of_eigenvalues(gram: Float[Tensor, "*batch n n"]) -> Float[Tensor, "*batch n"]:
    eigenvalues: Tensor = torch.linalg.eigvalsh(gram)
    # Rounding makes some of the zero eigenvalues negative; the clamp also keeps the gradient of the root finite.
    return eigenvalues.flip(-1).clamp_min(torch.finfo(torch.float64).tiny).sqrt()


def _divide_by_first(
    values: Float[Tensor, "*batch value"], finite: Bool[Tensor, "*batch"]
) -> Float[Tensor, "*batch value"]:
    first = values[..., :1]
    is_zero = first <= _SMALLEST_ROOT
    relative = torch.where(is_zero, 0.0, values / torch.where(is_zero, 1.0, first))
    return torch.where(finite[..., None], relative, torch.nan)


def _decompose_in_threads(
    decompose: Callable[[Tensor], Tensor], matrix: Float[Tensor, "*batch row column"]
) -> Float[Tensor, "*batch value"]:
    """Decompose each matrix, with the batch split over PyTorch's number of threads.

    LAPACK decomposes one small matrix at a time on one core and releases the GIL meanwhile.
    """
    num_threads = min(torch.get_num_threads(), matrix[..., 0, 0].numel() // SMALLEST_THREADED_BATCH)
    differentiated = torch.is_grad_enabled() and matrix.requires_grad
    if matrix.device.type != "cpu" or num_threads <= 1 or differentiated:
        return decompose(matrix)

    def without_gradients(part: Tensor) -> Tensor:
        with torch.no_grad():  # the grad mode is thread-local: a new thread starts with gradients enabled
            return decompose(part)

    first, *others = matrix.detach().flatten(0, -3).chunk(num_threads)
    with ThreadPoolExecutor(len(others)) as pool:
        waiting = [pool.submit(without_gradients, part) for part in others]
        parts = [without_gradients(first), *(part.result() for part in waiting)]
    return torch.cat(parts).reshape(*matrix.shape[:-2], -1)

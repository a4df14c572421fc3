"""The norm of the gradients of all parameters together."""

from __future__ import annotations

import math
from collections.abc import Sequence

import torch
from torch import Tensor, nn

from rankelastor.native.calling import call, kernels_take
from rankelastor.native.library import kernels

_MOST_VALUES = 2**18
"""Values up to which one core takes less time for all than PyTorch for calling an operation for each gradient."""


def finite_norm(gradients: Sequence[Tensor]) -> Tensor:
    """Compute the norm of all gradients together, in float64 where it may overflow otherwise; it waits for the result.

    Example:
        >>> round(finite_norm([torch.tensor([3e30]), torch.tensor([4e30])]).item() / 1e30, 3)
        5.0
    """
    is_small = sum(gradient.numel() for gradient in gradients) <= _MOST_VALUES
    if is_small and kernels() is not None and kernels_take(*gradients):
        norm = _by_kernel(gradients)
        return norm if math.isfinite(norm) and not math.isfinite(norm.float()) else norm.float()
    norm = nn.utils.get_total_norm(gradients)
    return norm if math.isfinite(norm) else nn.utils.get_total_norm([gradient.double() for gradient in gradients])


def _by_kernel(gradients: Sequence[Tensor]) -> Tensor:
    vectors = torch.tensor([(gradient.data_ptr(), gradient.numel()) for gradient in gradients], dtype=torch.int64)
    total = torch.zeros((), dtype=torch.float64)
    call("sum_of_squares", {"vectors": vectors, "sum": total}, rows=len(gradients))
    return total.sqrt()

"""Copy stored values into the tensors of an optimiser."""

from __future__ import annotations

from torch import Tensor


def copy_exactly(own: Tensor, stored: Tensor | None, *, name: str) -> None:
    """Copy ``stored`` into ``own``, in place.

    Raises:
        ValueError: it is missing, or has another shape or dtype.

    Example:
        >>> import torch
        >>> own = torch.zeros(2)
        >>> copy_exactly(own, torch.ones(2), name="moments")
        >>> own
        tensor([1., 1.])
    """
    if stored is None:
        raise ValueError(f"{name} are missing")
    if stored.shape != own.shape or stored.dtype != own.dtype:
        raise ValueError(f"{name} must be {own.dtype} {tuple(own.shape)}, but are {stored.dtype} {tuple(stored.shape)}")
    own.copy_(stored)

"""Cut vectors into heads, and put the target behind the elements: what attention over a sequence begins with."""

from __future__ import annotations

import torch
from jaxtyping import Bool, Float
from torch import Tensor


def split_heads(x: Float[Tensor, "batch place dim"], *, num_heads: int) -> Float[Tensor, "batch head place head_dim"]:
    """View each vector as heads side by side.

    Example:
        >>> split_heads(torch.arange(4.0).view(1, 1, 4), num_heads=2).tolist()
        [[[[0.0, 1.0]], [[2.0, 3.0]]]]
    """
    heads: Tensor = x.unflatten(2, (num_heads, -1))
    return heads.transpose(1, 2)


def join_heads(x: Float[Tensor, "batch head place head_dim"]) -> Float[Tensor, "batch place dim"]:
    """Put the heads of each vector side by side, the inverse of ``split_heads``."""
    return x.transpose(1, 2).flatten(2)


def append_target(
    elements: Float[Tensor, "batch position dim"],
    mask: Bool[Tensor, "batch position"],
    target: Float[Tensor, "batch dim"],
) -> tuple[Float[Tensor, "batch place dim"], Bool[Tensor, "batch place"]]:
    """Put the target behind the elements; the mask says True for it, so that no row is without a place."""
    places = torch.cat([elements, target.unsqueeze(1)], dim=1)
    return places, torch.cat([mask, torch.ones_like(mask[:, :1])], dim=1)

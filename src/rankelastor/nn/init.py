"""Initial values of the published code."""

from collections.abc import Iterable

import torch
from torch import Tensor, nn

EMBEDDING_STD = 1e-4


@torch.no_grad()
def xavier_normal_slices_(weight: Tensor, out_dims: Iterable[int]) -> None:
    """Fill (token, in, out) weights with Xavier-normal values, each token and each slice as a map of its own.

    Args:
        weight: per-token weights; filled in place.
        out_dims: widths of the maps that lie side by side in the last axis.
    """
    in_dim = weight.shape[1]
    for part in weight.split(list(out_dims), dim=2):
        part.normal_(std=(2.0 / (in_dim + part.shape[2])) ** 0.5)


def init_linear_(module: nn.Module) -> None:
    """Give every ``nn.Linear`` inside ``module`` Xavier-normal weights and zero biases."""
    for linear in module.modules():
        if isinstance(linear, nn.Linear):
            nn.init.xavier_normal_(linear.weight)
            if linear.bias is not None:
                nn.init.zeros_(linear.bias)

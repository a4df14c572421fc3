"""Dice, the activation of Deep Interest Network that follows the data."""

from __future__ import annotations

import torch
from jaxtyping import Float
from torch import Tensor, nn

from rankelastor.nn.batch_norm import BatchNorm

_EPS = 1e-9
_MOMENTUM = 0.01


class Dice(nn.Module):
    """p x + alpha (1 - p) x with p = sigmoid((x - mean) / sqrt(variance + 1e-9)), one learned alpha a coordinate.

    Mean and variance of each coordinate are those of the batch; in evaluation, and for a single row, which has no
    variance, the running ones are used. While training an example's output depends on the whole batch.

    Args:
        dim: width of the input.

    Example:
        >>> dice = Dice(1)  # alpha starts at 0
        >>> [round(value, 3) for value in dice(torch.tensor([[-3.0], [3.0]])).flatten().tolist()]
        [-0.807, 2.193]

    Source: arXiv 1706.06978, equation 8; momentum .01 as in FuxiCTR.
    """

    def __init__(self, dim: int) -> None:
        super().__init__()
        self.norm = BatchNorm(dim, affine=False, eps=_EPS, momentum=_MOMENTUM)
        self.alpha = nn.Parameter(torch.zeros(dim))

    def forward(self, x: Float[Tensor, "row dim"]) -> Float[Tensor, "row dim"]:
        """Apply the activation to each coordinate."""
        share = torch.sigmoid(self.norm(x.to(self.alpha.dtype))).to(x.dtype)
        return share * x + self.alpha * (1 - share) * x

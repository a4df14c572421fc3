"""RMSNorm with the published epsilon."""

from jaxtyping import Float
from torch import Tensor, nn
from torch.nn import functional

PUBLISHED_EPSILON = 1e-12


class RMSNorm(nn.RMSNorm):
    """gain * x / sqrt(mean(x^2) + 1e-12) over the last axis, in the precision of the gain also under autocast.

    Example:
        >>> import torch
        >>> RMSNorm(4)(torch.full((1, 4), 7.0)).tolist()
        [[1.0, 1.0, 1.0, 1.0]]
    """

    def __init__(self, dim: int) -> None:
        super().__init__(dim, eps=PUBLISHED_EPSILON)

    def forward(self, x: Float[Tensor, "*batch dim"]) -> Float[Tensor, "*batch dim"]:
        """Normed values."""
        return functional.rms_norm(x.to(self.weight.dtype), self.normalized_shape, self.weight, self.eps)

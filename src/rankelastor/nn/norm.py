"""RMSNorm with the epsilon of the published code."""

from jaxtyping import Float
from torch import Tensor, nn
from torch.nn import functional

PUBLISHED_EPSILON = 1e-12


class RMSNorm(nn.RMSNorm):
    """gain * x / sqrt(mean(x^2) + 1e-12) over the last axis, in the precision of the gain even under autocast.

    Example:
        >>> import torch
        >>> RMSNorm(4)(torch.full((1, 4), 7.0)).tolist()
        [[1.0, 1.0, 1.0, 1.0]]

    Source: Zhang and Sennrich 2019, arXiv 1910.07467; epsilon of the code published with arXiv 2605.23191.
    """

    def __init__(self, dim: int) -> None:
        super().__init__(dim, eps=PUBLISHED_EPSILON)

    def forward(self, x: Float[Tensor, "*batch dim"]) -> Float[Tensor, "*batch dim"]:
        """Normalise over the last axis."""
        return rms_norm(x, self.weight)


def rms_norm(x: Float[Tensor, "*batch dim"], gain: Float[Tensor, "*token dim"]) -> Float[Tensor, "*batch dim"]:
    """Compute gain * x / sqrt(mean(x^2) + 1e-12); the gain is (dim,), or (token, dim) for x of (batch, token, dim).

    Example:
        >>> import torch
        >>> rms_norm(torch.full((1, 2, 4), 7.0), torch.tensor([[1.0] * 4, [2.0] * 4]))[0, :, 0].tolist()
        [1.0, 2.0]
    """
    return functional.rms_norm(x.to(gain.dtype), x.shape[-1:], eps=PUBLISHED_EPSILON) * gain

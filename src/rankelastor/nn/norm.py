"""RMSNorm with the published epsilon."""

from torch import nn

PUBLISHED_EPSILON = 1e-12


def rms_norm(dim: int) -> nn.RMSNorm:
    """RMSNorm(x) = gain * x / sqrt(mean(x^2) + eps) over the last axis, with eps = 1e-12 as published.

    Example:
        >>> rms_norm(4).normalized_shape
        (4,)
    """
    return nn.RMSNorm(dim, eps=PUBLISHED_EPSILON)

"""Batch normalisation that takes a batch of one example."""

from jaxtyping import Float
from torch import Tensor, nn
from torch.nn import functional


class BatchNorm(nn.BatchNorm1d):
    """gain * (x - mean) / sqrt(variance + 1e-5) + bias, with mean and variance of each coordinate over the batch.

    In evaluation, and for a training batch of a single example, which has no variance, the running values are used.
    While training an example's output depends on the whole batch, so that the batches of such a model are not sliced.

    Args:
        dim: width of the input.

    Example:
        >>> import torch
        >>> BatchNorm(1)(torch.tensor([[1.0], [3.0]])).round().tolist()
        [[-1.0], [1.0]]
        >>> BatchNorm(1)(torch.tensor([[3.0]])).round().tolist()
        [[3.0]]

    Source: Ioffe and Szegedy 2015, arXiv 1502.03167.
    """

    def __init__(self, dim: int) -> None:
        super().__init__(dim)

    def forward(self, x: Float[Tensor, "batch dim"]) -> Float[Tensor, "batch dim"]:
        """Normalise each coordinate."""
        if self.training and len(x) == 1:
            return functional.batch_norm(x, self.running_mean, self.running_var, self.weight, self.bias, eps=self.eps)
        normalised: Tensor = super().forward(x)
        return normalised

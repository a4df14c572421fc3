"""Batch normalisation that takes a batch of one example, and a batch of which other processes have a part."""

from __future__ import annotations

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.nn import functional

from rankelastor.nn.shared_statistics import OverRanks, SharedStatistics


class BatchNorm(SharedStatistics, nn.BatchNorm1d):
    """gain * (x - mean) / sqrt(variance + eps) + bias, with mean and variance of each coordinate over the batch.

    In evaluation, and for a training batch of a single example, which has no variance, the running values are used.
    While training an example's output depends on the whole batch, so that the batches of such a model are not sliced.

    Args:
        dim: width of the input.
        affine: whether there are a gain and a bias.
        eps: added to the variance.
        momentum: weight of a batch in the running values.

    Example:
        >>> import torch
        >>> BatchNorm(1)(torch.tensor([[1.0], [3.0]])).round().tolist()
        [[-1.0], [1.0]]
        >>> BatchNorm(1)(torch.tensor([[3.0]])).round().tolist()
        [[3.0]]

    Source: Ioffe and Szegedy 2015, arXiv 1502.03167.
    """

    def __init__(self, dim: int, *, affine: bool = True, eps: float = 1e-5, momentum: float = 0.1) -> None:
        super().__init__(dim, affine=affine, eps=eps, momentum=momentum)

    def forward(self, x: Float[Tensor, "batch dim"]) -> Float[Tensor, "batch dim"]:
        """Normalise each coordinate."""
        if self.training and self.over_ranks is not None:
            return self._over_all(x, self.over_ranks)
        if self.training and len(x) == 1:
            return self._by_running_values(x)
        normalised: Tensor = super().forward(x)
        return normalised

    def _by_running_values(self, x: Float[Tensor, "batch dim"]) -> Float[Tensor, "batch dim"]:
        return functional.batch_norm(x, self.running_mean, self.running_var, self.weight, self.bias, eps=self.eps)

    def _over_all(self, x: Float[Tensor, "batch dim"], over_ranks: OverRanks) -> Float[Tensor, "batch dim"]:
        """Normalise by the statistics of a batch of which other processes have the rest."""
        assert self.running_mean is not None, "running values are kept"
        values = x.to(self.running_mean.dtype)
        count_and_sum = over_ranks(torch.cat([values.new_full((1,), len(values)), values.sum(dim=0)]))
        count = float(count_and_sum[0].detach())
        mean = count_and_sum[1:] / count
        centred = values - mean
        variance = over_ranks(centred.square().sum(dim=0)) / count
        if count == 1:
            return self._by_running_values(x)
        self.keep(mean, variance * count / (count - 1))
        normalised = centred * (variance + self.eps).rsqrt()
        return (normalised if not self.affine else normalised * self.weight + self.bias).to(x.dtype)

    @torch.no_grad()
    def keep(self, mean: Float[Tensor, " dim"], variance: Float[Tensor, " dim"]) -> None:
        """Let the running values follow the mean and the unbiased variance of a batch."""
        assert self.running_mean is not None, "running values are kept"
        assert self.running_var is not None, "running values are kept"
        assert self.momentum is not None, "the momentum is a number"
        assert self.num_batches_tracked is not None, "running values are kept"
        self.num_batches_tracked.add_(1)
        self.running_mean.lerp_(mean.detach(), self.momentum)
        self.running_var.lerp_(variance.detach(), self.momentum)

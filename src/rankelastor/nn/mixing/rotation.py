"""A rotation of the tokens before a mixing, by the eigenvectors of their covariance."""

from __future__ import annotations

import torch
from jaxtyping import Float
from torch import Tensor, nn

from rankelastor.nn.shared_statistics import SharedStatistics
from rankelastor.nn.sizes import DropoutRate

SMALLEST_EIGENVALUE = 1e-9


def allocate(eigenvalues: Float[Tensor, " dim"], *, num_buckets: int) -> list[int]:
    """Order coordinates by bucket: each in turn goes to the bucket with the smallest sum of log eigenvalues.

    NOTE[DIFF]: eigenvalue allocation of optimised product quantisation fills buckets of equal size. The published code
    has no such limit, so that with eigenvalues below 1, whose logarithms are negative, the first bucket gets smaller
    with each coordinate and takes them all: the order is then that of the eigenvalues. We follow the code.

    Args:
        eigenvalues: in falling order; values below 1e-9 count as 1e-9.
        num_buckets: number of buckets.

    Example:
        >>> allocate(torch.tensor([16.0, 8.0, 4.0, 2.0]), num_buckets=2)  # logarithms to base 2: 4 + 1 and 3 + 2
        [0, 3, 1, 2]
        >>> allocate(torch.tensor([0.5, 0.4, 0.3]), num_buckets=2)
        [0, 1, 2]

    Source: `use_opq` of the code published with arXiv 2605.23191; Ge et al. 2013, Optimized Product Quantization.
    """
    buckets: list[list[int]] = [[] for _ in range(num_buckets)]
    sums = [0.0] * num_buckets
    for coordinate, log in enumerate(eigenvalues.clamp_min(SMALLEST_EIGENVALUE).log().tolist()):
        smallest = sums.index(min(sums))
        buckets[smallest].append(coordinate)
        sums[smallest] += log
    return [coordinate for bucket in buckets for coordinate in bucket]


class EigenvalueRotation(SharedStatistics, nn.Module):
    """X R with an orthogonal matrix R (dim x dim) that all tokens share and that gets no gradient.

    While training, before R is used, mean and covariance of the batch's tokens (all tokens as rows) go into running
    values: the first batch sets them, later ones have the weight ``momentum``. R holds the eigenvectors of the running
    covariance by falling eigenvalue, reordered by ``allocate`` with one bucket per token. In evaluation R is fixed.

    The rotation of an example depends on the whole batch, so batches of such a model are never cut into slices.

    Args:
        num_tokens: T, the number of buckets.
        token_dim: D.
        momentum: weight of a batch in the running covariance.

    Example:
        >>> rotation = EigenvalueRotation(num_tokens=2, token_dim=3)
        >>> tokens = torch.randn(5, 2, 3)
        >>> torch.allclose(rotation(tokens).norm(dim=2), tokens.norm(dim=2), atol=1e-5)
        True

    Source: `use_opq` of the code published with arXiv 2605.23191.
    """

    couples_examples = True
    rotation: Tensor
    mean: Tensor
    covariance: Tensor
    has_seen_tokens: Tensor

    def __init__(self, *, num_tokens: int, token_dim: int, momentum: DropoutRate = 0.1) -> None:
        super().__init__()
        self.num_tokens = num_tokens
        self.momentum = momentum
        self.register_buffer("rotation", torch.eye(token_dim))
        self.register_buffer("mean", torch.zeros(token_dim))
        self.register_buffer("covariance", torch.eye(token_dim))
        self.register_buffer("has_seen_tokens", torch.tensor(False))  # noqa: FBT003 - a buffer

    def forward(self, tokens: Float[Tensor, "batch token dim"]) -> Float[Tensor, "batch token dim"]:
        """Rotate the tokens; while training update the rotation first."""
        if self.training:
            self._update(tokens)
        return tokens @ self.rotation.to(tokens.dtype)

    @torch.no_grad()
    def _update(self, tokens: Float[Tensor, "batch token dim"]) -> None:
        rows = tokens.detach().to(self.covariance.dtype).flatten(0, 1)
        if rows.device.type == "meta":
            return
        count = len(rows) if self.over_ranks is None else int(self.over_ranks(rows.new_tensor(float(len(rows)))))
        if count < 2:  # noqa: PLR2004 - a covariance needs two rows
            return
        weight = torch.where(self.has_seen_tokens, self.momentum, 1.0)
        with torch.autocast(rows.device.type, enabled=False):
            mean, covariance = self._statistics(rows, count)
            self.mean.lerp_(mean, weight.to(rows.dtype))
            self.covariance.lerp_(covariance, weight.to(rows.dtype))
            eigenvalues, vectors = torch.linalg.eigh(self.covariance)
        falling, vectors = eigenvalues.flip(0), vectors.flip(1)
        self.rotation.copy_(vectors[:, allocate(falling, num_buckets=self.num_tokens)])
        self.has_seen_tokens.fill_(True)  # noqa: FBT003 - a buffer

    def _statistics(
        self, rows: Float[Tensor, "row dim"], count: int
    ) -> tuple[Float[Tensor, " dim"], Float[Tensor, "dim dim"]]:
        """Compute mean and covariance of all rows, of which other processes may have a part."""
        if self.over_ranks is None:
            return rows.mean(dim=0), rows.T.cov()
        mean = self.over_ranks(rows.sum(dim=0)) / count
        centred = rows - mean
        return mean, self.over_ranks(centred.T @ centred) / (count - 1)

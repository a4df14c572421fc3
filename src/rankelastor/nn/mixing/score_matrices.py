"""Learned scores from which doubly stochastic matrices are made: free, of low rank, or from a shared basis."""

import torch
from jaxtyping import Float
from torch import Tensor, nn

from rankelastor.nn.init import xavier_normal_slices_


class FreeScores(nn.Module):
    """``count`` matrices (size, size), each of its own.

    Example:
        >>> FreeScores(count=3, size=2)().shape
        torch.Size([3, 2, 2])
    """

    def __init__(self, *, count: int, size: int) -> None:
        super().__init__()
        self.scores = nn.Parameter(torch.empty(count, size, size))
        xavier_normal_slices_(self.scores, [size])

    def forward(self) -> Float[Tensor, "map size size"]:
        """Return the scores."""
        return self.scores


class LowRankScores(nn.Module):
    """One matrix A B (size, size) of rank at most ``rank``.

    Example:
        >>> LowRankScores(size=5, rank=2)().shape
        torch.Size([1, 5, 5])
    """

    def __init__(self, *, size: int, rank: int) -> None:
        super().__init__()
        self.left = nn.Parameter(torch.empty(1, size, rank))
        self.right = nn.Parameter(torch.empty(1, rank, size))
        for part in (self.left, self.right):
            xavier_normal_slices_(part, [part.shape[2]])

    def forward(self) -> Float[Tensor, "map size size"]:
        """Compute the product."""
        return self.left @ self.right


class BasisScores(nn.Module):
    """``count`` matrices sum_l w_il Z_l (size, size), whose ``num_bases`` matrices Z_l are shared.

    Example:
        >>> BasisScores(count=7, size=3, num_bases=2)().shape
        torch.Size([7, 3, 3])
    """

    def __init__(self, *, count: int, size: int, num_bases: int) -> None:
        super().__init__()
        self.weights = nn.Parameter(torch.empty(count, num_bases))
        self.bases = nn.Parameter(torch.empty(num_bases, size, size))
        nn.init.xavier_normal_(self.weights)
        xavier_normal_slices_(self.bases, [size])

    def forward(self) -> Float[Tensor, "map size size"]:
        """Compute the weighted sums."""
        scores: Tensor = (self.weights @ self.bases.flatten(1)).unflatten(1, (self.bases.shape[1], -1))
        return scores

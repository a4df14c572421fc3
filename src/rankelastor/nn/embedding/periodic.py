"""Periodic encoding of numbers: waves of learned frequencies, then a linear map of each field's own and a ReLU."""

from __future__ import annotations

import torch
from jaxtyping import Float
from torch import Tensor, nn

from rankelastor.nn.sizes import PositiveFloat, PositiveInt


class PeriodicNumbers(nn.Module):
    """ReLU(W_f [sin(2 pi c_f x), cos(2 pi c_f x)] + b_f) of number x in field f: (batch, field) -> (batch, field, e).

    Numbers should spread over a few units, as `transform: standardise` makes them, or `log` those that are skewed: the
    frequencies start near 0, and waves far shorter than the differences between numbers tell nothing.

    Args:
        num_numbers: number of fields.
        embedding_dim: width of an embedding.
        num_frequencies: frequencies c of each field.
        frequency_deviation: standard deviation of their initial values, in waves per unit of the number; larger ones
            tell closer numbers apart.
        relu: whether a ReLU follows, as published; without it a model of weights per value, such as logistic
            regression, gets them of either sign.

    Example:
        >>> PeriodicNumbers(num_numbers=3, embedding_dim=4)(torch.randn(2, 3)).shape
        torch.Size([2, 3, 4])

    Source: Gorishniy et al. 2022, arXiv 2203.05556, equation 2 and section 3.4 (PLR, and PL without the ReLU).
    """

    def __init__(
        self,
        *,
        num_numbers: int,
        embedding_dim: int,
        num_frequencies: PositiveInt = 16,
        frequency_deviation: PositiveFloat = 0.3,
        relu: bool = True,
    ) -> None:
        super().__init__()
        self.relu = relu
        self.frequencies = nn.Parameter(torch.empty(num_numbers, num_frequencies))
        self.weight = nn.Parameter(torch.empty(num_numbers, 2 * num_frequencies, embedding_dim))
        self.bias = nn.Parameter(torch.zeros(num_numbers, embedding_dim))
        nn.init.normal_(self.frequencies, std=frequency_deviation)
        nn.init.normal_(self.weight, std=(2 * num_frequencies) ** -0.5)

    def forward(self, numbers: Float[Tensor, "batch number"]) -> Float[Tensor, "batch number embedding_dim"]:
        """Encode the numbers."""
        angles = 2 * torch.pi * numbers.unsqueeze(2) * self.frequencies
        waves = torch.cat([angles.sin(), angles.cos()], dim=2)
        vectors = torch.einsum("bnf,nfd->bnd", waves, self.weight) + self.bias
        return vectors.relu() if self.relu else vectors

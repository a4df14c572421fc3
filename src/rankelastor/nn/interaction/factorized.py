"""The factorized interaction layer of FinalNet, in place of a linear map."""

import torch
from jaxtyping import Float
from torch import Tensor, nn

from rankelastor.nn.init import init_linear_
from rankelastor.nn.sizes import SizesDoNotFit


class FactorizedInteraction(nn.Module):
    """concat(a, a o b) of the two halves (a, b) of W x + b: half of the outputs are of second degree in x.

    Args:
        in_dim: width of the input.
        out_dim: width of the output, an even number.

    Example:
        >>> layer = FactorizedInteraction(in_dim=2, out_dim=2)
        >>> _ = nn.init.eye_(layer.linear.weight)
        >>> layer(torch.tensor([[3.0, 5.0]])).tolist()
        [[3.0, 15.0]]

    Source: FinalNet (Zhu et al., SIGIR 2023), residual type `concat` of its published code.
    """

    def __init__(self, *, in_dim: int, out_dim: int) -> None:
        super().__init__()
        if out_dim % 2:
            raise SizesDoNotFit(
                f"hidden widths of factorized interactions must be even, but {out_dim} was given; try {out_dim + 1}"
            )
        self.linear = nn.Linear(in_dim, out_dim)
        init_linear_(self)

    def forward(self, x: Float[Tensor, "batch in_dim"]) -> Float[Tensor, "batch out_dim"]:
        """Compute concat(a, a o b)."""
        kept, factor = self.linear(x).chunk(2, dim=1)
        return torch.cat([kept, kept * factor], dim=1)

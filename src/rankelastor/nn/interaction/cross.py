"""The cross network: products of features of every degree, one degree a layer."""

from jaxtyping import Float
from torch import Tensor, nn

from rankelastor.nn.init import init_linear_
from rankelastor.nn.sizes import PositiveInt


class CrossLayer(nn.Module):
    """x0 o (W x + b) + x, where o is the product of coordinates and W a full matrix (width x width).

    Args:
        width: of x0 and x.

    Example:
        >>> import torch
        >>> layer = CrossLayer(width=2)
        >>> _ = layer.linear.weight.data.copy_(torch.tensor([[0.0, 1.0], [1.0, 0.0]]))
        >>> layer(torch.tensor([[2.0, 3.0]]), torch.tensor([[5.0, 7.0]])).tolist()  # 2 * 7 + 5, 3 * 5 + 7
        [[19.0, 22.0]]

    Source: DCN V2, arXiv 2008.13535, equation 1.
    """

    def __init__(self, *, width: int) -> None:
        super().__init__()
        self.linear = nn.Linear(width, width)
        init_linear_(self)

    def forward(
        self, x0: Float[Tensor, "batch width"], x: Float[Tensor, "batch width"]
    ) -> Float[Tensor, "batch width"]:
        """Compute x0 o (W x + b) + x."""
        crossed: Tensor = x0 * self.linear(x) + x
        return crossed


class CrossNetwork(nn.Module):
    """``num_layers`` cross layers in a row, each with the input of the first: x_{l+1} = x0 o (W_l x_l + b_l) + x_l.

    The coordinates of x_l are polynomials of those of x0 up to degree l + 1.

    Args:
        width: of the input and of each layer's output.
        num_layers: number of cross layers.

    Example:
        >>> import torch
        >>> CrossNetwork(width=6, num_layers=3)(torch.randn(2, 6)).shape
        torch.Size([2, 6])

    Source: DCN V2, arXiv 2008.13535, section 3.2.
    """

    def __init__(self, *, width: int, num_layers: PositiveInt) -> None:
        super().__init__()
        self.layers = nn.ModuleList(CrossLayer(width=width) for _ in range(num_layers))

    def forward(self, x0: Float[Tensor, "batch width"]) -> Float[Tensor, "batch width"]:
        """Apply the cross layers."""
        x = x0
        for layer in self.layers:
            x = layer(x0, x)
        return x

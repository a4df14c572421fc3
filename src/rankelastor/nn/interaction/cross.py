"""The cross network: products of features, one degree higher per layer."""

from __future__ import annotations

import torch
from jaxtyping import Float
from torch import Tensor, nn

from rankelastor.nn.init import init_linear_, xavier_normal_slices_
from rankelastor.nn.sizes import PositiveInt


class CrossLayer(nn.Module):
    """x0 o (W x + b) + x, where o is the elementwise product and W a full matrix (width x width).

    Args:
        width: width of x0 and x.

    Example:
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
    """``num_layers`` cross layers x_{l+1} = x0 o (W_l x_l + b_l) + x_l, all with the input x0 of the first.

    The coordinates of x_l are polynomials of those of x0 up to degree l + 1.

    Args:
        width: width of the input and of each layer's output.
        num_layers: number of cross layers.

    Example:
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


class CrossExperts(nn.Module):
    """sum_i g_i [x0 o (U_i tanh(C_i tanh(V_i^T x)) + b)] + x: a mixture of cross layers of low rank.

    Args:
        width: width of x0 and x.
        rank: rank of each expert's map.
        num_experts: number of experts.

    Example:
        >>> layer = CrossExperts(width=6, rank=2, num_experts=3)
        >>> layer(torch.randn(4, 6), torch.randn(4, 6), torch.full((4, 3), 1 / 3)).shape
        torch.Size([4, 6])

    Source: DCN V2, arXiv 2008.13535, equations 3 and 4.
    """

    def __init__(self, *, width: int, rank: int, num_experts: int) -> None:
        super().__init__()
        self.down = nn.Parameter(torch.empty(num_experts, width, rank))
        self.core = nn.Parameter(torch.empty(num_experts, rank, rank))
        self.up = nn.Parameter(torch.empty(num_experts, rank, width))
        self.bias = nn.Parameter(torch.zeros(width))
        for weight in (self.down, self.core, self.up):
            xavier_normal_slices_(weight, [weight.shape[2]])

    def forward(
        self,
        x0: Float[Tensor, "batch width"],
        x: Float[Tensor, "batch width"],
        gates: Float[Tensor, "batch expert"],
    ) -> Float[Tensor, "batch width"]:
        """Cross ``x0`` with the experts' maps of ``x``, weighted by the gates."""
        inner = torch.tanh(torch.tanh(x @ self.down) @ self.core)
        mapped = torch.bmm(inner, self.up) + self.bias
        weighted = (gates.T.unsqueeze(2) * mapped).sum(dim=0)
        return x0 * weighted + x


class MixtureCrossNetwork(nn.Module):
    """``num_layers`` mixtures of low-rank cross layers; the gates are softmax(G x) with one G for all layers.

    Args:
        width: width of the input and of each layer's output.
        num_layers: number of cross layers.
        rank: rank of each expert's map.
        num_experts: number of experts in each layer.

    Example:
        >>> MixtureCrossNetwork(width=6, num_layers=3, rank=2, num_experts=4)(torch.randn(2, 6)).shape
        torch.Size([2, 6])

    Source: DCN V2, arXiv 2008.13535, section 3.3; gates shared by the layers as in the benchmark code.
    """

    def __init__(
        self, *, width: int, num_layers: PositiveInt, rank: PositiveInt = 32, num_experts: PositiveInt = 4
    ) -> None:
        super().__init__()
        self.gate = nn.Linear(width, num_experts, bias=False)
        self.layers = nn.ModuleList(
            CrossExperts(width=width, rank=rank, num_experts=num_experts) for _ in range(num_layers)
        )
        init_linear_(self.gate)

    def forward(self, x0: Float[Tensor, "batch width"]) -> Float[Tensor, "batch width"]:
        """Apply the cross layers."""
        x = x0
        for layer in self.layers:
            x = layer(x0, x, self.gate(x).softmax(dim=1))
        return x

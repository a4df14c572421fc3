"""The compressed interaction network: products of whole field embeddings, one degree higher per layer."""

from __future__ import annotations

from itertools import pairwise

import torch
from jaxtyping import Float
from torch import Tensor, nn

from rankelastor.nn.init import init_linear_
from rankelastor.nn.sizes import HiddenDims


class CinLayer(nn.Module):
    """X'_h = sum_ij W_hij (X0_i o X_j) + b_h, where o is the elementwise product of two embeddings.

    Args:
        num_fields: number of rows of X0.
        in_dim: number of rows of X.
        out_dim: number of rows of the result.

    Example:
        >>> layer = CinLayer(num_fields=2, in_dim=1, out_dim=1)
        >>> _ = layer.linear.weight.data.copy_(torch.tensor([[10.0, 1.0]]))
        >>> layer(torch.tensor([[[2.0], [3.0]]]), torch.tensor([[[5.0]]])).tolist()  # 10 * 2 * 5 + 1 * 3 * 5
        [[[115.0]]]

    Source: xDeepFM, arXiv 1803.05170, equation 6, with the identity as activation and a bias.
    """

    def __init__(self, *, num_fields: int, in_dim: int, out_dim: int) -> None:
        super().__init__()
        self.linear = nn.Linear(num_fields * in_dim, out_dim)
        init_linear_(self)

    def forward(
        self, x0: Float[Tensor, "batch field dim"], x: Float[Tensor, "batch row dim"]
    ) -> Float[Tensor, "batch out dim"]:
        """Compute weighted sums of all products of a row of ``x0`` and a row of ``x``."""
        products = (x0.unsqueeze(2) * x.unsqueeze(1)).flatten(1, 2)
        mixed: Tensor = self.linear(products.transpose(1, 2))
        return mixed.transpose(1, 2)


class CompressedInteractionNetwork(nn.Module):
    """CIN layers in a row, all with the input X0 of the first; the sums over ``dim`` of each layer's rows.

    NOTE[DIFF]: the paper lets half of a layer's rows through to the next layer alone; as in the benchmark code all
    rows go to both.

    Args:
        num_fields: number of fields.
        layer_dims: number of rows of each layer.

    Example:
        >>> CompressedInteractionNetwork(num_fields=3, layer_dims=[5, 4])(torch.randn(2, 3, 6)).shape
        torch.Size([2, 9])

    Source: xDeepFM, arXiv 1803.05170, section 3.1.
    """

    def __init__(self, *, num_fields: int, layer_dims: HiddenDims) -> None:
        super().__init__()
        self.out_dim = sum(layer_dims)
        self.layers = nn.ModuleList(
            CinLayer(num_fields=num_fields, in_dim=width, out_dim=next_width)
            for width, next_width in pairwise([num_fields, *layer_dims])
        )

    def forward(self, fields: Float[Tensor, "batch field dim"]) -> Float[Tensor, "batch out"]:
        """Apply the layers, and sum each row."""
        x, sums = fields, []
        for layer in self.layers:
            x = layer(fields, x)
            sums.append(x.sum(dim=2))
        return torch.cat(sums, dim=1)

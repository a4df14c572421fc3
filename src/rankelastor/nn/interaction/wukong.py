"""Wukong's layer: a factorization machine block and a linear compression of the rows, side by side."""

from collections.abc import Sequence
from typing import Literal

import torch
from jaxtyping import Float
from torch import Tensor, nn

from rankelastor.nn.activation import activation as activation_by_name
from rankelastor.nn.init import init_linear_
from rankelastor.nn.projection import Projection


class FactorizationBlock(nn.Module):
    """reshape(act(MLP(LayerNorm(flat(X (X^T Y)))))): products of all pairs of rows, projected by Y (row, rank).

    Args:
        num_rows: number of rows of X, n.
        dim: width of a row, d.
        num_out: number of rows of the result.
        rank: number of columns of Y, k.
        hidden_dims: hidden widths of the MLP.
        last_activation: activation behind the MLP's last map, ``relu`` or ``identity``.

    Example:
        >>> FactorizationBlock(
        ...     num_rows=5, dim=4, num_out=3, rank=2, hidden_dims=[6], last_activation="relu"
        ... )(torch.randn(2, 5, 4)).shape
        torch.Size([2, 3, 4])

    Source: Wukong, arXiv 2403.02545, section 3.3.
    """

    def __init__(
        self,
        *,
        num_rows: int,
        dim: int,
        num_out: int,
        rank: int,
        hidden_dims: Sequence[int],
        last_activation: Literal["relu", "identity"],
    ) -> None:
        super().__init__()
        self.num_out = num_out
        self.rank_map = nn.Linear(num_rows, rank, bias=False)
        self.norm = nn.LayerNorm(num_rows * rank)
        self.mlp = Projection(in_dim=num_rows * rank, hidden_dims=hidden_dims, out_dim=num_out * dim, norm=False)
        self.last = activation_by_name(last_activation)
        init_linear_(self.rank_map)

    def forward(self, rows: Float[Tensor, "batch row dim"]) -> Float[Tensor, "batch out dim"]:
        """Compute the new rows; X^T Y comes first, so that the (row, row) products are never made."""
        projected = self.rank_map(rows.transpose(1, 2))
        products = torch.bmm(rows, projected)
        out: Tensor = self.last(self.mlp(self.norm(products.flatten(1))))
        rows_out: Tensor = out.unflatten(1, (self.num_out, -1))
        return rows_out


class RowMap(nn.Module):
    """W X: each new row is a combination of the rows, without a bias.

    Example:
        >>> RowMap(num_rows=5, num_out=3)(torch.randn(2, 5, 4)).shape
        torch.Size([2, 3, 4])
    """

    def __init__(self, *, num_rows: int, num_out: int) -> None:
        super().__init__()
        self.linear = nn.Linear(num_rows, num_out, bias=False)
        init_linear_(self)

    def forward(self, rows: Float[Tensor, "batch row dim"]) -> Float[Tensor, "batch out dim"]:
        """Combine the rows."""
        out: Tensor = self.linear(rows.transpose(1, 2)).transpose(1, 2)
        return out


class WukongLayer(nn.Module):
    """LayerNorm(concat(FMB(X), LCB(X)) + Res(X)): Res is the identity where the number of rows stays, else a row map.

    NOTE[OPEN]: of two public libraries one has a ReLU behind the last map of FMB's MLP and one has not.

    Args:
        num_rows: number of rows of X, n.
        dim: width of a row, d.
        num_factorized: number of new rows by the factorization machine block, FMB.
        num_compressed: number of new rows by the linear compression block, LCB.
        rank: number of columns of the map Y of FMB.
        hidden_dims: hidden widths of FMB's MLP.
        last_activation: activation behind the MLP's last map, ``relu`` or ``identity``.

    Example:
        >>> layer = WukongLayer(
        ...     num_rows=5, dim=4, num_factorized=3, num_compressed=1, rank=2, hidden_dims=[6], last_activation="relu"
        ... )
        >>> layer(torch.randn(2, 5, 4)).shape
        torch.Size([2, 4, 4])

    Source: Wukong, arXiv 2403.02545, section 3.2.
    """

    def __init__(
        self,
        *,
        num_rows: int,
        dim: int,
        num_factorized: int,
        num_compressed: int,
        rank: int,
        hidden_dims: Sequence[int],
        last_activation: Literal["relu", "identity"],
    ) -> None:
        super().__init__()
        num_out = num_factorized + num_compressed
        self.factorized = FactorizationBlock(
            num_rows=num_rows,
            dim=dim,
            num_out=num_factorized,
            rank=rank,
            hidden_dims=hidden_dims,
            last_activation=last_activation,
        )
        self.compressed = RowMap(num_rows=num_rows, num_out=num_compressed)
        self.residual = nn.Identity() if num_out == num_rows else RowMap(num_rows=num_rows, num_out=num_out)
        self.norm = nn.LayerNorm(dim)

    def forward(self, rows: Float[Tensor, "batch row dim"]) -> Float[Tensor, "batch out dim"]:
        """Compute the new rows."""
        both = torch.cat([self.factorized(rows), self.compressed(rows)], dim=1)
        out: Tensor = self.norm(both + self.residual(rows))
        return out

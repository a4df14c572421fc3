"""Block mixing: local maps inside blocks of coordinates, and one global map across the blocks."""

from collections.abc import Callable

import torch
from jaxtyping import Float
from torch import Tensor, nn

from rankelastor.nn.divisibility import check_divides
from rankelastor.nn.norm import RMSNorm
from rankelastor.nn.per_token import PerTokenLinear
from rankelastor.nn.sizes import PositiveInt


class PlainMatrix(nn.Module):
    """An unconstrained square matrix, initialised Xavier normal."""

    def __init__(self, *, size: int) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.empty(size, size))
        nn.init.xavier_normal_(self.weight)

    def forward(self) -> Float[Tensor, "block block"]:
        """Return the matrix."""
        return self.weight


class BlockMixing(nn.Module):
    """X + unflatten(G (L_i RMSNorm(flat X)_i + b_i)): each block of ``block_dim`` coordinates has its own map.

    flat(X) is cut into n = TD / block_dim blocks. Block i has a local map L_i (block_dim x block_dim) with bias;
    the global matrix G (n x n) then makes each new block a combination of all of them. As one matrix over
    all coordinates this is (G (x) I) diag(L_1, ..., L_n), with TD * block_dim + n^2 weights beside the bias and
    TD * block_dim + (TD)^2 / block_dim multiply-adds per example, where full mixing has (TD)^2 of each.

    Args:
        num_tokens: T.
        token_dim: D.
        block_dim: width of a block; it must divide T * D.
        global_map: the matrix G across the blocks. In Python a function that makes its module for a ``size``:
            ``PlainMatrix``, or a ``functools.partial`` of ``DoublyStochasticMatrix``.

    Example:
        >>> BlockMixing(num_tokens=4, token_dim=6, block_dim=8)(torch.randn(2, 4, 6)).shape
        torch.Size([2, 4, 6])

    Source: the structure of UniMixer, arXiv 2604.00590, with the norm and the residual of full mixing (NOTE[DIFF]:
    so that a block as wide as all coordinates is full mixing; covered by tests/nn/mixing/test_block.py).
    """

    def __init__(
        self,
        *,
        num_tokens: int,
        token_dim: int,
        block_dim: PositiveInt,
        global_map: Callable[..., nn.Module] = PlainMatrix,
    ) -> None:
        super().__init__()
        flat_dim = num_tokens * token_dim
        num_blocks = check_divides(
            flat_dim, "num_tokens * token_dim", block_dim, "mixing.block_dim", purpose="block mixing"
        )
        self.norm = RMSNorm(flat_dim)
        self.local_maps = PerTokenLinear(num_tokens=num_blocks, in_dim=block_dim, out_dims=[block_dim])
        self.global_map = global_map(size=num_blocks)

    def forward(self, tokens: Float[Tensor, "batch token dim"]) -> Float[Tensor, "batch token dim"]:
        """Apply the norm, the local maps and the global map, and add the tokens."""
        blocks = self.norm(tokens.flatten(1)).unflatten(1, (self.local_maps.weight.shape[0], -1))
        # The local maps leave their result block-major in memory, so G is one product over batch and width together.
        local = self.local_maps(blocks).transpose(0, 1)
        across: Tensor = self.global_map()
        mixed: Tensor = (across @ local.flatten(1)).view_as(local)
        return tokens + mixed.transpose(0, 1).reshape(tokens.shape)

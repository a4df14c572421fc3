"""The mixings of UniMixer and UniMixer-Lite: doubly stochastic maps inside blocks of coordinates and across them."""

from typing import Literal

import torch
from jaxtyping import Float
from torch import Tensor, nn

from rankelastor.nn.divisibility import check_divides
from rankelastor.nn.mixing.score_matrices import BasisScores, FreeScores, LowRankScores
from rankelastor.nn.sizes import PositiveFloat, PositiveInt

Symmetrise = Literal["before", "after"]


def alternating_sinkhorn(scores: Float[Tensor, "map size size"], *, iterations: int) -> Float[Tensor, "map size size"]:
    """Compute exp(scores) with rows and columns divided by their sums in turn, so that all sums approach 1.

    It works on logarithms, so that large scores do not overflow. After the last iteration the columns sum to 1 exactly.

    Example:
        >>> matrix = alternating_sinkhorn(torch.tensor([[[0.0, 2.0], [1.0, 0.0]]]), iterations=20)
        >>> torch.allclose(matrix.sum(1), torch.ones(1, 2)), torch.allclose(matrix.sum(2), torch.ones(1, 2))
        (True, True)

    Source: Sinkhorn and Knopp 1967; SK of UniMixer, arXiv 2604.00590.
    """
    for _ in range(iterations):
        scores = scores - scores.logsumexp(dim=2, keepdim=True)
        scores = scores - scores.logsumexp(dim=1, keepdim=True)
    return scores.exp()


def symmetric_part(matrix: Float[Tensor, "map size size"]) -> Float[Tensor, "map size size"]:
    """Compute (M + M^T) / 2.

    Example:
        >>> symmetric_part(torch.tensor([[[0.0, 2.0], [4.0, 1.0]]])).tolist()
        [[[0.0, 3.0], [3.0, 1.0]]]
    """
    return (matrix + matrix.transpose(1, 2)) / 2


class SinkhornMaps(nn.Module):
    """The local maps (block, width, width) and the global map (block, block), all doubly stochastic.

    Args:
        local: computes the scores of the local maps.
        across: computes the scores of the one global map.
        symmetric_local: whether local maps are symmetric, as the global one is.
        symmetrise: whether scores are made symmetric ``before`` the scaling, or its results ``after`` it.
        start_temperature: temperature at the first step, by which scores are divided.
        end_temperature: temperature after ``fall_epochs``.
        fall_epochs: number of epochs over which it falls linearly.
        iterations: number of times that rows and columns are scaled.
    """

    temperature: Tensor

    def __init__(
        self,
        *,
        local: nn.Module,
        across: nn.Module,
        symmetric_local: bool,
        symmetrise: Symmetrise,
        start_temperature: float,
        end_temperature: float,
        fall_epochs: float,
        iterations: int,
    ) -> None:
        super().__init__()
        self.local = local
        self.across = across
        self.symmetric_local = symmetric_local
        self.symmetrise = symmetrise
        self.start_temperature = start_temperature
        self.end_temperature = end_temperature
        self.fall_epochs = fall_epochs
        self.iterations = iterations
        self.register_buffer("temperature", torch.tensor(start_temperature))

    def set_epochs_done(self, epochs: float) -> None:
        """Set the temperature to its value after ``epochs`` epochs."""
        share = min(1.0, epochs / self.fall_epochs)
        self.temperature.fill_(self.start_temperature + share * (self.end_temperature - self.start_temperature))

    def forward(self) -> tuple[Float[Tensor, "block width width"], Float[Tensor, "block block"]]:
        """Compute the maps at the present temperature."""
        local = self._scaled(self.local(), symmetric=self.symmetric_local)
        return local, self._scaled(self.across(), symmetric=True)[0]

    def _scaled(self, scores: Float[Tensor, "map size size"], *, symmetric: bool) -> Float[Tensor, "map size size"]:
        if symmetric and self.symmetrise == "before":
            scores = symmetric_part(scores)
        matrix = alternating_sinkhorn(scores / self.temperature, iterations=self.iterations)
        return symmetric_part(matrix) if symmetric and self.symmetrise == "after" else matrix


def mix_blocks(
    tokens: Float[Tensor, "batch token dim"],
    local: Float[Tensor, "block width width"],
    across: Float[Tensor, "block block"],
) -> Float[Tensor, "batch token dim"]:
    """Compute unflatten(G H), where row i of H is block i of flat(X) times its local map.

    Example:
        >>> swap = torch.tensor([[0.0, 1.0], [1.0, 0.0]])
        >>> mix_blocks(torch.tensor([[[1.0, 2.0], [3.0, 4.0]]]), torch.eye(2).expand(2, 2, 2), swap).tolist()
        [[[3.0, 4.0], [1.0, 2.0]]]
    """
    blocks = tokens.flatten(1).unflatten(1, (local.shape[0], -1)).transpose(0, 1)
    inside = torch.bmm(blocks, local)
    mixed = (across @ inside.flatten(1)).view_as(inside)
    return mixed.transpose(0, 1).reshape(tokens.shape)


class UniMixing(nn.Module):
    """unflatten(G (x_i W_i)): doubly stochastic local maps W_i in blocks of flat(X), and G across the n blocks.

    W_i = SK(sym(A_i) / temperature) and G = SK(sym(A) / temperature), with learned scores A, sym(A) = (A + A^T) / 2 and
    SK the alternating scaling of rows and columns of exp. There is no bias, no norm and no residual. Weights: T D
    block_dim + n^2; multiply-adds per example: T D block_dim + T D n, least at block_dim = sqrt(T D).

    NOTE[OPEN]: whether matrices are made symmetric before or after the scaling. ``before`` is the formula; ``after``
    keeps both the sums and the symmetry exact. The length of the fall of the temperature is open, too.

    Args:
        num_tokens: T.
        token_dim: D.
        block_dim: width of a block; it must divide T * D.
        symmetrise: whether scores are made symmetric ``before`` the scaling, or the scaled matrices ``after`` it.
        start_temperature: temperature at the first step, by which scores are divided.
        end_temperature: temperature after ``fall_epochs``; equal ends fix it.
        fall_epochs: number of epochs over which it falls linearly; a fraction is allowed.
        iterations: number of times that rows and columns are scaled.

    Example:
        >>> UniMixing(num_tokens=4, token_dim=6, block_dim=8)(torch.randn(2, 4, 6)).shape
        torch.Size([2, 4, 6])

    Source: UniMixer, arXiv 2604.00590.
    """

    def __init__(
        self,
        *,
        num_tokens: int,
        token_dim: int,
        block_dim: PositiveInt,
        symmetrise: Symmetrise = "before",
        start_temperature: PositiveFloat = 1.0,
        end_temperature: PositiveFloat = 0.05,
        fall_epochs: PositiveFloat = 1.0,
        iterations: PositiveInt = 20,
    ) -> None:
        super().__init__()
        num_blocks = _count_blocks(num_tokens * token_dim, block_dim)
        self.maps = SinkhornMaps(
            local=FreeScores(count=num_blocks, size=block_dim),
            across=FreeScores(count=1, size=num_blocks),
            symmetric_local=True,
            symmetrise=symmetrise,
            start_temperature=start_temperature,
            end_temperature=end_temperature,
            fall_epochs=fall_epochs,
            iterations=iterations,
        )

    def forward(self, tokens: Float[Tensor, "batch token dim"]) -> Float[Tensor, "batch token dim"]:
        """Mix the tokens."""
        return mix_blocks(tokens, *self.maps())


class LiteUniMixing(nn.Module):
    """UniMixing with G = SK(sym(A B) / temperature) of low-rank scores and W_i = SK(sum_l w_il Z_l / temperature).

    Weights: 2 n ``rank`` + n ``num_bases`` + ``num_bases`` block_dim^2, with n = T D / block_dim blocks; the
    multiply-adds are those of ``UniMixing``. The local maps are not symmetric.

    Args:
        num_tokens: T.
        token_dim: D.
        block_dim: width of a block; it must divide T * D.
        rank: rank of the scores of the global map.
        num_bases: number of matrices that the scores of the local maps are combined from, usually 2 to 8.
        symmetrise: whether scores are made symmetric ``before`` the scaling, or the scaled matrix ``after`` it.
        start_temperature: temperature at the first step, by which scores are divided.
        end_temperature: temperature after ``fall_epochs``; equal ends fix it.
        fall_epochs: number of epochs over which it falls linearly; a fraction is allowed.
        iterations: number of times that rows and columns are scaled.

    Example:
        >>> LiteUniMixing(num_tokens=4, token_dim=6, block_dim=8, rank=2)(torch.randn(2, 4, 6)).shape
        torch.Size([2, 4, 6])

    Source: UniMixer-Lite, arXiv 2604.00590.
    """

    def __init__(
        self,
        *,
        num_tokens: int,
        token_dim: int,
        block_dim: PositiveInt,
        rank: PositiveInt,
        num_bases: PositiveInt = 4,
        symmetrise: Symmetrise = "before",
        start_temperature: PositiveFloat = 1.0,
        end_temperature: PositiveFloat = 0.05,
        fall_epochs: PositiveFloat = 1.0,
        iterations: PositiveInt = 20,
    ) -> None:
        super().__init__()
        num_blocks = _count_blocks(num_tokens * token_dim, block_dim)
        self.maps = SinkhornMaps(
            local=BasisScores(count=num_blocks, size=block_dim, num_bases=num_bases),
            across=LowRankScores(size=num_blocks, rank=rank),
            symmetric_local=False,
            symmetrise=symmetrise,
            start_temperature=start_temperature,
            end_temperature=end_temperature,
            fall_epochs=fall_epochs,
            iterations=iterations,
        )

    def forward(self, tokens: Float[Tensor, "batch token dim"]) -> Float[Tensor, "batch token dim"]:
        """Mix the tokens."""
        return mix_blocks(tokens, *self.maps())


def _count_blocks(flat_dim: int, block_dim: int) -> int:
    return check_divides(
        flat_dim, "num_tokens * token_dim", block_dim, "uni_mixing.block_dim", purpose="UniMixer's blocks"
    )

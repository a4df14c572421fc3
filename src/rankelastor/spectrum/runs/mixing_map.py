"""A block's mixing as one matrix over all token coordinates, summarised by pairs of tokens."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from jaxtyping import Float
from torch import Tensor, nn

from rankelastor.nn.mixing.block import BlockMixing
from rankelastor.nn.mixing.full import FullMixing
from rankelastor.nn.mixing.kronecker import KroneckerMixing
from rankelastor.nn.mixing.low_rank import LowRankMixing
from rankelastor.spectrum.parameters import measure_matrix
from rankelastor.spectrum.recording.statistics import MatrixMeasures


@dataclass(frozen=True)
class MixingMap:
    """Strength with which each output token (row) depends on each input token (column) of one mixing.

    Attributes:
        point: name of the mixing's point.
        matrix: the measured matrix, in words.
        norms: Frobenius norm of each D x D block of W + I, which includes the residual.
        norms_of_weight: the same for W alone.
        spectrum: measures of W + I (TD x TD).
    """

    point: str
    matrix: str
    norms: tuple[tuple[float, ...], ...]
    norms_of_weight: tuple[tuple[float, ...], ...]
    spectrum: MatrixMeasures


@torch.no_grad()
def mixing_map(mixing: nn.Module, *, point: str, token_dim: int) -> MixingMap | None:
    """Compute the map of a full, low-rank, Kronecker or block mixing; None for one without a matrix (split, identity).

    The norms around W (an RMSNorm before, or a LayerNorm after) are left out because they depend on the example.

    Example:
        >>> mixing = FullMixing(num_tokens=2, token_dim=3)
        >>> _ = nn.init.zeros_(mixing.linear.weight)
        >>> [[round(norm, 3) for norm in row] for row in mixing_map(mixing, point="mixing", token_dim=3).norms]
        [[1.732, 0.0], [0.0, 1.732]]
    """
    weight = _expanded_weight(mixing)
    if weight is None:
        return None
    with_residual = weight + torch.eye(len(weight))
    words = f"W + I of {point} ({len(weight)} x {len(weight)})"
    return MixingMap(
        point=point,
        matrix=words,
        norms=norms_by_token_pair(with_residual, token_dim=token_dim),
        norms_of_weight=norms_by_token_pair(weight, token_dim=token_dim),
        spectrum=measure_matrix(with_residual, name=words),
    )


def norms_by_token_pair(matrix: Float[Tensor, "flat flat"], *, token_dim: int) -> tuple[tuple[float, ...], ...]:
    """Compute the Frobenius norm of each D x D block; row i, column j is the influence of token j on token i.

    Example:
        >>> norms_by_token_pair(torch.tensor([[3.0, 0.0], [4.0, 1.0]]), token_dim=1)
        ((3.0, 0.0), (4.0, 1.0))
    """
    num_tokens = len(matrix) // token_dim
    blocks = matrix.view(num_tokens, token_dim, num_tokens, token_dim)
    norms: list[list[float]] = blocks.square().sum(dim=(1, 3)).sqrt().tolist()
    return tuple(tuple(row) for row in norms)


def _expanded_weight(mixing: nn.Module) -> Float[Tensor, "flat flat"] | None:
    match mixing:
        case FullMixing():
            return mixing.linear.weight.detach().float().cpu()
        case KroneckerMixing():
            shared = mixing.linear.weight.detach().float().cpu()
            return torch.kron(torch.eye(mixing.num_groups), shared)
        case LowRankMixing():
            product: Tensor = mixing.up.weight @ mixing.down.weight
            return product.float().cpu()
        case BlockMixing():
            local = torch.block_diag(*mixing.local_maps.weight.mT.float().cpu())
            across = torch.kron(mixing.global_map().float().cpu(), torch.eye(mixing.local_maps.weight.shape[1]))
            matrix: Tensor = across @ local
            return matrix
        case _:
            return None

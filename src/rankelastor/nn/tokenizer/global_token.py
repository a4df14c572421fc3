"""Tokens that are computed from all fields: by an MLP, a factorization machine or cross layers."""

from collections.abc import Callable

import torch
from jaxtyping import Float
from torch import Tensor, nn

from rankelastor.nn.init import init_linear_
from rankelastor.nn.interaction.cross import CrossNetwork
from rankelastor.nn.projection import Projection
from rankelastor.nn.sizes import PositiveInt


class MlpToken(nn.Module):
    """One MLP from all fields to one token.

    Args:
        num_fields: number of fields.
        embedding_dim: width of one field's embedding.
        token_dim: D.
        projection: makes the MLP for an ``in_dim`` and an ``out_dim``.

    Example:
        >>> MlpToken(num_fields=3, embedding_dim=4, token_dim=5)(torch.randn(2, 3, 4)).shape
        torch.Size([2, 5])

    Source: the global token of TokenMixer-Large, arXiv 2602.06563.
    """

    def __init__(
        self,
        *,
        num_fields: int,
        embedding_dim: int,
        token_dim: int,
        projection: Callable[..., Projection] = Projection,
    ) -> None:
        super().__init__()
        self.mlp = projection(in_dim=num_fields * embedding_dim, out_dim=token_dim)

    def forward(self, fields: Float[Tensor, "batch field embedding_dim"]) -> Float[Tensor, "batch dim"]:
        """Compute the token."""
        token: Tensor = self.mlp(fields.flatten(1))
        return token


class FmToken(nn.Module):
    """W (sum over pairs of fields of v_i o v_j) + b: the products of a factorization machine as one token.

    Args:
        embedding_dim: width of one field's embedding.
        token_dim: D.

    Example:
        >>> FmToken(embedding_dim=4, token_dim=5)(torch.randn(2, 3, 4)).shape
        torch.Size([2, 5])

    Source: the global token of RankUp, arXiv 2604.17878.
    """

    def __init__(self, *, embedding_dim: int, token_dim: int) -> None:
        super().__init__()
        self.out = nn.Linear(embedding_dim, token_dim)
        init_linear_(self)

    def forward(self, fields: Float[Tensor, "batch field embedding_dim"]) -> Float[Tensor, "batch dim"]:
        """Compute the token; the sum over pairs takes linear time."""
        pairs = (fields.sum(dim=1).square() - fields.square().sum(dim=1)) / 2
        token: Tensor = self.out(pairs)
        return token


class CrossToken(nn.Module):
    """Cross layers of DCNv2 over all fields, then a linear map to one token.

    Args:
        num_fields: number of fields.
        embedding_dim: width of one field's embedding.
        token_dim: D.
        num_layers: number of cross layers.

    Example:
        >>> CrossToken(num_fields=3, embedding_dim=4, token_dim=5)(torch.randn(2, 3, 4)).shape
        torch.Size([2, 5])

    Source: the global token of RankUp, arXiv 2604.17878.
    """

    def __init__(self, *, num_fields: int, embedding_dim: int, token_dim: int, num_layers: PositiveInt = 2) -> None:
        super().__init__()
        width = num_fields * embedding_dim
        self.cross = CrossNetwork(width=width, num_layers=num_layers)
        self.out = nn.Linear(width, token_dim)
        init_linear_(self.out)

    def forward(self, fields: Float[Tensor, "batch field embedding_dim"]) -> Float[Tensor, "batch dim"]:
        """Compute the token."""
        token: Tensor = self.out(self.cross(fields.flatten(1)))
        return token


class GlobalTokenFirst(nn.Module):
    """A token of all fields in front of the tokens of another tokenizer.

    Args:
        first: maps (batch, field, embedding_dim) to (batch, dim).
        norm: a norm of all coordinates together before ``first``.
        others: maps (batch, field, embedding_dim) to (batch, token, dim).

    Source: TokenMixer-Large, arXiv 2602.06563.
    """

    def __init__(self, *, first: nn.Module, norm: nn.Module, others: nn.Module) -> None:
        super().__init__()
        self.norm = norm
        self.first = first
        self.others = others

    def forward(self, embeddings: Float[Tensor, "batch field embedding_dim"]) -> Float[Tensor, "batch token dim"]:
        """Compute the tokens, the global one first."""
        normed = self.norm(embeddings.flatten(1)).view_as(embeddings)
        return torch.cat([self.first(normed).unsqueeze(1), self.others(embeddings)], dim=1)
